/** Debian's scapy, asked what it makes of bytes, and for bytes of its own. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { projectRoot } from "../../image/project.ts";

/** A class of scapy's and its fields: numbers, addresses, bytes in hexadecimal, or layers in a list. */
export type Layer = readonly [name: string, fields: Readonly<Record<string, FieldValue>>];
export type FieldValue = number | string | null | readonly Layer[];

/** How a packet is read, and the bytes that scapy makes of nothing but the fields which it has read, lengths counted by itself. */
interface Judgement {
  readonly layers: readonly Layer[];
  readonly rebuilt: Buffer;
}

/** Debian's own interpreter has python3-scapy; the first `python3` of a PATH may be another. */
const PYTHON = "/usr/bin/python3";
const PROGRAM = join(projectRoot, "test/system/judge-scapy.py");

/** One process, as scapy takes half a second to be there. */
export class Scapy {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<void>;
  readonly #answers: AsyncIterator<string>;
  #errors = "";

  constructor() {
    // Isolated: no other scapy from a user's folder, and no compiled files left beside the program.
    const child = spawn(PYTHON, ["-I", "-B", PROGRAM]);
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    child.on("error", (error) => (this.#errors += error.message));
    child.stdin.on("error", () => {}); // its end is told by the answer that does not come
    this.#closed = new Promise((resolve) => child.on("close", () => resolve()));
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#process = child;
  }
  async dissect(as: string, packets: readonly Buffer[]): Promise<readonly Judgement[]> {
    const jobs = packets.map((packet) => ({ dissect: packet.toString("hex"), as }));
    const answers = await this.#ask<{ layers: readonly Layer[]; rebuilt: string }>(jobs);
    return answers.map(({ layers, rebuilt }) => ({ layers, rebuilt: Buffer.from(rebuilt, "hex") }));
  }
  /** The bytes of each of `stacks`; fields that are left out have scapy's defaults, lengths are counted by it. */
  async build(stacks: readonly (readonly Layer[])[]): Promise<readonly Buffer[]> {
    const answers = await this.#ask<{ bytes: string }>(stacks.map((stack) => ({ build: stack })));
    return answers.map(({ bytes }) => Buffer.from(bytes, "hex"));
  }
  /** `count` packets of the class `name`, in which all but the `fixed` fields are scapy's choice, and how it reads them. */
  async invent(name: string, fixed: Readonly<Record<string, number>>, seed: number, count: number) {
    const jobs = Array.from({ length: count }, (_, at) => ({ invent: name, seed: seed + at, fixed }));
    const answers = await this.#ask<{ bytes: string; layers: readonly Layer[] }>(jobs);
    return answers.map(({ bytes, layers }) => ({ bytes: Buffer.from(bytes, "hex"), layers }));
  }
  async close(): Promise<void> {
    this.#process.stdin.end();
    await this.#closed;
  }

  async #ask<Answer>(jobs: readonly object[]): Promise<readonly Answer[]> {
    this.#process.stdin.write(`${JSON.stringify(jobs)}\n`);
    const { done, value } = await this.#answers.next();
    if (done === true) await this.#closed;
    assert.ok(done !== true, `scapy ended: ${this.#errors}`);
    const answers = JSON.parse(value) as readonly Answer[];
    assert.equal(answers.length, jobs.length);
    return answers;
  }
}

/**
 * `culvert lab serve`: what ssh starts on the computer that has the board. It leases the bench, opens it, and passes bytes and
 * orders on, for as long as the lab at the other end of its standard input lives.
 */
import process from "node:process";
import type { Duplex, Readable, Writable } from "node:stream";
import { elapsedMs, type LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import type { Power } from "../power/power.ts";
import { Scope } from "../scope.ts";
import {
  type Ending,
  emitFrame,
  type Frame,
  FrameKind,
  FrameReader,
  GREETING,
  type Hello,
  parseContent,
  type Reply,
  type Request,
} from "./frames.ts";
import { parseBench } from "./load.ts";
import type { Bench } from "./schema.ts";

/** How often each side says that it is there. */
export const ALIVE_EVERY_MS = 5000;
/** A side that said nothing for so long is gone: its computer, or the network to it. */
export const ALIVE_LIMIT_MS = 20_000;

export interface ServeMeans {
  readonly clock: LabClock;
  takeLease(bench: string, why: string): Promise<{ readonly lost: AbortSignal; check(): void; close(): void }>;
  openLine(bench: Bench): Promise<Duplex>;
  /** undefined when the bench has no switch on this computer. */
  openPower(bench: Bench): Power | undefined;
}

/** Serves one lab and returns when it is gone, or the bench is. The bench is free again then. */
export async function serveBench(input: Readable, output: Writable, means: ServeMeans): Promise<void> {
  output.write(GREETING);
  const session = new Session(input, output, means);
  const why = await session.ended;
  if (why !== undefined) {
    const ending: Ending = { why: why instanceof Error ? why.message : String(why) };
    await new Promise<void>((resolve) => output.write(emitFrame(FrameKind.ending, ending), () => resolve()));
  }
  await session.close();
  input.destroy();
}

class Session {
  /** Resolves with what went wrong, or with nothing when the lab left. */
  readonly ended: Promise<unknown>;
  readonly #output: Writable;
  readonly #means: ServeMeans;
  readonly #scope = new Scope();
  readonly #reader = new FrameReader({ greeting: false });
  #heardNs: bigint;
  #isOver = false;
  #cancelAlive: () => void = () => {};
  #end: (why?: unknown) => void = () => {};
  #opening: Promise<void> | undefined;
  #line: Duplex | undefined;
  #lease: { check(): void } | undefined;
  #power: Power | undefined;

  constructor(input: Readable, output: Writable, means: ServeMeans) {
    this.#output = output;
    this.#means = means;
    this.#heardNs = means.clock.nowNs();
    this.ended = new Promise((resolve) => {
      this.#end = (why) => {
        this.#isOver = true;
        this.#cancelAlive();
        resolve(why);
      };
    });
    input.on("data", (bytes: Buffer) => this.#receive(bytes));
    for (const event of ["end", "close", "error"]) input.on(event, () => this.#end());
    output.on("error", () => this.#end());
    this.#armAlive();
  }

  /** What was being opened while the lab left is closed too. */
  async close(): Promise<void> {
    await this.#opening?.catch(() => {}); // it was told already
    await this.#scope.close();
  }

  #armAlive(): void {
    this.#cancelAlive = this.#means.clock.after(ALIVE_EVERY_MS, () => {
      const silentMs = elapsedMs(this.#heardNs, this.#means.clock.nowNs());
      if (silentMs > ALIVE_LIMIT_MS) {
        this.#end(new Fault("bench", "the lab has said nothing for 20 s"));
        return;
      }
      this.#send(FrameKind.alive);
      this.#armAlive();
    });
  }

  #receive(bytes: Buffer): void {
    this.#heardNs = this.#means.clock.nowNs();
    if (this.#isOver) return;
    try {
      for (const frame of this.#reader.push(bytes)) this.#take(frame);
    } catch (error) {
      this.#end(error);
    }
  }

  #take(frame: Frame): void {
    switch (frame.kind) {
      case FrameKind.hello:
        if (this.#opening !== undefined) throw new Fault("harness", "a second hello");
        this.#opening = this.#open(parseContent<Hello>(frame, { bench: "string", why: "string", env: "object" }));
        this.#opening.catch((error: unknown) => this.#end(error));
        break;
      case FrameKind.console:
        this.#lease?.check();
        this.#line?.write(frame.content);
        break;
      case FrameKind.request:
        void this.#answer(parseContent<Request>(frame, { id: "number", power: "string" }));
        break;
      case FrameKind.alive:
        break;
      default:
        throw new Fault(
          "harness",
          `a frame of kind ${frame.kind} from the lab: are both computers on the same version?`,
        );
    }
  }

  async #open(hello: Hello): Promise<void> {
    for (const [name, value] of Object.entries(hello.env)) process.env[name] = String(value);
    const bench = parseBench(hello.bench, "bench");
    const lease = this.#scope.own("lease", await this.#means.takeLease(bench.name, hello.why));
    this.#lease = lease;
    lease.lost.addEventListener("abort", () => this.#end(lease.lost.reason));
    const line = await this.#means.openLine(bench);
    this.#scope.defer("console", () => void line.destroy());
    line.on("data", (bytes: Buffer) => this.#send(FrameKind.console, bytes));
    line.on("error", (error) => this.#end(new Fault("bench", `the console failed: ${error.message}`)));
    line.on("close", () => this.#end(new Fault("bench", "the console was closed: was it unplugged?")));
    const power = this.#means.openPower(bench);
    if (power !== undefined) this.#power = this.#scope.own("power", power);
    this.#line = line;
    this.#send(FrameKind.ready);
  }

  async #answer({ id, power: order }: Request): Promise<void> {
    let reply: Reply;
    try {
      reply = { id, value: await this.#order(order) };
    } catch (error) {
      reply = { id, failure: error instanceof Error ? error.message : String(error) };
    }
    this.#send(FrameKind.reply, reply);
  }

  async #order(order: Request["power"]): Promise<string> {
    if (this.#power === undefined) throw new Fault("harness", "this bench has no power switch");
    this.#lease?.check();
    if (order === "state") return await this.#power.state();
    if (order === "on") await this.#power.on();
    else await this.#power.off();
    return order;
  }

  #send(kind: FrameKind, content?: Buffer | object): void {
    if (!this.#isOver) this.#output.write(emitFrame(kind, content));
  }
}

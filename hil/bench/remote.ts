/** A bench on another computer: its console and its power through `ssh HOST culvert lab serve`, under the lease of that computer. */
import process from "node:process";
import { Duplex, type Readable, type Writable } from "node:stream";
import { execa } from "execa";
import { elapsedMs, type LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import type { EventSink } from "../journal/journal.ts";
import type { Power, PowerState } from "../power/power.ts";
import { redact } from "../power/secret.ts";
import {
  type Ending,
  emitFrame,
  type Frame,
  FrameKind,
  FrameReader,
  type Hello,
  parseContent,
  type Reply,
  type Request,
} from "./frames.ts";
import type { Bench } from "./schema.ts";
import { ALIVE_EVERY_MS, ALIVE_LIMIT_MS } from "./serve.ts";
import { benchText, secretNames } from "./text.ts";

/** The helper may compile its checkout first, and the bench's console server may be slow. */
const READY_LIMIT_MS = 120_000;
/** How long ssh may take to leave. */
const LEAVE_MS = 5000;

export interface RemotePlace {
  readonly node: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
  /** Options for ssh, before the host. People have theirs in ~/.ssh/config. */
  readonly sshOptions?: readonly string[] | undefined;
}

/** The two ends of a running helper, and how to end it. */
export interface Helper {
  readonly input: Writable;
  readonly output: Readable;
  /** Resolves when it is gone: with what it said on its error output and its exit status. */
  readonly ended: Promise<{ readonly said: string; readonly status: number | undefined }>;
  kill(): void;
}

/** `ssh://user@host:port` as arguments of ssh. It never asks anything: nobody may be there. */
export function sshArguments(host: string, options: readonly string[]): string[] {
  const { username, hostname, port } = new URL(host);
  const fixed = ["BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"];
  return [
    "-T",
    ...options,
    ...fixed.flatMap((option) => ["-o", option]),
    ...(port === "" ? [] : ["-p", port]),
    "--",
    `${username === "" ? "" : `${decodeURIComponent(username)}@`}${hostname.replace(/^\[|\]$/g, "")}`,
    "culvert lab serve",
  ];
}

function startSsh(host: string, options: readonly string[]): Helper {
  const child = execa("ssh", sshArguments(host, options), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    buffer: { stdout: false },
    encoding: "buffer",
    reject: false,
    forceKillAfterDelay: 1000,
  });
  child.stdin.on("error", () => {}); // its end tells
  return {
    input: child.stdin,
    output: child.stdout,
    ended: child.then((result) => ({
      said:
        result.code === "ENOENT"
          ? "the program ssh is missing: sudo apt-get install -y openssh-client"
          : Buffer.from(result.stderr ?? [])
              .toString()
              .trim(),
      status: result.exitCode,
    })),
    kill: () => void child.kill(),
  };
}

export class RemoteBench {
  /** The console. It is destroyed with a Fault when the bench is lost. */
  readonly line: Duplex;
  readonly #host: string;
  readonly #place: RemotePlace;
  readonly #helper: Helper;
  readonly #reader = new FrameReader({ greeting: true });
  readonly #lost = new AbortController();
  readonly #waiting = new Map<number, { resolve: (value: string) => void; reject: (error: Error) => void }>();
  #ready: (() => void) | undefined;
  #lastId = 0;
  #heardNs: bigint;
  #isClosed = false;
  #cancelAlive: () => void = () => {};

  private constructor(host: string, place: RemotePlace, helper: Helper) {
    this.#host = host;
    this.#place = place;
    this.#helper = helper;
    this.#heardNs = place.clock.nowNs();
    this.line = new Duplex({
      read: () => {},
      write: (bytes: Buffer, _encoding, done) => {
        this.#send(FrameKind.console, bytes);
        done();
      },
      emitClose: true,
    });
    this.line.on("error", () => {}); // `lost` tells those who do not listen here
    helper.output.on("data", (bytes: Buffer) => this.#receive(bytes));
    void helper.ended.then(({ said, status }) => {
      this.#cancelAlive();
      this.#lose(this.#explain(said, status));
    });
    this.#armAlive();
  }

  /** Leases and opens the bench over there. Throws a bench Fault: no connection, no helper, or the helper's own words. */
  static async open(
    bench: Bench,
    why: string,
    place: RemotePlace,
    start: (host: string, options: readonly string[]) => Helper = startSsh,
  ): Promise<RemoteBench> {
    if (bench.host === undefined) throw new Fault("harness", `bench ${bench.name} has no host`);
    const { host, ...local } = bench;
    const remote = new RemoteBench(host, place, start(host, place.sshOptions ?? []));
    const text = benchText(local);
    const names = secretNames(text).filter((name) => process.env[name] !== undefined);
    const env = Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""]));
    const hello: Hello = { bench: text, why, env };
    remote.#send(FrameKind.hello, hello);
    try {
      await remote.#untilReady();
      return remote;
    } catch (error) {
      await remote.close();
      throw error;
    }
  }

  /** Aborted with a Fault when the connection, the lease or the console over there is gone. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The switch over there. Closing it does nothing: it is closed with the bench. */
  get power(): Power {
    const order = async (power: Request["power"]): Promise<string> => {
      const value = await this.#ask(power);
      const { node, journal } = this.#place;
      if (power !== "state") journal.append({ kind: "power", node, to: power, by: `the switch at ${this.#host}` });
      return value;
    };
    return {
      on: async () => void (await order("on")),
      off: async () => void (await order("off")),
      state: async () => (await order("state")) as PowerState,
      close: () => Promise.resolve(),
    };
  }

  /** Gives the bench back. Returns when ssh is gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#helper.input.end();
    const cancel = this.#place.clock.after(LEAVE_MS, () => this.#helper.kill());
    await this.#helper.ended;
    cancel();
    this.line.destroy();
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#place.clock.after(READY_LIMIT_MS, () => {
        this.#lose(`it was not ready within ${READY_LIMIT_MS / 1000} s`);
      });
      this.#ready = () => {
        cancel();
        resolve();
      };
      const lost = (): void => {
        cancel();
        reject(this.#lost.signal.reason);
      };
      if (this.#lost.signal.aborted) lost();
      else this.#lost.signal.addEventListener("abort", lost);
    });
  }

  #ask(power: Request["power"]): Promise<string> {
    if (this.#lost.signal.aborted) return Promise.reject(this.#lost.signal.reason);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send(FrameKind.request, { id, power });
    });
  }

  #armAlive(): void {
    this.#cancelAlive = this.#place.clock.after(ALIVE_EVERY_MS, () => {
      const silentMs = elapsedMs(this.#heardNs, this.#place.clock.nowNs());
      // Until it is ready the helper may be compiling; that has a limit of its own.
      if (this.#ready === undefined && silentMs > ALIVE_LIMIT_MS) {
        this.#lose("it has said nothing for 20 s: the connection is broken");
        return;
      }
      this.#send(FrameKind.alive);
      this.#armAlive();
    });
  }

  #receive(bytes: Buffer): void {
    this.#heardNs = this.#place.clock.nowNs();
    try {
      for (const frame of this.#reader.push(bytes)) this.#take(frame);
    } catch (error) {
      this.#lose(
        `what answers there is not culvert's helper: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #take(frame: Frame): void {
    switch (frame.kind) {
      case FrameKind.ready:
        this.#ready?.();
        this.#ready = undefined;
        break;
      case FrameKind.console:
        this.line.push(frame.content);
        break;
      case FrameKind.reply: {
        const { id, value, failure } = parseContent<Reply>(frame, { id: "number" });
        const waiting = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (failure === undefined) waiting?.resolve(value ?? "");
        else waiting?.reject(this.#fault(failure));
        break;
      }
      case FrameKind.ending:
        this.#lose(parseContent<Ending>(frame, { why: "string" }).why);
        break;
      default: // alive
    }
  }

  #explain(said: string, status: number | undefined): string {
    const noise = this.#reader.noise();
    const words = [noise, said]
      .filter((text) => text !== "")
      .join("\n")
      .split("\n")
      .slice(-3)
      .join(" / ");
    if (status === 127) {
      return `there is no \`culvert\` in the PATH of its ssh commands (${words}); on that computer: sudo ln -s CHECKOUT/hil/culvert.mjs /usr/local/bin/culvert`;
    }
    if (status === 255) return `ssh: ${words}`;
    return words === "" ? "the connection has ended" : words;
  }

  #lose(why: string): void {
    if (this.#lost.signal.aborted || this.#isClosed) return;
    this.#cancelAlive();
    const fault = this.#fault(why);
    this.#lost.abort(fault);
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
    this.line.destroy(fault);
    this.#helper.kill();
  }

  #fault(text: string): Fault {
    const { node } = this.#place;
    return new Fault("bench", redact(`${node}: bench at ${this.#host}: ${text}`), { node });
  }

  #send(kind: FrameKind, content?: Buffer | object): void {
    if (!this.#helper.input.writableEnded && !this.#helper.input.destroyed) {
      this.#helper.input.write(emitFrame(kind, content));
    }
  }
}

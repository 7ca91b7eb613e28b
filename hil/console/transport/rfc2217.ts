/** A serial port behind a port server that speaks RFC 2217: ser2net, or the boxes that are sold for it. */
import type { Socket } from "node:net";
import { elapsedMs, type LabClock } from "../../clock.ts";
import { Fault } from "../../fault.ts";
import {
  ANSWER,
  breakCommand,
  Command,
  type ComPortCommand,
  emitCommand,
  emitData,
  emitNegotiation,
  lineCommands,
  Option,
  settingCommands,
  TelnetParser,
  Verb,
} from "./rfc2217-codec.ts";
import { closeSocket, connectTo, hostAndPort } from "./tcp.ts";
import { BREAK_MS, type LineSettings, type Transport, transportOver } from "./transport.ts";

const ANSWER_WITHIN_MS = 5000;

/** Connects, agrees on binary bytes and the COM-PORT-OPTION, and sets the line. Nothing that waits at the server is purged. */
export async function openRfc2217(address: string, settings: LineSettings, clock: LabClock): Promise<Transport> {
  const socket = await connectTo(address, hostAndPort(address), "bench", clock);
  const session = new Session(address, socket, clock);
  const transport = transportOver({
    place: address,
    stream: socket,
    faultClass: "bench",
    control: {
      set: async (changed) => await session.command(settingCommands(changed)),
      setLines: async (lines) => await session.command(lineCommands(lines)),
      sendBreak: async (ms = BREAK_MS) => {
        await session.command([breakCommand(true)]);
        await new Promise<void>((resolve) => void clock.after(ms, resolve));
        await session.command([breakCommand(false)]);
      },
    },
    encode: (bytes) => emitData(bytes, session.sendsBinary),
    decode: (bytes) => session.receive(bytes),
    ready: () => session.resumed,
    close: () => closeSocket(socket),
  });
  try {
    await session.agree();
    await session.command(settingCommands(settings));
    return transport;
  } catch (error) {
    await transport.close();
    throw error;
  }
}

/** What both ends have agreed to, and the answers that are still to come. */
class Session {
  readonly #place: string;
  readonly #socket: Socket;
  readonly #clock: LabClock;
  readonly #parser = new TelnetParser();
  readonly #mine = new Set<number>();
  readonly #theirs = new Set<number>();
  #agreed: ((problem?: string) => void) | undefined;
  #awaited: { readonly command: ComPortCommand; resolve(value: Buffer): void } | undefined;
  #queue: Promise<void> = Promise.resolve();
  #resumed: Promise<void> = Promise.resolve();
  #resume: (() => void) | undefined;

  constructor(place: string, socket: Socket, clock: LabClock) {
    this.#place = place;
    this.#socket = socket;
    this.#clock = clock;
  }

  get sendsBinary(): boolean {
    return this.#mine.has(Option.binary);
  }

  /** While the server's buffer is full nothing is sent (RFC 2217 §3, FLOWCONTROL-SUSPEND). */
  get resumed(): Promise<void> {
    return this.#resumed;
  }

  async agree(): Promise<void> {
    const agreed = this.#limited<void>("an answer to COM-PORT-OPTION", (resolve, reject) => {
      this.#agreed = (problem) => (problem === undefined ? resolve() : reject(this.#fault(problem)));
    });
    for (const option of MINE) this.#socket.write(emitNegotiation(Verb.will, option));
    for (const option of THEIRS) this.#socket.write(emitNegotiation(Verb.do, option));
    await agreed;
  }

  /** The line's bytes in what came; the rest is answered here. */
  receive(chunk: Buffer): Buffer {
    const data: Buffer[] = [];
    for (const event of this.#parser.push(chunk, this.#theirs.has(Option.binary))) {
      if (event.kind === "data") data.push(event.bytes);
      else if (event.kind === "negotiation") this.#negotiate(event.verb, event.option);
      else if (event.option === Option.comPort) this.#answer(event.bytes);
    }
    return data.length === 1 && data[0] !== undefined ? data[0] : Buffer.concat(data);
  }

  /** One after the other, each until the server has answered; an answer with another value is a Fault. */
  command(commands: readonly ComPortCommand[]): Promise<void> {
    const done = this.#queue.then(async () => {
      for (const command of commands) await this.#command(command);
    });
    this.#queue = done.catch(() => {});
    return done;
  }

  async #command(command: ComPortCommand): Promise<void> {
    const what = `an answer to ${COMMAND_NAMES[command.command] ?? "a command"} (RFC 2217 §3)`;
    const answered = this.#limited<Buffer>(what, (resolve) => {
      this.#awaited = { command, resolve };
    });
    this.#socket.write(emitCommand(command));
    const value = await answered.finally(() => {
      this.#awaited = undefined;
    });
    if (command.command === Command.setBaud && value.length === 4 && !value.equals(command.value)) {
      const [wanted, is] = [command.value.readUInt32BE(), value.readUInt32BE()];
      throw this.#fault(`the port cannot do ${wanted} baud: it stays at ${is}`);
    }
  }

  #limited<T>(what: string, begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    const startedNs = this.#clock.nowNs();
    return new Promise<T>((resolve, reject) => {
      const settled = (): void => {
        cancel();
        this.#socket.off("close", closed);
      };
      const cancel = this.#clock.after(ANSWER_WITHIN_MS, () => {
        settled();
        const seconds = elapsedMs(startedNs, this.#clock.nowNs()) / 1000;
        reject(this.#fault(`no ${what.replace(/^an /, "")} within ${seconds.toFixed(0)} s`));
      });
      const closed = (): void => {
        settled();
        reject(this.#fault(`closed while waiting for ${what}`));
      };
      this.#socket.once("close", closed);
      begin(
        (value) => {
          settled();
          resolve(value);
        },
        (error) => {
          settled();
          reject(error);
        },
      );
    });
  }

  #negotiate(verb: Verb, option: number): void {
    const isMine = verb === Verb.do || verb === Verb.dont;
    const [wanted, agreed] = isMine ? [MINE, this.#mine] : [THEIRS, this.#theirs];
    const isYes = verb === Verb.do || verb === Verb.will;
    const isNew = isYes !== agreed.has(option);
    if (isYes && wanted.has(option)) agreed.add(option);
    else {
      agreed.delete(option);
      // A yes that nobody asked for is declined, once.
      if (isYes && isNew) this.#socket.write(emitNegotiation(isMine ? Verb.wont : Verb.dont, option));
    }
    if (option !== Option.comPort || !isMine) return;
    this.#agreed?.(isYes ? undefined : "this port server does not speak RFC 2217: name it as `tcp` instead");
    this.#agreed = undefined;
  }

  #answer(bytes: Buffer): void {
    const code = bytes[0] ?? 0;
    if (code === ANSWER + Command.suspend) {
      if (this.#resume !== undefined) return;
      this.#resumed = new Promise((resolve) => {
        this.#resume = resolve;
      });
    } else if (code === ANSWER + Command.resume) {
      this.#resume?.();
      this.#resume = undefined;
    } else if (this.#awaited !== undefined && code === ANSWER + this.#awaited.command.command) {
      this.#awaited.resolve(bytes.subarray(1));
    }
  }

  #fault(message: string): Fault {
    return new Fault("bench", `${this.#place}: ${message}`);
  }
}

const COMMAND_NAMES: Readonly<Record<number, string>> = {
  [Command.setBaud]: "SET-BAUDRATE",
  [Command.setDataSize]: "SET-DATASIZE",
  [Command.setParity]: "SET-PARITY",
  [Command.setStopSize]: "SET-STOPSIZE",
  [Command.setControl]: "SET-CONTROL",
};
const MINE: ReadonlySet<number> = new Set([Option.binary, Option.suppressGoAhead, Option.comPort]);
const THEIRS: ReadonlySet<number> = new Set([Option.binary, Option.suppressGoAhead]);

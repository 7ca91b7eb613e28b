/** TELNET (RFC 854) with the COM-PORT-OPTION (RFC 2217): bytes to meaning and back. Knows neither sockets nor time. */
import type { LineSettings, ModemLines } from "./transport.ts";

const IAC = 255;
const SB = 250;
const SE = 240;
const CR = 13;

/** RFC 854: negotiation verbs. */
export const Verb = { will: 251, wont: 252, do: 253, dont: 254 } as const;
export type Verb = (typeof Verb)[keyof typeof Verb];

/** RFC 856, RFC 857, RFC 858, RFC 2217 §3. */
export const Option = { binary: 0, echo: 1, suppressGoAhead: 3, comPort: 44 } as const;

/** RFC 2217 §3: commands of the client; the server's answers have 100 added. */
export const Command = {
  setBaud: 1,
  setDataSize: 2,
  setParity: 3,
  setStopSize: 4,
  setControl: 5,
  suspend: 8,
  resume: 9,
} as const;
export const ANSWER = 100;

/** RFC 2217 §3, values of SET-CONTROL. */
const Control = {
  ...{ noFlow: 1, xonXoff: 2, rtsCts: 3, breakOn: 5, breakOff: 6, dtrOn: 8, dtrOff: 9, rtsOn: 11, rtsOff: 12 },
} as const;
const FLOW = { none: Control.noFlow, "xon-xoff": Control.xonXoff, "rts-cts": Control.rtsCts } as const;
const PARITY = { none: 1, odd: 2, even: 3, mark: 4, space: 5 } as const;
const STOP = { 1: 1, 2: 2, 1.5: 3 } as const;

export type TelnetEvent =
  | { readonly kind: "data"; readonly bytes: Buffer }
  | { readonly kind: "negotiation"; readonly verb: Verb; readonly option: number }
  | { readonly kind: "subnegotiation"; readonly option: number; readonly bytes: Buffer };

/** A subnegotiation is no longer than this; the rest of a longer one is left out. */
const LONGEST_SUBNEGOTIATION = 512;

/** Takes a TELNET stream apart, however it is cut. Commands without a meaning for serial lines are passed over. */
export class TelnetParser {
  #state: "data" | "iac" | "verb" | "sub" | "sub-iac" = "data";
  #verb: Verb = Verb.will;
  #sub: number[] = [];
  #afterCr = false;

  /** In binary mode a CR is a CR; otherwise one that ends no line has a NUL behind it (RFC 854, page 11). */
  push(chunk: Buffer, isBinary: boolean): TelnetEvent[] {
    const events: TelnetEvent[] = [];
    let data: number[] = [];
    const flush = (): void => {
      if (data.length > 0) events.push({ kind: "data", bytes: Buffer.from(data) });
      data = [];
    };
    for (const byte of chunk) {
      switch (this.#state) {
        case "data":
          if (byte === IAC) this.#state = "iac";
          else {
            if (isBinary || !this.#afterCr || byte !== 0) data.push(byte);
            this.#afterCr = byte === CR;
          }
          break;
        case "iac":
          this.#state = "data";
          if (byte === IAC) {
            data.push(IAC);
            this.#afterCr = false;
          } else if (byte === SB) {
            this.#state = "sub";
            this.#sub = [];
          } else if (isVerb(byte)) {
            this.#state = "verb";
            this.#verb = byte;
          }
          break;
        case "verb":
          flush();
          events.push({ kind: "negotiation", verb: this.#verb, option: byte });
          this.#state = "data";
          break;
        case "sub":
          if (byte === IAC) this.#state = "sub-iac";
          else this.#keep(byte);
          break;
        case "sub-iac":
          this.#state = byte === SE ? "data" : "sub";
          if (byte === IAC) this.#keep(IAC);
          else if (byte === SE && this.#sub.length > 0) {
            flush();
            const [option = 0, ...rest] = this.#sub;
            events.push({ kind: "subnegotiation", option, bytes: Buffer.from(rest) });
          }
          break;
      }
    }
    flush();
    return events;
  }

  #keep(byte: number): void {
    if (this.#sub.length < LONGEST_SUBNEGOTIATION) this.#sub.push(byte);
  }
}

function isVerb(byte: number): byte is Verb {
  return byte >= Verb.will && byte <= Verb.dont;
}

/** A line's bytes as TELNET data. */
export function emitData(bytes: Buffer, isBinary: boolean): Buffer {
  if (!bytes.includes(IAC) && (isBinary || !bytes.includes(CR))) return bytes;
  const out: number[] = [];
  for (const byte of bytes) {
    out.push(byte);
    if (byte === IAC) out.push(IAC);
    if (byte === CR && !isBinary) out.push(0);
  }
  return Buffer.from(out);
}

export function emitNegotiation(verb: Verb, option: number): Buffer {
  return Buffer.from([IAC, verb, option]);
}

/** One COM-PORT command; `value` may hold any bytes. */
export function emitCommand({ command, value }: ComPortCommand): Buffer {
  const payload = Buffer.concat([Buffer.from([Option.comPort, command]), value]);
  return Buffer.concat([Buffer.from([IAC, SB]), emitData(payload, true), Buffer.from([IAC, SE])]);
}

export interface ComPortCommand {
  readonly command: number;
  readonly value: Buffer;
}

const one = (command: number, value: number): ComPortCommand => ({ command, value: Buffer.from([value]) });

export function settingCommands(settings: LineSettings): ComPortCommand[] {
  const { baud, dataBits, parity, stopBits, flow } = settings;
  const commands: ComPortCommand[] = [];
  if (baud !== undefined) {
    const value = Buffer.alloc(4);
    value.writeUInt32BE(baud);
    commands.push({ command: Command.setBaud, value });
  }
  if (dataBits !== undefined) commands.push(one(Command.setDataSize, dataBits));
  if (parity !== undefined) commands.push(one(Command.setParity, PARITY[parity]));
  if (stopBits !== undefined) commands.push(one(Command.setStopSize, STOP[stopBits]));
  if (flow !== undefined) commands.push(one(Command.setControl, FLOW[flow]));
  return commands;
}

export function lineCommands({ dtr, rts }: ModemLines): ComPortCommand[] {
  const commands: ComPortCommand[] = [];
  if (dtr !== undefined) commands.push(one(Command.setControl, dtr ? Control.dtrOn : Control.dtrOff));
  if (rts !== undefined) commands.push(one(Command.setControl, rts ? Control.rtsOn : Control.rtsOff));
  return commands;
}

export function breakCommand(isOn: boolean): ComPortCommand {
  return one(Command.setControl, isOn ? Control.breakOn : Control.breakOff);
}

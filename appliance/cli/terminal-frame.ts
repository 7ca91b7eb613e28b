/**
 * What the login shell (`../native/login/attach.c`) and the console say to each other: a type, the length as two bytes
 * big-endian, that many bytes. The console grants the input it will take, so that a reader may be slow.
 */

const HEADER_BYTES = 3;
/** Of one frame; longer output is cut into several. */
const LARGEST_PAYLOAD_BYTES = 16 * 1024;

/** From the login shell. */
export type TerminalFrame =
  | { readonly type: "from"; readonly address: string }
  | { readonly type: "command"; readonly line: string }
  | { readonly type: "size"; readonly columns: number; readonly lines: number }
  | { readonly type: "go" }
  | { readonly type: "input"; readonly bytes: Buffer }
  | { readonly type: "end" };

export class TerminalFrames {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that are whole now; undefined when these bytes are no frames at all, and none will come after. */
  push(bytes: Buffer): readonly TerminalFrame[] | undefined {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: TerminalFrame[] = [];
    while (this.#rest.length >= HEADER_BYTES) {
      const length = this.#rest.readUInt16BE(1);
      if (length > LARGEST_PAYLOAD_BYTES) return undefined;
      if (this.#rest.length < HEADER_BYTES + length) break;
      const frame = parseFrame(this.#rest[0] ?? 0, this.#rest.subarray(HEADER_BYTES, HEADER_BYTES + length));
      if (frame === undefined) return undefined;
      frames.push(frame);
      this.#rest = this.#rest.subarray(HEADER_BYTES + length);
    }
    return frames;
  }
}

function parseFrame(type: number, payload: Buffer): TerminalFrame | undefined {
  switch (String.fromCharCode(type)) {
    case "F":
      // `client port, our port`, as SSH_CONNECTION has them.
      return { type: "from", address: payload.toString("latin1").split(" ")[0] ?? "" };
    case "C":
      return { type: "command", line: payload.toString("utf8") };
    case "T":
      if (payload.length !== 4) return undefined;
      return { type: "size", columns: payload.readUInt16BE(0), lines: payload.readUInt16BE(2) };
    case "G":
      return { type: "go" };
    case "I":
      return { type: "input", bytes: payload };
    case "E":
      return { type: "end" };
    default:
      return undefined;
  }
}

export function emitOutput(bytes: Buffer, stream: "output" | "error"): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += LARGEST_PAYLOAD_BYTES)
    frames.push(emitFrame(stream === "output" ? "O" : "D", bytes.subarray(at, at + LARGEST_PAYLOAD_BYTES)));
  return Buffer.concat(frames);
}
/** The login shell ends with this status, once it has delivered what came before. */
export function emitExit(status: number): Buffer {
  return emitFrame("X", Buffer.from([status]));
}
/** So many more bytes of input may come. */
export function emitGrant(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return emitFrame("R", payload);
}

function emitFrame(type: string, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(type, 0, "latin1");
  header.writeUInt16BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

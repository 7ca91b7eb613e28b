/**
 * How a lab and the helper on another computer talk over ssh: after a line that begins the conversation, frames of a 32-bit
 * length, a byte that says what it is, and the content. The line is there because a login shell may print anything before it.
 */

export const GREETING = "culvert bench 1\n";
const MAX_BYTES = 1 << 20;
/** A shell that prints more than this before the helper starts does not start it. */
const MAX_NOISE = 64 * 1024;

export const FrameKind = {
  /** Lab to helper: JSON `Hello`. */
  hello: 1,
  /** Helper to lab: the bench is leased and open. */
  ready: 2,
  /** Bytes of the console, both ways. */
  console: 3,
  /** Lab to helper: JSON `Request`. */
  request: 4,
  /** Helper to lab: JSON `Reply`. */
  reply: 5,
  /** Helper to lab: JSON `Ending`; it is the last one. */
  ending: 6,
  /** Both ways: still there. */
  alive: 7,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export interface Frame {
  readonly kind: number;
  readonly content: Buffer;
}

export function emitFrame(kind: FrameKind, content: Buffer | object = Buffer.alloc(0)): Buffer {
  const body = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length + 1);
  head.writeUInt8(kind, 4);
  return Buffer.concat([head, body]);
}

/** The other side said something that is none of this. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FrameError";
  }
}

/** Bytes in, whole frames out. Throws a FrameError for bytes that cannot be frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #greeted: boolean;

  /** `greeting`: frames begin after it, whatever comes before. */
  constructor(options: { readonly greeting: boolean }) {
    this.#greeted = !options.greeting;
  }

  push(bytes: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (!this.#greeted) {
      const at = this.#rest.indexOf(GREETING);
      if (at < 0) {
        if (this.#rest.length > MAX_NOISE)
          throw new FrameError(`it said: ${JSON.stringify(this.noise().slice(0, 200))}`);
        return [];
      }
      this.#greeted = true;
      this.#rest = this.#rest.subarray(at + GREETING.length);
    }
    const frames: Frame[] = [];
    let at = 0;
    for (; this.#rest.length - at >= 5; ) {
      const length = this.#rest.readUInt32BE(at);
      if (length < 1 || length > MAX_BYTES) throw new FrameError(`a frame of ${length} bytes`);
      if (this.#rest.length - at < 4 + length) break;
      frames.push({
        kind: this.#rest.readUInt8(at + 4),
        content: Buffer.from(this.#rest.subarray(at + 5, at + 4 + length)),
      });
      at += 4 + length;
    }
    if (at > 0) this.#rest = Buffer.from(this.#rest.subarray(at));
    return frames;
  }

  /** What came instead of a greeting. */
  noise(): string {
    return this.#greeted ? "" : this.#rest.toString("utf8").trim();
  }
}

/** `bench` is the text of a bench file; `env` are the variables that its secrets name. */
export interface Hello {
  readonly bench: string;
  readonly why: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Request {
  readonly id: number;
  readonly power: "on" | "off" | "state";
}

export interface Reply {
  readonly id: number;
  readonly value?: string;
  readonly failure?: string;
}

export interface Ending {
  readonly why: string;
}

/** The object in a frame, if it has these fields with these types. */
export function parseContent<T extends object>(
  frame: Frame,
  fields: Readonly<Partial<Record<keyof T & string, "string" | "number" | "object">>>,
): T {
  let value: unknown;
  try {
    value = JSON.parse(frame.content.toString("utf8"));
  } catch {
    value = undefined;
  }
  const isWhole =
    typeof value === "object" &&
    value !== null &&
    Object.entries(fields).every(([name, type]) => {
      const field = (value as Record<string, unknown>)[name];
      return field !== null && typeof field === type;
    });
  if (!isWhole) throw new FrameError(`a frame of kind ${frame.kind} without ${Object.keys(fields).join(", ")}`);
  return value as T;
}

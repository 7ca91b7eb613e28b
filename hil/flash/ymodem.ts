/**
 * Sends one file by Y-modem in batch mode: blocks of 1024 bytes with CRC-16, as `rb` and U-Boot's `loady` receive it. Source:
 * Chuck Forsberg, "XMODEM/YMODEM Protocol Reference" (1988), chapters 3 to 7. No IO and no clock.
 *
 * The walk: `C` -> header (block 0: name, length) -> ACK, `C` -> blocks, one ACK each -> EOT -> (NAK, EOT) ACK -> `C` -> an empty
 * header, which ends the batch -> ACK.
 */

const SOH = 0x01;
const STX = 0x02;
const EOT = 0x04;
const ACK = 0x06;
const NAK = 0x15;
const CAN = 0x18;
const PAD = 0x1a;
const WANTS_CRC = 0x43; // C

const SHORT_BLOCK = 128;
const LONG_BLOCK = 1024;
const RETRIES = 10;
/** A receiver asks again every three seconds or so; it has this long to begin. */
const BEGIN_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
/** A receiver that waits says `C` every second or more rarely: those that come sooner were said before our last block. */
const REPEATED_AFTER_MS = 900;
/** Two in a row are an order to stop; one may be noise. */
const CANCELS = 2;

type Phase = "header" | "header-acknowledged" | "data" | "end-of-file" | "file-ended" | "last-header";

export type YmodemOutcome = { readonly kind: "done" } | { readonly kind: "failed"; readonly because: string };

export interface YmodemFile {
  /** Latin-1, without zeros. */
  readonly name: string;
  readonly data: Buffer;
}

export class YmodemSender {
  readonly #file: YmodemFile;
  #phase: Phase = "header";
  /** The block of `data` that waits for its ACK, from 1. */
  #block = 1;
  #hasSent = false;
  #retriesLeft = RETRIES;
  #cancels = 0;
  #resent = 0;
  #sentMs = 0;
  #deadlineMs: number;
  #outcome: YmodemOutcome | undefined;

  /** Nothing is sent before the receiver asks. Throws a RangeError for a name that does not fit into its block. */
  constructor(file: YmodemFile, nowMs: number) {
    const { name, data } = file;
    if (
      name === "" ||
      name.includes("\0") ||
      Buffer.byteLength(name, "latin1") + 2 + String(data.length).length > SHORT_BLOCK
    ) {
      throw new RangeError(`"${name}" is no name for Y-modem: it must have 1 to about 100 characters`);
    }
    this.#file = file;
    this.#deadlineMs = nowMs + BEGIN_WITHIN_MS;
  }

  get outcome(): YmodemOutcome | undefined {
    return this.#outcome;
  }
  /** When `tick` must be called; undefined once it is over. */
  get deadlineMs(): number | undefined {
    return this.#outcome === undefined ? this.#deadlineMs : undefined;
  }
  /** How much of the file the receiver has acknowledged. */
  get sentBytes(): number {
    return Math.min(this.#file.data.length, (this.#block - 1) * LONG_BLOCK);
  }
  /** Blocks that were sent again. */
  get resent(): number {
    return this.#resent;
  }

  /** What the receiver sent; what is returned must be sent to it. */
  handle(bytes: Buffer, nowMs: number): Buffer {
    const answers: Buffer[] = [];
    for (const byte of bytes) {
      if (this.#outcome !== undefined) break;
      this.#cancels = byte === CAN ? this.#cancels + 1 : 0;
      if (this.#cancels === CANCELS) this.#fail("the receiver cancelled the transfer");
      else answers.push(...this.#byte(byte, nowMs));
    }
    return Buffer.concat(answers);
  }

  /** What must be sent when the receiver was silent for too long. */
  tick(nowMs: number): Buffer {
    if (this.#outcome !== undefined || nowMs < this.#deadlineMs) return Buffer.alloc(0);
    if (this.#phase === "header" && !this.#hasSent) {
      this.#fail("no receiver asked for the file");
      return Buffer.alloc(0);
    }
    // The receiver has the whole file; that its last word was lost changes nothing.
    if (this.#phase === "last-header" && this.#retriesLeft === 0) {
      this.#outcome = { kind: "done" };
      return Buffer.alloc(0);
    }
    return this.#again(nowMs, "the receiver does not answer");
  }

  /** Ends the transfer from this side; what is returned tells the receiver. */
  cancel(because: string): Buffer {
    if (this.#outcome !== undefined) return Buffer.alloc(0);
    this.#fail(because);
    return this.#cancelBytes();
  }

  #byte(byte: number, nowMs: number): Buffer[] {
    switch (byte) {
      case ACK:
        return this.#acknowledged(nowMs);
      case NAK:
        if (!this.#hasSent) return [];
        if (this.#phase === "header-acknowledged" || this.#phase === "file-ended") return this.#wanted(nowMs);
        // The first EOT may be noise to a receiver: it asks for another one, and that is no failure.
        return [this.#again(nowMs, "the receiver refuses what arrives")];
      case WANTS_CRC:
        return this.#wanted(nowMs);
      default:
        return []; // noise, or the echo of a line
    }
  }

  #acknowledged(nowMs: number): Buffer[] {
    if (!this.#hasSent) return [];
    switch (this.#phase) {
      case "header":
        return this.#enter("header-acknowledged", nowMs);
      case "data":
        this.#block++;
        if (this.sentBytes < this.#file.data.length) return [this.#send(nowMs)];
        this.#phase = "end-of-file";
        return [this.#send(nowMs)];
      case "end-of-file":
        return this.#enter("file-ended", nowMs);
      case "last-header":
        this.#outcome = { kind: "done" };
        return [];
      default:
        return [];
    }
  }

  /** `C` asks for a header, for the first block of a file, or for the next file. */
  #wanted(nowMs: number): Buffer[] {
    const isTurn = this.#phase === "header-acknowledged" || this.#phase === "file-ended" || !this.#hasSent;
    if (!isTurn && nowMs - this.#sentMs < REPEATED_AFTER_MS) return [];
    switch (this.#phase) {
      case "header":
        // A repeated `C` is a receiver that has not seen the header yet.
        return this.#hasSent ? [this.#again(nowMs, "the receiver asks again and again")] : [this.#send(nowMs)];
      case "header-acknowledged":
        this.#phase = this.#file.data.length === 0 ? "end-of-file" : "data";
        return [this.#send(nowMs)];
      case "data":
        return this.#block === 1 ? [this.#again(nowMs, "the receiver asks for the first block again and again")] : [];
      case "file-ended":
        this.#phase = "last-header";
        return [this.#send(nowMs)];
      case "last-header":
        return [this.#again(nowMs, "the receiver asks for the end again and again")];
      case "end-of-file":
        // Of an empty file it may still ask for the first block; else its ACK was lost, and it asks for the next file.
        if (this.#file.data.length === 0) return [this.#again(nowMs, "the receiver asks for the end again and again")];
        this.#phase = "last-header";
        return [this.#send(nowMs)];
    }
  }

  /** Phases in which it is the receiver's turn. */
  #enter(phase: "header-acknowledged" | "file-ended", nowMs: number): Buffer[] {
    this.#phase = phase;
    this.#retriesLeft = RETRIES;
    this.#deadlineMs = nowMs + ANSWER_WITHIN_MS;
    return [];
  }

  #send(nowMs: number): Buffer {
    this.#hasSent = true;
    this.#sentMs = nowMs;
    this.#retriesLeft = RETRIES;
    this.#deadlineMs = nowMs + ANSWER_WITHIN_MS;
    return this.#packet();
  }

  #again(nowMs: number, because: string): Buffer {
    if (this.#retriesLeft === 0) {
      this.#fail(
        `${because}; ${RETRIES} retries were in vain after ${this.sentBytes} of ${this.#file.data.length} bytes`,
      );
      return this.#cancelBytes();
    }
    this.#retriesLeft--;
    this.#resent++;
    this.#sentMs = nowMs;
    this.#deadlineMs = nowMs + ANSWER_WITHIN_MS;
    return this.#packet();
  }

  #packet(): Buffer {
    const { name, data } = this.#file;
    switch (this.#phase) {
      case "header":
        return block(0, Buffer.from(`${name}\0${data.length}\0`, "latin1"), 0);
      case "data": {
        const start = (this.#block - 1) * LONG_BLOCK;
        return block(this.#block, data.subarray(start, start + LONG_BLOCK), PAD);
      }
      case "end-of-file":
        return Buffer.from([EOT]);
      case "last-header":
        return block(0, Buffer.alloc(0), 0);
      case "header-acknowledged":
      case "file-ended":
        return Buffer.alloc(0); // it is the receiver's turn
    }
  }

  #fail(because: string): void {
    this.#outcome = { kind: "failed", because };
  }

  /** More than two, as one may be lost; the backspaces clear a command line that would take them for text. */
  #cancelBytes(): Buffer {
    return Buffer.from([CAN, CAN, CAN, CAN, CAN, CAN, CAN, CAN, 8, 8, 8, 8, 8, 8, 8, 8]);
  }
}

function block(number: number, content: Buffer, padding: number): Buffer {
  const size = content.length > SHORT_BLOCK ? LONG_BLOCK : SHORT_BLOCK;
  const bytes = Buffer.alloc(3 + size + 2, padding);
  bytes[0] = size === LONG_BLOCK ? STX : SOH;
  bytes[1] = number & 0xff;
  bytes[2] = ~number & 0xff;
  content.copy(bytes, 3);
  bytes.writeUInt16BE(crc16(bytes.subarray(3, 3 + size)), 3 + size);
  return bytes;
}

const CRC_TABLE: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** CRC-16/XMODEM: polynomial 0x1021, from 0. */
export function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (CRC_TABLE[(crc >> 8) ^ byte] ?? 0);
  return crc;
}

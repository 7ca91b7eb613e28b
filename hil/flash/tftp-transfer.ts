/**
 * One file on its way to one client: RFC 1350 §6, with block size (RFC 2348), time-out and size (RFC 2349). No IO and no clock.
 *
 * Only a time-out sends a block again, never a repeated acknowledgment: answering those doubles the traffic for the rest of
 * the transfer (RFC 1123 §4.2.3.1, the "sorcerer's apprentice").
 */
import { emitTftp, TftpError, type TftpPacket } from "./tftp-packet.ts";

const DEFAULT_BLOCK_BYTES = 512;
/** An Ethernet frame less the headers of IP and UDP and TFTP's own: nothing is fragmented. */
const LARGEST_BLOCK_BYTES = 1468;
const SMALLEST_BLOCK_BYTES = 8;
const DEFAULT_RETRY_MS = 1_000;
const RETRIES = 8;

export type TransferOutcome =
  | { readonly kind: "done"; readonly bytes: number }
  | { readonly kind: "gave-up"; readonly because: string };

export class TftpTransfer {
  readonly file: string;
  readonly #data: Buffer;
  readonly #blockBytes: number;
  readonly #retryMs: number;
  /** Of the block that waits for its acknowledgment; 0 is the option acknowledgment. */
  #block: number;
  #last: Buffer;
  #retriesLeft = RETRIES;
  #deadlineMs: number;
  #resent = 0;
  #outcome: TransferOutcome | undefined;

  /** Begins it; `first` must be sent. */
  constructor(file: string, data: Buffer, wanted: ReadonlyMap<string, string>, nowMs: number) {
    this.file = file;
    this.#data = data;
    const granted = new Map<string, string>();
    const blockBytes = numberIn(wanted.get("blksize"), SMALLEST_BLOCK_BYTES, 65_464);
    this.#blockBytes = Math.min(blockBytes ?? DEFAULT_BLOCK_BYTES, LARGEST_BLOCK_BYTES);
    if (blockBytes !== undefined) granted.set("blksize", String(this.#blockBytes));
    const seconds = numberIn(wanted.get("timeout"), 1, 255);
    this.#retryMs = seconds === undefined ? DEFAULT_RETRY_MS : seconds * 1_000;
    if (seconds !== undefined) granted.set("timeout", String(seconds));
    if (wanted.has("tsize")) granted.set("tsize", String(data.length));
    this.#block = granted.size > 0 ? 0 : 1;
    this.#last =
      granted.size > 0 ? emitTftp({ kind: "option-acknowledgment", options: granted }) : this.#dataPacket(this.#block);
    this.#deadlineMs = nowMs + this.#retryMs;
  }

  get first(): Buffer {
    return this.#last;
  }
  get outcome(): TransferOutcome | undefined {
    return this.#outcome;
  }
  /** When `tick` must be called; undefined once it is over. */
  get deadlineMs(): number | undefined {
    return this.#outcome === undefined ? this.#deadlineMs : undefined;
  }
  /** Packets that were sent again. */
  get resent(): number {
    return this.#resent;
  }

  get acknowledgedBytes(): number {
    if (this.#outcome?.kind === "done") return this.#data.length;
    return Math.min(this.#data.length, Math.max(0, this.#block - 1) * this.#blockBytes);
  }

  /** What the client's packet asks for: the next one to be sent, or nothing. */
  handle(packet: TftpPacket, nowMs: number): Buffer | undefined {
    if (this.#outcome !== undefined) return undefined;
    if (packet.kind === "error") {
      this.#outcome = { kind: "gave-up", because: `the client refused: ${packet.message} (${packet.code})` };
      return undefined;
    }
    if (packet.kind !== "acknowledgment") {
      this.#outcome = { kind: "gave-up", because: `the client sent a packet of kind ${packet.kind}` };
      return emitTftp({ kind: "error", code: TftpError.illegalOperation, message: "an acknowledgment was expected" });
    }
    // Numbers of blocks have 16 bits: files of more than 65535 blocks go on with 0.
    if (packet.block !== (this.#block & 0xffff)) return undefined;
    if (this.#block > 0 && this.#block * this.#blockBytes > this.#data.length) {
      this.#outcome = { kind: "done", bytes: this.#data.length };
      return undefined;
    }
    this.#block++;
    this.#last = this.#dataPacket(this.#block);
    this.#retriesLeft = RETRIES;
    this.#deadlineMs = nowMs + this.#retryMs;
    return this.#last;
  }

  /** The packet to send again when its time has come. */
  tick(nowMs: number): Buffer | undefined {
    if (this.#outcome !== undefined || nowMs < this.#deadlineMs) return undefined;
    if (this.#retriesLeft === 0) {
      this.#outcome = {
        kind: "gave-up",
        because: `no answer to ${RETRIES + 1} packets after ${this.acknowledgedBytes} of ${this.#data.length} bytes`,
      };
      return undefined;
    }
    this.#retriesLeft--;
    this.#resent++;
    this.#deadlineMs = nowMs + this.#retryMs;
    return this.#last;
  }

  /** A last block of less than a whole one, be it empty, ends the file. */
  #dataPacket(block: number): Buffer {
    const start = (block - 1) * this.#blockBytes;
    const bytes = this.#data.subarray(start, start + this.#blockBytes);
    return emitTftp({ kind: "data", block: block & 0xffff, bytes });
  }
}

/** A value outside its limits is not acknowledged, as if it had not been asked for: RFC 2347. */
function numberIn(text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

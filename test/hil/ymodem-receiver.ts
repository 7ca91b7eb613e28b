/** A Y-modem receiver as the protocol's reference describes it, for tests: `sb` of lrzsz is its own judge. */
import { crc16 } from "../../hil/flash/ymodem.ts";

const SOH = 0x01;
const STX = 0x02;
const EOT = 0x04;
const ACK = 0x06;
const NAK = 0x15;
const CAN = 0x18;
const C = 0x43;
const RETRIES = 10;
const SILENCE_MS = 3_000;

export class YmodemReceiver {
  readonly files: { name: string; data: Buffer }[] = [];
  outcome: "done" | "failed" | undefined;
  deadlineMs: number;
  #buffer = Buffer.alloc(0);
  #next = 0;
  #length = 0;
  #name = "";
  #blocks: Buffer[] = [];
  #eots = 0;
  #retries = 0;
  #cancels = 0;

  constructor(nowMs: number) {
    this.deadlineMs = nowMs;
  }

  handle(bytes: Buffer, nowMs: number): Buffer {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    const answers: number[] = [];
    for (;;) {
      const answer = this.#step();
      if (answer === undefined) break;
      answers.push(...answer);
      this.deadlineMs = nowMs + SILENCE_MS;
    }
    return Buffer.from(answers);
  }

  /** Silence: what came in pieces is forgotten, and asked for again. */
  tick(nowMs: number): Buffer {
    if (this.outcome !== undefined || nowMs < this.deadlineMs) return Buffer.alloc(0);
    this.#buffer = Buffer.alloc(0);
    this.deadlineMs = nowMs + SILENCE_MS;
    if (++this.#retries > RETRIES) {
      this.outcome = "failed";
      return Buffer.from([CAN, CAN, CAN]);
    }
    return Buffer.from([this.#blocks.length === 0 ? C : NAK]);
  }

  #step(): number[] | undefined {
    if (this.outcome !== undefined) return undefined;
    const [first] = this.#buffer;
    if (first === undefined) return undefined;
    if (first === CAN && ++this.#cancels >= 2) {
      this.outcome = "failed";
      return [];
    }
    if (first === EOT && this.#next > 0) {
      this.#buffer = this.#buffer.subarray(1);
      if (this.#eots++ === 0) return [NAK];
      this.files.push({ name: this.#name, data: Buffer.concat(this.#blocks).subarray(0, this.#length) });
      this.#next = 0;
      this.#blocks = [];
      this.#eots = 0;
      return [ACK, C];
    }
    if (first === EOT && this.files.length > 0) {
      this.#buffer = this.#buffer.subarray(1);
      return [ACK, C]; // our ACK was lost
    }
    if (first !== SOH && first !== STX) {
      this.#buffer = this.#buffer.subarray(1);
      return [];
    }
    const size = first === STX ? 1024 : 128;
    if (this.#buffer.length < size + 5) return undefined;
    const block = this.#buffer.subarray(0, size + 5);
    const number = block[1] ?? 0;
    const isSound =
      block[2] === (~number & 0xff) && block.readUInt16BE(3 + size) === crc16(block.subarray(3, 3 + size));
    if (!isSound) {
      this.#buffer = Buffer.alloc(0); // and what else is on the line
      return ++this.#retries > RETRIES ? this.#giveUp() : [NAK];
    }
    this.#buffer = this.#buffer.subarray(size + 5);
    return this.#sound(number, block.subarray(3, 3 + size));
  }

  #sound(number: number, content: Buffer): number[] {
    if (number === ((this.#next - 1) & 0xff) && this.#next > 0) return this.#next === 1 ? [ACK, C] : [ACK];
    if (number !== (this.#next & 0xff)) return this.#giveUp();
    this.#retries = 0;
    if (this.#next === 0) {
      const [name = "", length = ""] = content.toString("latin1").split("\0");
      if (name === "") {
        this.outcome = "done";
        return [ACK];
      }
      this.#name = name;
      this.#length = Number.parseInt(length, 10);
      this.#next = 1;
      return [ACK, C];
    }
    this.#blocks.push(Buffer.from(content));
    this.#next++;
    return [ACK];
  }

  #giveUp(): number[] {
    this.outcome = "failed";
    return [CAN, CAN, CAN];
  }
}

/** Bits, most significant first, as RFC 2118 §4 packs them. */

/** Reads at most 16 bits at a time. Past the end it reads zeros and stays short, so a decoder asks once per token. */
export class BitReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #bits = 0;
  #held = 0;
  #short = false;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return (this.#end - this.#at) * 8 + this.#held;
  }

  get short(): boolean {
    return this.#short;
  }

  take(count: number): number {
    while (this.#held < count) {
      if (this.#at === this.#end) {
        this.#short = true;
        return 0;
      }
      this.#bits = ((this.#bits << 8) | (this.#bytes[this.#at++] as number)) & 0xffffff;
      this.#held += 8;
    }
    this.#held -= count;
    return (this.#bits >>> this.#held) & ((1 << count) - 1);
  }
}

/** Writes at most 16 bits at a time. What does not fit before the end is dropped, and the writer stays full. */
export class BitWriter {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #bits = 0;
  #held = 0;
  #full = false;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get full(): boolean {
    return this.#full;
  }

  put(value: number, count: number): void {
    this.#bits = (this.#bits << count) | value;
    this.#held += count;
    while (this.#held >= 8) {
      this.#held -= 8;
      this.#byte((this.#bits >>> this.#held) & 0xff);
    }
    this.#bits &= (1 << this.#held) - 1;
  }

  /** Fills the last octet up with zeros and returns where the writing ended. */
  finish(): number {
    if (this.#held > 0) this.put(0, 8 - this.#held);
    return this.#at;
  }

  #byte(value: number): void {
    if (this.#at === this.#end) this.#full = true;
    else this.#bytes[this.#at++] = value;
  }
}

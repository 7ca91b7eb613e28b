/** RC4, the cipher of MPPE (RFC 3078 §5) and of change-password blocks (RFC 2759 §8.11). OpenSSL 3 keeps it in the legacy provider. */

const IDENTITY = Uint8Array.from({ length: 256 }, (_, i) => i);

/** One RC4 stream. Nothing here allocates after construction, so one object serves every packet of a session. */
export class Rc4 {
  readonly #s = new Uint8Array(256);
  #i = 0;
  #j = 0;

  /** `key`: 1 to 256 octets. */
  constructor(key: Uint8Array) {
    if (key.length < 1 || key.length > 256) throw new RangeError(`an RC4 key has 1 to 256 octets, not ${key.length}`);
    this.rekey(key);
  }

  /** Starts over at the first octet of the keystream of `key`. */
  rekey(key: Uint8Array): void {
    const s = this.#s;
    const length = key.length;
    s.set(IDENTITY);
    let j = 0;
    let k = 0;
    for (let i = 0; i < 256; i++) {
      const x = s[i] as number;
      j = (j + x + (key[k] as number)) & 0xff;
      s[i] = s[j] as number;
      s[j] = x;
      if (++k === length) k = 0;
    }
    this.#i = 0;
    this.#j = 0;
  }

  /** Encrypts or decrypts `bytes[start..end)` in place and moves the stream on by that many octets. */
  update(bytes: Uint8Array, start: number, end: number): void {
    const s = this.#s;
    let i = this.#i;
    let j = this.#j;
    for (let at = start; at < end; at++) {
      i = (i + 1) & 0xff;
      const x = s[i] as number;
      j = (j + x) & 0xff;
      const y = s[j] as number;
      s[i] = y;
      s[j] = x;
      bytes[at] = (bytes[at] as number) ^ (s[(x + y) & 0xff] as number);
    }
    this.#i = i;
    this.#j = j;
  }
}

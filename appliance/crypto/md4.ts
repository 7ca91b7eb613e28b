/** MD4, RFC 1320. OpenSSL 3 keeps it in the legacy provider, and NtPasswordHash (RFC 2759 §8.3) cannot do without it. */

const ROUND_1 = { order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], shifts: [3, 7, 11, 19] };
const ROUND_2 = { order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], shifts: [3, 5, 9, 13] };
const ROUND_3 = { order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], shifts: [3, 9, 11, 15] };

/** The 16-octet digest of `message`. Of no cryptographic worth; only old protocols ask for it. */
export function md4(message: Uint8Array): Buffer {
  const padded = Buffer.alloc((message.length + 9 + 63) & ~63);
  padded.set(message);
  padded[message.length] = 0x80;
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8);

  const words = new Int32Array(16);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = padded.readInt32LE(at + 4 * i);
    const block = state.slice();
    round(block, words, ROUND_1, 0, (x, y, z) => (x & y) | (~x & z));
    round(block, words, ROUND_2, 0x5a827999, (x, y, z) => (x & y) | (x & z) | (y & z));
    round(block, words, ROUND_3, 0x6ed9eba1, (x, y, z) => x ^ y ^ z);
    for (let i = 0; i < 4; i++) state[i] = at32(state, i) + at32(block, i);
  }

  const digest = Buffer.alloc(16);
  for (let i = 0; i < 4; i++) digest.writeInt32LE(at32(state, i), 4 * i);
  return digest;
}

/** RFC 1320 §3.4: sixteen steps; each replaces one register, and the register it replaces moves on by one. */
function round(
  block: Int32Array,
  words: Int32Array,
  { order, shifts }: { order: readonly number[]; shifts: readonly number[] },
  constant: number,
  mix: (x: number, y: number, z: number) => number,
): void {
  for (const [step, word] of order.entries()) {
    const target = (16 - step) & 3;
    const mixed = mix(at32(block, target + 1), at32(block, target + 2), at32(block, target + 3));
    const sum = (at32(block, target) + mixed + (words[word] ?? 0) + constant) | 0;
    const shift = shifts[step & 3] ?? 0;
    block[target] = (sum << shift) | (sum >>> (32 - shift));
  }
}

function at32(registers: Int32Array, index: number): number {
  return registers[index & 3] ?? 0;
}

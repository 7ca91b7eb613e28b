/** Damage to valid bytes, as a hostile peer or a bad wire does it. */
import type { SeededRandom } from "./seeded-random.ts";

/** A copy of `sample` with one to four wounds: a changed byte, an edge value, a cut, a repetition, an insertion. */
export function mutate(random: SeededRandom, sample: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(sample);
  for (let wounds = 1 + random.below(4); wounds > 0; wounds--) bytes = wound(random, bytes);
  return bytes;
}

function wound(random: SeededRandom, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  switch (random.below(6)) {
    case 0:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.pick([0, 1, 2, 3, 4, 0x7f, 0x80, 0xfe, 0xff]);
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return Buffer.concat([bytes, bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at)]);
  }
}

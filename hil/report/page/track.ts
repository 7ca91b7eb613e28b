/**
 * All frames of a link in a few bytes each, so that the page can draw any part of a run at any scale: microseconds since the
 * frame before as a variable-length number (seven bits a byte, the low ones first), then a byte of traffic and sender.
 */

export interface Track {
  /** Seconds since the run began, rising. */
  readonly times: Float64Array;
  /** Index of the kind of traffic. */
  readonly kinds: Uint8Array;
  readonly sides: Uint8Array;
}

/** Base64. A frame before the run began counts as at its beginning; `kind` and `side` are below 16. */
export function packFrames(
  frames: Iterable<{ readonly us: number; readonly kind: number; readonly side: number }>,
): string {
  const bytes: number[] = [];
  let last = 0;
  for (const { us, kind, side } of frames) {
    let delta = Math.max(0, Math.round(us) - last);
    last += delta;
    while (delta >= 128) {
      bytes.push((delta % 128) | 128);
      delta = Math.floor(delta / 128);
    }
    bytes.push(delta, (side << 4) | kind);
  }
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.slice(at, at + 8192));
  return btoa(binary);
}

export function unpackFrames(packed: string): Track {
  const binary = atob(packed);
  const times: number[] = [];
  const kinds: number[] = [];
  const sides: number[] = [];
  let us = 0;
  for (let at = 0; at < binary.length; ) {
    for (let unit = 1; ; unit *= 128) {
      const byte = binary.charCodeAt(at++);
      us += (byte & 127) * unit;
      if (byte < 128) break;
    }
    const kindAndSide = binary.charCodeAt(at++);
    times.push(us / 1e6);
    kinds.push(kindAndSide & 15);
    sides.push(kindAndSide >> 4);
  }
  return { times: Float64Array.from(times), kinds: Uint8Array.from(kinds), sides: Uint8Array.from(sides) };
}

/** The index of the first of `count` rising values that is not smaller than `value`. */
export function firstNotBefore(count: number, at: (index: number) => number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A UART that never rests: seeded bytes in seeded pieces through a console into a journal, whose every byte is compared. */
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { systemClock } from "../../hil/clock.ts";
import { Console } from "../../hil/console/console.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { SeededRandom } from "./seeded-random.ts";

export interface Soak {
  readonly seed: number;
  readonly bytes: number;
  /** Pieces have 1 to so many bytes. */
  readonly largestPiece: number;
}

export interface SoakResult {
  readonly sent: string;
  /** SHA-256 of what the journal has, and how much that is. */
  readonly journaled: string;
  readonly journaledBytes: number;
}

/** `line` is the console's end of it; `send` puts bytes on it and resolves when more may come. */
export async function soak(
  { seed, bytes, largestPiece }: Soak,
  line: Duplex,
  send: (piece: Buffer) => Promise<void>,
): Promise<SoakResult> {
  const folder = mkdtempSync(join(tmpdir(), "culvert-soak-"));
  const path = join(folder, "journal.ndjson");
  try {
    const clock = systemClock();
    const journal = new Journal(clock, path);
    let arrived = 0;
    let whole = (): void => {};
    journal.subscribe((event) => {
      if (event.kind === "console" && event.direction === "rx") arrived += event.text.length;
      if (arrived >= bytes) whole();
    });
    const all = new Promise<void>((resolve) => {
      whole = resolve;
    });
    new Console("uart", line, { clock, journal });
    const random = new SeededRandom(seed);
    const sum = createHash("sha256");
    for (let left = bytes; left > 0; ) {
      const piece = random.bytes(Math.min(left, 1 + (random.u32() % largestPiece)));
      sum.update(piece);
      left -= piece.length;
      await send(piece);
    }
    await all;
    journal.close();
    const { digest, count } = await journaled(path);
    return { sent: sum.digest("hex"), journaled: digest, journaledBytes: count };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Line by line: an hour of console is more than one string can hold. */
async function journaled(path: string): Promise<{ digest: string; count: number }> {
  const sum = createHash("sha256");
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { kind, direction, text } = JSON.parse(line) as { kind?: string; direction?: string; text?: string };
    if (kind !== "console" || direction !== "rx" || text === undefined) continue;
    const bytes = Buffer.from(text, "latin1");
    sum.update(bytes);
    count += bytes.length;
  }
  return { digest: sum.digest("hex"), count };
}

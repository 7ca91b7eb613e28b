/** What the app said when it ended by itself: the last few times, on the disk that outlives restarts. */
import { type Disk, replaceFile } from "../config/disk.ts";

export interface CrashReport {
  /** Counts up for ever. */
  readonly number: number;
  /** Text for people: when, why, where, and the last messages before. */
  readonly lines: readonly string[];
}

/** How many are kept. */
const KEPT = 5;
/** A stack that repeats itself must not fill the disk. */
const LONGEST_BYTES = 16 * 1024;
const FILE_NAME = /^crash\.(\d{1,9})$/;

export class CrashReports {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Newest first. Throws Node's file system errors. */
  list(): readonly CrashReport[] {
    return this.#numbers().flatMap((number) => {
      const text = this.#disk.read(`crash.${number}`)?.toString();
      return text === undefined ? [] : [{ number, lines: text.split("\n").filter((line) => line !== "") }];
    });
  }

  /** On return the report survives a power cut. Throws Node's file system errors. */
  save(lines: readonly string[]): void {
    const numbers = this.#numbers();
    const bytes = Buffer.from(`${lines.join("\n")}\n`).subarray(0, LONGEST_BYTES);
    // First, as the disk may be full.
    for (const number of numbers.slice(KEPT - 1)) this.#disk.remove(`crash.${number}`);
    replaceFile(this.#disk, `crash.${(numbers[0] ?? 0) + 1}`, bytes);
  }

  /** Highest first. */
  #numbers(): number[] {
    const numbers = this.#disk.list().flatMap((name) => FILE_NAME.exec(name)?.[1] ?? []);
    return numbers.map(Number).sort((a, b) => b - a);
  }
}

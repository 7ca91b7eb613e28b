/** The last log lines, in memory: what `show log` shows. */
import type { Log, LogLevel } from "../ports.ts";

const CAPACITY = 1000;
const LONGEST_TEXT = 400;

export interface JournalLine {
  readonly time: Date;
  readonly level: LogLevel;
  readonly area: string;
  readonly text: string;
}

export class Journal implements Log {
  readonly #wallClock: () => Date;
  readonly #ring: JournalLine[] = [];
  readonly #followers: ((line: JournalLine) => void)[] = [];
  #next = 0;

  constructor(wallClock: () => Date) {
    this.#wallClock = wallClock;
  }

  write(level: LogLevel, area: string, text: string): void {
    // Peers choose some of this text: it must not move the cursor of who reads it, nor make lines of its own.
    const plain = text.replace(/\p{Cc}/gu, "?");
    const cut = plain.length > LONGEST_TEXT ? `${plain.slice(0, LONGEST_TEXT)}...` : plain;
    const line = { time: this.#wallClock(), level, area, text: cut };
    this.#ring[this.#next] = line;
    this.#next = (this.#next + 1) % CAPACITY;
    for (const follower of this.#followers) follower(line);
  }

  /** Each line from now on. A follower that writes is handed its own lines too. */
  follow(follower: (line: JournalLine) => void): void {
    this.#followers.push(follower);
  }

  /** The newest `count` lines, oldest first. */
  last(count: number): readonly JournalLine[] {
    const ordered = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return ordered.slice(Math.max(0, ordered.length - count));
  }
}

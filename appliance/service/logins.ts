/** Who is logged in to the device now, over the serial console or SSH, and who of them is changing the configuration. */
import type { Clock, Millis } from "../ports.ts";
import type { Edit } from "./edit.ts";

export interface LoginSource {
  readonly line: "console" | "ssh";
  /** The far end's address; undefined on the serial console. */
  readonly from: string | undefined;
  /** What is being changed now. */
  readonly edit: () => Edit | undefined;
}

/** A login, as a person reads of it. */
export interface LoginView {
  readonly line: LoginSource["line"];
  readonly from: string | undefined;
  readonly since: Date;
  readonly idleMs: number;
  readonly changes: "none" | "uncommitted";
}

export interface Login {
  /** Something was typed. */
  heard(): void;
  leave(): void;
}

/** `the serial console`, `SSH from 192.168.1.10`. */
export function whoIs({ line, from }: Pick<LoginSource, "line" | "from">): string {
  return line === "console" ? "the serial console" : `SSH from ${from ?? "somewhere"}`;
}

interface Entry extends LoginSource {
  readonly since: Date;
  heardAt: Millis;
}

export class Logins {
  readonly #clock: Clock;
  readonly #wallClock: () => Date;
  readonly #entries = new Set<Entry>();

  constructor(clock: Clock, wallClock: () => Date) {
    this.#clock = clock;
    this.#wallClock = wallClock;
  }

  enter(source: LoginSource): Login {
    const entry: Entry = { ...source, since: this.#wallClock(), heardAt: this.#clock.now() };
    this.#entries.add(entry);
    return {
      heard: () => {
        entry.heardAt = this.#clock.now();
      },
      leave: () => void this.#entries.delete(entry),
    };
  }

  /** Oldest first. */
  views(): readonly LoginView[] {
    const now = this.#clock.now();
    return [...this.#entries].map(({ line, from, since, heardAt, edit }) => ({
      line,
      from,
      since,
      idleMs: now - heardAt,
      changes: edit()?.changed === true ? "uncommitted" : "none",
    }));
  }

  /** Others who have changes that are not committed, as `whoIs` names them. */
  changingBesides(edit: Edit): readonly string[] {
    return [...this.#entries].filter((each) => each.edit()?.changed === true && each.edit() !== edit).map(whoIs);
  }
}

/** One person's change of the configuration: a candidate that nothing else sees until `commit`. */
import { type Changed, remove, set } from "../config/change.ts";
import type { Config, Path } from "../config/config.ts";
import { changedPaths, diff, sameConfig } from "../config/diff.ts";
import type { Problem } from "../config/problem.ts";
import { validate, warnings } from "../config/validate.ts";
import type { Configuration } from "./configuration.ts";
import { Loading, type LoadMode } from "./loading.ts";

export type Refusal = Extract<Changed, { ok: false }>;

export type Committed =
  | { readonly result: "unchanged" }
  /** `warnings` are for the person; `failures` say what is stored but not in force. */
  | { readonly result: "committed"; readonly warnings: readonly string[]; readonly failures: readonly string[] }
  /** In force, but not stored: it is taken back after so many minutes unless it is confirmed. */
  | {
      readonly result: "on-trial";
      readonly minutes: number;
      readonly warnings: readonly string[];
      readonly failures: readonly string[];
    }
  /** What was on trial is stored. */
  | { readonly result: "confirmed" }
  | { readonly result: "refused"; readonly problems: readonly Problem[] }
  /** Something else is in force since this edit began; `by`: who did it, undefined when a trial ended by itself. */
  | { readonly result: "overtaken"; readonly by: string | undefined }
  /** The disk failed; the old configuration holds. */
  | { readonly result: "not-stored"; readonly reason: string };

export class Edit {
  readonly #device: Configuration;
  /** As the log and other people read of it. */
  readonly #who: string;
  #base: Config;
  #candidate: Config;

  constructor(device: Configuration, who: string) {
    this.#device = device;
    this.#who = who;
    this.#base = device.running;
    this.#candidate = device.running;
  }

  get candidate(): Config {
    return this.#candidate;
  }
  get changed(): boolean {
    return !sameConfig(this.#base, this.#candidate);
  }
  /** Something else is in force than when this edit began: `commit` is refused until `rebase` or `discard`. */
  get isOvertaken(): boolean {
    return this.#device.running !== this.#base;
  }
  /** Who did that, as far as it is known. */
  get overtakenBy(): string | undefined {
    return this.#device.changedBy;
  }
  /** What `commit` would change, as commands; secrets hidden. */
  compare(): readonly string[] {
    return diff(this.#base, this.#candidate, "hide");
  }
  /** The way from the configuration of `back` commits ago to the candidate; undefined when it is not kept any more. */
  compareWith(back: number): readonly string[] | undefined {
    const generation = this.#device.generations[back];
    return generation && diff(generation.config, this.#candidate, "hide");
  }
  /** What would keep `commit` from working. */
  problems(): readonly Problem[] {
    return validate(this.#candidate);
  }

  set(words: readonly string[]): Refusal | undefined {
    return this.#take(set(this.#candidate, words));
  }
  delete(words: readonly string[]): Refusal | undefined {
    return this.#take(remove(this.#candidate, words));
  }
  /** Makes the configuration of `back` commits ago the candidate; false when it is not kept any more. */
  rollback(back: number): boolean {
    const generation = this.#device.generations[back];
    if (back > 0 && generation === undefined) return false;
    this.#candidate = generation?.config ?? this.#device.running;
    return true;
  }
  /** Reads a whole configuration line by line; `finish` makes it the candidate, unless a line was wrong. */
  load(mode: LoadMode): Loading {
    return new Loading(mode, this.#candidate);
  }
  finish(loading: Loading): boolean {
    if (loading.wrong > 0) return false;
    this.#candidate = loading.config;
    return true;
  }
  /** Begins again from what is running now. */
  discard(): void {
    this.#base = this.#device.running;
    this.#candidate = this.#device.running;
  }

  /**
   * Begins again from what is running now, and makes the same changes to that. Returns the settings that both sides have
   * changed, and differently: there the changes of this edit win.
   */
  rebase(): readonly Path[] {
    const running = this.#device.running;
    const mine = changedPaths(this.#base, this.#candidate);
    const theirs = new Set(changedPaths(this.#base, running));
    const candidate = new Map(running);
    for (const path of mine) {
      const value = this.#candidate.get(path);
      if (value === undefined) candidate.delete(path);
      else candidate.set(path, value);
    }
    const differing = new Set(changedPaths(running, candidate));
    this.#base = running;
    this.#candidate = candidate;
    return mine.filter((path) => theirs.has(path) && differing.has(path));
  }

  /**
   * With `trialMinutes` it is taken back after that time, unless a commit without them comes before. Without changes a commit
   * confirms what is on trial.
   */
  commit(trialMinutes?: number): Committed {
    const { isOvertaken } = this;
    if (!this.changed) return isOvertaken || trialMinutes !== undefined ? { result: "unchanged" } : this.#confirm();
    if (isOvertaken) return { result: "overtaken", by: this.#device.changedBy };
    const problems = this.problems();
    if (problems.length > 0) return { result: "refused", problems };
    const heard = warnings(this.#base, this.#candidate);
    if (trialMinutes !== undefined) {
      const failures = this.#device.try(this.#candidate, trialMinutes, this.#who);
      this.#base = this.#candidate;
      return { result: "on-trial", minutes: trialMinutes, warnings: heard, failures };
    }
    const outcome = this.#device.commit(this.#candidate, this.#who);
    if ("notStored" in outcome) return { result: "not-stored", reason: outcome.notStored };
    this.#base = this.#candidate;
    return { result: "committed", warnings: heard, failures: outcome.failures };
  }

  #confirm(): Committed {
    if (this.#device.trialMinutes === undefined) return { result: "unchanged" };
    const outcome = this.#device.commit(this.#candidate, this.#who);
    return "notStored" in outcome ? { result: "not-stored", reason: outcome.notStored } : { result: "confirmed" };
  }

  #take(changed: Changed): Refusal | undefined {
    if (!changed.ok) return changed;
    this.#candidate = changed.config;
    return undefined;
  }
}

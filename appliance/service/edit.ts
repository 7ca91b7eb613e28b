/** One person's change of the configuration: a candidate that nothing else sees until `commit`. */
import { type Changed, remove, set } from "../config/change.ts";
import type { Config } from "../config/config.ts";
import { diff, sameConfig } from "../config/diff.ts";
import type { Generation } from "../config/store.ts";
import { type Problem, validate, warnings } from "../config/validate.ts";

/** What an edit needs of the device. */
export interface Committer {
  running(): Config;
  /** Newest first; the first one is running. */
  history(): readonly Generation[];
  /**
   * Stores, then applies what changed. Returns what could not be applied, one sentence each, or why it could not even
   * be stored.
   */
  commit(config: Config): { readonly failures: readonly string[] } | { readonly notStored: string };
}

export type Refusal = Extract<Changed, { ok: false }>;

export type Committed =
  | { readonly result: "unchanged" }
  /** `warnings` are for the person; `failures` say what is stored but not in force. */
  | { readonly result: "committed"; readonly warnings: readonly string[]; readonly failures: readonly string[] }
  | { readonly result: "refused"; readonly problems: readonly Problem[] }
  /** Somebody else has committed since this edit began. */
  | { readonly result: "overtaken" }
  /** The disk failed; the old configuration holds. */
  | { readonly result: "not-stored"; readonly reason: string };

export class Edit {
  readonly #device: Committer;
  #base: Config;
  #candidate: Config;

  constructor(device: Committer) {
    this.#device = device;
    this.#base = device.running();
    this.#candidate = device.running();
  }

  get candidate(): Config {
    return this.#candidate;
  }
  get changed(): boolean {
    return !sameConfig(this.#base, this.#candidate);
  }
  /** What `commit` would change, as commands; secrets hidden. */
  compare(): readonly string[] {
    return diff(this.#base, this.#candidate, "hide");
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
    const generation = this.#device.history()[back];
    if (back > 0 && generation === undefined) return false;
    this.#candidate = generation?.config ?? this.#device.running();
    return true;
  }
  /** Begins again from what is running now. */
  discard(): void {
    this.#base = this.#device.running();
    this.#candidate = this.#device.running();
  }

  commit(): Committed {
    if (!this.changed) return { result: "unchanged" };
    if (this.#device.running() !== this.#base) return { result: "overtaken" };
    const problems = this.problems();
    if (problems.length > 0) return { result: "refused", problems };
    const heard = warnings(this.#base, this.#candidate);
    const outcome = this.#device.commit(this.#candidate);
    if ("notStored" in outcome) return { result: "not-stored", reason: outcome.notStored };
    this.#base = this.#candidate;
    return { result: "committed", warnings: heard, failures: outcome.failures };
  }

  #take(changed: Changed): Refusal | undefined {
    if (!changed.ok) return changed;
    this.#candidate = changed.config;
    return undefined;
  }
}

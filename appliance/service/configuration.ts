/**
 * The configuration in force and those before it. A commit is stored, then applied; one that is on trial is applied and not
 * stored, so that a restart, a power cut or simply nobody's confirmation brings back the one before.
 */
import type { Config } from "../config/config.ts";
import { diff } from "../config/diff.ts";
import type { ConfigStore, Generation } from "../config/store.ts";
import type { Log, Timers } from "../ports.ts";

/** Puts in force what differs; returns what could not be, one sentence each. */
export type Apply = (before: Config, after: Config) => readonly string[];

export type Stored = { readonly failures: readonly string[] } | { readonly notStored: string };

/** A commit in the past, for people. */
export interface HistoryEntry {
  /** As `rollback` counts: 0 is in force. */
  readonly back: number;
  readonly number: number;
  readonly committedAt: string;
  /** The commands that made it out of the one before; secrets hidden. */
  readonly changes: readonly string[];
}

interface Trial {
  /** What was in force before, and is stored. */
  readonly before: Config;
  readonly minutes: number;
  readonly timer: { cancel(): void };
}

export interface ConfigurationParts {
  readonly store: ConfigStore;
  readonly apply: Apply;
  readonly timers: Timers;
  readonly log: Log;
  readonly wallClock: () => Date;
}

const MINUTE_MS = 60_000;

export class Configuration {
  readonly #parts: ConfigurationParts;
  #running: Config = new Map();
  #changedBy: string | undefined;
  #trial: Trial | undefined;
  #findings: readonly string[] = [];

  constructor(parts: ConfigurationParts) {
    this.#parts = parts;
  }

  /** Reads what is stored; the findings are in the log. Nothing is applied. */
  load(): Config {
    const { store, log } = this.#parts;
    const { generations, findings } = store.load();
    for (const finding of findings) log.write("error", "config", finding);
    this.#findings = findings;
    this.#running = generations[0]?.config ?? new Map();
    return this.#running;
  }

  /** What was wrong with what is stored, as it was read. */
  get findings(): readonly string[] {
    return this.#findings;
  }
  get running(): Config {
    return this.#running;
  }
  /** Who put in force what is running, `SSH from 192.168.1.10`; undefined after a start, and when a trial ended by itself. */
  get changedBy(): string | undefined {
    return this.#changedBy;
  }
  /** Newest commit first. What is on trial is not among them. */
  get generations(): readonly Generation[] {
    return this.#parts.store.generations;
  }
  /** How long a trial lasts that has not been confirmed; undefined when there is none. */
  get trialMinutes(): number | undefined {
    return this.#trial?.minutes;
  }

  history(): readonly HistoryEntry[] {
    const { generations } = this;
    return generations.map(({ number, committedAt, config }, back) => ({
      back,
      number,
      committedAt,
      changes: diff(generations[back + 1]?.config ?? new Map(), config, "hide"),
    }));
  }

  /** Stores and applies. It ends a trial: what was on it is part of `config` or given up in it. */
  commit(config: Config, who: string): Stored {
    const number = this.#store(config);
    if (typeof number === "string") return { notStored: number };
    this.#trial?.timer.cancel();
    this.#trial = undefined;
    this.#parts.log.write("info", "config", `configuration ${number} committed by ${who}`);
    return { failures: this.#change(config, who) };
  }

  /** Applies, and takes it back after so many minutes unless `commit` comes before. A second trial goes back as far as the first. */
  try(config: Config, minutes: number, who: string): readonly string[] {
    const before = this.#trial?.before ?? this.#running;
    this.#trial?.timer.cancel();
    const timer = this.#parts.timers.after(minutes * MINUTE_MS, () => this.#takeBack());
    this.#trial = { before, minutes, timer };
    this.#parts.log.write("info", "config", `a configuration of ${who} is on trial for ${minutesText(minutes)}`);
    return this.#change(config, who);
  }

  /** Forgets everything that is stored, on the disk too. What runs is not touched: the device restarts next. */
  reset(): void {
    this.#trial?.timer.cancel();
    this.#trial = undefined;
    this.#parts.store.clear();
  }

  #takeBack(): void {
    const trial = this.#trial;
    if (trial === undefined) return;
    this.#trial = undefined;
    const when = `within ${minutesText(trial.minutes)}`;
    this.#parts.log.write("warning", "config", `nobody confirmed ${when}: the configuration before is in force again`);
    for (const failure of this.#change(trial.before)) this.#parts.log.write("error", "config", failure);
  }

  #change(config: Config, who?: string): readonly string[] {
    const before = this.#running;
    this.#running = config;
    this.#changedBy = who;
    return this.#parts.apply(before, config);
  }

  /** The number of the new configuration, or what kept the disk from taking it. */
  #store(config: Config): number | string {
    const { store, wallClock, log } = this.#parts;
    try {
      return store.commit(config, wallClock().toISOString()).number;
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      log.write("error", "config", `the configuration could not be stored: ${error.message}`);
      return error.message;
    }
  }
}

function minutesText(minutes: number): string {
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

/**
 * Updates as the device lives with them: what is in the slots, a bundle that comes in, and the trial of a new slot, which ends in a
 * commit by its own health check or in a restart of the slot before it, with the reason kept.
 */
import { type Disk, replaceFile } from "../config/disk.ts";
import { SCHEMA_VERSION } from "../config/schema.ts";
import type { Clock, Flash, Log, Millis, Net, Power, Timers } from "../ports.ts";
import { arm, commit, type Situation, type SlotName, takeBack } from "../update/boot-state.ts";
import { type KeyKind, type SignedManifest, signerOf } from "../update/image-format.ts";
import { type Installed, type InstallProgress, install } from "../update/install.ts";
import { firstWrongChunk, Slots } from "../update/slots.ts";
import type { Expected } from "./health.ts";

/** A service that lives for a moment is no proof. */
const FIRST_CHECK_MS = 10_000;
const NEXT_CHECK_MS = 5_000;
/** A WAN that gets its address by DHCP or PPPoE takes its time. */
const TRIAL_MS = 180_000;
const DOWNGRADE_MS = 600_000;
/** What a restart waits for: the answer on the console. */
const RESTART_MS = 500;
/** In the folder that outlives updates. */
const EXPECTED_FILE = "expected";
/** In the folder that does not outlive a restart: start-system's own watch over a trial looks for it. */
const COMMITTED_FILE = "committed";

export interface UpdatesParts {
  readonly flash: Flash;
  /** The board's name; undefined outside an image. */
  readonly board: string | undefined;
  /** What is not as it should be, a clause each. */
  readonly complaints: (expected: Expected) => Promise<readonly string[]>;
  readonly net: Net;
  /** A folder that outlives updates, and one that does not outlive a restart. */
  readonly disk: Disk;
  readonly runDisk: Disk;
  readonly power: Power;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

export interface SlotView {
  readonly name: SlotName;
  /** Undefined: nothing whole. */
  readonly version: string | undefined;
  readonly commit: string;
  /** `unknown`: by no key that the running firmware trusts. */
  readonly signedBy: KeyKind | "unknown";
}

export interface UpdateView {
  readonly running: SlotView;
  readonly spare: SlotView;
  /** `leaving`: what runs was taken back, and the machine is about to restart. */
  readonly situation: Situation | "leaving";
  /** A start of the spare slot is due. */
  readonly waiting: boolean;
  /** Why the last update was taken back; empty when it was not. */
  readonly lastReason: string;
  readonly rollbackIndex: number;
  /** Of a trial: how long until it is taken back, and what is missing so far. */
  readonly trial: { readonly secondsLeft: number; readonly complaints: readonly string[] } | undefined;
  readonly progress: InstallProgress | undefined;
}

export type Outcome =
  | { readonly ok: true; readonly said: string }
  | { readonly ok: false; readonly problem: string; readonly hint: string };

const NO_SLOTS: Outcome = {
  ok: false,
  problem: "this system was not started out of a slot",
  hint: "updates are for devices that start from the flashable disk: `culvert flash`",
};

const STILL_READING: Outcome = {
  ok: false,
  problem: "the slots are still being read",
  hint: "try again in some seconds",
};

/** What was found at the start, and what became of a trial since. */
function situationNow({ situation, state, booted }: Slots): UpdateView["situation"] {
  if (situation === "misled") return "leaving";
  if (situation !== "trial" || state.pending !== undefined) return situation;
  return state.active === booted ? "normal" : "leaving";
}

export class Updates {
  readonly #parts: UpdatesParts;
  #slots: Slots | undefined;
  #views: { running: SlotView; spare: SlotView } | undefined;
  #trial: { readonly since: Millis; complaints: readonly string[]; timer: { cancel(): void } } | undefined;
  #isReading = false;
  #installing = false;
  #progress: InstallProgress | undefined;
  #downgradeUntil: Millis | undefined;

  constructor(parts: UpdatesParts) {
    this.#parts = parts;
  }

  /** Reads the boot state, puts it right, and begins the trial of a new slot. Failures are logged. */
  async start(): Promise<void> {
    const { flash, log, clock } = this.#parts;
    this.#isReading = true;
    try {
      const slots = await Slots.open(flash);
      if (slots === undefined) return;
      this.#slots = slots;
      for (const finding of slots.findings) log.write("warning", "update", finding);
      await this.#look();
      const { situation, state, booted } = slots;
      if (situation === "misled") {
        log.write(
          "warning",
          "update",
          `slot ${booted} was taken back before it restarted: restarting slot ${state.active}`,
        );
        this.#restart();
      }
      if (situation === "fallen-back")
        log.write("error", "update", `slot ${state.active} does not start: slot ${booted} runs in its place`);
      if (situation === "taken-back") log.write("warning", "update", `the update was taken back: ${state.lastReason}`);
      if (situation !== "trial") return;
      log.write("info", "update", `slot ${booted} is on trial: ${TRIAL_MS / 1000} s to commit`);
      this.#trial = { since: clock.now(), complaints: [], timer: this.#after(FIRST_CHECK_MS, () => this.#check()) };
    } catch (error) {
      log.write("error", "update", `the slots cannot be read: ${said(error)}`);
    } finally {
      this.#isReading = false;
    }
  }

  close(): void {
    this.#trial?.timer.cancel();
    this.#trial = undefined;
  }

  /** It is not known yet whether there are slots. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Undefined when this system was not started out of a slot, its medium cannot be read, or `isReading`. */
  view(): UpdateView | undefined {
    const slots = this.#slots;
    const views = this.#views;
    if (slots === undefined || views === undefined) return undefined;
    const { state } = slots;
    const trial = this.#trial;
    return {
      ...views,
      situation: situationNow(slots),
      waiting: state.pending === slots.spare,
      lastReason: state.lastReason,
      rollbackIndex: state.rollbackIndex,
      trial:
        trial === undefined
          ? undefined
          : { secondsLeft: Math.ceil(this.#trialLeftMs(trial.since) / 1000), complaints: trial.complaints },
      progress: this.#progress,
    };
  }

  get #withoutSlots(): Outcome {
    return this.#isReading ? STILL_READING : NO_SLOTS;
  }

  /** Somebody stands at the device: for a while, a bundle older than the floor is let in. */
  allowDowngrade(): Outcome {
    if (this.#slots === undefined) return this.#withoutSlots;
    this.#downgradeUntil = (this.#parts.clock.now() + DOWNGRADE_MS) as Millis;
    this.#parts.log.write("warning", "update", "an older firmware is let in for ten minutes");
    return { ok: true, said: `An older firmware is let in for ${DOWNGRADE_MS / 60_000} minutes.` };
  }

  /** Takes a bundle as it comes; `onProgress` runs for each MiB. A failing sender or medium is an outcome too. */
  async install(bundle: AsyncIterable<Buffer>, onProgress: (progress: InstallProgress) => void): Promise<Outcome> {
    const { board, log, clock } = this.#parts;
    const slots = this.#slots;
    if (slots === undefined || board === undefined) return this.#withoutSlots;
    if (this.#installing) return { ok: false, problem: "another update is coming in", hint: "wait until it is done" };
    this.#installing = true;
    try {
      this.#remember();
      const done = await install(bundle, slots, {
        board,
        configSchema: SCHEMA_VERSION,
        allowDowngrade: this.#downgradeUntil !== undefined && clock.now() < this.#downgradeUntil,
        onProgress: (progress) => {
          this.#progress = progress;
          onProgress(progress);
        },
      });
      await this.#look();
      return this.#installed(done);
    } catch (error) {
      log.write("error", "update", `the update failed: ${said(error)}`);
      return { ok: false, problem: said(error), hint: "nothing has changed: the next start is as this one" };
    } finally {
      this.#installing = false;
      this.#progress = undefined;
    }
  }

  /** Ends a trial well, whatever the health check says so far. */
  async commit(): Promise<Outcome> {
    const slots = this.#slots;
    if (slots === undefined) return this.#withoutSlots;
    if (this.#trial === undefined)
      return { ok: false, problem: "no slot is on trial", hint: "`update` shows the slots" };
    await this.#commit(slots, "by the administrator");
    return { ok: true, said: `Slot ${slots.booted} is committed.` };
  }

  /** Ends a trial, or tries what is in the other slot, and restarts. An older firmware than the floor is let in as by `install`. */
  async rollback(): Promise<Outcome> {
    const slots = this.#slots;
    if (slots === undefined) return this.#withoutSlots;
    if (this.#installing) return { ok: false, problem: "an update is coming in", hint: "wait until it is done" };
    if (this.#trial !== undefined) {
      await this.#takeBack(slots, `slot ${slots.booted} was taken back by the administrator`);
      return { ok: true, said: `Restarting slot ${slots.spare}.` };
    }
    const content = await slots.contentOf(slots.spare);
    const refusal = await this.#whyNotBack(slots, content);
    if (refusal !== undefined) return refusal;
    this.#remember();
    await slots.store(arm(slots.state, slots.spare));
    this.#parts.log.write("warning", "update", `back to slot ${slots.spare}, by the administrator`);
    this.#restart();
    return { ok: true, said: `Restarting slot ${slots.spare}, on trial as an update is.` };
  }

  async #whyNotBack(slots: Slots, content: SignedManifest | undefined): Promise<Outcome | undefined> {
    const empty = {
      ok: false,
      problem: `slot ${slots.spare} holds no firmware`,
      hint: "install one: update install",
    } as const;
    if (content === undefined) return empty;
    const anchor = (await slots.trustAnchor()) ?? [];
    if (signerOf(content.bytes, content.signature, anchor) === undefined) return empty;
    const { rollbackIndex, version } = content.manifest;
    const allowed = this.#downgradeUntil !== undefined && this.#parts.clock.now() < this.#downgradeUntil;
    if (rollbackIndex < slots.state.rollbackIndex && !allowed)
      return {
        ok: false,
        problem: `version ${version} in slot ${slots.spare} is older than this device goes back to`,
        hint: "`update allow-downgrade` on the serial console lets it in",
      };
    const wrong = await slots.withSpare((partition) => firstWrongChunk(partition, content.manifest));
    return wrong === undefined
      ? undefined
      : { ...empty, problem: `slot ${slots.spare} is damaged in MiB ${wrong + 1}` };
  }

  #installed(done: Installed): Outcome {
    const { log } = this.#parts;
    if (!done.ok) {
      log.write("warning", "update", `an update was refused: ${done.problem}`);
      return done;
    }
    const { version } = done.manifest;
    log.write("info", "update", `version ${version} is in slot ${done.slot}, and is tried at the next start`);
    return {
      ok: true,
      said: `Version ${version} is in slot ${done.slot}, read back and right. It is tried at the next start.`,
    };
  }

  async #look(): Promise<void> {
    const slots = this.#slots;
    if (slots === undefined) return;
    const anchor = (await slots.trustAnchor()) ?? [];
    const view = async (name: SlotName): Promise<SlotView> => {
      const content = await slots.contentOf(name);
      if (content === undefined) return { name, version: undefined, commit: "", signedBy: "unknown" };
      const { version, commit: of } = content.manifest;
      return {
        name,
        version,
        commit: of,
        signedBy: signerOf(content.bytes, content.signature, anchor)?.kind ?? "unknown",
      };
    };
    this.#views = { running: await view(slots.booted), spare: await view(slots.spare) };
  }

  /**
   * What is expected of a new firmware is what there is now. A full disk must not keep out the firmware that may be its cure: the
   * trial then goes by what was stored before.
   */
  #remember(): void {
    const { disk, net, log } = this.#parts;
    const expected: Expected = { defaultRoute: net.defaultGateway() !== undefined };
    try {
      replaceFile(disk, EXPECTED_FILE, Buffer.from(JSON.stringify(expected)));
    } catch (error) {
      log.write("warning", "update", `what a healthy device has could not be stored for the trial: ${said(error)}`);
    }
  }

  #expected(): Expected {
    const text = this.#parts.disk.read(EXPECTED_FILE)?.toString("utf8") ?? "";
    return { defaultRoute: text.includes('"defaultRoute":true') };
  }

  async #check(): Promise<void> {
    const slots = this.#slots;
    const trial = this.#trial;
    if (slots === undefined || trial === undefined) return;
    trial.complaints = await this.#parts.complaints(this.#expected());
    // Meanwhile somebody may have ended it by hand.
    if (this.#trial !== trial) return;
    if (trial.complaints.length === 0) {
      await this.#commit(slots, "healthy");
      return;
    }
    if (this.#trialLeftMs(trial.since) > 0) {
      trial.timer = this.#after(NEXT_CHECK_MS, () => this.#check());
      return;
    }
    const version = this.#views?.running.version ?? "unknown";
    await this.#takeBack(slots, `version ${version} in slot ${slots.booted}: ${trial.complaints.join("; ")}`);
  }

  async #commit(slots: Slots, why: string): Promise<void> {
    this.close();
    const manifest = (await slots.contentOf(slots.booted))?.manifest;
    await slots.store(commit(slots.state, slots.booted, manifest?.rollbackIndex ?? 0));
    this.#parts.runDisk.write(COMMITTED_FILE, Buffer.alloc(0));
    this.#parts.log.write("info", "update", `slot ${slots.booted} is committed: ${why}`);
  }

  async #takeBack(slots: Slots, reason: string): Promise<void> {
    this.close();
    await slots.store(takeBack(slots.state, reason));
    this.#parts.log.write("error", "update", `${reason}: restarting slot ${slots.state.active}`);
    this.#restart();
  }

  #restart(): void {
    this.#parts.timers.after(RESTART_MS, () => this.#parts.power.reboot());
  }

  #trialLeftMs(since: Millis): number {
    return Math.max(0, since + TRIAL_MS - this.#parts.clock.now());
  }

  /** What fails in there is logged: a trial that cannot be ended here is ended by start-system's watch over it. */
  #after(delayMs: number, run: () => Promise<void>): { cancel(): void } {
    const { timers, log } = this.#parts;
    return timers.after(delayMs, () => {
      run().catch((error: unknown) => log.write("error", "update", `the trial: ${said(error)}`));
    });
  }
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Brings a suite's lab to a stage: from its snapshot if there is one, else from the stage before, which is then saved. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { contentKey } from "../image/content-key.ts";
import { inTurn } from "../image/in-turn.ts";
import { projectRoot } from "../image/project.ts";
import type { EventSink } from "./journal/journal.ts";
import type { Lab } from "./lab.ts";
import type { LabHost } from "./lab-host.ts";
import { failureOf } from "./run/classify.ts";
import { BOOTED, type StagePlan, type Step, type Suite } from "./scenario.ts";
import type { SavedLab, SnapshotStore } from "./snapshot-store.ts";

/**
 * Reports a stage as it is reached, and runs its steps. Throws `StageAgain` when one of them failed by a fault of the lab that the
 * next attempt may not have, `StageBroken` when it has failed for good.
 */
export type ReportStage = (stage: StagePlan, attempt: number, work: (step: Step) => Promise<void>) => Promise<void>;

/** The lab failed, not what it was brought to: the stage is made once more. */
export class StageAgain extends Error {}

/** A stage that failed is not tried again for each scenario that needs it. */
export class StageBroken extends Error {
  readonly stage: string;
  constructor(stage: string) {
    super(`needs stage ${stage}, which was not reached`);
    this.name = "StageBroken";
    this.stage = stage;
  }
}

export const BUILT: StagePlan = { name: "built", claim: "everything that the lab boots from is built", after: "built" };
const BOOT: StagePlan = {
  name: BOOTED,
  claim: "every node of the lab boots and answers on its console",
  after: BUILT.name,
};

export class Stages {
  readonly #suite: Suite;
  readonly #host: LabHost;
  readonly #store: SnapshotStore;
  readonly #journal: EventSink;
  readonly #report: ReportStage;
  readonly #broken = new Set<string>();
  #prepared: Promise<void> | undefined;

  constructor(parts: {
    readonly suite: Suite;
    readonly host: LabHost;
    readonly store: SnapshotStore;
    readonly journal: EventSink;
    readonly report: ReportStage;
  }) {
    this.#suite = parts.suite;
    this.#host = parts.host;
    this.#store = parts.store;
    this.#journal = parts.journal;
    this.#report = parts.report;
  }

  /** A lab of one's own at this stage. */
  async reach(stage: string): Promise<Lab> {
    return await this.#reach(stage, "run");
  }

  /** A lab that is booted now, whatever was saved. */
  async boot(): Promise<Lab> {
    await this.#prepare();
    return await this.#again((attempt) => this.#boot(attempt));
  }

  async #make(name: string): Promise<Lab> {
    const plan = this.#plan(name);
    const lab = await this.#again((attempt) => (plan === undefined ? this.#boot(attempt) : this.#build(plan, attempt)));
    await this.#save(name);
    return lab;
  }

  /** Each attempt begins with another lab. Who reports stages says when it is enough. */
  async #again(make: (attempt: number) => Promise<Lab>): Promise<Lab> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await make(attempt);
      } catch (error) {
        if (!(error instanceof StageAgain)) throw error;
      }
    }
  }

  async #reach(name: string, to: "run" | "extend"): Promise<Lab> {
    if (this.#broken.has(name)) throw new StageBroken(name);
    try {
      await this.#prepare();
      const saved = await this.#restore(name, to);
      if (saved !== undefined) return saved;
      if (this.#host.unsavable !== undefined) return await this.#make(name);
      // Of labs side by side one makes it; the others find it made.
      return await inTurn(this.#key(name), async () => (await this.#restore(name, to)) ?? (await this.#make(name)));
    } catch (error) {
      this.#broken.add(name);
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    this.#prepared ??= this.#buildNodes();
    await this.#prepared; // what could not be built once is not tried again
  }

  async #buildNodes(): Promise<void> {
    await this.#report(BUILT, 1, (step) => step("build every node", () => this.#host.prepare()));
    const board = this.#host.unsavable;
    if (board === undefined) return;
    const text = `${board} is a board and cannot be saved: every scenario that wants a fresh lab boots it`;
    this.#journal.append({ kind: "message", text });
  }

  async #restore(name: string, to: "run" | "extend"): Promise<Lab | undefined> {
    if (this.#host.unsavable !== undefined) return undefined;
    const key = this.#key(name);
    const saved = await this.#store.find(key);
    if (saved === undefined) return undefined;
    try {
      const lab = await this.#host.restore(saved.folder, to);
      this.#journal.append({ kind: "snapshot", did: "restored", stage: name, key });
      return lab;
    } catch (error) {
      await this.#refuse(name, key, saved, error);
      return undefined;
    }
  }

  /** A snapshot that cannot be restored is forgotten: the lab boots, and the run says so. */
  async #refuse(name: string, key: string, saved: SavedLab, error: unknown): Promise<void> {
    const because = `the snapshot of ${saved.savedAt} could not be restored: ${failureOf(error).text}`;
    this.#journal.append({ kind: "snapshot", did: "refused", stage: name, key, because });
    this.#journal.append({ kind: "message", text: `stage ${name}: ${because}; it is made anew` });
    await this.#store.drop(key);
  }

  async #boot(attempt: number): Promise<Lab> {
    let lab: Lab | undefined;
    await this.#report(BOOT, attempt, async (step) => {
      lab = await step("boot every node", () => this.#host.boot());
    });
    if (lab === undefined) throw new StageBroken(BOOTED);
    return lab;
  }

  async #build(plan: StagePlan, attempt: number): Promise<Lab> {
    const lab = await this.#reach(plan.after, "extend");
    await this.#report(plan, attempt, (step) => this.#suite.runStage(plan.name, lab, step));
    return lab;
  }

  async #save(name: string): Promise<void> {
    if (this.#host.unsavable !== undefined) return;
    const key = this.#key(name);
    await this.#store.keep(key, (folder) => this.#host.save(folder));
    this.#journal.append({ kind: "snapshot", did: "saved", stage: name, key });
  }

  #plan(name: string): StagePlan | undefined {
    return name === BOOTED ? undefined : this.#suite.stages.find((each) => each.name === name);
  }

  /** The lab, the code that could have brought it there, and the way. */
  #key(name: string): string {
    const way: string[] = [];
    for (let at: string | undefined = name; at !== undefined; at = this.#plan(at)?.after) way.push(at);
    return contentKey([FORMAT, this.#host.key, codeKey(), this.#suite.name, ...way]);
  }
}

/** Raise it when the same key would mean another content. */
const FORMAT = "lab-1";

let code: string | undefined;

/** A hash of everything that this lab's code consists of, and so of each address and password that it types. */
function codeKey(): string {
  if (code !== undefined) return code;
  const hash = createHash("sha256");
  for (const folder of ["hil", "appliance/wire"]) {
    const root = join(projectRoot, "dist", folder);
    for (const name of readdirSync(root, { recursive: true, encoding: "utf8" }).sort()) {
      if (name.endsWith(".js") && !name.startsWith("report/")) hash.update(name).update(readFileSync(join(root, name)));
    }
  }
  code = hash.digest("hex");
  return code;
}

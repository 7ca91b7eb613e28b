/**
 * Who may use a bench. One lease per bench and computer, as a file; it ends with its holder, however that ends.
 *
 * The file is made by `link`, so it appears whole or not at all. Its holder keeps it open and beats into it: to an inode, never
 * to a name, so a holder that lost its lease cannot write into the next one's, and sees that the name is another file now.
 */
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import process, { env, hrtime, pid } from "node:process";
import { elapsedMs, type LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import { bootId, isAlive, pidNamespace, startTime } from "./process-identity.ts";

/** A holder shows that it lives this often. */
const BEAT_MS = 10_000;
/** A holder notices this soon that its lease was taken away. */
const LOOK_MS = 1000;
/** After three beats that did not come, and a bit for a slow disk, the bench is free. */
const SILENT_MS = 35_000;
/** How long to wait while others look at the same lease; that takes them milliseconds. */
const TURN_MS = 2000;

/** Nanoseconds since the computer started: the same clock in all its processes, whatever is done to the date. */
export function machineClock(): LabClock {
  return {
    nowNs: () => hrtime.bigint(),
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

/** What is written in a lease. */
export interface LeaseHolder {
  readonly bench: string;
  readonly user: string;
  readonly computer: string;
  readonly pid: number;
  readonly why: string;
  /** ISO 8601, for people. */
  readonly since: string;
  readonly bootId: string;
  /** Of /proc/PID/stat: tells two processes with the same number apart. */
  readonly startTime: string;
  readonly pidNamespace: string;
}

/** `held` is in use; `dead` and `silent` are free for whoever wants them. */
export interface LeaseStatus {
  readonly holder: LeaseHolder;
  readonly state: "held" | "dead" | "silent";
  readonly because: string;
  readonly path: string;
}

export interface LeasePlace {
  /** `machineClock()`, or a test's. */
  readonly clock: LabClock;
  /** One folder for all users of the computer. */
  readonly folder?: string | undefined;
}

/** `CULVERT_LEASES`, or a folder that everybody finds, whatever their TMPDIR. */
function leaseFolder(place: LeasePlace): string {
  return place.folder ?? env["CULVERT_LEASES"] ?? "/tmp/culvert-bench-leases";
}

export class Lease {
  readonly bench: string;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #clock: LabClock;
  readonly #lost = new AbortController();
  #lastBeatNs: bigint;
  #cancel: () => void = () => {};
  #closed = false;

  private constructor(bench: string, path: string, descriptor: number, clock: LabClock) {
    this.bench = bench;
    this.#path = path;
    this.#descriptor = descriptor;
    this.#clock = clock;
    this.#lastBeatNs = clock.nowNs();
    this.#arm();
  }

  /** Takes the bench, or throws a bench Fault that says who has it and how to get it. `why` is for the others. */
  static async take(bench: string, why: string, place: LeasePlace): Promise<Lease> {
    const folder = leaseFolder(place);
    makeFolder(folder);
    const path = join(folder, `${bench}.lease`);
    const turn = await waitForTurn(path);
    try {
      const current = statusOf(path, place.clock);
      if (current?.state === "held") throw new Fault("bench", heldBy(current));
      if (current !== undefined) removeIfThere(path);
      return new Lease(bench, path, createLease(path, bench, why, place.clock), place.clock);
    } finally {
      await closeServer(turn);
    }
  }

  /** Aborted with a Fault when the lease is taken away. Whoever uses the bench must stop then. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Throws the Fault if the lease is lost: to be asked before everything that changes the bench. */
  check(): void {
    this.#look();
    this.#lost.signal.throwIfAborted();
  }

  /** Gives the bench back. */
  close(): void {
    if (this.#closed) return;
    this.#look();
    this.#closed = true;
    this.#cancel();
    if (!this.#lost.signal.aborted) removeIfThere(this.#path);
    closeSync(this.#descriptor);
  }

  #arm(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#look();
      if (!this.#lost.signal.aborted) this.#arm();
    });
  }

  #look(): void {
    if (this.#closed || this.#lost.signal.aborted) return;
    const mine = fstatSync(this.#descriptor);
    const there = statSync(this.#path, { throwIfNoEntry: false });
    if (there === undefined || there.ino !== mine.ino || there.dev !== mine.dev) {
      this.#lost.abort(new Fault("bench", this.#loss()));
      return;
    }
    const nowNs = this.#clock.nowNs();
    if (elapsedMs(this.#lastBeatNs, nowNs) < BEAT_MS) return;
    this.#lastBeatNs = nowNs;
    writeSync(this.#descriptor, beatLine(nowNs), 0);
  }

  #loss(): string {
    const next = readLease(this.#path)?.holder;
    const what = `the lease of bench ${this.bench} was taken away while it was in use`;
    if (next === undefined) return `${what}: somebody ran \`culvert lab release ${this.bench}\``;
    return `${what}: ${next.user} has it now, for: ${next.why}`;
  }
}

/** Every lease there is, free or not, by the name of its bench. */
export function listLeases(place: LeasePlace): LeaseStatus[] {
  const folder = leaseFolder(place);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // nobody ever took one
  }
  return names
    .filter((name) => name.endsWith(".lease"))
    .sort()
    .flatMap((name) => statusOf(join(folder, name), place.clock) ?? []);
}

/** Takes a bench away from whoever has it; undefined when nobody has. The holder notices within a second. */
export async function releaseLease(bench: string, place: LeasePlace): Promise<LeaseStatus | undefined> {
  const path = join(leaseFolder(place), `${bench}.lease`);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const turn = await waitForTurn(path);
  try {
    const current = statusOf(path, place.clock);
    removeIfThere(path);
    return current;
  } finally {
    await closeServer(turn);
  }
}

/** Who has it, since when, what for, and what one can do: for errors and lists. */
export function heldBy({ holder, because }: LeaseStatus): string {
  return `bench ${holder.bench} is in use by ${holder.user} (process ${holder.pid} on ${holder.computer}, since ${holder.since}) for: ${holder.why}; ${because}; to take it away: culvert lab release ${holder.bench}`;
}

function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const status = lstatSync(folder);
  if (!status.isDirectory()) throw new Fault("bench", `${folder} must be a folder for leases, and is none: remove it`);
  // Whoever came first owns it; all others must be able to clear away what the dead left.
  if (status.uid === process.getuid?.()) chmodSync(folder, 0o777);
}

/** `beat` and 20 digits: every beat has the same length, and one write replaces it. */
function beatLine(nowNs: bigint): string {
  return `beat ${String(nowNs).padStart(20, "0")}\n`;
}

function createLease(path: string, bench: string, why: string, clock: LabClock): number {
  const holder: LeaseHolder = {
    ...{ bench, user: userName(), computer: hostname(), pid, why, since: new Date().toISOString() },
    ...{ bootId: bootId(), startTime: startTime(pid) ?? "", pidNamespace: pidNamespace() },
  };
  const draft = `${path}.${randomUUID()}`;
  const descriptor = openSync(draft, "wx", 0o644);
  try {
    writeSync(descriptor, `${beatLine(clock.nowNs())}${JSON.stringify(holder)}\n`);
    linkSync(draft, path);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    const isTaken = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw isTaken ? new Fault("bench", `bench ${bench} was taken by somebody else at this moment: try again`) : error;
  } finally {
    unlinkSync(draft);
  }
}

function readLease(path: string): { readonly holder: LeaseHolder; readonly beatNs: bigint } | undefined {
  try {
    const [beat = "", body = ""] = readFileSync(path, "utf8").split("\n");
    const digits = /^beat (\d{20})$/.exec(beat)?.[1];
    const holder: unknown = JSON.parse(body);
    if (digits === undefined || !isHolder(holder)) return undefined;
    return { holder, beatNs: BigInt(digits) };
  } catch {
    return undefined; // gone, or no lease
  }
}

function isHolder(value: unknown): value is LeaseHolder {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  const texts = ["bench", "user", "computer", "why", "since", "bootId", "startTime", "pidNamespace"];
  return typeof fields["pid"] === "number" && texts.every((name) => typeof fields[name] === "string");
}

function statusOf(path: string, clock: LabClock): LeaseStatus | undefined {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const lease = readLease(path);
  if (lease === undefined) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined; // given back in between
    const bench = path.replace(/^.*\//, "").replace(/\.lease$/, "");
    const nobody = { user: "nobody", computer: "", pid: 0, why: "", since: "", bootId: "", startTime: "" };
    const holder = { ...nobody, bench, pidNamespace: "" };
    return { holder, state: "dead", because: "what is in the file is no lease", path };
  }
  const { holder, beatNs } = lease;
  if (holder.bootId !== bootId())
    return { holder, state: "dead", because: "the computer was started anew since", path };
  // Process numbers of another container say nothing here; its beats do.
  if (holder.pidNamespace === pidNamespace() && !isAlive(holder.pid, holder.startTime)) {
    return { holder, state: "dead", because: "its process has ended", path };
  }
  const silentMs = elapsedMs(beatNs, clock.nowNs());
  const because = `its last sign of life was ${(silentMs / 1000).toFixed(0)} s ago`;
  return { holder, state: silentMs > SILENT_MS ? "silent" : "held", because, path };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? "?"}`; // in containers a user may have no name
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/**
 * Looking at a lease and replacing it must not be done by two at once. An abstract unix socket is a lock that the kernel
 * opens when its holder dies, which no file is.
 */
async function waitForTurn(path: string): Promise<Server> {
  const name = `\0culvert-lease ${path}`;
  const untilMs = performance.now() + TURN_MS;
  for (;;) {
    const server = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ path: name }, resolve);
      });
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

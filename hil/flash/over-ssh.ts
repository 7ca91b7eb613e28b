/**
 * An update of a device that runs, over the ssh program of this computer: the bundle goes into `update install`, the device
 * restarts, and it is asked until it has settled: which slot came up, and whether it committed.
 */
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Person } from "../bench/person.ts";
import { elapsedMs, type LabClock, systemClock } from "../clock.ts";

export interface SshAddress {
  readonly user: string;
  readonly host: string;
  readonly port: number;
}

/** `ssh://admin@HOST[:PORT]`; undefined for anything else. */
export function sshDevice(text: string): SshAddress | undefined {
  const match = /^ssh:\/\/([A-Za-z0-9_][\w.-]*)@([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?\/?$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, user = "", host = "", port] = match;
  return { user, host: host.replace(/[[\]]/g, ""), port: port === undefined ? 22 : Number(port) };
}

/** What `update` says of the slots. */
export interface DeviceSlots {
  readonly running: "a" | "b";
  readonly state: "committed" | "on trial" | "taken back" | "in place of the other";
  readonly version: string;
  /** Why the last update was taken back; undefined when it was not. */
  readonly takenBack: string | undefined;
}

/** Reads the answer of the device's `update` command; undefined when it says nothing of slots. */
export function parseSlots(text: string): DeviceSlots | undefined {
  const row = /^([ab]) +runs, (committed|on trial|taken back|in place of the other) +(\S+) /m.exec(text);
  if (row === null) return undefined;
  const [, running, state, version = ""] = row;
  const [, reason] = /^The last update was taken back: ([\s\S]*?)\.\n*$/m.exec(text) ?? [];
  return {
    running: running === "a" ? "a" : "b",
    state: state as DeviceSlots["state"],
    version,
    takenBack: reason?.replace(/\s+/g, " "),
  };
}

export interface SshUpdate {
  readonly file: string;
  readonly address: SshAddress;
  readonly sshOptions: readonly string[];
  readonly person: Person;
}

/** A firmware that hangs is ended after ten minutes, three times at most; then the slot before it starts. */
const SETTLES_WITHIN_MS = 2_400_000;
const SAY_AGAIN_MS = 60_000;
const ASK_AGAIN_MS = 3000;

/** True when the new slot runs and has committed. Throws an Error of one sentence when the device cannot be reached. */
export async function updateOverSsh({ file, address, sshOptions, person }: SshUpdate): Promise<boolean> {
  // One login for install and restart: a password is asked for once.
  const folder = await mkdtemp(join(tmpdir(), "culvert-ssh-"));
  const shared = ["ControlMaster=auto", `ControlPath=${join(folder, "s")}`, "ControlPersist=60"];
  try {
    const device = new SshDevice(address, [...sshOptions, ...shared]);
    const said = await device.run("update");
    const before = parseSlots(said);
    if (before === undefined) throw new Error(`${address.host} takes no update now: ${said.trim()}`);
    person.tell(`${address.host} runs version ${before.version} in slot ${before.running}`);
    const began = performance.now();
    if (!(await device.send("update install", file, (line) => person.tell(line)))) return false;
    const seconds = (performance.now() - began) / 1000;
    const { size } = await stat(file);
    person.tell(`${(size / 1e6).toFixed(1)} MB in ${seconds.toFixed(0)} s; restarting`);
    await device.run("reboot");
    const rebooted = new SshDevice(address, sshOptions);
    return await untilSettled({
      ask: () => rebooted.tryRun("update"),
      before,
      tell: (line) => person.tell(line),
      clock: systemClock(),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface Settling {
  /** The device's answer to `update`; undefined when it gives none. */
  readonly ask: () => Promise<string | undefined>;
  readonly before: DeviceSlots;
  readonly tell: (line: string) => void;
  readonly clock: LabClock;
}

/** True once the new slot has committed, false when the one before runs again or nothing is settled in the longest time. */
export async function untilSettled({ ask, before, tell, clock }: Settling): Promise<boolean> {
  const began = clock.nowNs();
  const passedMs = (): number => elapsedMs(began, clock.nowNs());
  let last = "";
  let sayAtMs = SAY_AGAIN_MS;
  while (passedMs() < SETTLES_WITHIN_MS) {
    await new Promise<void>((resolve) => clock.after(ASK_AGAIN_MS, resolve));
    const answer = await ask();
    const slots = answer === undefined ? undefined : parseSlots(answer);
    if (passedMs() > sayAtMs) {
      const now =
        slots === undefined ? "no answer: it starts, or a firmware that does not come up is being ended" : last;
      tell(`${Math.round(passedMs() / 60_000)} min after the restart: ${now}`);
      sayAtMs += SAY_AGAIN_MS;
    }
    if (slots === undefined) continue;
    const so = `slot ${slots.running} runs version ${slots.version}, ${slots.state}`;
    if (so !== last && slots.state === "on trial") tell(so);
    last = so;
    // What was taken back answers until it has gone down.
    if (slots.state === "on trial" || slots.state === "taken back") continue;
    if (slots.running !== before.running && slots.state === "committed") {
      tell(so);
      return true;
    }
    // The old slot answers until it has gone down.
    if (slots.takenBack === undefined) continue;
    tell(`${so}: the update was taken back: ${slots.takenBack}`);
    return false;
  }
  const limit = SETTLES_WITHIN_MS / 60_000;
  tell(`the device did not settle within ${limit} min; last: ${last === "" ? "it did not answer" : last}`);
  return false;
}

class SshDevice {
  readonly #words: readonly string[];
  readonly #host: string;

  constructor({ user, host, port }: SshAddress, options: readonly string[]) {
    this.#host = host;
    const all = ["ConnectTimeout=5", "ServerAliveInterval=5", ...options].flatMap((option) => ["-o", option]);
    this.#words = [...all, "-p", String(port), "-l", user, host];
  }

  /** What the device answers. Throws when it does not, with ssh's own words. */
  async run(command: string): Promise<string> {
    const { stdout, stderr, failed } = await execa("ssh", [...this.#words, command], {
      stdin: "inherit",
      reject: false,
    });
    if (failed)
      throw new Error(`${this.#host}: \`${command}\` failed: ${lastLine(stderr) || "ssh ended without a word"}`);
    return stdout;
  }

  /** Undefined when it does not answer: while it restarts, that is no failure. */
  async tryRun(command: string): Promise<string | undefined> {
    const done = await execa("ssh", [...this.#words, command], { stdin: "inherit", stderr: "ignore", reject: false });
    return done.failed ? undefined : done.stdout;
  }

  /** Sends a file to a command's input; each line of its answer is told. False when the command ends with a failure. */
  async send(command: string, file: string, tell: (line: string) => void): Promise<boolean> {
    const running = execa("ssh", [...this.#words, command], {
      input: createReadStream(file),
      all: true,
      buffer: false,
      reject: false,
    });
    for await (const line of running.iterable({ from: "all" })) tell(String(line));
    return !(await running).failed;
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

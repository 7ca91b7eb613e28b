/** The configurations on a data disk whose power was cut: the file system is recovered, then the device's own store reads it. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { sameConfig } from "../../appliance/config/diff.ts";
import { folderDisk } from "../../appliance/config/disk.ts";
import { ConfigStore, type Loaded } from "../../appliance/config/store.ts";
import type { CutState } from "./power-cut.ts";
import type { Recording } from "./recorded-commits.ts";

export interface FoundStore extends Loaded {
  /** False when the device will format the disk: it is blank, or was cut while it was being formatted. */
  readonly isFormatted: boolean;
  readonly hasPassword: boolean;
}

/** Makes the ext4 in the file `disk` whole, as the machine that mounts it would. Throws when it is beyond repair. */
export type Recover = (disk: string) => Promise<void>;

/** image/rootfs/usr/lib/culvert/mount-data leaves so much behind the file system for its mark. */
const TAIL_BYTES = 64 * 1024;
const MARK = "culvert: being formatted";
const BLANK_BYTES = 1024 * 1024;
/** `rollback` goes back over 20 commits. */
const KEPT = 21;
const NOTHING: FoundStore = { isFormatted: false, hasPassword: false, generations: [], findings: [] };

/** What the device finds on this disk. `folder` is for the disk and its files. */
export async function readCutDisk(
  state: CutState,
  diskBytes: number,
  folder: string,
  recover: Recover,
): Promise<FoundStore> {
  if (state.read(diskBytes - TAIL_BYTES, MARK.length).toString() === MARK) return NOTHING;
  if (state.read(0, BLANK_BYTES).every((byte) => byte === 0)) return NOTHING;
  const disk = join(folder, "cut.disk");
  state.writeTo(disk);
  await recover(disk);
  const { exitCode, all } = await execa("e2fsck", ["-f", "-n", disk], { reject: false, all: true });
  if (exitCode !== 0) throw new Error(`the file system is damaged after its recovery:\n${all}`);
  const files = join(folder, "files");
  rmSync(files, { recursive: true, force: true });
  mkdirSync(files);
  await execa("debugfs", ["-R", `rdump /config ${files}`, disk]);
  if (!existsSync(join(files, "config"))) return { ...NOTHING, isFormatted: true };
  const config = folderDisk(join(files, "config"));
  const hasPassword = config.read("administrator") !== undefined;
  return { isFormatted: true, hasPassword, ...new ConfigStore(config).load() };
}

/** By e2fsck: quick, and another program than the kernel's. The kernel mounts no file system without its first superblock. */
export async function recoverByTool(disk: string): Promise<void> {
  const head = await execa("dumpe2fs", ["-h", disk], { reject: false, all: true });
  if (head.exitCode !== 0 || /checksum does not match/.test(head.all ?? ""))
    throw new Error(`no kernel will mount it: ${head.all}`);
  const replay = await execa("e2fsck", ["-y", "-E", "journal_only", disk], { reject: false, all: true });
  if ((replay.exitCode ?? 8) > 1) throw new Error(`its journal cannot be replayed:\n${replay.all}`);
}

/**
 * What is wrong with a disk that was cut after `cut` entries; undefined when it is as promised: the last configuration that
 * was acknowledged is in force or one whose commit had begun, and every older one can be rolled back to.
 */
export function brokenPromise(recording: Recording, cut: number, found: FoundStore): string | undefined {
  const { commits, passwordAt, reset } = recording;
  const resetBegun = reset !== undefined && cut >= reset.begunAt;
  if (!found.isFormatted) return cut >= passwordAt ? "the file system is gone" : undefined;
  if (found.findings.length > 0) return `the store is damaged: ${found.findings.join("; ")}`;
  const numbers = found.generations.map(({ number }) => number);
  const newest = numbers[0] ?? 0;
  if (numbers.some((number, index) => number !== newest - index)) return `only ${numbers.join(", ")} are there`;
  const changed = found.generations.find(
    ({ number, config }) => !sameConfig(commits[number - 1]?.config ?? new Map(), config),
  );
  if (changed !== undefined) return `configuration ${changed.number} is not the one that was committed`;
  if (resetBegun && cut >= reset.doneAt && (found.hasPassword || newest > 0)) return "something outlived the reset";
  // A reset takes the oldest first and the password last.
  if (newest > 0 && !found.hasPassword) return "there are settings, and no password keeps strangers out";
  if (resetBegun)
    return newest === 0 || newest === commits.length ? undefined : `the reset left configuration ${newest}`;
  if (cut >= passwordAt && !found.hasPassword) return "the password is gone";
  const acknowledged = commits.filter(({ storedAt }) => storedAt <= cut).length;
  const begun = commits.filter(({ begunAt }) => begunAt <= cut).length;
  if (newest < acknowledged || newest > begun)
    return `configuration ${newest} is in force, ${acknowledged} were acknowledged and ${begun} begun`;
  const kept = Math.min(newest, KEPT);
  return numbers.length < kept ? `${numbers.length} of ${kept} configurations are left` : undefined;
}

/** The few file operations that durable storage is made of, so that tests can cut the power between any two of them. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** One folder. Names are plain file names. Failures throw Node's errors, which name operation and file. */
export interface Disk {
  list(): readonly string[];
  /** Undefined when there is no such file. */
  read(name: string): Buffer | undefined;
  /** Replaces the file, and returns once its bytes are on the medium; its name need not be yet. */
  write(name: string, bytes: Buffer): void;
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** Returns once all names are on the medium. */
  sync(): void;
}

/** Settings hold passwords: only root may read. What other programs must read lies in a folder that says who gets there. */
type Readers = "root" | "everybody";

/** A folder of the file system; made when it is missing. */
export function folderDisk(folder: string, readers: Readers = "root"): Disk {
  const [folderMode, fileMode] = readers === "root" ? [0o700, 0o600] : [0o755, 0o644];
  mkdirSync(folder, { recursive: true, mode: folderMode });
  return {
    list: () => readdirSync(folder),
    read(name) {
      try {
        return readFileSync(join(folder, name));
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
    write(name, bytes) {
      const fd = openSync(join(folder, name), "w", fileMode);
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    },
    rename: (from, to) => renameSync(join(folder, from), join(folder, to)),
    remove: (name) => rmSync(join(folder, name), { force: true }),
    sync() {
      const fd = openSync(folder, "r");
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    },
  };
}

/** Puts a file in place whole: after a power cut there is the old one or the new one. */
export function replaceFile(disk: Disk, name: string, bytes: Buffer): void {
  const unfinished = `${name}.new`;
  disk.write(unfinished, bytes);
  disk.rename(unfinished, name);
  disk.sync();
}

/** A disk that can lose its power: what was not synced is there or not, as the file system likes. */
import type { Disk } from "../../appliance/config/disk.ts";

/** Thrown in the middle of an operation. */
export class PowerCut extends Error {}

export class FakeDisk implements Disk {
  #files: ReadonlyMap<string, Buffer>;
  /** The names as they were at the last `sync`: what a power cut may bring back. */
  #synced: ReadonlyMap<string, Buffer>;
  /** What is written finds no space. */
  isFull = false;
  /** Operations that still work before the power goes. */
  #left = Number.POSITIVE_INFINITY;

  constructor(files: ReadonlyMap<string, Buffer> = new Map()) {
    this.#files = files;
    this.#synced = files;
  }

  /** The power goes in the middle of the `operations + 1`-th change from now. */
  cutAfter(operations: number): void {
    this.#left = operations;
  }
  /** The possible disks after the power is back: names from the last sync, or as they were at the end. */
  afterCut(): readonly FakeDisk[] {
    return [new FakeDisk(this.#synced), new FakeDisk(this.#files)];
  }
  /** Damages a file in place. */
  damage(name: string, change: (bytes: Buffer) => Buffer): void {
    this.#put(name, change(Buffer.from(this.#files.get(name) ?? Buffer.alloc(0))));
  }

  list(): readonly string[] {
    return [...this.#files.keys()];
  }
  read(name: string): Buffer | undefined {
    return this.#files.get(name);
  }
  write(name: string, bytes: Buffer): void {
    if (this.isFull) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    // Cut in the middle, half of the bytes are there.
    if (this.#left === 0) this.#put(name, bytes.subarray(0, bytes.length >> 1));
    this.#operation();
    this.#put(name, Buffer.from(bytes));
  }
  rename(from: string, to: string): void {
    this.#operation();
    const bytes = this.#files.get(from);
    if (bytes === undefined) throw new Error(`no file ${from}`);
    const files = new Map(this.#files);
    files.delete(from);
    files.set(to, bytes);
    this.#files = files;
  }
  remove(name: string): void {
    this.#operation();
    const files = new Map(this.#files);
    files.delete(name);
    this.#files = files;
  }
  sync(): void {
    this.#operation();
    this.#synced = this.#files;
  }

  #operation(): void {
    if (this.#left === 0) throw new PowerCut("the power is gone");
    this.#left--;
  }
  #put(name: string, bytes: Buffer): void {
    this.#files = new Map([...this.#files, [name, bytes]]);
  }
}

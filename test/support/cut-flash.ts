/** The partitions of a disk that a power cut left, for the device's own code; what is written lies over it and leaves it as it is. */
import { type Partition, SystemError } from "../../appliance/ports.ts";
import type { SlotName } from "../../appliance/update/boot-state.ts";
import type { CutState } from "./power-cut.ts";
import type { StartableFlash } from "./slot-reader.ts";

/** In bytes from the disk's beginning. */
export type Places = ReadonlyMap<string, { readonly offset: number; readonly size: number }>;

export class CutFlash implements StartableFlash {
  booted: SlotName | undefined;
  readonly #disk: Pick<CutState, "read">;
  readonly #places: Places;
  readonly #written: { readonly at: number; readonly data: Buffer }[] = [];

  constructor(disk: Pick<CutState, "read">, places: Places) {
    this.#disk = disk;
    this.#places = places;
  }

  open(name: string): Promise<Partition | undefined> {
    const place = this.#places.get(name);
    if (place === undefined) return Promise.resolve(undefined);
    const start = (operation: string, offset: number, length: number): number => {
      if (offset < 0 || offset + length > place.size) throw new SystemError(`${operation} ${name}`, "ENOSPC");
      return place.offset + offset;
    };
    return Promise.resolve({
      sizeBytes: place.size,
      read: async (offset, length) => await Promise.resolve(this.#read(start("read", offset, length), length)),
      write: async (offset, bytes) => {
        this.#written.push({ at: start("write", offset, bytes.length), data: Buffer.from(bytes) });
        await Promise.resolve();
      },
      sync: () => Promise.resolve(),
      close: () => Promise.resolve(),
    });
  }

  #read(at: number, length: number): Buffer {
    const bytes = this.#disk.read(at, length);
    for (const { at: from, data } of this.#written) {
      const [begin, end] = [Math.max(at, from), Math.min(at + length, from + data.length)];
      if (begin < end) data.copy(bytes, begin - at, begin - from, end - from);
    }
    return bytes;
  }
}

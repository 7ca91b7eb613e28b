/** Reads what the builder must know of an ELF file: which machine, interpreter and libraries it needs (System V gABI 4, 5). */
import { ImageError } from "./failure.ts";

export interface ElfFile {
  readonly bits: 32 | 64;
  /** e_machine: 62 x86-64, 183 AArch64, 8 MIPS. */
  readonly machine: number;
  readonly interpreter: string | undefined;
  /** DT_NEEDED: sonames, in order. */
  readonly needed: readonly string[];
  /** Loadable modules and relocatable objects have sections; programs need not. Names are unique in the files we read. */
  readonly sections: ReadonlyMap<string, { readonly offset: number; readonly size: number }>;
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

export function isElf(bytes: Buffer): boolean {
  return bytes.length >= 52 && bytes.readUInt32BE(0) === 0x7f454c46;
}

/** `name` is for the error only. Throws an ImageError when the file is not ELF or is cut short. */
export function parseElf(bytes: Buffer, name: string): ElfFile {
  if (!isElf(bytes)) throw new ImageError(`${name} is not an ELF file`);
  try {
    return new Parser(bytes).parse();
  } catch (error) {
    if (error instanceof RangeError) throw new ImageError(`${name} is a damaged ELF file`, { cause: error });
    throw error;
  }
}

/** A program's memory before its first instruction, as a boot loader would lay it out. */
export interface LoadImage {
  /** Of the first byte. */
  readonly address: number;
  readonly entry: number;
  /** Everything that the file holds, gaps filled with zeros; what the program clears itself is not in it. */
  readonly memory: Buffer;
}

/** Largest memory that is laid out: far more than any kernel has. */
const MEMORY_AT_MOST = 256 * 1024 * 1024;

/** `name` is for the error only. Throws an ImageError when there is nothing to load, or too much. */
export function loadImage(bytes: Buffer, name: string): LoadImage {
  if (!isElf(bytes)) throw new ImageError(`${name} is not an ELF file`);
  try {
    return new Parser(bytes).load();
  } catch (error) {
    if (error instanceof RangeError) throw new ImageError(`${name} is a damaged ELF file`, { cause: error });
    throw error;
  }
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

class Parser {
  readonly #bytes: Buffer;
  readonly #wide: boolean;
  readonly #little: boolean;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#wide = bytes.readUInt8(4) === 2;
    this.#little = bytes.readUInt8(5) === 1;
  }

  parse(): ElfFile {
    const segments = this.#segments();
    const interpreter = segments.find((segment) => segment.type === PT_INTERP);
    return {
      bits: this.#wide ? 64 : 32,
      machine: this.#half(18),
      interpreter: interpreter && this.#text(interpreter.offset),
      needed: this.#needed(segments),
      sections: this.#sections(),
    };
  }

  load(): LoadImage {
    const loaded = this.#segments().filter(({ type, size }) => type === PT_LOAD && size > 0);
    const address = Math.min(...loaded.map((segment) => segment.address));
    const end = Math.max(...loaded.map((segment) => segment.address + segment.size));
    if (loaded.length === 0 || end - address > MEMORY_AT_MOST) throw new RangeError("no memory to load");
    const memory = Buffer.alloc(end - address);
    for (const { offset, size, address: at } of loaded) {
      if (offset + size > this.#bytes.length) throw new RangeError("segment outside the file");
      this.#bytes.copy(memory, at - address, offset, offset + size);
    }
    return { address, entry: this.#word(24), memory };
  }

  #segments(): Segment[] {
    const table = this.#word(this.#wide ? 32 : 28);
    const size = this.#half(this.#wide ? 54 : 42);
    const count = this.#half(this.#wide ? 56 : 44);
    return Array.from({ length: count }, (_, index) => {
      const at = table + index * size;
      return this.#wide
        ? { type: this.#u32(at), offset: this.#word(at + 8), address: this.#word(at + 16), size: this.#word(at + 32) }
        : { type: this.#u32(at), offset: this.#u32(at + 4), address: this.#u32(at + 8), size: this.#u32(at + 16) };
    });
  }

  #needed(segments: readonly Segment[]): string[] {
    const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
    if (!dynamic) return [];
    const step = this.#wide ? 8 : 4;
    const names: number[] = [];
    let strings = 0;
    for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 2 * step) {
      const tag = this.#word(at);
      if (tag === 0) break;
      if (tag === DT_NEEDED) names.push(this.#word(at + step));
      if (tag === DT_STRTAB) strings = this.#word(at + step);
    }
    // DT_STRTAB is an address in memory: the segment that loads it says where it lies in the file.
    const home = segments.find(
      (segment) => segment.type === PT_LOAD && strings >= segment.address && strings < segment.address + segment.size,
    );
    if (names.length > 0 && !home) throw new RangeError("DT_STRTAB outside every segment");
    return names.map((name) => this.#text(strings - (home?.address ?? 0) + (home?.offset ?? 0) + name));
  }

  #sections(): Map<string, { offset: number; size: number }> {
    const table = this.#word(this.#wide ? 40 : 32);
    const size = this.#half(this.#wide ? 58 : 46);
    const count = this.#half(this.#wide ? 60 : 48);
    const found = new Map<string, { offset: number; size: number }>();
    if (table === 0 || count === 0) return found;
    const place = (index: number): { name: number; offset: number; size: number } => {
      const at = table + index * size;
      return {
        name: this.#u32(at),
        offset: this.#word(at + (this.#wide ? 24 : 16)),
        size: this.#word(at + (this.#wide ? 32 : 20)),
      };
    };
    const names = place(this.#half(this.#wide ? 62 : 50)).offset;
    for (let index = 1; index < count; index++) {
      const section = place(index);
      found.set(this.#text(names + section.name), { offset: section.offset, size: section.size });
    }
    return found;
  }

  #half(at: number): number {
    return this.#little ? this.#bytes.readUInt16LE(at) : this.#bytes.readUInt16BE(at);
  }
  #u32(at: number): number {
    return this.#little ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at);
  }
  /** An address-sized field. */
  #word(at: number): number {
    if (!this.#wide) return this.#u32(at);
    return Number(this.#little ? this.#bytes.readBigUInt64LE(at) : this.#bytes.readBigUInt64BE(at));
  }
  #text(at: number): string {
    const end = this.#bytes.indexOf(0, at);
    if (at < 0 || at >= this.#bytes.length || end < 0) throw new RangeError("text outside the file");
    return this.#bytes.toString("utf8", at, end);
  }
}

/**
 * Shrinks ICU's data inside libicudata.so without a linker: a filtered archive of the same format ("CmnD", ICU
 * source/common/udatamem, ucmndata.h) overwrites the full one and zeros fill the rest. Length, symbols and ELF layout
 * stay, so this works for every machine, and squashfs stores the zeros as nothing: 7 MB less in an image.
 */
import { parseElf } from "./elf.ts";
import { ImageError } from "./failure.ts";
import type { Entry } from "./tree.ts";

/**
 * What stays: English, Unicode normalisation, IDN, text segmentation, time zones, and one converter that Node opens at
 * start. Other locales fall back to English. An EMPTY archive is no option: Node starts, then `toLocaleString` aborts.
 */
const KEPT: readonly RegExp[] = [
  /^(root|en|en_US|pool|res_index|supplementalData|numberingSystems|timezoneTypes|metaZones|zoneinfo64)\.res$/,
  /^(keyTypeData|icustd|plurals|pluralRanges|dayPeriods|metadata|likelySubtags|currencyNumericCodes|icuver|units)\.res$/,
  /^(curr|lang|region|unit|zone)\/(root|en|en_US|pool|res_index|supplementalData)\.res$/,
  /^coll\/(root|en|en_US|res_index)\.res$/,
  /^coll\/ucadata\.icu$/,
  /^brkitr\/(root|en|en_US|res_index)\.res$/,
  /^brkitr\/(char|word|line|sent|title)\.brk$/,
  /^(cnvalias|ulayout|uemoji)\.icu$/,
  /^(nfkc|nfkc_cf|uts46)\.nrm$/,
  /^ibm-5348_P100-1997\.cnv$/,
];

export interface IcuItem {
  /** With the archive's own prefix, such as `icudt72l/coll/ucadata.icu`. */
  readonly name: string;
  readonly data: Buffer;
}

export interface IcuArchive {
  /** The header in front of the table of contents, copied as it is. */
  readonly header: Buffer;
  readonly items: readonly IcuItem[];
}

/** The entry as it is, or ICU's data library with what Node needs for English alone. */
export function withoutSpareIcuData(entry: Entry): Entry {
  if (entry.content.kind !== "file" || !/\/libicudata\.so\.[^/]*$/.test(entry.path)) return entry;
  return { ...entry, content: { kind: "file", data: filterIcuLibrary(entry.content.data) } };
}

/** A copy of `library` whose data holds only what Node needs for English. Throws when the archive is not as expected. */
export function filterIcuLibrary(library: Buffer): Buffer {
  const section = parseElf(library, "libicudata").sections.get(".rodata");
  const magic = library.indexOf("CmnD", section?.offset);
  if (!section || magic < 0) throw new ImageError("libicudata holds no CmnD archive: this ICU is not known here");
  const start = magic - 12;
  const end = section.offset + section.size;
  const { header, items } = parseIcuArchive(library.subarray(start, end));
  const bare = (item: IcuItem): string => item.name.slice(item.name.indexOf("/") + 1);
  const absent = KEPT.find((pattern) => !items.some((item) => pattern.test(bare(item))));
  if (absent) throw new ImageError(`libicudata has nothing like ${absent.source}: this ICU is not known here`);
  const kept = emitIcuArchive({
    header,
    items: items.filter((item) => KEPT.some((pattern) => pattern.test(bare(item)))),
  });
  const filtered = Buffer.from(library);
  filtered.fill(0, start, end);
  kept.copy(filtered, start);
  return filtered;
}

/** Reads the archive at the start of `bytes`. The last item reaches to the end of `bytes`. */
export function parseIcuArchive(bytes: Buffer): IcuArchive {
  if (bytes.length < 16 || bytes.readUInt16LE(2) !== 0x27da || bytes.toString("latin1", 12, 16) !== "CmnD") {
    throw new ImageError("not a little-endian ICU archive");
  }
  const contents = bytes.readUInt16LE(0);
  const count = bytes.readUInt32LE(contents);
  const offset = (index: number, field: 0 | 4): number =>
    contents + bytes.readUInt32LE(contents + 4 + 8 * index + field);
  const items = Array.from({ length: count }, (_, index) => {
    const name = offset(index, 0);
    const end = index + 1 < count ? offset(index + 1, 4) : bytes.length;
    return {
      name: bytes.toString("latin1", name, bytes.indexOf(0, name)),
      data: bytes.subarray(offset(index, 4), end),
    };
  });
  return { header: bytes.subarray(0, contents), items };
}

/** Items are sorted by name, as ICU's binary search expects, and begin on multiples of 16 as its mapped structures need. */
export function emitIcuArchive({ header, items }: IcuArchive): Buffer {
  const sorted = [...items].sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = Buffer.from(sorted.map((item) => `${item.name}\0`).join(""), "latin1");
  const table = Buffer.alloc(4 + 8 * sorted.length);
  table.writeUInt32LE(sorted.length, 0);
  const parts = [header, table, names];
  let nameAt = table.length;
  let at = header.length + table.length + names.length;
  for (const [index, { name, data }] of sorted.entries()) {
    const gap = -at & 15;
    parts.push(Buffer.alloc(gap), data);
    table.writeUInt32LE(nameAt, 4 + 8 * index);
    table.writeUInt32LE(at + gap - header.length, 8 + 8 * index);
    nameAt += name.length + 1;
    at += gap + data.length;
  }
  return Buffer.concat(parts);
}

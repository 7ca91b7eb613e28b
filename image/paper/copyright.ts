/**
 * Debian's copyright files. Most are machine-readable (DEP-5, "Machine-readable debian/copyright file" 1.0): paragraphs
 * of fields that give each set of files its licence. The rest are prose and are kept whole.
 */

/** A licence as a copyright file names it. */
export interface NamedLicence {
  /** Short name or expression, such as `GPL-2+` or `GPL-2+ or Expat`. */
  readonly name: string;
  /** The licence's own words, or the note that leads to them; empty when the name stands alone. */
  readonly text: string;
}

export interface Copyright {
  /** What sets of files are under, each expression once, in the order of the file. Empty for prose. */
  readonly expressions: readonly string[];
  /** Who holds the rights, each line once. Empty for prose. */
  readonly holders: readonly string[];
  /** Short name -> words, from paragraphs of files and from paragraphs of their own. */
  readonly texts: ReadonlyMap<string, string>;
  /** The file as it is. */
  readonly whole: string;
}

/** Reads a copyright file of either kind. Never throws: what is not understood is prose. */
export function parseCopyright(whole: string): Copyright {
  const [head, ...paragraphs] = parseParagraphs(whole);
  if (!head?.get("format")?.includes("copyright-format/1.0")) {
    return { expressions: [], holders: [], texts: new Map(), whole };
  }
  const expressions = new Set<string>();
  const holders = new Set<string>();
  const texts = new Map<string, string>();
  for (const paragraph of [head, ...paragraphs]) {
    for (const line of paragraph.get("copyright")?.split("\n") ?? []) if (line.trim() !== "") holders.add(line.trim());
    const licence = parseLicence(paragraph.get("license"));
    if (licence === undefined) continue;
    // A head's licence is that of the package as a whole; a paragraph without files only gives a name its words.
    if (paragraph.has("files") || paragraph === head) expressions.add(licence.name);
    if (licence.text !== "" && !texts.has(licence.name)) texts.set(licence.name, licence.text);
  }
  return { expressions: [...expressions], holders: [...holders], texts, whole };
}

function parseLicence(field: string | undefined): NamedLicence | undefined {
  if (field === undefined) return undefined;
  const [first = "", ...rest] = field.split("\n");
  const name = first.trim().replace(/\s+/g, " ");
  return name === "" ? undefined : { name, text: rest.join("\n").trim() };
}

/** Field names in small letters. A continuation line loses its blank, and `.` alone is an empty line (policy §5.1). */
function parseParagraphs(text: string): Map<string, string>[] {
  const paragraphs: Map<string, string>[] = [];
  let current = new Map<string, string>();
  let field: string | undefined;
  for (const line of [...text.split(/\r?\n/), ""]) {
    const begun = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
    if (line.trim() === "") {
      if (current.size > 0) paragraphs.push(current);
      current = new Map();
      field = undefined;
    } else if (/^[ \t]/.test(line)) {
      const words = line.slice(1);
      if (field !== undefined) current.set(field, `${current.get(field)}\n${words.trim() === "." ? "" : words}`);
    } else if (begun?.[1] !== undefined) {
      field = begun[1].toLowerCase();
      current.set(field, begun[2] ?? "");
    }
  }
  return paragraphs;
}

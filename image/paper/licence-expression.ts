/**
 * Debian's licence names as SPDX licence expressions (SPDX 2.3 Annex D). A name that SPDX does not list, or that Debian
 * uses for several texts, becomes a LicenseRef of its source package, whose words the SBOM then carries.
 */

/** DEP-5 short name, in small letters -> SPDX identifier. Names whose words differ from package to package are left out. */
const IDENTIFIER: ReadonlyMap<string, string> = new Map([
  ["afl-2.1", "AFL-2.1"],
  ["apache-2", "Apache-2.0"],
  ["apache-2.0", "Apache-2.0"],
  ["beerware", "Beerware"],
  ["bsd-2-clause", "BSD-2-Clause"],
  ["bsd-3-clause", "BSD-3-Clause"],
  ["bsd-4-clause", "BSD-4-Clause"],
  ["cc-by-4.0", "CC-BY-4.0"],
  ["cc-by-sa-4.0", "CC-BY-SA-4.0"],
  ["cc0", "CC0-1.0"],
  ["cc0-1.0", "CC0-1.0"],
  ["curl", "curl"],
  ["expat", "MIT"],
  ["isc", "ISC"],
  ["mit", "MIT"],
  ["mpl-2.0", "MPL-2.0"],
  ["openssl", "OpenSSL"],
  ["python-2.0", "Python-2.0"],
  ["ssleay", "SSLeay-standalone"],
  ["x11", "X11"],
  ["zlib", "Zlib"],
]);

const GNU = /^(a?gpl|lgpl|gfdl)-?(\d)(?:\.(\d))?(?:\.0)?(\+)?$/;

/** An SPDX identifier, or undefined when SPDX has none that means surely the same. */
export function spdxIdentifier(name: string): string | undefined {
  const small = name.toLowerCase();
  const known = IDENTIFIER.get(small);
  if (known !== undefined) return known;
  const [, family, major, minor = "0", later] = GNU.exec(small) ?? [];
  if (family === undefined) return undefined;
  return `${family.toUpperCase()}-${major}.${minor}-${later === undefined ? "only" : "or-later"}`;
}

export interface Expressed {
  /** An SPDX licence expression. */
  readonly expression: string;
  /** LicenseRef-... -> the short name that it stands for. */
  readonly references: ReadonlyMap<string, string>;
}

/**
 * One expression for a package: everything that its files are under, joined by AND. In DEP-5 `and` binds tighter than `or`,
 * unless a comma stands before it. `scope` keeps references of different packages apart.
 */
export function expressLicences(names: readonly string[], scope: string): Expressed {
  const references = new Map<string, string>();
  const single = (name: string): string => {
    const identifier = spdxIdentifier(name);
    if (identifier !== undefined) return identifier;
    const reference = `LicenseRef-${slug(scope)}-${slug(name)}`;
    references.set(reference, name);
    return reference;
  };
  const all = (text: string): string => joined(text.split(/\s+and\s+/i).map(single), "AND");
  const alternatives = (text: string): string => joined(text.split(/\s+or\s+/i).map(all), "OR");
  const parts = names.map((name) => joined(name.split(/,\s*and\s+/i).map(alternatives), "AND"));
  return { expression: joined([...new Set(parts)], "AND"), references };
}

/** True for a licence under which whoever hands on binaries owes the source. */
export function owesSource(expression: string, prose: string): boolean {
  return (
    /\b(?:A?GPL|LGPL|MPL|CDDL|EPL)-/.test(expression) || /\b(?:A?GPL|LGPL|General\s+Public\s+License)\b/i.test(prose)
  );
}

function joined(parts: readonly string[], by: "AND" | "OR"): string {
  if (parts.length === 1) return parts[0] ?? "";
  return parts.map((part) => (/ (?:AND|OR) /.test(part) ? `(${part})` : part)).join(` ${by} `);
}

/** Letters, digits, `.` and `-` are all that a LicenseRef may have (SPDX 2.3 §10.1). */
function slug(text: string): string {
  return text
    .replace(/\+/g, "-or-later")
    .replace(/[^A-Za-z0-9.]+/g, "-")
    .replace(/^-+|-+$/g, "");
}

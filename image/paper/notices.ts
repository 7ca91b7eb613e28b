/** The papers for people: `licences.txt` with every licence text, and `sources.txt`, where the sources are. */
import type { Bill, BilledPackage, SourcePackage } from "./bill.ts";
import { owesSource } from "./licence-expression.ts";

/** Where a device keeps its licence texts. */
export const LICENCES_PATH = "/usr/share/culvert/licences.txt";

const RULE = "=".repeat(78);

/** Every text once, above it the packages it is of; what texts point at comes last. */
export function emitLicences(bill: Bill): string {
  const groups = new Map<string, string[]>();
  for (const { entry, copyright } of bill.packages) {
    const text = copyright.trim();
    groups.set(text, [...(groups.get(text) ?? []), `${entry.package} ${entry.version}`]);
  }
  const sections: [title: string, text: string][] = [
    [`Culvert ${bill.version} (${bill.ownLicence.licence})`, bill.ownLicence.text],
    ...bill.modules.map(({ name, version, licence, text }): [string, string] => [
      `${name} ${version} (${licence})`,
      text,
    ]),
    ...[...groups].map(([text, names]): [string, string] => [names.join("\n"), text]),
    ...[...bill.commonLicences].map(([name, text]): [string, string] => [
      `/usr/share/common-licenses/${name}, where Debian's texts above point`,
      text,
    ]),
  ];
  const head = "Licences of the software in this image, each as its authors or Debian's maintainers wrote it.";
  return [head, ...sections.map(([title, text]) => `${RULE}\n${title}\n${RULE}\n\n${text.trim()}`), ""].join("\n\n");
}

/** Source packages with versions and places. `*` marks those under a licence that obliges to hand on the source. */
export function emitSources(bill: Bill): string {
  const rows = new Map<string, { source: SourcePackage; owed: boolean; binaries: string[] }>();
  const note = (source: SourcePackage, owed: boolean, binary: string): void => {
    const id = `${source.name} ${source.version}`;
    const row = rows.get(id) ?? { source, owed: false, binaries: [] };
    rows.set(id, { ...row, owed: row.owed || owed, binaries: [...row.binaries, binary] });
  };
  for (const each of bill.packages) {
    const owed = isOwed(each);
    // What is compiled in is under its own licence, which is not in this package: taken as owed.
    note(each.source, owed, each.entry.package);
    for (const source of each.builtUsing) note(source, true, `${each.entry.package} (compiled in)`);
  }
  const lines = [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { source, owed, binaries }]) => {
      const place = `https://snapshot.debian.org/package/${source.name}/${source.version}/`;
      return `${owed ? "*" : " "} ${source.name} ${source.version}\n    for ${binaries.join(", ")}\n    ${place}`;
    });
  const commit = bill.commit === undefined ? "" : `, commit ${bill.commit}`;
  return [
    `Sources of the software in the Culvert ${bill.version} image for ${bill.board}`,
    "",
    "Programs and libraries are Debian's as they are; of ICU's data a part is left out. * marks sources of which parts",
    "are under the GNU GPL or LGPL or another licence by which whoever hands on this image owes its receiver the source,",
    "complete and of this very version: hand it on with the image, or give a written offer that holds for three years",
    "(GPL version 2 §3, version 3 §6). Debian keeps every version at the addresses below, with the scripts that build it.",
    `Culvert's own source is the repository that the image was built from${commit}.`,
    "",
    ...lines,
    "",
  ].join("\n");
}

function isOwed({ licence, copyright }: BilledPackage): boolean {
  return owesSource(licence, licence.endsWith("-copyright") ? copyright : "");
}

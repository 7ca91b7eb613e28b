/** All papers of an image: the files that lie beside it. */
import { CONTENTS_NAME, emitContents } from "../contents.ts";
import { type Bill, filesOf } from "./bill.ts";
import { emitCycloneDx } from "./cyclonedx.ts";
import { emitLicences, emitSources } from "./notices.ts";
import { emitSpdx } from "./spdx.ts";

/** File name -> text. */
export function emitPapers(bill: Bill): Readonly<Record<string, string>> {
  return {
    "sbom.spdx.json": emitSpdx(bill),
    "sbom.cdx.json": emitCycloneDx(bill),
    "licences.txt": emitLicences(bill),
    "sources.txt": emitSources(bill),
    [CONTENTS_NAME]: emitContents(filesOf(bill)),
  };
}

/**
 * The bill of materials as SPDX 2.3 JSON. The same bill gives the same bytes: the date is the bill's, the namespace its key.
 * A file of a Debian package is EXPANDED_FROM_ARCHIVE that .deb (§11.1), one that the builder changed is GENERATED_FROM it.
 */
import { createHash } from "node:crypto";
import { type Bill, type BilledModule, type BilledPackage, filesOf } from "./bill.ts";
import type { FileOrigin } from "./origins.ts";
import { debianSourceUrl, debianUrl, npmUrl } from "./purl.ts";

const DOCUMENT = "SPDXRef-DOCUMENT";
const IMAGE = "SPDXRef-Image";
const APP = "SPDXRef-Package-culvert";

export function emitSpdx(bill: Bill): string {
  const files = filesOf(bill);
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: DOCUMENT,
    name: `culvert-${bill.board}-${bill.version}`,
    documentNamespace: `https://spdx.org/spdxdocs/culvert-${bill.board}-${bill.version}-${bill.key}`,
    creationInfo: {
      created: `${new Date(bill.epoch * 1000).toISOString().slice(0, 19)}Z`,
      creators: [`Tool: culvert-image-${bill.version}`, "Organization: The Culvert authors"],
    },
    packages: [
      imagePackage(bill, files),
      appPackage(bill),
      ...bill.packages.map(debianPackage),
      ...bill.modules.map(npmPackage),
    ],
    files: files.map((file) => fileEntry(file, bill)),
    hasExtractedLicensingInfos: extractedLicences(bill),
    relationships: relationships(bill, files),
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

function imagePackage(bill: Bill, files: readonly FileOrigin[]) {
  return {
    SPDXID: IMAGE,
    name: `culvert-${bill.board}`,
    versionInfo: bill.version,
    primaryPackagePurpose: "FIRMWARE",
    downloadLocation: "NOASSERTION",
    filesAnalyzed: true,
    // §7.9: SHA-1 over the sorted SHA-1 sums of the files.
    packageVerificationCode: {
      packageVerificationCodeValue: createHash("sha1")
        .update(
          files
            .map((file) => file.sha1)
            .sort()
            .join(""),
        )
        .digest("hex"),
    },
    licenseConcluded: "NOASSERTION",
    licenseDeclared: "NOASSERTION",
    licenseInfoFromFiles: ["NOASSERTION"],
    copyrightText: "NOASSERTION",
    comment: `Inputs ${bill.key}, commit ${bill.commit ?? "unknown"}.`,
  };
}

function appPackage(bill: Bill) {
  return {
    SPDXID: APP,
    name: "culvert",
    versionInfo: bill.version,
    primaryPackagePurpose: "APPLICATION",
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: bill.ownLicence.licence,
    licenseDeclared: bill.ownLicence.licence,
    copyrightText: /^Copyright.*$/m.exec(bill.ownLicence.text)?.[0] ?? "NOASSERTION",
  };
}

function debianPackage({ entry, source, builtUsing, maintainer, licence, holders }: BilledPackage) {
  const sources = [source, ...builtUsing].map(({ name, version }) => `${name} ${version}`).join(", ");
  return {
    SPDXID: packageId(entry.package),
    name: entry.package,
    versionInfo: entry.version,
    supplier: `Organization: Debian`,
    ...(maintainer === "" ? {} : { originator: `Organization: ${maintainer}` }),
    primaryPackagePurpose: "ARCHIVE",
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    checksums: [{ algorithm: "SHA256", checksumValue: entry.sha256 }],
    sourceInfo: `built from Debian source ${sources}`,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: licence,
    copyrightText: holders.length === 0 ? "NOASSERTION" : holders.join("\n"),
    externalRefs: [
      { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: debianUrl(entry) },
      ...[source, ...builtUsing].map((each) => ({
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator: debianSourceUrl(each),
        comment: "source",
      })),
    ],
  };
}

function npmPackage(module: BilledModule) {
  return {
    SPDXID: packageId(`npm-${module.name}`),
    name: module.name,
    versionInfo: module.version,
    primaryPackagePurpose: "LIBRARY",
    downloadLocation: `https://registry.npmjs.org/${module.name}/-/${module.name.replace(/^.*\//, "")}-${module.version}.tgz`,
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: module.licence,
    copyrightText: /^\W*Copyright.*$/m.exec(module.text)?.[0].trim() ?? "NOASSERTION",
    externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: npmUrl(module) }],
  };
}

function fileEntry(file: FileOrigin, bill: Bill) {
  const ours = file.package === undefined ? bill.ownLicence.licence : "NOASSERTION";
  return {
    SPDXID: fileId(file),
    fileName: `./${file.name}`,
    checksums: [
      { algorithm: "SHA1", checksumValue: file.sha1 },
      { algorithm: "SHA256", checksumValue: file.sha256 },
    ],
    licenseConcluded: ours,
    licenseInfoInFiles: ["NOASSERTION"],
    copyrightText: "NOASSERTION",
    ...(file.modified ? { comment: `Changed or made by the image builder, from ${file.package?.package}.` } : {}),
  };
}

function extractedLicences(bill: Bill) {
  const all = new Map(bill.packages.flatMap((each) => [...each.references]));
  return [...all]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([licenseId, extractedText]) => ({
      licenseId,
      name: licenseId.replace(/^LicenseRef-/, ""),
      extractedText,
    }));
}

function relationships(bill: Bill, files: readonly FileOrigin[]) {
  const related = (spdxElementId: string, relationshipType: string, relatedSpdxElement: string) => ({
    spdxElementId,
    relationshipType,
    relatedSpdxElement,
  });
  return [
    related(DOCUMENT, "DESCRIBES", IMAGE),
    related(IMAGE, "CONTAINS", APP),
    ...bill.packages.map(({ entry }) => related(IMAGE, "CONTAINS", packageId(entry.package))),
    ...bill.modules.map(({ name }) => related(packageId(`npm-${name}`), "STATIC_LINK", APP)),
    ...files.map((file) => related(IMAGE, "CONTAINS", fileId(file))),
    ...files.map((file) =>
      file.package === undefined
        ? related(fileId(file), "GENERATED_FROM", APP)
        : related(
            fileId(file),
            file.modified ? "GENERATED_FROM" : "EXPANDED_FROM_ARCHIVE",
            packageId(file.package.package),
          ),
    ),
  ];
}

/** An SPDXID has letters, digits, `.` and `-` (§3.2.4); others become their code, so that no two names meet. */
function packageId(name: string): string {
  return `SPDXRef-Package-${name.replace(/[^A-Za-z0-9.-]/g, (character) => `-${character.charCodeAt(0).toString(16)}-`)}`;
}

function fileId({ name }: FileOrigin): string {
  return `SPDXRef-File-${createHash("sha256").update(name).digest("hex").slice(0, 20)}`;
}

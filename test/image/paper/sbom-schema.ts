/**
 * What SPDX 2.3 and CycloneDX 1.6 ask of the documents that we write, as strict schemas: unknown properties are refused, as
 * the published JSON schemas do, and references must lead somewhere, which those cannot say.
 */
import { z } from "zod";

const utcDate = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/);
const text = z.string().min(1);
const spdxId = z.string().regex(/^SPDXRef-[a-zA-Z0-9.-]+$/);

/** SPDX 2.3 Annex D.2: identifiers joined by AND, OR and brackets, and nothing else. */
function isLicenceExpression(expression: string): boolean {
  let rest = expression.replace(/\b(?:LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9][A-Za-z0-9.-]*\+?)/g, (word) =>
    word === "AND" || word === "OR" ? word : "x",
  );
  for (let before = ""; before !== rest; ) {
    before = rest;
    rest = rest.replace(/x(?: (?:AND|OR) x)+/g, "x").replace(/\(x\)/g, "x");
  }
  return rest === "x";
}
const licence = text.refine((value) => ["NOASSERTION", "NONE"].includes(value) || isLicenceExpression(value));
const purl = z
  .string()
  .regex(/^pkg:(?:deb\/debian|npm)(?:\/[A-Za-z0-9._~%-]+)+@[A-Za-z0-9._~:%-]+(?:\?arch=[a-z0-9]+)?$/);

const hexOf = { SHA1: /^[0-9a-f]{40}$/, SHA256: /^[0-9a-f]{64}$/ } as const;
const checksum = z
  .strictObject({ algorithm: z.enum(["SHA1", "SHA256"]), checksumValue: z.string() })
  .refine(({ algorithm, checksumValue }) => hexOf[algorithm].test(checksumValue));

const spdxPackage = z
  .strictObject({
    SPDXID: spdxId,
    name: text,
    versionInfo: text.optional(),
    supplier: z
      .string()
      .regex(/^(?:Organization|Person): \S|^NOASSERTION$/)
      .optional(),
    originator: z
      .string()
      .regex(/^(?:Organization|Person): \S|^NOASSERTION$/)
      .optional(),
    primaryPackagePurpose: z.enum(["APPLICATION", "LIBRARY", "FIRMWARE", "ARCHIVE", "OPERATING-SYSTEM"]).optional(),
    downloadLocation: z.union([z.enum(["NOASSERTION", "NONE"]), z.url()]),
    filesAnalyzed: z.boolean(),
    packageVerificationCode: z.strictObject({ packageVerificationCodeValue: z.string().regex(hexOf.SHA1) }).optional(),
    checksums: z.array(checksum).min(1).optional(),
    sourceInfo: text.optional(),
    licenseConcluded: licence,
    licenseDeclared: licence,
    licenseInfoFromFiles: z.array(licence).optional(),
    copyrightText: text,
    comment: text.optional(),
    externalRefs: z
      .array(
        z.strictObject({
          referenceCategory: z.literal("PACKAGE-MANAGER"),
          referenceType: z.literal("purl"),
          referenceLocator: purl,
          comment: text.optional(),
        }),
      )
      .optional(),
  })
  // §7.8: what was not analysed has no verification code and no licences of its files.
  .refine((each) => each.filesAnalyzed === (each.packageVerificationCode !== undefined))
  .refine((each) => each.filesAnalyzed || each.licenseInfoFromFiles === undefined);

const spdxFile = z.strictObject({
  SPDXID: spdxId,
  // §8.1: relative, with `./` in front.
  fileName: z.string().regex(/^\.\/[^/]/),
  // §8.4: one SHA-1 is mandatory.
  checksums: z.array(checksum).refine((all) => all.filter((each) => each.algorithm === "SHA1").length === 1),
  licenseConcluded: licence,
  licenseInfoInFiles: z.array(licence).min(1),
  copyrightText: text,
  comment: text.optional(),
});

export const spdxDocument = z
  .strictObject({
    spdxVersion: z.literal("SPDX-2.3"),
    dataLicense: z.literal("CC0-1.0"),
    SPDXID: z.literal("SPDXRef-DOCUMENT"),
    name: text,
    documentNamespace: z.url().refine((value) => !value.includes("#")),
    creationInfo: z.strictObject({
      created: utcDate,
      creators: z.array(z.string().regex(/^(?:Tool|Organization|Person): \S/)).min(1),
    }),
    packages: z.array(spdxPackage).min(1),
    files: z.array(spdxFile),
    hasExtractedLicensingInfos: z.array(
      z.strictObject({ licenseId: z.string().regex(/^LicenseRef-[a-zA-Z0-9.-]+$/), name: text, extractedText: text }),
    ),
    relationships: z.array(
      z.strictObject({
        spdxElementId: spdxId,
        relationshipType: z.enum(["DESCRIBES", "CONTAINS", "GENERATED_FROM", "EXPANDED_FROM_ARCHIVE", "STATIC_LINK"]),
        relatedSpdxElement: spdxId,
      }),
    ),
  })
  .superRefine((document, context) => {
    const say = (message: string): void => context.addIssue({ code: "custom", message });
    const ids = [document.SPDXID, ...[...document.packages, ...document.files].map((each) => each.SPDXID)];
    if (new Set(ids).size !== ids.length) say("an SPDXID is used twice");
    for (const { spdxElementId, relatedSpdxElement } of document.relationships) {
      for (const id of [spdxElementId, relatedSpdxElement]) if (!ids.includes(id)) say(`${id} is not in the document`);
    }
    const given = document.hasExtractedLicensingInfos.map((each) => each.licenseId);
    if (new Set(given).size !== given.length) say("a LicenseRef is given twice");
    const used = document.packages.flatMap((each) => each.licenseDeclared.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []);
    for (const id of used) if (!given.includes(id)) say(`the words of ${id} are missing`);
    for (const id of given) if (!used.includes(id)) say(`nothing is under ${id}`);
  });

const sha256 = z.strictObject({ alg: z.literal("SHA-256"), content: z.string().regex(hexOf.SHA256) });
const property = z.strictObject({ name: text, value: text });
const pedigree = z.strictObject({ notes: text });
const licences = z.union([
  z.array(z.strictObject({ license: z.strictObject({ id: text }) })).min(1),
  // An expression stands alone.
  z.array(z.strictObject({ expression: licence, acknowledgement: z.literal("declared") })).length(1),
]);

const fileComponent = z.strictObject({
  type: z.literal("file"),
  name: text,
  hashes: z.array(sha256).length(1),
  pedigree: pedigree.optional(),
});

const component = z.strictObject({
  type: z.enum(["application", "library", "operating-system", "firmware"]),
  "bom-ref": text.optional(),
  supplier: z.strictObject({ name: text }).optional(),
  publisher: text.optional(),
  name: text,
  version: text,
  hashes: z.array(sha256).length(1).optional(),
  licenses: licences.optional(),
  purl: purl.optional(),
  pedigree: pedigree.optional(),
  properties: z.array(property).optional(),
  components: z.array(fileComponent).optional(),
});

export const cycloneDxDocument = z
  .strictObject({
    $schema: z.literal("http://cyclonedx.org/schema/bom-1.6.schema.json"),
    bomFormat: z.literal("CycloneDX"),
    specVersion: z.literal("1.6"),
    serialNumber: z.string().regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    version: z.literal(1),
    metadata: z.strictObject({
      timestamp: utcDate,
      tools: z.strictObject({ components: z.array(component).min(1) }),
      component,
    }),
    components: z.array(component).min(1),
    dependencies: z.array(z.strictObject({ ref: text, dependsOn: z.array(text) })),
  })
  .superRefine((document, context) => {
    const refs = [document.metadata.component, ...document.components].map((each) => each["bom-ref"]);
    if (new Set(refs).size !== refs.length) context.addIssue({ code: "custom", message: "a bom-ref is used twice" });
    for (const id of document.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn])) {
      if (!refs.includes(id)) context.addIssue({ code: "custom", message: `${id} is not in the document` });
    }
  });

/** The bill of materials as CycloneDX 1.6 JSON (ECMA-424). The same bill gives the same bytes, serial number included. */
import type { Bill, BilledModule, BilledPackage } from "./bill.ts";
import type { FileOrigin } from "./origins.ts";
import { debianSourceUrl, debianUrl, npmUrl } from "./purl.ts";

export function emitCycloneDx(bill: Bill): string {
  const image = `culvert-${bill.board}@${bill.version}`;
  const app = `culvert@${bill.version}`;
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(bill.key)}`,
    version: 1,
    metadata: {
      timestamp: `${new Date(bill.epoch * 1000).toISOString().slice(0, 19)}Z`,
      tools: { components: [{ type: "application", name: "culvert image", version: bill.version }] },
      component: {
        type: "firmware",
        "bom-ref": image,
        name: `culvert-${bill.board}`,
        version: bill.version,
        properties: [
          { name: "culvert:inputs", value: bill.key },
          { name: "culvert:commit", value: bill.commit ?? "unknown" },
        ],
      },
    },
    components: [
      {
        type: "application",
        "bom-ref": app,
        name: "culvert",
        version: bill.version,
        licenses: [{ license: { id: bill.ownLicence.licence } }],
        components: bill.own.map(fileComponent),
      },
      ...bill.packages.map(debianComponent),
      ...bill.modules.map(npmComponent),
    ],
    dependencies: [
      { ref: image, dependsOn: [app, ...bill.packages.map(({ entry }) => debianUrl(entry))] },
      { ref: app, dependsOn: bill.modules.map(npmUrl) },
    ],
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

function debianComponent({ entry, source, builtUsing, maintainer, licence, files }: BilledPackage) {
  const modified = files.some((file) => file.modified);
  return {
    type: entry.package.startsWith("linux-image-") ? "operating-system" : "library",
    "bom-ref": debianUrl(entry),
    supplier: { name: "Debian" },
    ...(maintainer === "" ? {} : { publisher: maintainer }),
    name: entry.package,
    version: entry.version,
    hashes: [{ alg: "SHA-256", content: entry.sha256 }],
    licenses: [{ expression: licence, acknowledgement: "declared" }],
    purl: debianUrl(entry),
    ...(modified
      ? { pedigree: { notes: "Files of this package were changed by the image builder, or others made of them." } }
      : {}),
    properties: [source, ...builtUsing].map((each) => ({ name: "culvert:source", value: debianSourceUrl(each) })),
    components: files.map(fileComponent),
  };
}

function npmComponent(module: BilledModule) {
  return {
    type: "library",
    "bom-ref": npmUrl(module),
    name: module.name,
    version: module.version,
    licenses: [{ expression: module.licence, acknowledgement: "declared" }],
    purl: npmUrl(module),
  };
}

function fileComponent({ name, sha256, modified }: FileOrigin) {
  return {
    type: "file",
    name,
    hashes: [{ alg: "SHA-256", content: sha256 }],
    ...(modified ? { pedigree: { notes: "Changed or made by the image builder." } } : {}),
  };
}

/** A UUID out of a hash: version 8, which RFC 9562 §5.8 leaves to whoever makes it. */
function uuidOf(hex: string): string {
  const digits = `${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17, 32)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

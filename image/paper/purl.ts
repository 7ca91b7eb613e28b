/** Package URLs (purl, ECMA-427) of what an image holds. */
import type { PreparedPackage } from "../prepare.ts";
import type { BilledModule, SourcePackage } from "./bill.ts";

export function debianUrl({ package: name, version, architecture }: PreparedPackage): string {
  return `pkg:deb/debian/${encoded(name)}@${encoded(version)}?arch=${architecture}`;
}

export function debianSourceUrl({ name, version }: SourcePackage): string {
  return `pkg:deb/debian/${encoded(name)}@${encoded(version)}?arch=source`;
}

export function npmUrl({ name, version }: BilledModule): string {
  // A scope is the namespace, and its @ is encoded.
  return `pkg:npm/${name.split("/").map(encoded).join("/")}@${encoded(version)}`;
}

/** Everything but letters, digits and `-._~:` as %XX. */
function encoded(text: string): string {
  return encodeURIComponent(text)
    .replaceAll("%3A", ":")
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

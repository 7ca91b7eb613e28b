/** SHA-256 of a file's bytes, found once: what is in an image is named by it in keys, papers and manifest. */
import { createHash } from "node:crypto";

const known = new WeakMap<Buffer, string>();

/** In hex. `data` must not be changed afterwards. */
export function sha256Of(data: Buffer): string {
  const found = known.get(data) ?? createHash("sha256").update(data).digest("hex");
  known.set(data, found);
  return found;
}

/** Names content by content: equal keys mean equal inputs, so a result may be reused. */
import { createHash } from "node:crypto";

/** SHA-256 over strings and bytes, each with its length: `["ab", "c"]` and `["a", "bc"]` differ. */
export function contentKey(parts: Iterable<string | Buffer>): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex");
}

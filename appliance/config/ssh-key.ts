/** A line of an authorized_keys file as a setting: type and key; a comment is not kept, the entry has a name. */
import { parseSshPublicKey, SSH_KEY_TYPES } from "../wire/ssh-public-key.ts";

/** Shorter moduli are not safe any more (NIST SP 800-131A); longer ones do not fit in a line of the console. */
const RSA_BITS = { least: 2048, most: 4096 } as const;

export type SshKeyWords =
  | { readonly ok: true; readonly value: readonly [type: string, key: string] }
  /** `at`: which of the words is wrong. */
  | { readonly ok: false; readonly at: number; readonly problem: string };

/** Words as they were typed: three of a line, or the whole line in quotes. */
export function parseSshKey(words: readonly string[]): SshKeyWords {
  const wrong = (at: number, problem: string): SshKeyWords => ({ ok: false, at: words.length > 1 ? at : 0, problem });
  const [type = "", text, ...comment] = words.flatMap((word) => word.split(" ").filter((part) => part !== ""));
  if (/PRIVATE KEY/.test(words.join(" ")) || type.startsWith("-----"))
    return wrong(0, "this is a private key: it belongs on the PC alone, and here the line in its .pub file");
  if (!SSH_KEY_TYPES.some((each) => each === type)) return wrong(0, `"${shorten(type)}" is no type of key`);
  if (text === undefined) return wrong(1, "the key is missing");
  const bytes = Buffer.from(text, "base64");
  // Node skips what is no base64: only what comes out the same was right.
  if (bytes.toString("base64") !== text) return wrong(1, "the key is not whole: it is no base64");
  const key = parseSshPublicKey(bytes);
  if (!key.ok) return wrong(1, key.fault === "short" ? "the key is cut short" : `it is no key of type ${type}`);
  if (key.value.type !== type) return wrong(1, `the key inside is of type ${key.value.type}`);
  if (key.value.type === "ssh-rsa" && (key.value.bits < RSA_BITS.least || key.value.bits > RSA_BITS.most))
    return wrong(1, `the key has ${key.value.bits} bits instead of ${RSA_BITS.least} to ${RSA_BITS.most}`);
  if (comment.some((word) => /\p{Cc}/u.test(word))) return wrong(2, "the comment has control characters");
  return { ok: true, value: [type, text] };
}

function shorten(word: string): string {
  return word.length > 30 ? `${word.slice(0, 30)}...` : word;
}

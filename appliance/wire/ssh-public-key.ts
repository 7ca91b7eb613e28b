/** Public keys of SSH, the binary part of a line in authorized_keys (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4). */
import { fault, type Parsed, Reader } from "./cursor.ts";

export type SshPublicKey =
  | { readonly type: "ssh-ed25519" }
  | { readonly type: "ssh-rsa"; readonly bits: number }
  | { readonly type: "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" };

export type SshKeyType = SshPublicKey["type"];
export const SSH_KEY_TYPES: readonly SshKeyType[] = [
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
];

const ED25519_BYTES = 32;
/** Bytes of a coordinate. */
const CURVE_BYTES = { nistp256: 32, nistp384: 48, nistp521: 66 } as const;
/** The first byte of a point with both coordinates (SEC 1 §2.3.3). */
const UNCOMPRESSED = 4;

export function parseSshPublicKey(bytes: Buffer): Parsed<SshPublicKey> {
  const reader = new Reader(bytes);
  const name = nameOf(string(reader));
  const type = SSH_KEY_TYPES.find((each) => each === name);
  if (type === undefined) return fault("bad-value");
  const key = type === "ssh-ed25519" ? ed25519(reader) : type === "ssh-rsa" ? rsa(reader) : ecdsa(reader, type);
  const whole = reader.result(undefined);
  if (!whole.ok) return whole;
  if (key === undefined) return fault("bad-value");
  return reader.remaining > 0 ? fault("bad-length") : { ok: true, value: key };
}

function ed25519(reader: Reader): SshPublicKey | undefined {
  return string(reader).length === ED25519_BYTES ? { type: "ssh-ed25519" } : undefined;
}

function rsa(reader: Reader): SshPublicKey | undefined {
  const [exponent, modulus] = [string(reader), string(reader)];
  if (!isPositive(exponent) || !isPositive(modulus)) return undefined;
  // Exponent and modulus of RSA are odd; an exponent of 1 would be no cipher.
  const isOdd = [exponent, modulus].every((each) => (each.at(-1) ?? 0) % 2 === 1);
  if (!isOdd || (exponent.length === 1 && exponent[0] === 1)) return undefined;
  const digits = modulus.toString("hex").replace(/^0+/, "");
  return { type: "ssh-rsa", bits: BigInt(`0x${digits}`).toString(2).length };
}

function ecdsa(reader: Reader, type: Exclude<SshKeyType, "ssh-ed25519" | "ssh-rsa">): SshPublicKey | undefined {
  const curve = nameOf(string(reader));
  const point = string(reader);
  if (curve !== "nistp256" && curve !== "nistp384" && curve !== "nistp521") return undefined;
  if (type !== `ecdsa-sha2-${curve}`) return undefined;
  return point.length === 1 + 2 * CURVE_BYTES[curve] && point[0] === UNCOMPRESSED ? { type } : undefined;
}

/** RFC 4251 §5: the length as four bytes, then so many. */
function string(reader: Reader): Buffer {
  return reader.view(reader.u32());
}
function nameOf(bytes: Buffer): string {
  return bytes.toString("latin1");
}
/** RFC 4251 §5, mpint: the first bit is the sign, and there are no bytes too many in front. */
function isPositive([first = 0x80, second = 0]: Buffer): boolean {
  return first < 0x80 && (first > 0 || second >= 0x80);
}

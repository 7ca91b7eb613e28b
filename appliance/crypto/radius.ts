/** What RADIUS computes with its shared secret: RFC 2865 §3 and §5.2, RFC 2866 §3, RFC 2869 §5.14, RFC 2548 §2.4. */
import { createHash, createHmac } from "node:crypto";
import { sameSecret } from "./chap.ts";

const AUTHENTICATOR_AT = 4;
const ATTRIBUTES_AT = 20;
const BLOCK = 16;
const LONGEST_PASSWORD = 128;
const NO_AUTHENTICATOR = Buffer.alloc(BLOCK);

/**
 * MD5 over the packet with `authenticator` in its place, and the secret. With the request's authenticator this is the
 * Response Authenticator of an answer; with 16 zeros that of an Accounting-, Disconnect- or CoA-Request.
 */
export function radiusAuthenticator(packet: Uint8Array, authenticator: Uint8Array, secret: string): Buffer {
  return createHash("md5")
    .update(packet.subarray(0, AUTHENTICATOR_AT))
    .update(authenticator)
    .update(packet.subarray(ATTRIBUTES_AT))
    .update(secret)
    .digest();
}

/** Whether an answer is from who knows the secret, and answers the request with this authenticator. */
export function checkResponseAuthenticator(packet: Uint8Array, request: Uint8Array, secret: string): boolean {
  const found = packet.subarray(AUTHENTICATOR_AT, ATTRIBUTES_AT);
  return sameSecret(radiusAuthenticator(packet, request, secret), found);
}

/** The same for a request whose authenticator is a checksum. */
export function checkRequestAuthenticator(packet: Uint8Array, secret: string): boolean {
  return checkResponseAuthenticator(packet, NO_AUTHENTICATOR, secret);
}

/** HMAC-MD5 over the packet with `authenticator` in its place and 16 zeros for the value at `at`. */
export function messageAuthenticator(
  packet: Uint8Array,
  at: number,
  authenticator: Uint8Array,
  secret: string,
): Buffer {
  return createHmac("md5", secret)
    .update(packet.subarray(0, AUTHENTICATOR_AT))
    .update(authenticator)
    .update(packet.subarray(ATTRIBUTES_AT, at))
    .update(NO_AUTHENTICATOR)
    .update(packet.subarray(at + BLOCK))
    .digest();
}

/** Where the value of the first attribute of this type begins in a whole packet; undefined without one of 16 octets. */
export function authenticatorAttributeAt(packet: Uint8Array, type: number): number | undefined {
  for (let at = ATTRIBUTES_AT; at + 2 <= packet.length; ) {
    const length = packet[at + 1] ?? 0;
    if (packet[at] === type) return length === BLOCK + 2 && at + length <= packet.length ? at + 2 : undefined;
    if (length < 2) return undefined;
    at += length;
  }
  return undefined;
}

/** RFC 2865 §5.2: the password, padded with zeros and hidden. Longer than 128 octets it cannot be: undefined. */
export function hideUserPassword(password: Uint8Array, authenticator: Uint8Array, secret: string): Buffer | undefined {
  if (password.length > LONGEST_PASSWORD) return undefined;
  const padded = Buffer.alloc(Math.max(BLOCK, Math.ceil(password.length / BLOCK) * BLOCK));
  padded.set(password);
  return chain(padded, authenticator, secret, "hide");
}

/** The way back, padding included; undefined unless it is whole blocks. MS-CHAP-MPPE-Keys are hidden so too. */
export function revealUserPassword(hidden: Uint8Array, authenticator: Uint8Array, secret: string): Buffer | undefined {
  if (hidden.length === 0 || hidden.length % BLOCK !== 0) return undefined;
  return chain(hidden, authenticator, secret, "reveal");
}

/** RFC 2548 §2.4.2 and §2.4.3: the key in an MS-MPPE-Send-Key or MS-MPPE-Recv-Key, or undefined when it is malformed. */
export function revealMppeKey(value: Uint8Array, authenticator: Uint8Array, secret: string): Buffer | undefined {
  const plain = revealUserPassword(value.subarray(2), Buffer.concat([authenticator, value.subarray(0, 2)]), secret);
  const length = plain?.[0] ?? 0;
  return plain === undefined || length === 0 || length >= plain.length ? undefined : plain.subarray(1, 1 + length);
}

/** How a RADIUS server hides such a key; `salt` has two octets with the highest bit set. */
export function hideMppeKey(key: Uint8Array, salt: Uint8Array, authenticator: Uint8Array, secret: string): Buffer {
  const padded = Buffer.alloc(Math.ceil((key.length + 1) / BLOCK) * BLOCK);
  padded[0] = key.length;
  padded.set(key, 1);
  return Buffer.concat([salt, chain(padded, Buffer.concat([authenticator, salt]), secret, "hide")]);
}

/** Each block is XOR-ed with MD5 of the secret and the hidden block before it; of `seed` for the first. */
function chain(input: Uint8Array, seed: Uint8Array, secret: string, way: "hide" | "reveal"): Buffer {
  const output = Buffer.alloc(input.length);
  let before: Uint8Array = seed;
  for (let at = 0; at < input.length; at += BLOCK) {
    const mask = createHash("md5").update(secret).update(before).digest();
    for (let i = 0; i < BLOCK; i++) output[at + i] = (input[at + i] ?? 0) ^ (mask[i] ?? 0);
    before = (way === "hide" ? output : input).subarray(at, at + BLOCK);
  }
  return output;
}

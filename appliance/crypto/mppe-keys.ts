/** From credentials to MPPE keys: RFC 3079, with the names of its routines, and the key change of RFC 3078 §7.3. */
import { createHash } from "node:crypto";
import { Rc4 } from "./rc4.ts";
import { sha1 } from "./sha1.ts";

export type MppeStrength = 40 | 56 | 128;
/** Whether we are the authenticator that was dialled (server) or the peer that dialled (client). */
export type MppeRole = "server" | "client";

/** The keys a session starts from: 8 octets each for 40 and 56 bit, 16 for 128. RADIUS calls them MS-MPPE-Send/Recv-Key. */
export interface MppeStartKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

const MASTER = "This is the MPPE Master Key";
const CLIENT_TO_SERVER = "On the client side, this is the send key; on the server side, it is the receive key.";
const SERVER_TO_CLIENT = "On the client side, this is the receive key; on the server side, it is the send key.";
const PAD_BYTES = 40;
const PAD_1 = Buffer.alloc(PAD_BYTES, 0x00);
const PAD_2 = Buffer.alloc(PAD_BYTES, 0xf2);

export function mppeKeyLength(strength: MppeStrength): 8 | 16 {
  return strength === 128 ? 16 : 8;
}

/** RFC 3079 §3.4 GetMasterKey(): 16 octets. `ntResponse` is the 24-octet field of the MS-CHAPv2 Response. */
export function getMasterKey(passwordHashHash: Uint8Array, ntResponse: Uint8Array): Buffer {
  return createHash("sha1").update(passwordHashHash).update(ntResponse).update(MASTER).digest().subarray(0, 16);
}

/** RFC 3079 §3.4 GetAsymmetricStartKey(): `keyLength` octets. The samples in §3.5 are of a server that sends. */
export function getAsymmetricStartKey(
  masterKey: Uint8Array,
  keyLength: 8 | 16,
  isSend: boolean,
  isServer: boolean,
): Buffer {
  return createHash("sha1")
    .update(masterKey)
    .update(PAD_1)
    .update(isSend === isServer ? SERVER_TO_CLIENT : CLIENT_TO_SERVER)
    .update(PAD_2)
    .digest()
    .subarray(0, keyLength);
}

/** RFC 3079 §2.4 Get_Start_Key(): 16 octets, the same in both directions. `challenge` is the 8-octet MS-CHAPv1 one. */
export function getStartKey(challenge: Uint8Array, passwordHashHash: Uint8Array): Buffer {
  const hash = createHash("sha1").update(passwordHashHash).update(passwordHashHash).update(challenge);
  return hash.digest().subarray(0, 16);
}

/** RFC 3079 §3: the start keys after MS-CHAPv2. */
export function msChapV2StartKeys(
  passwordHashHash: Uint8Array,
  ntResponse: Uint8Array,
  role: MppeRole,
  strength: MppeStrength,
): MppeStartKeys {
  const master = getMasterKey(passwordHashHash, ntResponse);
  const length = mppeKeyLength(strength);
  return {
    send: getAsymmetricStartKey(master, length, true, role === "server"),
    receive: getAsymmetricStartKey(master, length, false, role === "server"),
  };
}

/**
 * RFC 3079 §2: the start keys after MS-CHAPv1, equal in both directions. 128 bit grows from the NT hash and the first
 * challenge, 40 and 56 bit from the LAN Manager hash alone: such keys repeat in every session of an account (§5.1).
 * Undefined when the password has no LAN Manager hash and `strength` needs one.
 */
export function msChapV1StartKeys(
  challenge: Uint8Array,
  passwordHashHash: Uint8Array,
  lmPasswordHash: Uint8Array | undefined,
  strength: MppeStrength,
): MppeStartKeys | undefined {
  const key = strength === 128 ? getStartKey(challenge, passwordHashHash) : lmPasswordHash?.subarray(0, 8);
  return key && { send: key, receive: key };
}

/**
 * The transient key of one direction and its RC4 tables: created at the first session key, moved on by `change`, never
 * back. It keeps its working memory, so that a change allocates nothing.
 */
export class MppeSessionKey {
  readonly #strength: MppeStrength;
  /** The input of GetNewKeyFromSHA(): StartKey, SHApad1, SessionKey, SHApad2. The session key lives in here. */
  readonly #input: Uint8Array;
  readonly #key: Uint8Array;
  readonly #digest = new Uint8Array(20);
  readonly #interim: Uint8Array;
  readonly #rc4: Rc4;

  /** Throws `RangeError` unless `startKey` is as long as `mppeKeyLength` says. */
  constructor(startKey: Uint8Array, strength: MppeStrength) {
    const length = mppeKeyLength(strength);
    if (startKey.length !== length) {
      throw new RangeError(`MPPE-${strength}: the start key has ${length} octets, not ${startKey.length}`);
    }
    this.#strength = strength;
    this.#input = Buffer.concat([startKey, PAD_1, startKey, PAD_2]);
    this.#key = this.#input.subarray(length + PAD_BYTES, 2 * length + PAD_BYTES);
    this.#interim = this.#digest.subarray(0, length);
    sha1(this.#input, this.#digest);
    this.#key.set(this.#interim);
    this.#reduce();
    this.#rc4 = new Rc4(this.#key);
  }

  /** RFC 3078 §7.3 up to the new session key. `initialize` must follow before the tables are used. */
  change(): void {
    sha1(this.#input, this.#digest);
    this.#rc4.rekey(this.#interim);
    this.#rc4.update(this.#interim, 0, this.#interim.length);
    this.#key.set(this.#interim);
    this.#reduce();
  }

  /** RFC 3078 §5: the RC4 tables start over with the current key. */
  initialize(): void {
    this.#rc4.rekey(this.#key);
  }

  /** Encrypts or decrypts `bytes[start..end)` in place with the next octets of the keystream. */
  crypt(bytes: Uint8Array, start: number, end: number): void {
    this.#rc4.update(bytes, start, end);
  }

  /** RFC 3079 §3.1 and §3.2: "the effective strength [...] is reduced by setting the first [...] octets to known constants". */
  #reduce(): void {
    if (this.#strength === 128) return;
    this.#key[0] = 0xd1;
    if (this.#strength === 56) return;
    this.#key[1] = 0x26;
    this.#key[2] = 0x9e;
  }
}

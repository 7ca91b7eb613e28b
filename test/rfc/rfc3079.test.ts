import assert from "node:assert/strict";
import { test } from "node:test";
import {
  getAsymmetricStartKey,
  getMasterKey,
  getStartKey,
  MppeSessionKey,
  mppeKeyLength,
  msChapV1StartKeys,
  msChapV2StartKeys,
} from "../../appliance/crypto/mppe-keys.ts";
import { hashNtPasswordHash, lmPasswordHash, ntPasswordHash } from "../../appliance/crypto/mschap.ts";
import { Rc4 } from "../../appliance/crypto/rc4.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

const HASH_HASH = hashNtPasswordHash(ntPasswordHash("clientPass"));
const NT_RESPONSE = hex("82 30 9E CD 8D 70 8B 5E A0 8F AA 39 81 CD 83 54 42 33 11 4A 3D 85 D6 DF");
const MASTER = hex("FD EC E3 71 7A 8C 83 8C B3 88 E5 27 AE 3C DD 31");
const V1_CHALLENGE = hex("10 2d b5 df 08 5d 30 41");

function firstCypher(key: MppeSessionKey, text = "test message"): string {
  const bytes = Buffer.from(text);
  key.crypt(bytes, 0, bytes.length);
  return bytes.toString("hex");
}

test("RFC 3079 §3.4 GetMasterKey()", () => assert.deepEqual(getMasterKey(HASH_HASH, NT_RESPONSE), MASTER));

test("RFC 3079 §3.4 GetAsymmetricStartKey(): what one side sends with, the other receives with", () => {
  const key = (isSend: boolean, isServer: boolean) => getAsymmetricStartKey(MASTER, 16, isSend, isServer);
  const serverToClient = hex("8b7cdc149b993a1ba118cb153f56dccb");
  const clientToServer = hex("d5f0e9521e3ea9589645e86051c82226");
  assert.deepEqual(key(true, true), serverToClient);
  assert.deepEqual(key(false, false), serverToClient);
  assert.deepEqual(key(true, false), clientToServer);
  assert.deepEqual(key(false, true), clientToServer);
});

// The RFC prints the key a server sends with; the other direction comes from an independent implementation. So does the
// last octet in §3.5.2: the RFC has 58, but its own key (d1 5c 00 c4 9f a6 2e 3e) gives b8.
for (const [section, strength, role, startKey, cypher] of [
  ["§3.5.1", 40, "server", "8b7cdc149b993a1b", "929137917e5803d668d75898"],
  ["§3.5.1", 40, "client", "d5f0e9521e3ea958", "da2ffc50b22612d41fa7f2bb"],
  ["§3.5.2", 56, "server", "8b7cdc149b993a1b", "3f106833fa448da842bc57b8"],
  ["§3.5.2", 56, "client", "d5f0e9521e3ea958", "4ab6df617437264825fb655c"],
  ["§3.5.3", 128, "server", "8b7cdc149b993a1ba118cb153f56dccb", "81848317df68846272fb5abe"],
  ["§3.5.3", 128, "client", "d5f0e9521e3ea9589645e86051c82226", "b56ca95695e14acb15f1ba3c"],
] as const)
  test(`RFC 3079 ${section} ${strength}-bit: a ${role} that sends "test message"`, () => {
    const { send } = msChapV2StartKeys(HASH_HASH, NT_RESPONSE, role, strength);
    assert.equal(Buffer.from(send).toString("hex"), startKey);
    assert.equal(firstCypher(new MppeSessionKey(send, strength)), cypher);
  });

test("RFC 3079 §3.1 and RFC 3079 §3.2 the known octets are set after the hash, so equal start keys differ by them only", () => {
  const { send } = msChapV2StartKeys(HASH_HASH, NT_RESPONSE, "server", 40);
  const streamOf = (strength: 40 | 56) => firstCypher(new MppeSessionKey(send, strength), "\0".repeat(8));
  const rc4 = (key: string) => {
    const bytes = Buffer.alloc(8);
    new Rc4(hex(key)).update(bytes, 0, 8);
    return bytes.toString("hex");
  };
  assert.equal(streamOf(40), rc4("d1269ec49fa62e3e"));
  assert.equal(streamOf(56), rc4("d15c00c49fa62e3e"));
});

test("RFC 3079 §3 the keys of a server are those of its client, turned round", () => {
  for (const strength of [40, 56, 128] as const) {
    const server = msChapV2StartKeys(HASH_HASH, NT_RESPONSE, "server", strength);
    const client = msChapV2StartKeys(HASH_HASH, NT_RESPONSE, "client", strength);
    assert.deepEqual({ send: server.receive, receive: server.send }, client);
    assert.equal(server.send.length, mppeKeyLength(strength));
  }
});

test("RFC 3079 §2.4 Get_Start_Key(): step 3 of §2.5.3 misprints octet 8 as ca, step 4 has it right", () =>
  assert.deepEqual(getStartKey(V1_CHALLENGE, HASH_HASH), hex("a8 94 78 50 cf c0 ac c1 d1 78 9f b6 2d dc dd b0")));

// The session keys are printed; the keystream under each came from an independent RC4.
for (const [section, strength, sessionKey, keystream] of [
  ["§2.5.1", 40, "d1269e538cec4a08", "7d1794141988750af6371127"],
  ["§2.5.2", 56, "d10801538cec4a08", "68a3cc7f9d50fe52bce61d0e"],
  ["§2.5.3", 128, "59d159bc09f76f1da2a86a28ffec0b1e", "8e8c75fcd9e89660b4b200a6"],
] as const)
  test(`RFC 3079 ${section} MS-CHAP-1 ${strength}-bit: session key ${sessionKey}, both directions`, () => {
    const keys = msChapV1StartKeys(V1_CHALLENGE, HASH_HASH, lmPasswordHash("clientPass"), strength);
    assert.ok(keys);
    for (const key of [keys.send, keys.receive])
      assert.equal(firstCypher(new MppeSessionKey(key, strength), "\0".repeat(12)), keystream);
  });

test("RFC 3079 §2.1 without a LAN Manager hash there are no 40- and 56-bit keys after MS-CHAP-1", () => {
  assert.equal(msChapV1StartKeys(V1_CHALLENGE, HASH_HASH, undefined, 40), undefined);
  assert.equal(msChapV1StartKeys(V1_CHALLENGE, HASH_HASH, undefined, 56), undefined);
  assert.ok(msChapV1StartKeys(V1_CHALLENGE, HASH_HASH, undefined, 128));
});

test("a start key that does not fit the strength is refused", () => {
  assert.throws(() => new MppeSessionKey(Buffer.alloc(16), 40), /MPPE-40: the start key has 8 octets, not 16/);
  assert.throws(() => new MppeSessionKey(Buffer.alloc(8), 128), /16 octets, not 8/);
});

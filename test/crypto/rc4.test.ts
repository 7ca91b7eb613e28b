import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Rc4 } from "../../appliance/crypto/rc4.ts";

function rc4(key: Buffer, text: Buffer): Buffer {
  const bytes = Buffer.from(text);
  new Rc4(key).update(bytes, 0, bytes.length);
  return bytes;
}

for (const [key, text, cypher] of [
  ["Key", "Plaintext", "bbf316e8d940af0ad3"],
  ["Wiki", "pedia", "1021bf0420"],
  ["Secret", "Attack at dawn", "45a01f645fc35b383552544b9bf5"],
] as const)
  test(`RFC 2759 §8.11 Rc4Encrypt() under '${key}'`, () =>
    assert.equal(rc4(Buffer.from(key), Buffer.from(text)).toString("hex"), cypher));

for (const [key, at0, at240, at4096] of [
  [
    "0102030405",
    "b2396305f03dc027ccc3524a0a1118a86982944f18fc82d589c403a47a0d0919",
    "28cb1132c96ce286421dcaadb8b69eae",
    "ff25b58995996707e51fbdf08b34d875",
  ],
  [
    "01020304050607",
    "293f02d47f37c9b633f2af5285feb46be620f1390d19bd84e2e0fd752031afc1",
    "914f02531c9218810df60f67e338154c",
    "e74b0b9731227fd37c0ec08a47ddd8b8",
  ],
  [
    "0102030405060708",
    "97ab8a1bf0afb96132f2f67258da15a88263efdb45c4a18684ef87e6b19e5b09",
    "9636ebc9841926f4f7d1f362bddf6e18",
    "3fb46e2c8f0f068edce8cdcd7dfc5862",
  ],
  [
    "0102030405060708090a0b0c0d0e0f10",
    "9ac7cc9a609d1ef7b2932899cde41b975248c4959014126a6e8a84f11d1a9e1c",
    "065902e4b620f6cc36c8589f66432f2b",
    "a36a4c301ae8ac13610ccbc12256cacc",
  ],
] as const)
  test(`RFC 6229 §2 keystream of ${key.length * 4} bits`, () => {
    const stream = rc4(Buffer.from(key, "hex"), Buffer.alloc(4112));
    assert.equal(stream.toString("hex", 0, 32), at0);
    assert.equal(stream.toString("hex", 240, 256), at240);
    assert.equal(stream.toString("hex", 4096, 4112), at4096);
  });

test("a stream cut into pieces is the same stream, touches nothing outside, and rekey starts it over", () =>
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 256 }),
      fc.nat(200),
      fc.nat(200),
      fc.nat(9),
      (key, first, second, at) => {
        const length = first + second;
        const whole = rc4(Buffer.from(key), Buffer.alloc(length));
        const stream = new Rc4(key);
        for (const _ of ["fresh", "rekeyed"]) {
          const bytes = Buffer.alloc(at + length + 3);
          stream.update(bytes, at, at + first);
          stream.update(bytes, at + first, at + length);
          assert.deepEqual(bytes, Buffer.concat([Buffer.alloc(at), whole, Buffer.alloc(3)]));
          stream.rekey(key);
        }
      },
    ),
  ));

for (const length of [0, 257])
  test(`a key of ${length} octets is refused`, () => assert.throws(() => new Rc4(Buffer.alloc(length)), /1 to 256/));

/** CCP, with the one option PPTP knows: RFC 2118, RFC 3078. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CcpPolicy } from "../../appliance/ppp/ccp.ts";
import { MppeReceiver, MppeSender } from "../../appliance/ppp/mppe.ts";
import { emitCcpOption, MppeBit, parseCcpOption } from "../../appliance/wire/ccp-option.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { hex } from "../support/hex.ts";
import { judged, packets, Script } from "../support/negotiation-script.ts";

const MPPE = "120601000040";
const ccp = () =>
  new CcpPolicy(
    { use: "required", strengths: [128], allowStateful: false, preferStateful: false },
    [128, 56, 40],
    () => {},
  );

test("RFC 1962 §3 the codes of Reset-Request and Reset-Ack are 14 and 15", () =>
  assert.deepEqual([CpCode.resetRequest, CpCode.resetAck], [14, 15]));
test("RFC 1962 §3.1 a Reset-Request is answered by a Reset-Ack with its identifier and data", () => {
  const [ack] = packets(new Script(ccp()).open(MPPE).receive(CpCode.resetRequest, 9, hex("aabb")));
  assert.deepEqual(ack, { code: CpCode.resetAck, identifier: 9, data: hex("aabb") });
});
test("RFC 1962 §4 compressions we do not have are rejected: OUI, Predictor, Stac, Deflate", () => {
  for (const option of ["0006000000ff", "0102", "11050001 04", "1a047800"])
    assert.equal(judged(ccp(), option), `reject ${option.replace(" ", "")}`);
});
test("RFC 2118 §2 type 18, length 6; the C bit alone is MPPC", () => {
  assert.deepEqual(parseCcpOption({ type: 18, data: hex("00000001") }), { kind: "mppe", bits: MppeBit.mppc });
  assert.equal(parseCcpOption({ type: 18, data: hex("0000000100") }).kind, "unknown");
});
test("RFC 3078 §2 Supported Bits: H, M, S, L, D, C, each where the figure has it", () => {
  const bits = Object.values(MppeBit).reduce((sum, bit) => sum | bit, 0);
  assert.deepEqual(emitCcpOption({ kind: "mppe", bits }), { type: 18, data: hex("010000f1") });
  const { stateless, strength56, strength128, strength40, obsolete, mppc } = MppeBit;
  assert.deepEqual(
    [stateless, strength56, strength128, strength40, obsolete, mppc],
    [0x01000000, 0x80, 0x40, 0x20, 0x10, 0x01],
  );
});
test("RFC 3078 §2.1 an offer of several is answered by a Nak with the one that is wanted", () =>
  assert.equal(judged(ccp(), "1206010000e0"), `nak ${MPPE}`));
test("RFC 3078 §5 in stateless mode the tables start over with every packet: equal frames look different", () => {
  const key = { startKey: Buffer.alloc(16, 7), strength: 128, stateless: true } as const;
  const sender = new MppeSender(key);
  const receiver = new MppeReceiver({ ...key, rekeyOnFlush: false });
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const frame = hex("0000 0021 45000014");
    sender.encrypt(frame, 2, frame.length);
    seen.add(frame.toString("hex", 2));
    assert.equal(receiver.decrypt(frame, 0, frame.length), undefined);
    assert.deepEqual(frame.subarray(2), hex("0021 45000014"));
  }
  assert.equal(seen.size, 20);
});

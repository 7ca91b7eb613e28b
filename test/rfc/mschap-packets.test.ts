/** MS-CHAP on the wire, versions 1 (RFC 2433) and 2 (RFC 2759): what the packets around the computations look like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LcpPolicy } from "../../appliance/ppp/lcp.ts";
import { emitMsChapV1Response, parseMsChapFailure, parseMsChapV1Response } from "../../appliance/wire/chap.ts";
import type { CpPacket } from "../../appliance/wire/cp-packet.ts";
import { parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import { AuthPair } from "../support/auth-pair.ts";
import { insideCp, WINDOWS_GRE } from "../support/codecs.ts";
import { hex } from "../support/hex.ts";
import { CLIENT } from "../support/link-end.ts";
import { judged } from "../support/negotiation-script.ts";
import { SeededRandom } from "../support/seeded-random.ts";

function exchange(
  method: "mschap-v1" | "mschap-v2",
  client: { password?: string; newPassword?: string } = {},
  expired = false,
) {
  const pair = new AuthPair(method, client);
  if (expired) pair.accounts.set("alice", { password: "s3cret", expired });
  const packets: CpPacket[] = [];
  pair.wire = (_from, packet) => {
    packets.push(packet);
    return true;
  };
  pair.start();
  return { pair, packets };
}
const algorithm = (octets: string) => parseLcpOption({ type: 3, data: hex(octets) });

test("RFC 2433 §4 the algorithm is 0x80", () =>
  assert.deepEqual(algorithm("c22380"), { kind: "authentication", protocol: 0xc223, data: hex("80") }));
test("RFC 2433 §5 the Challenge has eight octets", () => assert.equal(exchange("mschap-v1").packets[0]?.data[0], 8));
test("RFC 2433 §6 the Response: 24 octets LAN Manager, 24 octets Windows NT, a flag that says which counts", () => {
  const value = { lmResponse: Buffer.alloc(24, 1), ntResponse: Buffer.alloc(24, 2), useNtResponse: true };
  const wire = Buffer.concat([Buffer.alloc(24, 1), Buffer.alloc(24, 2), hex("01")]);
  assert.deepEqual(emitMsChapV1Response(value), wire);
  assert.deepEqual(parseMsChapV1Response(wire), { ok: true, value });
});
test("RFC 2433 §6 a Response that has only the LAN Manager half is not taken", () => {
  const pair = new AuthPair("mschap-v1");
  pair.wire = (from, packet) => {
    if (from === "client") packet.data[49] = 0;
    return true;
  };
  pair.start();
  assert.deepEqual(pair.said.server, []);
});
test("RFC 2433 §8 Failure: E, R, C and V=2, the challenge of eight octets", () => {
  const failure = exchange("mschap-v1", { password: "wrong" }).packets.find(({ code }) => code === 4);
  assert.match(failure?.data.toString() ?? "", /^E=691 R=1 C=[0-9A-F]{16} V=2/);
});
test("RFC 2433 §9 and §10, Change-Password of version 1: not offered, and not answered", () => {
  for (const code of [5, 6]) {
    const pair = new AuthPair("mschap-v1");
    pair.wire = () => false;
    pair.start();
    for (let identifier = 0; identifier < 256; identifier++) pair.inject({ code, identifier, data: Buffer.alloc(600) });
    assert.deepEqual(pair.said.server, []);
  }
});

test("RFC 2759 §2 the algorithm is 0x81, and what is Naked with it is asked for", () => {
  assert.deepEqual(algorithm("c22381"), { kind: "authentication", protocol: 0xc223, data: hex("81") });
  assert.equal(judged(new LcpPolicy(CLIENT.lcp, new SeededRandom(1)), "0305c22305"), "nak 0305c22381");
});
test("RFC 2759 §3 the Challenge has sixteen octets", () => assert.equal(exchange("mschap-v2").packets[0]?.data[0], 16));
test("RFC 2759 §4 the Response: 49 octets of peer challenge, zeros, NT-Response, flags; then the name", () => {
  const ours = exchange("mschap-v2").packets.find(({ code }) => code === 2)?.data ?? hex("");
  for (const data of [ours, insideCp(WINDOWS_GRE.response)]) {
    assert.equal(data[0], 49);
    assert.deepEqual(data.subarray(17, 25), Buffer.alloc(8));
    assert.equal(data[49], 0);
  }
  assert.equal(ours.subarray(50).toString(), "alice");
});
test("RFC 2759 §5 Success: S= and 40 upper-case digits; the peer ends the session without it", () => {
  const success = exchange("mschap-v2").packets.find(({ code }) => code === 3);
  assert.match(success?.data.toString() ?? "", /^S=[0-9A-F]{40}/);
  const pair = new AuthPair("mschap-v2");
  pair.wire = (from, packet) => (from === "server" && packet.code === 3 ? { ...packet, data: hex("") } : true);
  pair.start();
  assert.equal(pair.outcome("client")?.type, "failed");
});
test("RFC 2759 §6 Failure: E, R, C of 32 digits, V=3; the last one says R=0", () => {
  const { packets } = exchange("mschap-v2", { password: "wrong" });
  assert.match(packets.find(({ code }) => code === 4)?.data.toString() ?? "", /^E=691 R=1 C=[0-9A-F]{32} V=3/);
  const last = new AuthPair("mschap-v2", { password: "wrong" }, { retries: 0 });
  let text = "";
  last.wire = (from, packet) => {
    if (from === "server" && packet.code === 4) text = packet.data.toString();
    return true;
  };
  last.start();
  const parsed = parseMsChapFailure(Buffer.from(text));
  assert.ok(parsed.ok);
  assert.deepEqual([parsed.value.retryAllowed, parsed.value.passwordVersion], [false, 3]);
  assert.equal(parsed.value.challenge?.length, 16);
});
test("RFC 2759 §7 Change-Password: code 7, one above the Failure's identifier, 586 octets in all", () => {
  const { packets } = exchange("mschap-v2", { newPassword: "n3w" }, true);
  const failure = packets.find(({ code }) => code === 4);
  const change = packets.find(({ code }) => code === 7);
  assert.ok(failure && change);
  assert.equal(change.identifier, (failure.identifier + 1) & 0xff);
  assert.equal(change.data.length + 4, 586);
});

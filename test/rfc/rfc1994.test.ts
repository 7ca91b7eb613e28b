/** CHAP. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { chapMd5 } from "../../appliance/crypto/chap.ts";
import { ChapCode, emitChapValue, parseChapValue } from "../../appliance/wire/chap.ts";
import type { CpPacket } from "../../appliance/wire/cp-packet.ts";
import { parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { AuthPair } from "../support/auth-pair.ts";
import { hex } from "../support/hex.ts";
import { CLIENT, LinkPair, packet, SERVER } from "../support/link-end.ts";

test("RFC 1994 §2 the authenticator may challenge again at any time, and is answered", () => {
  const lcp = { lcp: { ...SERVER.lcp, demandAuth: ["chap-md5"] } } as const;
  const encryption = { ...SERVER.encryption, use: "none" } as const;
  const client = { ...CLIENT, encryption, lcp: { ...CLIENT.lcp, offerAuth: ["chap-md5"] } } as const;
  const pair = new LinkPair({ ...SERVER, ...lcp, encryption }, client).up();
  const challenge = emitChapValue({ value: Buffer.alloc(16, 5), name: Buffer.from("server") });
  pair.client.receive(Protocol.chap, packet(ChapCode.challenge, 99, challenge), pair.now);
  const [response] = pair.client.takePackets(Protocol.chap);
  assert.ok(response);
  const value = parseChapValue(response.data);
  assert.ok(value.ok);
  assert.deepEqual(value.value.value, chapMd5(99, "s3cret", Buffer.alloc(16, 5)));
});
test("RFC 1994 §3 CHAP in the Authentication-Protocol option: c223 and one octet of algorithm, 5 for MD5", () =>
  assert.deepEqual(parseLcpOption({ type: 3, data: hex("c22305") }), {
    kind: "authentication",
    protocol: 0xc223,
    data: hex("05"),
  }));
test("RFC 1994 §4 codes 1 to 4: Challenge, Response, Success, Failure", () =>
  assert.deepEqual([ChapCode.challenge, ChapCode.response, ChapCode.success, ChapCode.failure], [1, 2, 3, 4]));
test("RFC 1994 §4.1 Value-Size, Value, Name; the response is MD5 over identifier, secret, challenge", () => {
  const wire = hex("04 01020304 6e616d65");
  assert.deepEqual(parseChapValue(wire), { ok: true, value: { value: hex("01020304"), name: Buffer.from("name") } });
  const expected = createHash("md5").update(hex("07")).update("secret").update(hex("01020304")).digest();
  assert.deepEqual(chapMd5(7, "secret", hex("01020304")), expected);
});
test("RFC 1994 §4.1 a Response has the Challenge's identifier, and each new Challenge another", () => {
  const pair = new AuthPair("chap-md5");
  const seen: CpPacket[] = [];
  pair.wire = (from, each) => {
    seen.push(each);
    return from === "server" && seen.length > 3;
  };
  pair.start().advance(12_000);
  const challenges = seen.filter(({ code }) => code === ChapCode.challenge).map(({ identifier }) => identifier);
  const [response] = seen.filter(({ code }) => code === ChapCode.response);
  assert.equal(new Set(challenges).size, challenges.length);
  assert.ok(response && challenges.includes(response.identifier));
});
test("RFC 1994 §4.2 a Response whose Success was lost is answered with Success again, whatever it says now", () => {
  const pair = new AuthPair("chap-md5");
  let response: CpPacket | undefined;
  pair.wire = (from, each) => {
    if (from === "client") response = each;
    return true;
  };
  pair.start();
  assert.ok(response);
  const before = pair.log.length;
  pair.inject(response);
  assert.deepEqual(pair.log.slice(before), ["server 3"]);
  assert.equal(pair.said.server.filter(({ type }) => type === "authenticated").length, 1);
});

/** PAP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CpPacket } from "../../appliance/wire/cp-packet.ts";
import { parsePapMessage, parsePapRequest } from "../../appliance/wire/pap.ts";
import { AuthPair } from "../support/auth-pair.ts";
import { hex } from "../support/hex.ts";

/** Runs PAP with this password and returns what went over the wire. */
function exchange(password: string, lose: (packet: CpPacket, from: string) => boolean = () => false) {
  const pair = new AuthPair("pap", { password });
  const packets: CpPacket[] = [];
  pair.wire = (from, packet) => {
    packets.push(packet);
    return !lose(packet, from);
  };
  pair.start().advance(15_000);
  return { pair, packets };
}

test("RFC 1334 §2 the peer repeats its request until it is answered; the authenticator says nothing first", () => {
  let lost = 0;
  const { pair, packets } = exchange("s3cret", (_packet, from) => from === "client" && lost++ < 3);
  assert.deepEqual(
    packets.map(({ code }) => code),
    [1, 1, 1, 1, 2],
  );
  assert.equal(pair.outcome("client")?.type, "authenticated");
});
test("RFC 1334 §2.2 codes 1 to 3: Authenticate-Request, Ack, Nak", () => {
  assert.deepEqual(
    exchange("s3cret").packets.map(({ code }) => code),
    [1, 2],
  );
  assert.deepEqual(
    exchange("wrong").packets.map(({ code }) => code),
    [1, 3],
  );
});
test("RFC 1334 §2.2.1 Peer-ID and Password each after their length; the identifier changes with each request", () => {
  const { packets } = exchange("s3cret", () => true);
  const [first] = packets;
  assert.ok(first);
  assert.deepEqual(first.data, hex("05616c69636506733363726574"));
  assert.deepEqual(parsePapRequest(first.data), {
    ok: true,
    value: { peerId: Buffer.from("alice"), password: Buffer.from("s3cret") },
  });
  const identifiers = packets.map(({ identifier }) => identifier);
  assert.equal(new Set(identifiers).size, identifiers.length);
});
test("RFC 1334 §2.2.1 a repeated request, its Ack lost, gets the same answer with the new identifier", () => {
  let lost = 0;
  const { pair, packets } = exchange("s3cret", (packet) => packet.code === 2 && lost++ < 2);
  const acks = packets.filter(({ code }) => code === 2).map(({ identifier }) => identifier);
  const requests = packets.filter(({ code }) => code === 1).map(({ identifier }) => identifier);
  assert.deepEqual(acks, requests);
  assert.equal(pair.outcome("client")?.type, "authenticated");
});
test("RFC 1334 §2.2.2 the identifier is the request's; the message has a length, or is not there at all", () => {
  const [request, ack] = exchange("s3cret").packets;
  assert.equal(ack?.identifier, request?.identifier);
  assert.deepEqual(parsePapMessage(ack?.data ?? hex("ff")), { ok: true, value: hex("") });
  assert.deepEqual(parsePapMessage(hex("")), { ok: true, value: hex("") });
  assert.deepEqual(parsePapMessage(hex("026f6b")), { ok: true, value: Buffer.from("ok") });
});

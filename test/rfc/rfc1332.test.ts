/** IPCP options, with the name servers of RFC 1877. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpcpPolicy } from "../../appliance/ppp/ipcp.ts";
import { formatIpv4 } from "../../appliance/wire/ipv4.ts";
import { CLIENT_IPCP, ip, SERVER_IPCP } from "../support/link-end.ts";
import { asks, judged, list } from "../support/negotiation-script.ts";

const server = () =>
  new IpcpPolicy({ ...SERVER_IPCP, dns: [ip("10.0.0.1"), ip("10.0.0.2")], wins: [ip("10.0.0.3"), ip("10.0.0.4")] });

test("RFC 1332 §3.1 the old IP-Addresses option is rejected, as its successor serves better", () =>
  assert.equal(judged(server(), "010a0000000000000000"), "reject 010a0000000000000000"));
test("RFC 1332 §3.2 IP-Compression-Protocol is rejected, Van Jacobson or other", () => {
  assert.equal(judged(server(), "0206002d0f01"), "reject 0206002d0f01");
  assert.equal(judged(server(), "02040061"), "reject 02040061");
});
test("RFC 1332 §3.3 IP-Address: 0.0.0.0 asks, a Nak names; a peer that leaves it out is reminded by Nak", () => {
  assert.equal(judged(server(), "030600000000"), "nak 0306c0a80164");
  assert.equal(judged(server(), ""), "nak 0306c0a80164");
  const client = new IpcpPolicy(CLIENT_IPCP);
  assert.match(asks(client), /^030600000000/);
  client.naked(list("0306c0a80164"));
  assert.equal(formatIpv4(client.local), "192.168.1.100");
});
test("RFC 1877 §1.1 Primary DNS Server: option 129", () =>
  assert.equal(judged(server(), "0306c0a80164 810600000000"), "nak 81060a000001"));
test("RFC 1877 §1.2 Primary NBNS Server: option 130", () =>
  assert.equal(judged(server(), "0306c0a80164 820600000000"), "nak 82060a000003"));
test("RFC 1877 §1.3 Secondary DNS Server: option 131", () =>
  assert.equal(judged(server(), "0306c0a80164 830600000000"), "nak 83060a000002"));
test("RFC 1877 §1.4 Secondary NBNS Server: option 132", () =>
  assert.equal(judged(server(), "0306c0a80164 840600000000"), "nak 84060a000004"));

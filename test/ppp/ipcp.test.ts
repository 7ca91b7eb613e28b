import assert from "node:assert/strict";
import { test } from "node:test";
import { IpcpPolicy, type IpcpSettings } from "../../appliance/ppp/ipcp.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { formatIpv4, Ipv4 } from "../../appliance/wire/ipv4.ts";
import { hex } from "../support/hex.ts";
import { CLIENT_IPCP, ip, SERVER_IPCP } from "../support/link-end.ts";
import { answer, asks, judged, list, request, Script } from "../support/negotiation-script.ts";

const server = (settings: Partial<IpcpSettings> = {}) => new IpcpPolicy({ ...SERVER_IPCP, ...settings });
const client = (settings: Partial<IpcpSettings> = {}) => new IpcpPolicy({ ...CLIENT_IPCP, ...settings });
/** What every Windows client asks for first, in this order. */
const WINDOWS = "030600000000 810600000000 820600000000 830600000000 840600000000";

test("a Windows client is served: WINS rejected where there is none, the rest Naked with values, then acknowledged", () => {
  const ipcp = server();
  const script = new Script(ipcp);
  const ours = script.start();
  assert.equal(ours.data.toString("hex"), "0306c0a80101", "our address and nothing else, as RRAS");
  script.acknowledge(ours);
  assert.equal(answer(script.ask(WINDOWS)), "reject 820600000000840600000000");
  const named = "0306c0a801648106c0a801018306c0a80102";
  assert.equal(answer(script.ask("030600000000 810600000000 830600000000")), `nak ${named}`);
  assert.equal(answer(script.ask(named)), `ack ${named}`);
  assert.equal(script.state, "opened");
  assert.equal(formatIpv4(ipcp.remote), "192.168.1.100");
  assert.equal(formatIpv4(ipcp.local), "192.168.1.1");
});
test("WINS servers are named where they are configured", () => {
  const wins = [ip("192.168.1.3"), ip("192.168.1.4")];
  assert.equal(judged(server({ wins }), "820600000000 840600000000 0306c0a80164"), "nak 8206c0a801038406c0a80104");
});
test("name servers are rejected where there are none, all four at once, and the client goes on", () => {
  const bare = server({ dns: [] });
  assert.equal(judged(bare, WINDOWS), "reject 810600000000820600000000830600000000840600000000");
  assert.equal(judged(bare, "0306c0a80164"), "ack");
});
test("one name server: the primary is named, the secondary rejected", () => {
  const one = server({ dns: [ip("192.168.1.1")] });
  assert.equal(judged(one, "810600000000 830600000000"), "reject 830600000000");
});
test("a client that wants another address is told its own", () =>
  assert.equal(judged(server(), "0306c0a80165"), "nak 0306c0a80164"));
test("a client that asks for no address is told to, until it may not be told any more", () => {
  assert.equal(judged(server(), ""), "nak 0306c0a80164");
  assert.equal(judged(server(), "", false), "ack");
});
test("a client that names no address at all gets what is meant for it", () => {
  const ipcp = server();
  assert.equal(judged(ipcp, "", false), "ack");
  assert.equal(formatIpv4(ipcp.remote), "192.168.1.100");
});
test("a client that insists on another address gets no network, however long it asks", () => {
  const ipcp = server();
  assert.equal(judged(ipcp, "03060a636363"), "nak 0306c0a80164");
  assert.equal(judged(ipcp, "03060a636363", false), "reject 03060a636363");
  assert.equal(judged(ipcp, "", false), "nak 0306c0a80164");
  assert.equal(judged(ipcp, "0306c0a80164", false), "ack", "it may still give in");
});
test("Van Jacobson compression and the old addresses option are rejected", () => {
  assert.equal(judged(server(), "0206002d0f01 0306c0a80164"), "reject 0206002d0f01");
  assert.equal(judged(server(), "010ac0a80164c0a80101"), "reject 010ac0a80164c0a80101");
});
test("an option of the wrong length is rejected as it came", () =>
  assert.equal(judged(server(), "0305c0a801"), "reject 0305c0a801"));
test("a server keeps its address: a peer that Naks it ends IPCP, one that rejects it does not", () => {
  assert.equal(server().naked(list("030600000001")), false);
  const ipcp = server();
  assert.equal(ipcp.rejected(list("0306c0a80101")), true);
  assert.equal(asks(ipcp), "");
  assert.equal(formatIpv4(ipcp.local), "192.168.1.1");
});

test("a client asks for its address and name servers, and takes what it is told", () => {
  const ipcp = client();
  const script = new Script(ipcp);
  const first = script.start();
  assert.equal(first.data.toString("hex"), "030600000000810600000000830600000000");
  const told = hex("0306c0a82b6f 8106c0a82b6e 8306c0a82b6d");
  const second = request(script.receive(CpCode.configureNak, first.identifier, told));
  assert.deepEqual(second.data, told);
  script.acknowledge(second);
  assert.equal(answer(script.ask("0306c0a82b6c")), "ack 0306c0a82b6c");
  assert.deepEqual([formatIpv4(ipcp.local), formatIpv4(ipcp.remote)], ["192.168.43.111", "192.168.43.108"]);
  assert.equal(formatIpv4(ipcp.learned("primary-dns") ?? Ipv4(0)), "192.168.43.110");
  assert.equal(formatIpv4(ipcp.learned("secondary-dns") ?? Ipv4(0)), "192.168.43.109");
  assert.equal(ipcp.learned("primary-nbns"), undefined);
});
test("name servers the server has not are done without", () => {
  const ipcp = client();
  assert.equal(ipcp.rejected(list("810600000000 830600000000")), true);
  assert.equal(asks(ipcp), "030600000000");
  assert.equal(ipcp.learned("primary-dns"), undefined);
});
test("a name server of 0.0.0.0 is none", () => {
  const ipcp = client();
  ipcp.naked(list("810600000000"));
  assert.equal(ipcp.learned("primary-dns"), undefined);
});
test("a client without an address cannot be: rejected, or told to be nowhere", () => {
  assert.equal(client().rejected(list("030600000000")), false);
  assert.equal(client().naked(list("030600000000")), false);
});
test("what was not asked for is not taken from a Nak", () => {
  const ipcp = client({ ask: [] });
  assert.equal(ipcp.naked(list("8106c0a80101 0206002d0f01")), true);
  assert.equal(asks(ipcp), "030600000000");
});

test("an address on the outer path is refused to the peer and to ourselves", () => {
  const forbidden = [ip("203.0.113.7")];
  assert.equal(judged(client({ forbidden }), "0306cb007107"), "reject 0306cb007107");
  assert.equal(client({ forbidden }).naked(list("0306cb007107")), false);
});
test("a client lets the server choose its own address, but not none", () => {
  assert.equal(judged(client(), "0306c0a80101"), "ack");
  assert.equal(judged(client(), "030600000000"), "reject 030600000000");
});
test("a server that names no address of its own is fine: a point-to-point route needs none", () => {
  const ipcp = client();
  assert.equal(judged(ipcp, ""), "ack");
  assert.equal(ipcp.remote, 0);
});

/** Two links back to back: from nothing to network, and every way to the end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EncryptionPolicy } from "../../appliance/ppp/ccp.ts";
import type { AuthRequest } from "../../appliance/ppp/credentials.ts";
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import type { LinkSettings } from "../../appliance/ppp/link-settings.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { formatIpv4 } from "../../appliance/wire/ipv4.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { CLIENT, ip, judge, LinkEnd, LinkPair, packet, packetOf, SERVER, SERVER_IPCP } from "../support/link-end.ts";

const encryption = (use: EncryptionPolicy["use"], rest: Partial<EncryptionPolicy> = {}): EncryptionPolicy => ({
  use,
  strengths: [128, 56, 40],
  allowStateful: false,
  preferStateful: false,
  ...rest,
});
function settings(
  method: AuthMethod,
  server: EncryptionPolicy,
  client: EncryptionPolicy,
): [LinkSettings, LinkSettings] {
  return [
    { ...SERVER, lcp: { ...SERVER.lcp, demandAuth: [method] }, encryption: server },
    { ...CLIENT, lcp: { ...CLIENT.lcp, offerAuth: [method] }, encryption: client },
  ];
}
/** Both networks are up; returns what each end says about it. */
function bothUp(pair: LinkPair) {
  const server = pair.server.event("network-up");
  const client = pair.client.event("network-up");
  assert.ok(server && client, `server ${JSON.stringify(pair.server.end)}, client ${JSON.stringify(pair.client.end)}`);
  return { server, client };
}
function sameKeys(pair: LinkPair, strength: number, stateless: boolean): void {
  const server = pair.server.event("mppe");
  const client = pair.client.event("mppe");
  assert.ok(server && client);
  assert.deepEqual(server.send, client.receive);
  assert.deepEqual(client.send, server.receive);
  for (const direction of [server.send, server.receive]) assert.deepEqual(direction.agreement, { strength, stateless });
}

const METHODS: readonly AuthMethod[] = ["pap", "chap-md5", "mschap-v1", "mschap-v2"];
for (const method of METHODS)
  for (const use of ["none", "optional", "required"] as const)
    test(`${method}, encryption ${use} on both ends`, () => {
      const pair = new LinkPair(...settings(method, encryption(use), encryption(use))).up();
      const hasKeys = method.startsWith("mschap");
      if (use === "required" && !hasKeys) {
        const ends = [pair.server.end?.reason, pair.client.end?.reason];
        assert.ok(ends.includes("no-encryption-keys"), JSON.stringify(ends));
        assert.equal(pair.server.event("network-up"), undefined);
        return;
      }
      const { server, client } = bothUp(pair);
      const encrypted = use !== "none" && hasKeys;
      assert.deepEqual([server.encrypted, client.encrypted], [encrypted, encrypted]);
      if (encrypted) sameKeys(pair, 128, true);
      else assert.equal(pair.server.event("mppe") ?? pair.client.event("mppe"), undefined);
    });
for (const method of ["mschap-v1", "mschap-v2"] as const)
  for (const strength of [40, 56, 128] as const)
    for (const stateless of [true, false])
      test(`${method}, MPPE ${strength} ${stateless ? "stateless" : "stateful"}`, () => {
        const policy = encryption("required", {
          strengths: [strength],
          allowStateful: !stateless,
          preferStateful: !stateless,
        });
        const pair = new LinkPair(...settings(method, policy, policy)).up();
        bothUp(pair);
        sameKeys(pair, strength, stateless);
      });
test("the strongest common key length wins; stateless wins over a peer that prefers stateful", () => {
  const server = encryption("required", { strengths: [56, 40] });
  const client = encryption("required", { strengths: [128, 56, 40], allowStateful: true, preferStateful: true });
  const pair = new LinkPair(...settings("mschap-v2", server, client)).up();
  bothUp(pair);
  sameKeys(pair, 56, true);
});

for (const use of ["required", "optional"] as const)
  test(`encryption ${use}: IPCP does not wait for CCP, the network does`, () => {
    const pair = new LinkPair(...settings("mschap-v2", encryption(use), encryption(use)));
    pair.wire = (_from, { protocol }) => protocol !== Protocol.ccp;
    pair.up();
    for (const end of [pair.server, pair.client]) assert.equal(end.event("network-up"), undefined);
    pair.wire = (_from, { protocol }) => protocol !== Protocol.ipcp; // nothing more of it is needed
    pair.advance(4000);
    const { server, client } = bothUp(pair);
    assert.deepEqual([server.encrypted, client.encrypted], [true, true]);
  });

test("addresses, name servers and who proved itself", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  const { server, client } = bothUp(pair);
  assert.deepEqual([formatIpv4(server.local), formatIpv4(server.remote)], ["192.168.1.1", "192.168.1.100"]);
  assert.deepEqual([formatIpv4(client.local), formatIpv4(client.remote)], ["192.168.1.100", "192.168.1.1"]);
  assert.deepEqual(client.dns, SERVER_IPCP.dns);
  const byServer = pair.server.event("authenticated");
  assert.deepEqual([byServer?.userName?.toString(), byServer?.method], ["alice", "mschap-v2"]);
  const byClient = pair.client.event("authenticated");
  assert.deepEqual([byClient?.userName, byClient?.method], [undefined, "mschap-v2"]);
});
test("without authentication there is a network, and nobody's name", () => {
  const open = { ...SERVER, lcp: { ...SERVER.lcp, demandAuth: [] }, encryption: encryption("none") };
  const pair = new LinkPair(open, { ...CLIENT, encryption: encryption("none") }).up();
  bothUp(pair);
  assert.equal(pair.server.event("authenticated")?.method, undefined);
});
test("both ends prove themselves", () => {
  const mutual = { ...SERVER.lcp, demandAuth: ["chap-md5"], offerAuth: ["chap-md5"] } as const;
  const common = { lcp: mutual, encryption: encryption("none"), credentials: { user: "alice", password: "s3cret" } };
  const pair = new LinkPair({ ...SERVER, ...common }, { ...CLIENT, ...common }).up();
  bothUp(pair);
  for (const end of [pair.server, pair.client]) assert.equal(end.event("authenticated")?.userName?.toString(), "alice");
});
test("a server that challenges again in the middle of a session gets an answer", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  const challenge = Buffer.concat([Buffer.from([16]), Buffer.alloc(16, 7), Buffer.from("server")]);
  pair.client.receive(Protocol.chap, packet(1, 77, challenge), pair.now);
  const [response] = pair.client.takePackets(Protocol.chap);
  assert.deepEqual([response?.code, response?.identifier], [2, 77]);
  pair.client.receive(Protocol.chap, packet(3, 77, Buffer.from("S=0")), pair.now);
  assert.equal(pair.client.link.phase, "network");
});
test("a Success that got lost is sent again to a peer that neither repeats its Response nor answers the network phase", () => {
  const pair = new LinkPair(SERVER, CLIENT);
  let lost = 0;
  // pppd 2.4.9: takes no NCP before a Success, and never repeats a Response.
  let responses = 0;
  pair.wire = (from, { protocol, payload }) => {
    if (protocol !== Protocol.chap) return true;
    if (from === "client") return ++responses === 1;
    return payload[0] !== 3 || ++lost > 1;
  };
  pair.up();
  assert.equal(pair.client.link.phase, "authenticate");
  pair.advance(5_000);
  bothUp(pair);
  assert.equal(lost, 2);
  pair.advance(30_000);
  assert.equal(lost, 2, "and not once the peer has spoken");
});
test("IPv6: a link-local identifier each, or a Protocol-Reject that harms nobody", () => {
  const v6 = { ipv6: "link-local" } as const;
  bothUp(new LinkPair({ ...SERVER, ...v6 }, { ...CLIENT, ...v6 }).up());
  bothUp(new LinkPair(SERVER, { ...CLIENT, ...v6 }).up());
});
test("a client that asks for callback is taken through CBCP to no callback", () => {
  const pair = new LinkPair(
    { ...SERVER, lcp: { ...SERVER.lcp, callback: "cbcp" } },
    { ...CLIENT, lcp: { ...CLIENT.lcp, requestCallback: true } },
  );
  const cbcp: string[] = [];
  pair.wire = (from, frame) => {
    if (frame.protocol === Protocol.cbcp) cbcp.push(`${from} ${packetOf(frame.payload).code}`);
    return true;
  };
  pair.up();
  bothUp(pair);
  assert.deepEqual(cbcp, ["server 1", "client 2", "server 3"]);
});
test("a server that accepts callback and never goes through it is left by the client", () => {
  const pair = new LinkPair(
    { ...SERVER, lcp: { ...SERVER.lcp, callback: "cbcp" } },
    { ...CLIENT, lcp: { ...CLIENT.lcp, requestCallback: true } },
  );
  pair.wire = (_from, frame) => frame.protocol !== Protocol.cbcp;
  pair.up().advance(30_000);
  assert.equal(pair.client.end?.reason, "callback-failed");
});

for (const [who, server, client, reason] of [
  ["server requires, client has none", encryption("required"), encryption("none"), "encryption-refused"],
  ["client requires, server has none", encryption("none"), encryption("required"), "encryption-refused"],
  [
    "both require, with no length in common",
    encryption("required", { strengths: [128] }),
    encryption("required", { strengths: [40] }),
    undefined,
  ],
] as const)
  test(`encryption: ${who}: no network, and both ends are told`, () => {
    const pair = new LinkPair(...settings("mschap-v2", server, client)).up().advance(60_000);
    for (const end of [pair.server, pair.client]) {
      assert.notEqual(end.end, undefined);
      assert.equal(end.event("mppe"), undefined);
    }
    assert.ok(!(pair.server.event("network-up") && pair.client.event("network-up")));
    if (reason) assert.ok([pair.server.end?.reason, pair.client.end?.reason].includes(reason));
  });
test("encryption: optional on one end, none on the other: an open network on both", () => {
  for (const [server, client] of [
    ["optional", "none"],
    ["none", "optional"],
  ] as const) {
    const pair = new LinkPair(...settings("mschap-v2", encryption(server), encryption(client))).up().advance(30_000);
    const up = bothUp(pair);
    assert.deepEqual([up.server.encrypted, up.client.encrypted], [false, false]);
  }
});
test("a Protocol-Reject of CCP ends a link that must encrypt, and only that", () => {
  for (const use of ["required", "optional"] as const) {
    const pair = new LinkPair(...settings("mschap-v2", encryption(use), encryption("optional")));
    pair.wire = (from, frame) => {
      if (frame.protocol !== Protocol.ccp) return true;
      if (from === "client") return false;
      const rejected = Buffer.concat([Buffer.from([0x80, 0xfd]), frame.payload]);
      const lcp = packet(CpCode.protocolReject, 99, rejected);
      pair.server.receive(Protocol.lcp, lcp, pair.now);
      return false;
    };
    pair.up();
    if (use === "required")
      assert.deepEqual(pair.server.end ?? pair.server.link.leaving, { reason: "encryption-refused" });
    else assert.equal(pair.server.event("network-up")?.encrypted, false);
  }
});

for (const [reason, client] of [
  ["the password is wrong", { user: "alice", password: "wrong" }],
  ["nobody knows the user", { user: "mallory", password: "s3cret" }],
] as const)
  for (const method of METHODS)
    test(`${method}: ${reason}: 691 on both ends, and no network`, () => {
      const [serverSettings, clientSettings] = settings(method, encryption("none"), encryption("none"));
      const pair = new LinkPair(serverSettings, { ...clientSettings, credentials: client }).up().advance(60_000);
      for (const end of [pair.server, pair.client]) {
        assert.ok(end.end?.reason === "auth-refused", JSON.stringify(end.end));
        assert.equal(end.end.errorCode, 691);
        assert.equal(end.event("network-up"), undefined);
      }
    });
test("an expired password is changed in passing when the client has a new one", () => {
  const credentials = { user: "CORP\\alice", password: "pässwörd€", newPassword: "nächstes€" };
  const pair = new LinkPair(SERVER, { ...CLIENT, credentials });
  pair.server.accounts.set("alice", { password: "pässwörd€", expired: true });
  pair.up();
  bothUp(pair);
  sameKeys(pair, 128, true);
  assert.deepEqual(pair.server.accounts.get("alice"), { password: "nächstes€", expired: false });
});
test("no method in common: the link ends and says so", () => {
  const pair = new LinkPair(SERVER, { ...CLIENT, lcp: { ...CLIENT.lcp, offerAuth: ["pap"] } }).up().advance(60_000);
  const reasons = [pair.server.end?.reason, pair.client.end?.reason];
  assert.ok(reasons.includes("no-common-authentication"), JSON.stringify(reasons));
});

test("LCP started over drops authentication and keys; new ones are made", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  bothUp(pair);
  const before = pair.server.event("mppe");
  pair.server.receive(Protocol.lcp, packet(CpCode.configureRequest, 200, [{ type: 5, data: Buffer.from("abcd") }]));
  assert.deepEqual(
    pair.server.events.slice(-2).map(({ type }) => type),
    ["mppe-gone", "network-down"],
  );
  assert.equal(pair.server.link.phase, "establish");
  pair.settle().advance(30_000);
  const after = pair.server.events.filter((output) => output.type === "mppe");
  assert.equal(after.length, 2);
  const [, second] = after;
  assert.ok(before && second?.type === "mppe");
  assert.notDeepEqual(second.send.startKey, before.send.startKey, "no key may live twice");
  const verdicts = pair.server.events.filter((output) => output.type === "verify");
  assert.equal(verdicts.length, 2, "authenticated again before the network came up again");
});
test("CCP started over ends the link: its keys would repeat", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  const again = packet(CpCode.configureRequest, 200, [{ type: 18, data: Buffer.from([0, 0, 0, 0x40]) }]);
  pair.server.receive(Protocol.ccp, again);
  assert.deepEqual(pair.server.link.leaving, { reason: "ccp-renegotiated" });
  pair.settle();
  assert.deepEqual(pair.server.end, { reason: "ccp-renegotiated" });
});
test("IPCP started over takes the network down and up again, encrypted as before", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  const other = packet(CpCode.configureRequest, 200, [{ type: 3, data: Buffer.from([192, 168, 1, 100]) }]);
  pair.server.receive(Protocol.ipcp, other);
  pair.settle().advance(5000);
  const story = pair.server.events.map(({ type }) => type).filter((type) => type.startsWith("network"));
  assert.deepEqual(story, ["network-up", "network-down", "network-up"]);
  assert.equal(pair.server.events.filter(({ type }) => type === "mppe").length, 1);
});

test("a peer that never answers: ten requests, then the end", () => {
  const pair = new LinkPair(SERVER, CLIENT);
  pair.wire = () => false;
  pair.up().advance(60_000);
  assert.deepEqual(pair.server.end, { reason: "lcp-no-response" });
  assert.deepEqual(pair.client.end, { reason: "lcp-no-response" });
});
test("a peer that never authenticates is left after the set-up limit", () => {
  const pair = new LinkPair({ ...SERVER, setupLimitMs: 20_000 }, CLIENT);
  pair.wire = (_from, { protocol }) => protocol !== Protocol.chap;
  pair.up().advance(20_000);
  assert.equal(pair.server.link.leaving?.reason, "setup-timeout");
  pair.advance(10_000);
  assert.deepEqual(pair.server.end, { reason: "setup-timeout" });
});
test("starting LCP over again and again does not put the set-up limit off", () => {
  const server = new LinkEnd({ ...SERVER, setupLimitMs: 20_000 }, SERVER_IPCP, 1);
  server.give({ type: "up" }, 0);
  let identifier = 0;
  const open = (now: number) => {
    const magic = Buffer.alloc(4, ++identifier);
    server.receive(Protocol.lcp, packet(CpCode.configureRequest, identifier, [{ type: 5, data: magic }]), now);
    for (const request of server.takePackets(Protocol.lcp).filter(({ code }) => code === CpCode.configureRequest))
      server.receive(Protocol.lcp, { ...request, code: CpCode.configureAck }, now);
  };
  for (let now = 0; now <= 30_000; now += 1000) {
    open(now);
    server.give({ type: "tick" }, now);
  }
  assert.deepEqual(server.link.leaving, { reason: "setup-timeout" });
});
test("echoes: a peer that answers stays, one that falls silent is left after four", () => {
  const pair = new LinkPair(SERVER, CLIENT).up().advance(600_000);
  assert.equal(pair.server.end, undefined);
  pair.wire = (from) => from === "server";
  pair.advance(100_000);
  pair.advance(10_000);
  assert.deepEqual(pair.server.end, { reason: "echo-timeout" });
});
test("echoes unanswered before LCP started over are not held against the peer after it", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  pair.wire = (_from, { protocol, payload }) =>
    protocol !== Protocol.lcp || packetOf(payload).code !== CpCode.echoReply;
  pair.advance(81_000);
  assert.equal(pair.server.end, undefined);
  pair.wire = () => true;
  pair.server.receive(
    Protocol.lcp,
    packet(CpCode.configureRequest, 200, [{ type: 5, data: Buffer.from("abcd") }]),
    pair.now,
  );
  pair.settle().advance(60_000);
  assert.equal(pair.server.end, undefined);
  assert.equal(pair.server.link.phase, "network");
});

type Stop = "establish" | "authenticate" | "callback" | "network";
/** A pair stopped in one phase: what would lead out of it gets lost. */
function stoppedIn(phase: Stop): LinkPair {
  const blocked = { establish: Protocol.lcp, authenticate: Protocol.chap, callback: Protocol.cbcp, network: 0 }[phase];
  const callback = phase === "callback";
  const pair = new LinkPair(
    { ...SERVER, lcp: { ...SERVER.lcp, callback: callback ? "cbcp" : "refuse" } },
    { ...CLIENT, lcp: { ...CLIENT.lcp, requestCallback: callback } },
  );
  pair.wire = (_from, { protocol }) => protocol !== blocked;
  pair.up();
  for (const end of [pair.server, pair.client]) assert.equal(end.link.phase, phase);
  pair.wire = () => true;
  return pair;
}
for (const phase of ["establish", "authenticate", "callback", "network"] as const)
  for (const who of ["server", "client"] as const)
    test(`the ${who} hangs up in phase ${phase}: both ends close, each with its reason`, () => {
      const pair = stoppedIn(phase);
      const other = who === "server" ? "client" : "server";
      pair[who].give({ type: "close", failure: { reason: "administrative" } }, pair.now);
      pair.settle().advance(10_000);
      assert.deepEqual(pair[who].end, { reason: "administrative" });
      if (phase === "establish") return; // the other end's LCP is not open: it goes on asking
      assert.equal(pair[other].end?.reason, "terminated-by-peer");
      const last = pair[other].events.at(-1);
      assert.equal(last?.type, "closed", "nothing comes after the end");
      assert.equal(pair[who].link.deadline, undefined);
      if (phase === "network") assert.ok(pair[other].event("network-down"));
    });
test("hanging up a link that is not up yet ends it at once; a closed link is deaf", () => {
  const end = new LinkEnd(SERVER, SERVER_IPCP, 1);
  end.give({ type: "close", failure: { reason: "no-free-address" } }, 0);
  assert.deepEqual(end.events, [{ type: "closed", failure: { reason: "no-free-address" } }]);
  end.give({ type: "up" }, 0);
  end.give({ type: "tick" }, 100_000);
  assert.equal(end.events.length, 1);
  assert.deepEqual(end.take(), []);
});
test("Windows says why it hangs up: the error in its Terminate-Request is reported", () => {
  const pair = new LinkPair(SERVER, CLIENT).up();
  const data = Buffer.from("162a1f3a003ccd7400000000", "hex"); // as captured
  pair.server.receive(Protocol.lcp, packet(CpCode.terminateRequest, 9, data), pair.now);
  const [ack] = pair.server.takePackets(Protocol.lcp);
  assert.deepEqual(ack, { code: CpCode.terminateAck, identifier: 9, data });
  pair.advance(10_000);
  assert.deepEqual(pair.server.end, { reason: "terminated-by-peer", windowsError: 0, message: "" });
});
test("a peer whose outer address lies in the tunnel is refused it", () => {
  const forbidden = [ip("192.168.1.100")];
  const pair = new LinkPair(SERVER, CLIENT, {
    client: { local: ip("0.0.0.0"), remote: undefined, dns: [], wins: [], ask: [], forbidden },
  });
  pair.up().advance(30_000);
  assert.equal(pair.client.end?.reason, "ipcp-failed");
});
test("the answer to an authentication that LCP has overtaken opens no network", () => {
  const server = new LinkEnd(SERVER, SERVER_IPCP, 1);
  server.give({ type: "up" }, 0);
  for (const request of server.takePackets(Protocol.lcp))
    server.receive(Protocol.lcp, { ...request, code: CpCode.configureAck });
  server.receive(Protocol.lcp, packet(CpCode.configureRequest, 1, [{ type: 5, data: Buffer.from("abcd") }]));
  assert.equal(server.link.phase, "authenticate");
  server.give({ type: "network", ipcp: SERVER_IPCP }, 0); // meant for the authentication before
  assert.equal(server.link.phase, "authenticate");
});

test("a verdict to a question that LCP has overtaken is ignored while the new one is open", () => {
  const pair = new LinkPair(SERVER, CLIENT);
  pair.server.judges = false;
  pair.up();
  const questions = () => pair.server.events.flatMap((event) => (event.type === "verify" ? [event] : []));
  const [first] = questions();
  // LCP starts over: the same two ends, a new Challenge, a new Response.
  pair.server.receive(Protocol.lcp, packet(CpCode.configureRequest, 200), pair.now);
  pair.settle();
  const [, second] = questions();
  assert.ok(first && second && first.ticket !== second.ticket);
  const accepted = (request: AuthRequest) => judge(pair.server.accounts, request);
  pair.server.give({ type: "verdict", ticket: first.ticket, verdict: accepted(first.request) }, pair.now);
  assert.equal(pair.server.event("authenticated"), undefined);
  pair.server.give({ type: "verdict", ticket: second.ticket, verdict: accepted(second.request) }, pair.now);
  assert.ok(pair.server.event("authenticated"));
});

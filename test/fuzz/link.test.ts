/** Whole links, both roles: what two real ends say, damaged, lost, repeated and interspersed with forged frames. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkOutput } from "../../appliance/ppp/link.ts";
import type { LinkSettings } from "../../appliance/ppp/link-settings.ts";
import { CpCode, emitCpPacket } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { insidePpp, WINDOWS_GRE } from "../support/codecs.ts";
import { campaign, holdsNoMore } from "../support/fuzzing.ts";
import { hex } from "../support/hex.ts";
import { CLIENT, CLIENT_IPCP, type Frame, LinkEnd, LinkPair, SERVER, SERVER_IPCP } from "../support/link-end.ts";
import { mutate } from "../support/mutation.ts";
import type { SeededRandom } from "../support/seeded-random.ts";

const PROTOCOLS = [
  Protocol.lcp,
  Protocol.lcp,
  Protocol.chap,
  Protocol.pap,
  Protocol.ccp,
  Protocol.ipcp,
  Protocol.ipv6cp,
  Protocol.cbcp,
  Protocol.eap,
  0x8235,
];
const FORGED: readonly Buffer[] = [
  ...Object.values(WINDOWS_GRE)
    .filter((packet) => packet !== WINDOWS_GRE.ackOnly && packet !== WINDOWS_GRE.mppe)
    .map(insidePpp),
  hex("05010004"),
  hex("0801000680fd"),
  hex("080100068021"),
  hex("08010006c021"),
  hex("0e010004"),
  hex("0701000801010004"),
  hex("0301000a120601000020"),
];

function forged(random: SeededRandom): Frame {
  const payload = random.pick(FORGED);
  return { protocol: random.pick(PROTOCOLS), payload: random.chance(0.5) ? payload : mutate(random, payload) };
}

/** What must hold of everything one link says, in order. */
class Watch {
  readonly #settings: LinkSettings;
  #authenticated = false;
  #keys = 0;
  #up = false;
  #closed = false;
  constructor(settings: LinkSettings) {
    this.#settings = settings;
  }
  see(output: LinkOutput): void {
    assert.ok(!this.#closed, `${output.type} after the end`);
    switch (output.type) {
      case "lcp-opened":
        assert.ok(!this.#up, "LCP opened under a network");
        this.#authenticated = false;
        this.#keys = 0;
        break;
      case "authenticated":
        assert.ok(!this.#authenticated, "authenticated twice");
        this.#authenticated = true;
        break;
      case "mppe":
        assert.ok(this.#authenticated, "keys without authentication");
        assert.equal(++this.#keys, 1, "the same keys twice");
        for (const { agreement } of [output.send, output.receive])
          assert.ok(this.#settings.encryption.strengths.includes(agreement.strength), "a weaker key than allowed");
        break;
      case "network-up":
        assert.ok(this.#authenticated, "a network without authentication");
        assert.ok(!this.#up, "up twice");
        assert.equal(output.encrypted, this.#keys === 1);
        if (this.#settings.encryption.use === "required")
          assert.ok(output.encrypted, "a clear network where encryption is required");
        this.#up = true;
        break;
      case "network-down":
        assert.ok(this.#up, "down without up");
        this.#up = false;
        break;
      case "closed":
        assert.ok(!this.#up, "closed under a network");
        this.#closed = true;
        break;
      case "send":
      case "verify":
      case "mppe-flush":
        break;
    }
  }
}

function pairOf(random: SeededRandom): { pair: LinkPair; settings: [LinkSettings, LinkSettings] } {
  const use = random.pick(["required", "required", "optional", "none"] as const);
  const method = random.pick(["mschap-v2", "mschap-v2", "mschap-v1", "chap-md5", "pap"] as const);
  const callback = random.chance(0.2);
  const common = { ipv6: random.pick(["refuse", "link-local"] as const) };
  const encryption = { use, strengths: [128, 40], allowStateful: random.chance(0.3), preferStateful: false } as const;
  const settings: [LinkSettings, LinkSettings] = [
    {
      ...SERVER,
      ...common,
      encryption,
      lcp: { ...SERVER.lcp, demandAuth: [method], callback: callback ? "cbcp" : "refuse" },
    },
    { ...CLIENT, ...common, encryption, lcp: { ...CLIENT.lcp, offerAuth: [method], requestCallback: callback } },
  ];
  return { pair: new LinkPair(...settings), settings };
}

test("both roles: hostile sequences", (t) => {
  let networks = 0;
  campaign(t, 100_000, (random) => {
    const { pair, settings } = pairOf(random);
    const damage = random.pick([0, 0.02, 0.1]);
    let budget = 60;
    const inject = (end: LinkEnd) => {
      const { protocol, payload } = forged(random);
      end.give({ type: "frame", protocol, payload }, pair.now);
    };
    pair.wire = (from, frame) => {
      if (--budget < 0) return false;
      if (random.chance(damage)) inject(from === "server" ? pair.client : pair.server);
      if (random.chance(damage)) return false;
      return random.chance(damage) ? { protocol: frame.protocol, payload: mutate(random, frame.payload) } : true;
    };
    pair.up();
    for (let steps = random.below(12); steps > 0; steps--) {
      budget = 60;
      inject(random.pick([pair.server, pair.client]));
      pair.settle();
      if (random.chance(0.3)) pair.advance(random.below(6000));
    }
    if (random.chance(0.3))
      random.pick([pair.server, pair.client]).give({ type: "close", failure: { reason: "administrative" } }, pair.now);
    pair.settle();
    const watches = settings.map((each) => new Watch(each));
    for (const output of pair.server.events) watches[0]?.see(output);
    for (const output of pair.client.events) watches[1]?.see(output);
    if (pair.server.event("network-up") && pair.client.event("network-up")) networks++;
  });
  t.diagnostic(`${networks} networks came up all the same`);
  assert.ok(networks > 0, "a campaign that never gets there tests nothing");
});

for (const [role, settings, ipcp] of [
  ["server", SERVER, SERVER_IPCP],
  ["client", CLIENT, CLIENT_IPCP],
] as const) {
  test(`${role}: a peer that only forges gets no network, and a bounded answer to each frame`, (t) =>
    campaign(t, 100_000, (random) => {
      const end = new LinkEnd(settings, ipcp, random.u32());
      const watch = new Watch(settings);
      end.give({ type: "up" }, 0);
      let now = 0;
      let request = end.takePackets(Protocol.lcp)[0];
      for (let steps = 5 + random.below(40); steps > 0; steps--) {
        now += random.below(1500);
        if (request && random.chance(0.3)) {
          const ack = { ...request, code: random.chance(0.9) ? CpCode.configureAck : CpCode.configureNak };
          end.give({ type: "frame", protocol: Protocol.lcp, payload: emitCpPacket(ack) }, now);
        } else if (random.chance(0.1)) end.give({ type: "tick" }, now);
        else {
          const { protocol, payload } = forged(random);
          end.give({ type: "frame", protocol, payload }, now);
        }
        const sent = end.take();
        assert.ok(sent.length <= 12, `${sent.length} frames to one`);
        for (const { protocol, payload } of sent) {
          assert.ok(payload.length <= 1500);
          if (protocol === Protocol.lcp && payload[0] === CpCode.configureRequest)
            request = { code: 1, identifier: payload[1] ?? 0, data: payload.subarray(4) };
        }
      }
      for (const output of end.events) watch.see(output);
      if (role === "server") assert.equal(end.event("network-up"), undefined);
    }));
  test(`${role}: one link against a peer that never stops`, (t) => {
    let end: LinkEnd | undefined;
    let now = 0;
    holdsNoMore(t, 200_000, (random) => {
      now += 20;
      if (end === undefined || end.link.phase === "closed") {
        end = new LinkEnd(settings, ipcp, 1);
        end.give({ type: "up" }, now);
      }
      const { protocol, payload } = forged(random);
      end.give({ type: "frame", protocol, payload }, now);
      if ((end.link.deadline ?? now) < now) end.give({ type: "tick" }, now);
      end.take();
      end.events.length = 0;
    });
  });
}

/** The negotiation with each of its policies against a peer that knows the protocol and wishes it ill. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { CcpPolicy } from "../../appliance/ppp/ccp.ts";
import { IpcpPolicy } from "../../appliance/ppp/ipcp.ts";
import { Ipv6cpPolicy } from "../../appliance/ppp/ipv6cp.ts";
import { LcpPolicy } from "../../appliance/ppp/lcp.ts";
import {
  DEFAULT_TIMERS,
  Negotiation,
  type NegotiationInput,
  type NegotiationOutput,
  type OptionPolicy,
} from "../../appliance/ppp/negotiation.ts";
import { CpCode, type CpPacket } from "../../appliance/wire/cp-packet.ts";
import { campaign, holdsNoMore } from "../support/fuzzing.ts";
import { hex } from "../support/hex.ts";
import { CLIENT, CLIENT_IPCP, SERVER, SERVER_IPCP } from "../support/link-end.ts";
import { mutate } from "../support/mutation.ts";
import type { SeededRandom } from "../support/seeded-random.ts";

const POLICIES: Readonly<Record<string, { make: (random: SeededRandom) => OptionPolicy; options: readonly string[] }>> =
  {
    "LCP server": {
      make: (random) => new LcpPolicy(SERVER.lcp, random),
      options: ["", "01040578050675eb25d5070208020d0306", "01040080", "0304c023", "0305c22381", "050600000000"],
    },
    "LCP client": {
      make: (random) => new LcpPolicy(CLIENT.lcp, random),
      options: ["", "010405780304c227050670ed20e6070208020d03061104064e", "0305c22381050612345678", "0304c023"],
    },
    CCP: {
      make: () =>
        new CcpPolicy(
          { use: "required", strengths: [128, 40], allowStateful: true, preferStateful: false },
          [128, 56, 40],
          () => {},
        ),
      options: ["", "120601000040", "1206010000e1", "120601000000", "120600000041", "15050000001a"],
    },
    "IPCP server": {
      make: () => new IpcpPolicy(SERVER_IPCP),
      options: ["", "030600000000810600000000820600000000830600000000840600000000", "0306c0a80164", "0206002d0f01"],
    },
    "IPCP client": {
      make: () => new IpcpPolicy(CLIENT_IPCP),
      options: ["", "0306c0a80101", "0306c0a8016f8106c0a80101", "0206002d0f01"],
    },
    IPV6CP: {
      make: (random) => new Ipv6cpPolicy(random),
      options: ["", "010afcd3335cf10e5c31", "010a0000000000000000"],
    },
  };

/** A peer that remembers our last request, so that its answers are often right. */
class Hostile {
  readonly #random: SeededRandom;
  readonly #options: readonly Buffer[];
  #asked: CpPacket = { code: 1, identifier: 0, data: Buffer.alloc(0) };
  #lastOwn: Buffer = Buffer.alloc(0);
  constructor(random: SeededRandom, options: readonly string[]) {
    this.#random = random;
    this.#options = options.map(hex);
  }
  hear(outputs: readonly NegotiationOutput[]): void {
    for (const output of outputs)
      if (output.type === "send" && output.packet.code === CpCode.configureRequest) this.#asked = output.packet;
  }
  next(): NegotiationInput {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 8) return { type: "tick" };
    if (dice < 10) return { type: random.pick(["open", "close", "up", "down", "protocol-rejected"] as const) };
    if (dice < 35) {
      const code = random.pick([CpCode.configureAck, CpCode.configureAck, CpCode.configureNak, CpCode.configureReject]);
      const data = random.chance(0.7) ? this.#asked.data : this.#data();
      return { type: "packet", packet: { code, identifier: this.#asked.identifier, data } };
    }
    if (dice < 70) {
      if (random.chance(0.6)) this.#lastOwn = this.#data();
      return {
        type: "packet",
        packet: { code: CpCode.configureRequest, identifier: random.below(256), data: this.#lastOwn },
      };
    }
    const code = random.chance(0.8) ? random.below(16) : random.below(256);
    return { type: "packet", packet: { code, identifier: random.below(256), data: this.#data() } };
  }
  #data(): Buffer {
    const sample = this.#random.pick(this.#options);
    return this.#random.chance(0.6) ? sample : mutate(this.#random, sample);
  }
}

function check(input: NegotiationInput, outputs: readonly NegotiationOutput[]): void {
  assert.ok(outputs.length <= 3, `${outputs.length} outputs`);
  const size = input.type === "packet" ? input.packet.data.length : 0;
  for (const output of outputs)
    if (output.type === "send") assert.ok(output.packet.data.length <= size + 64, "no amplification");
}

for (const [name, { make, options }] of Object.entries(POLICIES)) {
  test(`${name}: hostile sequences`, (t) =>
    campaign(t, 100_000, (random) => {
      const machine = new Negotiation(make(random));
      const peer = new Hostile(random, options);
      let now = 0;
      let isUp = false;
      const give = (input: NegotiationInput) => {
        const outputs = machine.handle(input, Millis(now));
        check(input, outputs);
        peer.hear(outputs);
        for (const { type } of outputs) {
          if (type === "this-layer-up") assert.ok(!isUp, "up twice");
          if (type === "this-layer-down") assert.ok(isUp, "down without up");
          if (type === "this-layer-up" || type === "this-layer-down") isUp = type === "this-layer-up";
        }
        assert.equal(isUp, machine.state === "opened");
      };
      give({ type: "open" });
      give({ type: "up" });
      for (let steps = 5 + random.below(30); steps > 0; steps--) {
        now += random.below(3000);
        give(peer.next());
      }
      for (let turns = 0; machine.deadline !== undefined; turns++) {
        assert.ok(turns <= DEFAULT_TIMERS.maxConfigure + 1, "the restart counter runs out");
        now = Math.max(now, machine.deadline);
        give({ type: "tick" });
      }
    }));
  test(`${name}: one machine against a peer that never stops`, (t) => {
    let machine: Negotiation | undefined;
    let peer: Hostile | undefined;
    holdsNoMore(t, 300_000, (random) => {
      machine ??= new Negotiation(make(random));
      peer ??= new Hostile(random, options);
      for (const input of [{ type: "up" }, { type: "open" }, peer.next()] as const) {
        const outputs = machine.handle(input, Millis(0));
        check(input, outputs);
        peer.hear(outputs);
      }
    });
  });
}

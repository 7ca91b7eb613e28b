/** Authenticator and authenticatee against a peer that does not know the password. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { Authenticatee } from "../../appliance/ppp/authenticatee.ts";
import { Authenticator, type AuthOutput } from "../../appliance/ppp/authenticator.ts";
import { type AuthVerdict, NO_KEYS, WRONG_PASSWORD } from "../../appliance/ppp/credentials.ts";
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import { emitChapValue } from "../../appliance/wire/chap.ts";
import type { CpPacket } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { insideCp, WINDOWS_GRE } from "../support/codecs.ts";
import { campaign } from "../support/fuzzing.ts";
import { packetOf } from "../support/link-end.ts";
import { mutate } from "../support/mutation.ts";
import type { SeededRandom } from "../support/seeded-random.ts";

const METHODS: readonly AuthMethod[] = ["pap", "chap-md5", "mschap-v1", "mschap-v2"];
const TIMES = { resendMs: 3000, maxAttempts: 10 };
const DATA: readonly Buffer[] = [
  insideCp(WINDOWS_GRE.challenge),
  insideCp(WINDOWS_GRE.response),
  insideCp(WINDOWS_GRE.success),
  emitChapValue({ value: Buffer.alloc(8, 9), name: Buffer.from("x") }),
  Buffer.from("E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=no"),
  Buffer.from("E=648 R=0 C=00112233445566778899AABBCCDDEEFF V=3"),
  Buffer.alloc(582, 0x5a),
  Buffer.from("\x05alice\x06s3cret", "latin1"),
  Buffer.alloc(0),
];

function hostile(random: SeededRandom, identifier: number): CpPacket {
  const data = random.pick(DATA);
  return {
    code: random.chance(0.9) ? random.below(9) : random.below(256),
    identifier: random.chance(0.7) ? identifier : random.below(256),
    data: random.chance(0.6) ? data : mutate(random, data),
  };
}
/** The identifier of the last packet sent; and no more outputs than one answer and one event. */
function heard(outputs: readonly AuthOutput[], identifier: number): number {
  assert.ok(outputs.length <= 2, `${outputs.length} outputs`);
  let last = identifier;
  for (const output of outputs)
    if (output.type === "send") {
      assert.ok(output.payload.length <= 1200);
      last = packetOf(output.payload).identifier;
    }
  return last;
}

for (const method of METHODS) {
  const protocol = method === "pap" ? Protocol.pap : Protocol.chap;
  test(`authenticator, ${method}: nobody is let in without a verdict that says so, and once only`, (t) =>
    campaign(t, 100_000, (random) => {
      const machine = new Authenticator({ method, name: "culvert", retries: 2, ...TIMES }, random);
      let now = 0;
      let identifier = heard(machine.start(Millis(0)), 0);
      let pending = false;
      let authenticated = 0;
      for (let steps = 5 + random.below(25); steps > 0; steps--) {
        now += random.below(2000);
        let outputs: readonly AuthOutput[];
        const good = random.chance(0.1);
        if (random.chance(0.25)) {
          const errorCode = random.pick([646, 647, 648, 649, 691, 709] as const);
          const verdict: AuthVerdict = good
            ? { ok: true, message: "S=", keys: NO_KEYS }
            : random.pick([WRONG_PASSWORD, { ok: false, errorCode, message: "" }] as const);
          outputs = machine.verdict(verdict, Millis(now));
          const letIn = outputs.some(({ type }) => type === "authenticated");
          assert.equal(letIn, good && pending, "a verdict counts exactly when one is asked for");
          pending = false;
        } else {
          outputs = random.chance(0.15)
            ? machine.tick(Millis(now))
            : machine.handle(protocol, hostile(random, (identifier + random.below(2)) & 0xff));
          assert.ok(!outputs.some(({ type }) => type === "authenticated"));
        }
        if (outputs.some(({ type }) => type === "verify")) pending = true;
        authenticated += outputs.filter(({ type }) => type === "authenticated").length;
        identifier = heard(outputs, identifier);
      }
      assert.ok(authenticated <= 1);
    }));
  test(`authenticatee, ${method}: at most one outcome, and no server that does not know the password is believed`, (t) =>
    campaign(t, 100_000, (random) => {
      const machine = new Authenticatee(
        { method, user: "alice", password: "s3cret", newPassword: random.chance(0.5) ? "n3w" : undefined, ...TIMES },
        random,
      );
      let now = 0;
      let identifier = heard(machine.start(Millis(0)), 0);
      let outcomes = 0;
      for (let steps = 3 + random.below(12); steps > 0; steps--) {
        now += random.below(2000);
        const outputs = random.chance(0.15)
          ? machine.tick(Millis(now))
          : machine.handle(protocol, hostile(random, identifier));
        outcomes += outputs.filter(({ type }) => type === "authenticated" || type === "failed").length;
        if (method === "mschap-v2")
          assert.ok(!outputs.some(({ type }) => type === "authenticated"), "no proof, no trust");
        identifier = heard(outputs, identifier);
      }
      assert.ok(outcomes <= 1);
    }));
}

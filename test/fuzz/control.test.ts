/** The control connection, both roles, behind its stream: hostile bytes, hostile messages, and an owner that does what owners do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import { LocalCallId, PeerCallId } from "../../appliance/pptp/call-id.ts";
import { ControlConnection, type ControlInput, type ControlOutput } from "../../appliance/pptp/control-connection.ts";
import { ControlStream } from "../../appliance/pptp/control-stream.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { campaign, holdsNoMore } from "../support/fuzzing.ts";
import { mutate } from "../support/mutation.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const MESSAGES = Object.values(WINDOWS_CONTROL);
/** Offsets of the Call ID, and of the Peer's Call ID, in messages that have one: small ids, so that they meet. */
function withSmallIds(random: SeededRandom, message: Buffer): Buffer {
  const bytes = Buffer.from(message);
  if (bytes.length > 14) {
    bytes.writeUInt16BE(random.below(20), 12);
    if (bytes.length === 32) bytes.writeUInt16BE(random.below(20), 14);
  }
  return bytes;
}
function hostile(random: SeededRandom): Buffer {
  const message = random.pick(MESSAGES);
  if (random.chance(0.75)) return message.length === 156 ? message : withSmallIds(random, message);
  if (random.chance(0.5)) {
    const other = withSmallIds(random, Buffer.alloc(random.pick([12, 16, 20, 24, 28, 32, 148, 168, 220])));
    other.writeUInt16BE(other.length, 0);
    other.writeUInt16BE(1, 2);
    other.writeUInt32BE(0x1a2b3c4d, 4);
    other.writeUInt16BE(random.below(18), 8);
    return other;
  }
  return mutate(random, message);
}

/** One end with an owner; checks every output. */
class End {
  readonly stream = new ControlStream();
  readonly connection: ControlConnection;
  readonly #random: SeededRandom;
  readonly #calls = new Set<number>();
  #next = 1;
  now = 0;
  closed = false;

  constructor(role: "pac" | "pns", random: SeededRandom) {
    this.connection = new ControlConnection(role, Millis(0));
    this.#random = random;
    this.give({ type: "open" });
  }
  give(input: ControlInput): void {
    const outputs = this.connection.handle(input, Millis(this.now));
    assert.ok(outputs.length <= 40, `${outputs.length} outputs`);
    if (this.closed) assert.equal(outputs.length, 0, "something after the end");
    for (const output of outputs) this.#see(output);
    if (!this.closed) assert.ok(this.connection.deadline !== undefined, "somebody always waits for something");
    for (const output of outputs)
      if (output.type === "call-requested" && this.#random.chance(0.8))
        this.give({
          type: "answer-call",
          peer: output.peer,
          callId: this.#random.chance(0.9) ? this.#fresh() : undefined,
        });
  }
  receive(bytes: Buffer): void {
    for (const output of this.stream.receive(bytes)) {
      if (output.type === "message") this.give({ type: "message", message: output.message });
      if (output.type === "lost-synchronization" && !this.closed) this.give({ type: "stop" });
      if (this.closed) this.stream.stop();
    }
  }
  own(): void {
    const [call] = this.#calls;
    const callId = LocalCallId(call ?? 3);
    const request = {
      callId: this.#fresh(),
      serial: 1,
      subaddress: Buffer.alloc(0),
      incoming: this.#random.chance(0.3),
    };
    this.give(
      this.#random.pick<ControlInput>([
        { type: "tick" },
        { type: "tick" },
        { type: "clear-call", callId },
        { type: "set-link-info", callId, sendAccm: 0, receiveAccm: 0 },
        ...(this.#calls.size < 16 ? [{ type: "place-call", request } as const] : []),
        { type: "answer-call", peer: PeerCallId(this.#random.below(20)), callId: undefined },
        ...(this.#random.chance(0.1) ? [{ type: "stop" } as const] : []),
      ]),
    );
  }
  #fresh(): LocalCallId {
    return LocalCallId(this.#next++);
  }
  #see(output: ControlOutput): void {
    assert.ok(!this.closed, "something after the end");
    if (output.type === "call-established") {
      assert.ok(!this.#calls.has(output.callId), "established twice");
      this.#calls.add(output.callId);
      assert.ok(this.#calls.size <= 32, "more calls than anybody asked for");
    }
    if (output.type === "call-ended") this.#calls.delete(output.callId);
    if (output.type === "close") {
      assert.equal(this.#calls.size, 0, "the connection's end is every call's");
      this.closed = true;
    }
  }
}

for (const role of ["pac", "pns"] as const) {
  test(`${role}: hostile sequences`, (t) =>
    campaign(t, 100_000, (random) => {
      const end = new End(role, random);
      if (random.chance(0.8)) end.receive(role === "pac" ? WINDOWS_CONTROL.startRequest : WINDOWS_CONTROL.startReply);
      for (let steps = 5 + random.below(40); steps > 0 && !end.closed; steps--) {
        end.now += random.below(8000);
        if (random.chance(0.2)) end.own();
        else end.receive(hostile(random));
      }
      for (let turns = 0; !end.closed; turns++) {
        assert.ok(turns < 200, "it never ends by itself");
        end.now = Math.max(end.now, end.connection.deadline ?? 0);
        end.give({ type: "tick" });
      }
      assert.equal(end.connection.deadline, undefined);
    }));
  test(`${role}: one connection against a peer that never stops`, (t) => {
    let end: End | undefined;
    holdsNoMore(t, 500_000, (random) => {
      if (end === undefined || end.closed) {
        end = new End(role, new SeededRandom(1));
        end.receive(role === "pac" ? WINDOWS_CONTROL.startRequest : WINDOWS_CONTROL.startReply);
      }
      end.receive(
        withSmallIds(
          random,
          random.pick([WINDOWS_CONTROL.callRequest, WINDOWS_CONTROL.callClear, WINDOWS_CONTROL.linkInfo]),
        ),
      );
    });
  });
}

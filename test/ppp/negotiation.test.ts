/** The negotiation around RFC 1661's table: counters, timers, identifiers, refusals. Policies here are the simplest that can show it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { State } from "../../appliance/ppp/automaton.ts";
import { DEFAULT_TIMERS, type OptionPolicy } from "../../appliance/ppp/negotiation.ts";
import { CpCode, type RawOption } from "../../appliance/wire/cp-packet.ts";
import { octets, PLAIN, u8 } from "../support/arbitrary.ts";
import { hex } from "../support/hex.ts";
import { answer, packets, request, Script, story } from "../support/negotiation-script.ts";

/** Asks for option 1; acknowledges option 1, Naks option 2, rejects the rest; can live without nothing it asks for. */
class Simple implements OptionPolicy {
  asked = "0101";
  restarts = 0;
  goOn = true;
  request(): readonly RawOption[] {
    return [{ type: 1, data: hex(this.asked) }];
  }
  judge(options: readonly RawOption[], mayNak: boolean) {
    const bad = options.filter(({ type }) => type > 2 || (type === 2 && !mayNak));
    if (bad.length > 0) return { answer: "reject", options: bad } as const;
    const other = options.filter(({ type }) => type === 2);
    return other.length > 0 ? ({ answer: "nak", options: other } as const) : ({ answer: "ack" } as const);
  }
  naked(options: readonly RawOption[]): boolean {
    this.asked = options[0]?.data.toString("hex") ?? this.asked;
    return this.goOn;
  }
  rejected(): boolean {
    return this.goOn;
  }
  restart(): void {
    this.restarts++;
  }
}
const started = () => {
  const script = new Script(new Simple());
  return { script, first: script.start() };
};

test("Max-Configure: ten requests at 2, 3, 4, 4 … s, each with a new identifier, then the end", () => {
  const { script, first } = started();
  const identifiers = new Set([first.identifier]);
  const gaps: number[] = [];
  for (let before = script.now; identifiers.size < 10; before = script.now) {
    identifiers.add(request(script.expire()).identifier);
    gaps.push(script.now - before);
  }
  assert.deepEqual(gaps, [2000, 3000, 4000, 4000, 4000, 4000, 4000, 4000, 4000]);
  const end = script.expire();
  assert.deepEqual(end, [{ type: "this-layer-finished", failure: "no-response", data: undefined }]);
  assert.equal(script.state, "stopped");
  assert.equal(script.negotiation.deadline, undefined);
});
test("a tick before the deadline does nothing", () => {
  const { script } = started();
  script.now = 1999;
  assert.deepEqual(script.give({ type: "tick" }), []);
});
test("an answer to a request before the last one is ignored, for its identifier is old", () => {
  const { script, first } = started();
  const second = request(script.expire());
  assert.notEqual(second.identifier, first.identifier);
  assert.deepEqual(script.acknowledge(first), []);
  assert.deepEqual(script.receive(CpCode.configureNak, first.identifier, hex("010401ff")), []);
  assert.equal(script.state, "req-sent");
  script.acknowledge(second);
  assert.equal(script.state, "ack-rcvd");
});
test("an acknowledgment of other options than ours is ignored", () => {
  const { script, first } = started();
  assert.deepEqual(script.receive(CpCode.configureAck, first.identifier, hex("01040102")), []);
  assert.deepEqual(script.receive(CpCode.configureAck, first.identifier, hex("")), []);
  assert.equal(script.state, "req-sent");
});
test("answers are counted once: a duplicate Ack or Nak changes nothing", () => {
  const { script, first } = started();
  script.acknowledge(first);
  assert.deepEqual(script.acknowledge(first), []);
  assert.equal(script.state, "ack-rcvd");
});
test("what a peer wants instead is asked for next", () => {
  const { script, first } = started();
  const next = request(script.receive(CpCode.configureNak, first.identifier, hex("0104beef")));
  assert.deepEqual(next.data, hex("0104beef"));
  assert.equal(next.identifier, (first.identifier + 1) & 0xff);
});
test("what we cannot live without ends it when it is refused", () => {
  const policy = new Simple();
  policy.goOn = false;
  const script = new Script(policy);
  const first = script.start();
  const outputs = script.receive(CpCode.configureReject, first.identifier, first.data);
  assert.deepEqual(story(outputs), ["terminateRequest"]);
  const [ack] = packets(outputs);
  const end = script.receive(CpCode.terminateAck, ack?.identifier ?? 0);
  assert.deepEqual(end, [{ type: "this-layer-finished", failure: "option-refused", data: undefined }]);
});

test("Max-Failure: five Naks, then the same option is rejected", () => {
  const { script } = started();
  for (let i = 0; i < DEFAULT_TIMERS.maxFailure; i++) assert.equal(answer(script.ask("0203ff")), "nak 0203ff");
  assert.equal(answer(script.ask("0203ff")), "reject 0203ff");
  assert.equal(answer(script.ask("0103ff")), "ack 0103ff");
  assert.equal(answer(script.ask("0203ff")), "nak 0203ff", "an Ack starts the count again");
});
test("a peer that never takes a refusal is given up after fifteen", () => {
  const { script } = started();
  for (let i = 0; i < 15; i++) assert.match(answer(script.ask("0203ff")), /^(nak|reject)/);
  assert.deepEqual(story(script.ask("0203ff")), ["terminateRequest"]);
  assert.deepEqual(script.receive(CpCode.terminateAck, 0).at(-1), {
    type: "this-layer-finished",
    failure: "not-converging",
    data: undefined,
  });
});
test("a peer that refuses everything we ask for is given up after fifteen", () => {
  const { script, first } = started();
  let asked = first;
  let turns = 0;
  for (; turns < 100; turns++) {
    const outputs = script.receive(CpCode.configureNak, asked.identifier, hex("010400ff"));
    if (story(outputs).includes("terminateRequest")) break;
    asked = request(outputs);
  }
  assert.equal(turns, 15);
  script.expire();
  assert.deepEqual(script.expire().at(-1), { type: "this-layer-finished", failure: "not-converging", data: undefined });
});

test("a request repeated in Opened, its Ack lost, is answered again and changes nothing", () => {
  const script = new Script(new Simple()).open("0103aa");
  for (let i = 0; i < 2; i++) {
    const outputs = script.ask("0103aa");
    assert.deepEqual(story(outputs), ["configureAck"]);
    assert.equal(script.state, "opened");
  }
});
test("repeated a third time it is a renegotiation, as the table has it", () => {
  const script = new Script(new Simple()).open("0103aa");
  script.ask("0103aa");
  script.ask("0103aa");
  assert.deepEqual(story(script.ask("0103aa")), ["this-layer-down", "configureRequest", "configureAck"]);
  assert.equal(script.state, "ack-sent");
});
test("another request in Opened is a renegotiation at once, and the policy starts over before it asks", () => {
  const policy = new Simple();
  const script = new Script(policy).open("0103aa");
  assert.equal(policy.restarts, 0);
  const outputs = script.ask("0103bb");
  assert.deepEqual(story(outputs), ["this-layer-down", "configureRequest", "configureAck"]);
  assert.equal(policy.restarts, 1);
  assert.deepEqual(story(script.acknowledge(request(outputs))), ["this-layer-up"]);
});
test("a refused request in Opened takes it down too", () => {
  const script = new Script(new Simple()).open("0103aa");
  assert.deepEqual(story(script.ask("0903aa")), ["this-layer-down", "configureRequest", "configureReject"]);
});

const REACH: Readonly<Record<State, () => Script>> = {
  initial: () => new Script(new Simple()),
  starting: () => {
    const script = new Script(new Simple());
    script.give({ type: "open" });
    return script;
  },
  closed: () => {
    const script = new Script(new Simple());
    script.give({ type: "up" });
    return script;
  },
  stopped: () => {
    const { script } = started();
    while (script.negotiation.deadline !== undefined) script.expire();
    return script;
  },
  closing: () => {
    const { script } = started();
    script.give({ type: "close" });
    return script;
  },
  stopping: () => {
    const script = new Script(new Simple()).open();
    script.receive(CpCode.codeReject, 1, hex("0101000401"));
    return script;
  },
  "req-sent": () => started().script,
  "ack-rcvd": () => {
    const { script, first } = started();
    script.acknowledge(first);
    return script;
  },
  "ack-sent": () => {
    const { script } = started();
    script.ask("");
    return script;
  },
  opened: () => new Script(new Simple()).open(),
};
const AFTER_TERMINATE: Readonly<Record<State, State>> = {
  initial: "initial",
  starting: "starting",
  closed: "closed",
  stopped: "stopped",
  closing: "closing",
  stopping: "stopping",
  "req-sent": "req-sent",
  "ack-rcvd": "req-sent",
  "ack-sent": "req-sent",
  opened: "stopping",
};
for (const [state, reach] of Object.entries(REACH) as [State, () => Script][]) {
  test(`Terminate-Request in ${state}: acknowledged with its data, then ${AFTER_TERMINATE[state]}`, () => {
    const script = reach();
    assert.equal(script.state, state);
    const outputs = script.receive(CpCode.terminateRequest, 33, hex("cafe"));
    const below = state === "initial" || state === "starting";
    const acks = packets(outputs).map(({ code, identifier, data }) => [code, identifier, data.toString("hex")]);
    assert.deepEqual(acks, below ? [] : [[CpCode.terminateAck, 33, "cafe"]]);
    assert.equal(script.state, AFTER_TERMINATE[state]);
  });
  test(`a flood of Terminate-Requests in ${state} is answered one by one and ends by itself`, () => {
    const script = reach();
    for (let i = 0; i < 300; i++) assert.ok(script.receive(CpCode.terminateRequest, i & 0xff).length <= 3);
    for (let turns = 0; script.negotiation.deadline !== undefined; turns++) {
      assert.ok(turns < 20);
      script.expire();
    }
  });
  test(`Code-Reject of a code we need in ${state} ends it, of another does not`, () => {
    const other = reach();
    const before = other.state;
    other.receive(CpCode.codeReject, 1, hex("0c010004"));
    const stays: State = before === "ack-rcvd" ? "req-sent" : before;
    assert.equal(other.state, stays);
    const vital = reach();
    const outputs = vital.receive(CpCode.codeReject, 1, hex("01010004"));
    if (state === "initial" || state === "starting") return assert.deepEqual(outputs, []);
    assert.ok(["closed", "stopped", "stopping"].includes(vital.state), vital.state);
    return;
  });
}
test("the peer's Terminate-Request in Opened: down, acknowledged, and finished when it has had time to arrive", () => {
  const script = new Script(new Simple()).open();
  assert.deepEqual(story(script.receive(CpCode.terminateRequest, 5, hex("aa"))), ["this-layer-down", "terminateAck"]);
  assert.deepEqual(script.expire(), [{ type: "this-layer-finished", failure: "terminated-by-peer", data: hex("aa") }]);
});
test("a Terminate-Request during negotiation does not make the next Nak the end", () => {
  const { script, first } = started();
  script.receive(CpCode.terminateRequest, 5);
  assert.equal(script.state, "req-sent");
  const outputs = script.receive(CpCode.configureNak, first.identifier, hex("0104beef"));
  assert.deepEqual(story(outputs), ["configureRequest"]);
});
test("closing: two Terminate-Requests with our data, then finished without failure", () => {
  const script = new Script(new Simple()).open();
  const closing = script.give({ type: "close", data: hex("cafe") });
  assert.deepEqual(story(closing), ["this-layer-down", "terminateRequest"]);
  assert.deepEqual(packets(closing)[0]?.data, hex("cafe"));
  const again = script.expire();
  assert.deepEqual(packets(again)[0]?.data, hex("cafe"));
  assert.deepEqual(script.expire(), [{ type: "this-layer-finished", failure: undefined, data: undefined }]);
  assert.equal(script.state, "closed");
});
test("an unknown code gets a Code-Reject with the packet in it; a Code-Reject never gets another", () => {
  const script = new Script(new Simple()).open();
  const outputs = script.receive(0x77, 9, hex("0102"));
  const [reject] = packets(outputs);
  assert.equal(reject?.code, CpCode.codeReject);
  assert.deepEqual(reject.data, hex("77090006 0102"));
  assert.deepEqual(script.receive(CpCode.codeReject, 1, hex("0c010004")), []);
  assert.deepEqual(script.receive(CpCode.codeReject, 1, hex("07010004")).length > 1, true, "code 7 is vital: the end");
});
test("a Protocol-Reject ends it", () => {
  const script = new Script(new Simple()).open();
  assert.deepEqual(story(script.give({ type: "protocol-rejected" })), ["this-layer-down", "terminateRequest"]);
  script.expire();
  assert.deepEqual(script.expire(), [{ type: "this-layer-finished", failure: "rejected-by-peer", data: undefined }]);
  const early = started().script;
  assert.deepEqual(early.give({ type: "protocol-rejected" }), [
    { type: "this-layer-finished", failure: "rejected-by-peer", data: undefined },
  ]);
});
test("a request whose options cannot be read is silently discarded", () => {
  const { script } = started();
  for (const bad of ["0100", "0101", "01ff01", "01"]) assert.deepEqual(script.ask(bad), []);
});
test("the lower layer comes and goes", () => {
  const script = new Script(new Simple()).open();
  assert.deepEqual(story(script.give({ type: "down" })), ["this-layer-down"]);
  assert.equal(script.state, "starting");
  assert.equal(script.negotiation.deadline, undefined);
  assert.deepEqual(story(script.give({ type: "up" })), ["configureRequest"]);
});
test("what arrives is copied: the buffer is a loan", () => {
  const { script } = started();
  const bytes = hex("0103aa");
  script.receive(CpCode.configureRequest, 1, bytes);
  script.acknowledge(request(script.expire()));
  bytes.fill(0);
  assert.deepEqual(story(script.receive(CpCode.configureRequest, 2, hex("0103aa"))), ["configureAck"]);
});
test("any packets at all: a bounded answer each, and silence once they stop", () => {
  const anything = fc.record({ code: fc.oneof(fc.nat(16), u8), identifier: fc.nat(12), data: octets(12) }, PLAIN);
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 60 }), (hostile) => {
      const { script } = started();
      for (const { code, identifier, data } of hostile) {
        const outputs = script.receive(code, identifier, data);
        assert.ok(outputs.length <= 3, story(outputs).join());
      }
      let sent = 0;
      for (let turns = 0; script.negotiation.deadline !== undefined; turns++) {
        assert.ok(turns < 20, "the restart counter runs out");
        sent += packets(script.expire()).length;
      }
      assert.ok(sent <= DEFAULT_TIMERS.maxConfigure);
    }),
  );
});

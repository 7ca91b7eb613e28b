/** One `Negotiation` and a scripted peer, with the verbs of RFC 1661. */
import assert from "node:assert/strict";
import { Millis } from "../../appliance/ports.ts";
import {
  Negotiation,
  type NegotiationInput,
  type NegotiationOutput,
  type NegotiationTimers,
  type OptionPolicy,
} from "../../appliance/ppp/negotiation.ts";
import { CpCode, type CpPacket, emitOptions, parseOptions, type RawOption } from "../../appliance/wire/cp-packet.ts";
import { hex } from "./hex.ts";

export class Script {
  readonly negotiation: Negotiation;
  now = 0;
  #identifier = 100;

  constructor(policy: OptionPolicy, timers?: NegotiationTimers) {
    this.negotiation = new Negotiation(policy, timers);
  }
  get state() {
    return this.negotiation.state;
  }
  give(input: NegotiationInput): readonly NegotiationOutput[] {
    return this.negotiation.handle(input, Millis(this.now));
  }
  receive(code: number, identifier: number, data: Buffer = Buffer.alloc(0)): readonly NegotiationOutput[] {
    return this.give({ type: "packet", packet: { code, identifier, data } });
  }
  /** Opened for business, the first Configure-Request out; returns it. */
  start(): CpPacket {
    this.give({ type: "open" });
    return request(this.give({ type: "up" }));
  }
  /** The peer asks for these options: hexadecimal as on the wire. */
  ask(options: string): readonly NegotiationOutput[] {
    return this.receive(CpCode.configureRequest, ++this.#identifier, hex(options));
  }
  acknowledge(asked: CpPacket): readonly NegotiationOutput[] {
    return this.receive(CpCode.configureAck, asked.identifier, asked.data);
  }
  /** Takes the machine to Opened by acknowledging its request and asking for `options`. */
  open(options = ""): this {
    this.acknowledge(this.start());
    this.ask(options);
    assert.equal(this.state, "opened");
    return this;
  }
  /** The next deadline passes. */
  expire(): readonly NegotiationOutput[] {
    assert.ok(this.negotiation.deadline !== undefined, "no deadline");
    this.now = this.negotiation.deadline;
    return this.give({ type: "tick" });
  }
}

/** The packets sent. */
export function packets(outputs: readonly NegotiationOutput[]): CpPacket[] {
  return outputs.flatMap((output) => (output.type === "send" ? [output.packet] : []));
}
const NAME: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(CpCode).map(([name, code]) => [code, name]),
);
/** Names of the packets sent and of the other outputs, in order. */
export function story(outputs: readonly NegotiationOutput[]): string[] {
  return outputs.map((output) => (output.type === "send" ? (NAME[output.packet.code] ?? "?") : output.type));
}
/** The Configure-Request among the outputs. */
export function request(outputs: readonly NegotiationOutput[]): CpPacket {
  return (
    packets(outputs).find(({ code }) => code === CpCode.configureRequest) ??
    assert.fail(`no request: ${story(outputs)}`)
  );
}
/** The answer to a Configure-Request: what it is and, in hexadecimal, its options. */
export function answer(outputs: readonly NegotiationOutput[]): string {
  const codes: readonly number[] = [CpCode.configureAck, CpCode.configureNak, CpCode.configureReject];
  const found = packets(outputs).find(({ code }) => codes.includes(code));
  if (found === undefined) return "nothing";
  const kind = { [CpCode.configureAck]: "ack", [CpCode.configureNak]: "nak", [CpCode.configureReject]: "reject" }[
    found.code
  ];
  return `${kind} ${found.data.toString("hex")}`;
}
/** A policy's judgement in the same words. */
export function judged(policy: OptionPolicy, options: string, mayNak = true): string {
  const judgement = policy.judge(list(options), mayNak);
  return judgement.answer === "ack" ? "ack" : `${judgement.answer} ${emitOptions(judgement.options).toString("hex")}`;
}
export function list(options: string): readonly RawOption[] {
  const parsed = parseOptions(hex(options));
  assert.ok(parsed.ok, options);
  return parsed.value;
}
/** What a policy asks for, in hexadecimal. */
export function asks(policy: OptionPolicy): string {
  return emitOptions(policy.request()).toString("hex");
}

/** A control connection under test and the domain verbs to talk to it: messages go in, messages and events come out. */
import assert from "node:assert/strict";
import { Millis } from "../../appliance/ports.ts";
import {
  ControlConnection,
  type ControlInput,
  type ControlOutput,
  type ControlTimes,
} from "../../appliance/pptp/control-connection.ts";
import { CULVERT } from "../../appliance/pptp/quirks.ts";
import { type ControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import { WINDOWS_CONTROL } from "./codecs.ts";

export class ControlPeer {
  readonly connection: ControlConnection;
  now = 0;

  constructor(role: "pac" | "pns", times?: ControlTimes) {
    this.connection = new ControlConnection(role, Millis(0), CULVERT, times);
  }
  give(input: ControlInput): readonly ControlOutput[] {
    return this.connection.handle(input, Millis(this.now));
  }
  receive(message: ControlMessage | Buffer): readonly ControlOutput[] {
    return this.give({ type: "message", message: Buffer.isBuffer(message) ? read(message) : message });
  }
  tickAt(now: number): readonly ControlOutput[] {
    this.now = now;
    return this.give({ type: "tick" });
  }
  /** Ticks at every deadline until `limit`. */
  run(limit: number): readonly ControlOutput[] {
    const outputs: ControlOutput[] = [];
    for (let turn = 0; turn < 1000; turn++) {
      const { deadline } = this.connection;
      if (deadline === undefined || deadline > limit) return outputs;
      outputs.push(...this.tickAt(Math.max(this.now, deadline)));
    }
    return assert.fail("deadlines do not move on");
  }
}

export function read(bytes: Buffer): ControlMessage {
  const parsed = parseControlMessage(bytes);
  assert.ok(parsed.ok, bytes.toString("hex"));
  return parsed.value;
}

/** Types of the messages sent, and of the other outputs, in order. */
export function words(outputs: readonly ControlOutput[]): string[] {
  return outputs.map((output) => (output.type === "send" ? `> ${output.message.type}` : output.type));
}

export function sent<T extends ControlMessage["type"]>(
  outputs: readonly ControlOutput[],
  type: T,
): Extract<ControlMessage, { type: T }> {
  for (const output of outputs)
    if (output.type === "send" && output.message.type === type)
      return output.message as Extract<ControlMessage, { type: T }>;
  return assert.fail(`no ${type} in ${JSON.stringify(words(outputs))}`);
}

export function closing(outputs: readonly ControlOutput[]): Extract<ControlOutput, { type: "close" }> {
  const last = outputs.at(-1);
  assert.equal(last?.type, "close");
  return last;
}

/** A server to which a Windows 7 client has just introduced itself. */
export function establishedServer(times?: ControlTimes): ControlPeer {
  const server = new ControlPeer("pac", times);
  server.give({ type: "open" });
  server.receive(WINDOWS_CONTROL.startRequest);
  assert.ok(server.connection.isEstablished);
  return server;
}
/** A client that an RRAS server has just accepted. */
export function establishedClient(times?: ControlTimes): ControlPeer {
  const client = new ControlPeer("pns", times);
  client.give({ type: "open" });
  client.receive(WINDOWS_CONTROL.startReply);
  assert.ok(client.connection.isEstablished);
  return client;
}

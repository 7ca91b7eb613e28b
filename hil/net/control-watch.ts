/** Finds the PPTP control messages in the TCP segments of a link, those that are sent again too. */
import {
  type ControlMessage,
  controlMessageLength,
  parseControlMessage,
} from "../../appliance/wire/control-message.ts";
import type { TcpSegment } from "./dissect.ts";

const PPTP_PORT = 1723;
/** Control connections come and go; the oldest flow is forgotten. */
const FLOWS_KEPT = 64;
/** A segment that is sent again is seldom older than this many messages. */
const MESSAGES_KEPT = 32;

export class ControlWatch {
  readonly #flows = new Map<string, Flow>();

  /** The messages whose last byte is in this segment; never throws. */
  see(segment: TcpSegment | undefined): readonly ControlMessage[] {
    if (segment === undefined) return [];
    const { source, destination, sourcePort, destinationPort, isSyn, sequence, payload } = segment;
    if (sourcePort !== PPTP_PORT && destinationPort !== PPTP_PORT) return [];
    const name = `${source}>${destination}`;
    if (isSyn) this.#flows.delete(name);
    let flow = this.#flows.get(name);
    if (flow === undefined) {
      flow = new Flow(sequence);
      this.#flows.set(name, flow);
      const [oldest] = this.#flows.keys();
      if (this.#flows.size > FLOWS_KEPT && oldest !== undefined) this.#flows.delete(oldest);
    }
    return payload.length === 0 ? [] : flow.take(sequence, payload);
  }
}

/** One direction of a TCP connection. It remembers where messages ended, because a lost segment is sent again. */
class Flow {
  #next: number;
  /** The beginning of a message, not yet whole. */
  #begun: Buffer = Buffer.alloc(0);
  #messages: { readonly end: number; readonly message: ControlMessage }[] = [];

  constructor(firstSequence: number) {
    this.#next = firstSequence;
  }

  take(sequence: number, payload: Buffer): ControlMessage[] {
    const known = (this.#next - sequence) | 0;
    if (known < 0) this.#begun = Buffer.alloc(0); // bytes are missing: a message may begin with this segment
    if (known < payload.length) {
      this.#next = (sequence + payload.length) >>> 0;
      this.#read(payload.subarray(Math.max(0, known)));
    }
    return this.#messages.flatMap(({ end, message }) => ((end - sequence - 1) >>> 0 < payload.length ? [message] : []));
  }

  #read(fresh: Buffer): void {
    let rest = Buffer.concat([this.#begun, fresh]);
    for (let length = controlMessageLength(rest); length !== undefined; length = controlMessageLength(rest)) {
      if (!length.ok) rest = Buffer.alloc(0); // no control messages: perhaps the next segment begins with one
      if (!length.ok || rest.length < length.value) break;
      const message = parseControlMessage(rest.subarray(0, length.value));
      rest = rest.subarray(length.value);
      if (message.ok) this.#messages.push({ end: (this.#next - rest.length) >>> 0, message: message.value });
    }
    this.#begun = Buffer.from(rest);
    this.#messages = this.#messages.slice(-MESSAGES_KEPT);
  }
}

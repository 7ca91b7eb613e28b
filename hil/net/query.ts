/** Questions to a frame, in the words of the protocols: `lcp.code("configure-ack")`, `gre.sequence(20)`, `from("mobile")`. */
import { ChapCode } from "../../appliance/wire/chap.ts";
import type { ControlMessage } from "../../appliance/wire/control-message.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { type Dissection, FIRST_CONTROL_PROTOCOL } from "./dissect.ts";

/** A frame as it enters a link. */
export interface Sighting extends Dissection {
  /** Who sent it. */
  readonly node: string;
  /** The PPTP control messages that end in it. */
  readonly messages: readonly ControlMessage[];
}

/** `Node` are the nodes that it names: the compiler refuses it on a lab that has no such node. */
export interface Query<Node extends string = never> {
  /** For comments and errors: `LCP configure-ack`. */
  readonly says: string;
  readonly nodes: readonly Node[];
  matches(sighting: Sighting): boolean;
}

/** Frames that this node sends. */
export function from<const Node extends string>(node: Node): Query<Node> {
  return { says: `from ${node}`, nodes: [node], matches: (sighting) => sighting.node === node };
}

export const gre = {
  /** The data packet with this sequence number. Each direction of each call counts for itself. */
  sequence: (number: number): Query => query(`GRE sequence ${number}`, (sighting) => sighting.gre?.sequence === number),
  /** Packets that carry this acknowledgment number, with data or alone. */
  acknowledges: (number: number): Query => query(`GRE ack ${number}`, (sighting) => sighting.gre?.ack === number),
  /** Packets to whoever chose this Call ID. */
  callId: (number: number): Query => query(`GRE call ${number}`, (sighting) => sighting.gre?.callId === number),
  /** Packets that carry PPP. */
  data: query("GRE data", (sighting) => sighting.gre?.sequence !== undefined),
  /** Acknowledgments alone: RFC 2637 §4.1. */
  ackOnly: query("GRE ack alone", ({ gre: packet }) => packet !== undefined && packet.sequence === undefined),
};

export const pptp = {
  /** A segment of the control connection in which a message of this type ends; a retransmission is one more. */
  message: (type: ControlMessage["type"]): Query =>
    query(`PPTP ${type}`, ({ messages }) => messages.some((message) => message.type === type)),
  /** A segment in which a message of any type ends. */
  control: query("PPTP control", ({ messages }) => messages.length > 0),
  /** A segment in which a message ends that names this Call ID, its sender's or its receiver's. */
  callId: (number: number): Query =>
    query(`PPTP call ${number}`, ({ messages }) => messages.some((message) => callIdsOf(message).includes(number))),
};

export const ppp = {
  /** Frames of this protocol number: `ppp.protocol(Protocol.compressed)` is what MPPE carries. */
  protocol: (number: number): Query =>
    query(`PPP protocol 0x${number.toString(16).padStart(4, "0")}`, (sighting) => sighting.ppp?.protocol === number),
  /** Packets of control protocols with this identifier: a request and what answers it. */
  identifier: (number: number): Query =>
    query(`identifier ${number}`, (sighting) => sighting.cp?.identifier === number),
  /** What the tunnel is for: packets of network protocols, plain, compressed or encrypted (RFC 1661 §2: below 0x8000). */
  data: query("PPP data", ({ ppp: frame }) => frame !== undefined && frame.protocol < FIRST_CONTROL_PROTOCOL),
  /** LCP, authentication, CCP and the NCPs. */
  control: query("PPP control", ({ ppp: frame }) => frame !== undefined && frame.protocol >= FIRST_CONTROL_PROTOCOL),
};

export const lcp = controlProtocol("LCP", Protocol.lcp, CpCode);
export const ccp = controlProtocol("CCP", Protocol.ccp, CpCode);
export const ipcp = controlProtocol("IPCP", Protocol.ipcp, CpCode);
export const chap = controlProtocol("CHAP", Protocol.chap, ChapCode);

function callIdsOf(message: ControlMessage): readonly number[] {
  const ids: number[] = [];
  if ("callId" in message) ids.push(message.callId);
  if ("peersCallId" in message) ids.push(message.peersCallId);
  return ids;
}

/** `configureAck` as people write it: `configure-ack`. */
type Kebab<S extends string> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `-${Lowercase<Head>}`}${Kebab<Tail>}`
  : S;

function controlProtocol<const Codes extends Readonly<Record<string, number>>>(
  name: string,
  protocol: number,
  codes: Codes,
) {
  const named = new Map(Object.entries(codes).map(([code, number]) => [kebab(code), number]));
  return {
    /** Packets with this code. */
    code: (code: Kebab<keyof Codes & string>): Query => {
      const number = named.get(code);
      return query(
        `${name} ${code}`,
        (sighting) => sighting.ppp?.protocol === protocol && sighting.cp?.code === number,
      );
    },
  };
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function query(says: string, matches: (sighting: Sighting) => boolean): Query {
  return { says, nodes: [], matches };
}

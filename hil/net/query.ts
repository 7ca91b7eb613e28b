/** Questions to a frame, in the words of the protocols: `lcp.code("configure-ack")`, `gre.sequence(20)`, `from("mobile")`. */
import { ChapCode } from "../../appliance/wire/chap.ts";
import type { ControlMessage } from "../../appliance/wire/control-message.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import type { Dissection } from "./dissect.ts";

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
};

export const pptp = {
  /** A segment of the control connection in which a message of this type ends; a retransmission is one more. */
  message: (type: ControlMessage["type"]): Query =>
    query(`PPTP ${type}`, ({ messages }) => messages.some((message) => message.type === type)),
};

export const ppp = {
  /** Frames of this protocol number: `ppp.protocol(Protocol.compressed)` is what MPPE carries. */
  protocol: (number: number): Query =>
    query(`PPP protocol 0x${number.toString(16).padStart(4, "0")}`, (sighting) => sighting.ppp?.protocol === number),
  /** Packets of control protocols with this identifier: a request and what answers it. */
  identifier: (number: number): Query =>
    query(`identifier ${number}`, (sighting) => sighting.cp?.identifier === number),
};

export const lcp = controlProtocol("LCP", Protocol.lcp, CpCode);
export const ccp = controlProtocol("CCP", Protocol.ccp, CpCode);
export const ipcp = controlProtocol("IPCP", Protocol.ipcp, CpCode);
export const chap = controlProtocol("CHAP", Protocol.chap, ChapCode);

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

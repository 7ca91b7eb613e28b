/** What a capture says of one end's manners in PPTP calls: whose Call IDs its GRE packets name, and which requests it left without an answer. */
import {
  type ControlMessage,
  controlMessageLength,
  parseControlMessage,
} from "../../appliance/wire/control-message.ts";
import { CpCode } from "../../appliance/wire/cp-packet.ts";
import type { Capture } from "../../appliance/wire/pcapng.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { type Dissection, dissect } from "./dissect.ts";

export interface Rudeness {
  /** As Wireshark counts. */
  readonly frame: number;
  readonly what: string;
}

const NEGOTIATED: ReadonlyMap<number, string> = new Map([
  [Protocol.lcp, "LCP"],
  [Protocol.ccp, "CCP"],
  [Protocol.ipcp, "IPCP"],
]);
const ANSWERS: readonly number[] = [CpCode.configureAck, CpCode.configureNak, CpCode.configureReject];

interface Seen extends Dissection {
  readonly frame: number;
  readonly isOwn: boolean;
}

/** GRE packets of the end at `side`, acknowledgments alone included, with a Call ID that its peer never gave. The first `before` frames are left out. */
export function strayCallIds(capture: Capture, side: number, before = 0): readonly Rudeness[] {
  const given = new Set<number>();
  const strays: Rudeness[] = [];
  for (const { frame, isOwn, tcp, gre } of seen(capture, side, before)) {
    if (!isOwn && tcp !== undefined)
      for (const message of messagesIn(tcp.payload)) if (gives(message)) given.add(message.callId);
    if (isOwn && gre !== undefined && !given.has(gre.callId))
      strays.push({
        frame,
        what: `it names Call ID ${gre.callId}, and the peer gave ${[...given].join(", ") || "none"}`,
      });
  }
  return strays;
}

/** Configure-Requests to the end at `side` that it neither answered nor rejected as a protocol, and LCP Echo-Requests without a reply. */
export function unansweredRequests(capture: Capture, side: number, before = 0): readonly Rudeness[] {
  const open = new Map<string, Rudeness>();
  for (const { frame, isOwn, ppp, cp } of seen(capture, side, before)) {
    const name = NEGOTIATED.get(ppp?.protocol ?? 0);
    if (name === undefined || cp === undefined) continue;
    if (!isOwn && cp.code === CpCode.configureRequest)
      open.set(`${name} ${cp.identifier}`, { frame, what: `${name} Configure-Request ${cp.identifier} had no answer` });
    if (!isOwn && name === "LCP" && cp.code === CpCode.echoRequest)
      open.set(`echo ${cp.identifier}`, { frame, what: `LCP Echo-Request ${cp.identifier} had no reply` });
    if (isOwn && name === "LCP" && cp.code === CpCode.echoReply) open.delete(`echo ${cp.identifier}`);
    if (isOwn && ANSWERS.includes(cp.code)) open.delete(`${name} ${cp.identifier}`);
    if (isOwn && name === "LCP" && cp.code === CpCode.protocolReject && cp.data.length >= 2) {
      const rejected = NEGOTIATED.get(cp.data.readUInt16BE());
      for (const key of open.keys()) if (rejected !== undefined && key.startsWith(`${rejected} `)) open.delete(key);
    }
  }
  return [...open.values()];
}

function* seen(capture: Capture, side: number, before: number): Generator<Seen> {
  for (const [index, { bytes, interfaceIndex }] of capture.packets.entries())
    if (index >= before) yield { ...dissect(bytes), frame: index + 1, isOwn: interfaceIndex === side };
}

/** Messages that lie whole in a segment: PPTP writes each at once. */
function* messagesIn(payload: Buffer): Generator<ControlMessage> {
  let rest = payload;
  for (let length = controlMessageLength(rest); length?.ok === true; length = controlMessageLength(rest)) {
    const message = parseControlMessage(rest.subarray(0, length.value));
    if (message.ok) yield message.value;
    rest = rest.subarray(Math.min(length.value, rest.length));
  }
}

function gives(
  message: ControlMessage,
): message is Extract<ControlMessage, { type: "outgoing-call-request" | "outgoing-call-reply" }> {
  return message.type === "outgoing-call-request" || message.type === "outgoing-call-reply";
}

/** What the tunnels ask of the world around them: sockets, data plane, interfaces, log. `service/vpn.ts` carries them out, in order. */

import type { LogLevel } from "../ports.ts";
import type { EncryptedDirection } from "../ppp/network-phase.ts";
import type { LocalCallId, PeerCallId } from "../pptp/call-id.ts";
import type { AccessQuestion } from "../radius/access.ts";
import type { SessionRecord } from "../radius/accounting.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import type { PppFraming } from "../wire/ppp-frame.ts";

/** One TCP control connection of this process. */
export type ConnectionId = number & { readonly connectionId: true };
export function ConnectionId(value: number): ConnectionId {
  return value as ConnectionId;
}

/** How a call's GRE packets are addressed. */
export interface CallAddress {
  readonly callId: LocalCallId;
  readonly peerCallId: PeerCallId;
  /** Outer addresses: those of the control connection. */
  readonly local: Ipv4;
  readonly peer: Ipv4;
}

export type Effect =
  /** As a client: TCP to the server's port 1723. */
  | { readonly type: "connect"; readonly connection: ConnectionId; readonly peer: Ipv4 }
  | { readonly type: "send-control"; readonly connection: ConnectionId; readonly bytes: Buffer }
  /** FIN, after everything sent before. */
  | { readonly type: "close-control"; readonly connection: ConnectionId }
  /** Take GRE packets for this call from now on; before the peer learns of it, or its first ones are lost. */
  | { readonly type: "open-call"; readonly call: CallAddress; readonly requireEncryption: boolean }
  | {
      readonly type: "send-frame";
      readonly callId: LocalCallId;
      readonly protocol: number;
      readonly payload: Buffer;
      readonly framing: PppFraming;
    }
  | {
      readonly type: "encrypt";
      readonly callId: LocalCallId;
      readonly send: EncryptedDirection;
      readonly receive: EncryptedDirection;
    }
  | { readonly type: "flush-encryption"; readonly callId: LocalCallId }
  | { readonly type: "forget-encryption"; readonly callId: LocalCallId }
  | {
      readonly type: "network-up";
      readonly callId: LocalCallId;
      readonly local: Ipv4;
      readonly remote: Ipv4;
      readonly mtu: number;
      readonly dns: readonly Ipv4[];
      readonly framing: PppFraming;
    }
  | { readonly type: "network-down"; readonly callId: LocalCallId }
  /** IPv6 may pass on this call's interface too. Interface identifiers, 8 bytes each. */
  | { readonly type: "ipv6-up"; readonly callId: LocalCallId; readonly local: Buffer; readonly remote: Buffer }
  | { readonly type: "close-call"; readonly callId: LocalCallId }
  /** Ask the RADIUS servers; the answer goes to `PptpServer.answered`. */
  | { readonly type: "ask-radius"; readonly question: AccessQuestion }
  /** Tell the RADIUS servers, with the traffic of this call so far. */
  | { readonly type: "account"; readonly callId: LocalCallId; readonly record: SessionRecord }
  | { readonly type: "log"; readonly level: LogLevel; readonly text: string };

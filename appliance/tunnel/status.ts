/** What can be seen of a session from outside: `show vpn`, the log, the reports of the lab. */
import type { Millis } from "../ports.ts";
import type { MppeAgreement } from "../ppp/ccp.ts";
import type { AuthMethod } from "../ppp/lcp.ts";
import type { Ipv4 } from "../wire/ipv4.ts";

/** How far a session came, in order. The last completed stage is what a failed session is remembered by. */
export const STAGES = [
  /** Nothing yet: a client's TCP connection is under way. */
  "started",
  "tcp-connected",
  "control-established",
  "call-established",
  "lcp-opened",
  "authenticated",
  "network-up",
] as const;
export type Stage = (typeof STAGES)[number];

export interface TrafficCounters {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
  /** Dropped on receive, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface SessionStatus {
  readonly id: number;
  /** The Call ID we chose: `gre.key` of the packets the peer sends. */
  readonly callId: number;
  readonly role: "server" | "client";
  readonly state: "connecting" | "connected" | "disconnecting";
  /** Last completed stage. */
  readonly stage: Stage;
  readonly user: string | undefined;
  /** Outer address of the peer. */
  readonly peer: Ipv4;
  /** Address of the far end inside the tunnel. */
  readonly address: Ipv4 | undefined;
  readonly interfaceName: string | undefined;
  readonly authentication: AuthMethod | undefined;
  /** As shown to a person: what `encryptionName` says, or `none`. */
  readonly encryption: string;
  readonly connectedAt: Millis | undefined;
  readonly traffic: TrafficCounters;
}

/** `MPPE-128 stateless`; each direction is negotiated alone (RFC 1962 §4), so both are named where they differ. */
export function encryptionName(receive: MppeAgreement, send: MppeAgreement): string {
  const received = agreementName(receive);
  const sent = agreementName(send);
  return received === sent ? sent : `${received} in / ${sent} out`;
}

function agreementName({ strength, stateless, mppc }: MppeAgreement): string {
  return `MPPE-${strength} ${stateless ? "stateless" : "stateful"}${mppc ? " with MPPC" : ""}`;
}

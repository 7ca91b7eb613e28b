/** What a PPP link is told before it starts; nothing of it changes afterwards. */
import type { LcpSettings } from "./lcp.ts";
import { DEFAULT_TIMERS } from "./negotiation.ts";
import type { NetworkSettings } from "./network-phase.ts";

export interface LinkSettings extends NetworkSettings {
  readonly lcp: LcpSettings;
  /** Our name as an authenticator, and how often a peer may try again after a wrong password. */
  readonly name: string;
  readonly authRetries: number;
  /** What we prove ourselves with, when the peer asks. */
  readonly credentials: { readonly user: string; readonly password: string; readonly newPassword?: string } | undefined;
  /** Identification messages sent when LCP opens (RFC 1570 §1.1), as Windows does. */
  readonly identifications: readonly Buffer[];
  /** LCP Echo-Request every so often; below 30 s it keeps the mapping of a NAT without PPTP helper. 0 sends none. */
  readonly echoIntervalMs: number;
  readonly maxUnansweredEchoes: number;
  /** From `up` to the network, at most. */
  readonly setupLimitMs: number;
  /** Terminate-Requests of ours carry the Windows trailer: magic number, 003ccd74, error. */
  readonly windowsTerminate: boolean;
  /** LCP packets beyond RFC 1661's seven codes go without Address and Control once ACFC is agreed, as Windows sends them. */
  readonly bareLcpExtensions: boolean;
}

/** A link as the RFCs have it. */
export const PLAIN_LINK = {
  echoIntervalMs: 20_000,
  maxUnansweredEchoes: 4,
  setupLimitMs: 60_000,
  windowsTerminate: false,
  bareLcpExtensions: false,
  timers: DEFAULT_TIMERS,
} as const;

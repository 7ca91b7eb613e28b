/**
 * Peers that differ, as data: how an endpoint introduces itself (RFC 2637 §2.1, §2.7), and how a client behaves on the
 * wire beyond the RFCs. A client of ours can take any such profile; `windows-profiles.ts` has those of Windows.
 */
import type { IpcpAddressKind } from "../wire/ipcp-option.ts";
import { DEFAULT_GRE_TIMES, type GreSessionTimes } from "./gre-session.ts";

/** What one kind of endpoint says of itself in Start-Control-Connection and call messages. */
export interface EndpointProfile {
  readonly hostName: string;
  readonly vendorName: string;
  readonly firmwareRevision: number;
  /** 1 asynchronous, 2 synchronous, 3 both. */
  readonly framingCapabilities: number;
  /** 1 analog, 2 digital, 3 both. */
  readonly bearerCapabilities: number;
  readonly maximumChannels: number;
  /** Window we announce. Nobody we met honours it (Windows: [MS-PTPT] 3.1.5.7), and neither side of ours blocks on it. */
  readonly packetRecvWindowSize: number;
  readonly minimumBps: number;
  readonly maximumBps: number;
}

/** Ourselves. Names no version: an attacker needs none. nmap's `pptp-version` prints vendor, host name and firmware. */
export const CULVERT: EndpointProfile = {
  hostName: "",
  vendorName: "Culvert",
  firmwareRevision: 1,
  framingCapabilities: 3,
  bearerCapabilities: 3,
  maximumChannels: 0,
  packetRecvWindowSize: 64,
  minimumBps: 300,
  maximumBps: 100_000_000,
};

/** `MSRASV5.20`, then `MSRAS-0-COMPUTER` ([MS-RNAS] 2.2). */
export interface Identification {
  readonly version: string;
  /** 1 where the Messenger service runs. */
  readonly messenger: 0 | 1;
}

/** How a dialling client behaves above the control connection. */
export interface ClientProfile {
  readonly name: string;
  readonly endpoint: EndpointProfile;
  /** Told in Identification messages, and to DHCP servers behind the tunnel. */
  readonly computerName: string;
  /** How long a server may take to accept TCP. */
  readonly connectMs: number;
  /** The Call ID of a computer's first call. */
  readonly firstCallId: 0 | "random";
  /** Its Call Serial Number; each later call has the next one. */
  readonly firstSerial: number | "random";
  /** A random 16-byte correlation id goes into the Outgoing-Call-Request's Subaddress and the last Identification. */
  readonly correlationId: boolean;
  /** From the Outgoing-Call-Reply to the first Set-Link-Info. Until then it is deaf on GRE. */
  readonly settleMs: number;
  /** Acknowledging and ordering of GRE packets. */
  readonly greTimes: GreSessionTimes;
  /** What it asks the server to keep to: 1500 is not said, undefined is the tunnel's MTU. */
  readonly mru: number | undefined;
  /** LCP Identification messages once LCP is open (RFC 1570 §1.1), before the correlation id. */
  readonly identification: Identification | undefined;
  /** Asks for callback to be decided by CBCP, and accepts it when asked. */
  readonly callback: boolean;
  /** The Maximum Receive Reconstructed Unit it offers for multilink, with an Endpoint Discriminator (RFC 1990 §5.1). */
  readonly multilinkMrru: number | undefined;
  /** LCP packets beyond RFC 1661's seven codes go without Address and Control once ACFC is agreed. */
  readonly bareLcpExtensions: boolean;
  /** Asked of the server, in this order, behind the address. */
  readonly ipcpAsk: readonly IpcpAddressKind[];
  readonly ipv6: boolean;
  /** Terminate-Requests carry the Windows trailer (magic number, 003ccd74, error). */
  readonly windowsTerminate: boolean;
  /** 0 sends no LCP Echo-Requests of its own. */
  readonly echoIntervalMs: number;
}

export const CULVERT_CLIENT: ClientProfile = {
  name: "culvert",
  endpoint: CULVERT,
  computerName: "",
  connectMs: 60_000, // RFC 2637 §3.1.4 and Windows' dial-out timer ([MS-PTPT] 3.3.2)
  firstCallId: "random",
  firstSerial: 0,
  correlationId: false,
  settleMs: 0,
  greTimes: DEFAULT_GRE_TIMES,
  mru: undefined,
  identification: undefined,
  callback: false,
  multilinkMrru: undefined,
  bareLcpExtensions: false,
  ipcpAsk: ["primary-dns", "secondary-dns"],
  ipv6: false,
  windowsTerminate: false,
  echoIntervalMs: 20_000,
};

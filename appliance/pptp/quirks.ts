/**
 * Peers that differ, as data with the evidence: how an endpoint introduces itself (RFC 2637 §2.1, §2.7), and what a
 * Windows client does on the wire beyond the RFCs. A client of ours can take any of these profiles; the lab uses them
 * as its Windows peers.
 */
import type { IpcpAddressKind } from "../wire/ipcp-option.ts";

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

/** How a dialling client behaves above the control connection. */
export interface ClientProfile {
  readonly name: string;
  readonly endpoint: EndpointProfile;
  /** A random 16-byte correlation id goes into the Outgoing-Call-Request's Subaddress and the last Identification. */
  readonly correlationId: boolean;
  /** LCP Identification messages once LCP is open (RFC 1570 §1.1), before the correlation id. */
  readonly identifications: readonly string[];
  /** Asks for callback to be decided by CBCP, and accepts it when asked. */
  readonly callback: boolean;
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
  correlationId: false,
  identifications: [],
  callback: false,
  bareLcpExtensions: false,
  ipcpAsk: ["primary-dns", "secondary-dns"],
  ipv6: false,
  windowsTerminate: false,
  echoIntervalMs: 20_000,
};

/**
 * Windows 7, from a capture of 2019 against Windows RRAS (NT 6.1, host WIN-2RRBUS7N9GE): field values, option order,
 * identifiers and goodbye are those of the wire; `test/replay/windows-7.test.ts` compares message by message.
 */
export const WINDOWS_7: ClientProfile = {
  name: "windows-7",
  endpoint: {
    hostName: "",
    vendorName: "Microsoft",
    firmwareRevision: 0,
    framingCapabilities: 1,
    bearerCapabilities: 1,
    maximumChannels: 0,
    packetRecvWindowSize: 64,
    minimumBps: 300,
    maximumBps: 100_000_000,
  },
  correlationId: true,
  identifications: ["MSRASV5.20", "MSRAS-0-WIN-2RRBUS7N9GE"],
  callback: true,
  bareLcpExtensions: true,
  ipcpAsk: ["primary-dns", "primary-nbns", "secondary-dns", "secondary-nbns"],
  ipv6: true,
  windowsTerminate: true,
  echoIntervalMs: 0,
};

/** How we introduce ourselves on the control connection, and the peers that differ: RFC 2637 §2.1 values as data, with the evidence. */

/** What one kind of endpoint says of itself in Start-Control-Connection and Outgoing-Call messages. */
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

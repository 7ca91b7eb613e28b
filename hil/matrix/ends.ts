/** Both ends of a cell's call, whoever they are: what a scenario of the matrix asks of them. One implementation a lab. */
import type { LabClock } from "../clock.ts";
import type { Link } from "../net/link.ts";
import type { PptpAlgMode } from "../net/services/pptp-alg-mode.ts";
import type { DeviceConsole } from "../node/device-console.ts";
import type { Agreement, Protection } from "../peers/pppd.ts";
import type { PingResult } from "../peers/traffic.ts";
import type { Cell } from "./cell.ts";

export interface Ends {
  /** Of the device under test. */
  readonly console: DeviceConsole;
  readonly clock: LabClock;
  /** The line that the device's WAN is on. */
  readonly line: Link;
  /** Who on that line sends what the peer does. */
  readonly peerNode: string;
  /** The device's place in the line's capture. */
  readonly deviceSide: number;
  /** What `show vpn` of the device calls the session. */
  readonly session: string;
  readonly nat?: { alg: PptpAlgMode };
  /** Brings both ends to what the cell wants, its wrong settings included. */
  arrange(cell: Cell): Promise<void>;
  /** The caller calls. Rejects with a CheckError when the call does not come up. */
  call(cell: Cell): Promise<void>;
  /** A second caller calls too; only where there is one. */
  callToo?(cell: Cell): Promise<void>;
  /** Three pings through the tunnel, of each caller that is connected. */
  ping(): Promise<PingResult>;
  /** A checksummed file through the tunnel, where the lab has somebody to fetch it. */
  transfer?(): Promise<void>;
  /** What the peer says was agreed, and its MTU; undefined where it does not say. */
  peerAgreement(): Promise<Agreement | undefined>;
  peerMtu(): Promise<number | undefined>;
  /** What the peer's MTU never exceeds, whatever the device offers. */
  readonly largestMtu?: number;
  /** The server goes down and comes back. */
  restartServer(): Promise<void>;
  hangUp(): Promise<void>;
  /** What is left at the peer once the call is over. */
  leftovers(): Promise<readonly string[]>;
}

/** What both ends have to show once the call is up. */
export function agreementOf({ auth, encryption }: Cell): Agreement {
  const text = encryption === "none" ? "none" : `MPPE-${bitsOf(encryption)} ${modeOf(encryption)}`;
  return { authentication: auth, receives: text, sends: text };
}

/** The lines that leave an end no other choice; `at` is `vpn server` or `vpn client NAME`. */
export function commandsOf(at: string, { auth, encryption, mtu }: Cell, bits = bitsOf(encryption)): readonly string[] {
  return [
    `set ${at} authentication ${auth}`,
    `set ${at} encryption ${encryption === "none" ? "none" : "required"}`,
    `set ${at} strengths ${bits}`,
    `set ${at} mppe-mode ${modeOf(encryption) === "stateful" ? "prefer-stateful" : "stateless"}`,
    `set ${at} mtu ${mtu}`,
  ];
}

/** The same in the words of pppd, which has no 56 bits: the rules see to it that it is not asked. */
export function protectionOf({ auth, encryption }: Cell, bits = bitsOf(encryption)): Protection {
  if (encryption === "none") return { authentication: auth, mppe: undefined };
  return {
    authentication: auth,
    mppe: { bits: bits === 40 ? 40 : 128, stateful: modeOf(encryption) === "stateful" },
  };
}

function bitsOf(encryption: Cell["encryption"]): 40 | 56 | 128 {
  if (encryption === "40") return 40;
  return encryption === "56" ? 56 : 128;
}

function modeOf(encryption: Cell["encryption"]): "stateful" | "stateless" {
  return encryption === "128-stateful" ? "stateful" : "stateless";
}

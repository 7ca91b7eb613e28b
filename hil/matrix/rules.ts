/** Which cells cannot be, and why: each rule is data with a reason, and a cell that one forbids is listed and never passes. */
import type { Cell } from "./cell.ts";

export interface Rule {
  readonly forbids: (cell: Cell) => boolean;
  /** One sentence without a full stop. */
  readonly reason: string;
  /** Whose limit it is: of the protocols, of the peer, of the device, or of this lab. */
  readonly limit: "protocol" | "peer" | "device" | "lab";
}

const NAT: readonly Cell["network"][] = ["nat-alg", "nat-no-alg", "two-clients"];
const LOSSY: readonly Cell["network"][] = ["loss-1", "loss-5", "reorder"];
/** Faults that are one certain frame. */
const OF_ONE_FRAME: readonly Cell["fault"][] = [
  "control-reset",
  "set-link-info-lost",
  "ccp-reset-lost",
  "mppe-out-of-step",
];
const PPPD: readonly Cell["peer"][] = ["pptp-linux", "network-manager", "poptop"];
const usesPppd = ({ peer }: Cell): boolean => PPPD.includes(peer);

export const RULES: readonly Rule[] = [
  {
    forbids: ({ auth, encryption }) => (auth === "pap" || auth === "chap-md5") && encryption !== "none",
    reason: "PAP and CHAP-MD5 make no keys, and MPPE takes its keys from MS-CHAP (RFC 3079 §2–§3)",
    limit: "protocol",
  },
  {
    forbids: (cell) => usesPppd(cell) && cell.encryption === "56",
    reason: "pppd knows MPPE with 40 and 128 bits alone (pppd(8): require-mppe-40, require-mppe-128)",
    limit: "peer",
  },
  {
    forbids: (cell) => usesPppd(cell) && cell.auth === "mschap-v1" && cell.encryption === "40",
    reason: 'pppd 2.4.9 after MS-CHAPv1: "Disabling 40-bit MPPE; MS-CHAP LM not supported" (its own log)',
    limit: "peer",
  },
  {
    forbids: ({ peer, auth }) => peer === "windows-10" && auth === "mschap-v1",
    reason: "Windows has no MS-CHAPv1 since Vista (KB929857)",
    limit: "peer",
  },
  {
    forbids: ({ peer, encryption }) => peer === "windows-10" && (encryption === "56" || encryption === "40"),
    reason: "Windows has MPPE-128 alone since Vista (KB929857)",
    limit: "peer",
  },
  {
    forbids: ({ peer, encryption }) => peer === "windows-10" && encryption === "128-stateful",
    reason: "Windows asks for stateless MPPE, and no capture shows what it makes of a server that wants another",
    limit: "lab",
  },
  {
    forbids: ({ peer, role }) => peer === "windows-10" && role === "client",
    reason: "the profile only calls",
    limit: "lab",
  },
  {
    forbids: ({ plane }) => plane === "kernel",
    reason: "this firmware has the data plane in user space alone",
    limit: "device",
  },
  {
    forbids: ({ peer, role }) => peer === "pptp-linux" && role === "client",
    reason: "pptp-linux only calls",
    limit: "peer",
  },
  {
    forbids: ({ peer, role }) => peer === "network-manager" && role === "client",
    reason: "NetworkManager's plugin only calls",
    limit: "peer",
  },
  {
    forbids: ({ peer, mtu }) => peer === "network-manager" && mtu !== "1400",
    reason: "NetworkManager's plugin sets its interface to 1400 bytes, whatever was negotiated (peers/README.md)",
    limit: "peer",
  },
  {
    forbids: ({ peer, network, fault }) =>
      peer === "network-manager" && (network !== "clean" || !["none", "wrong-password"].includes(fault)),
    reason: "its pptp and pppd are pptp-linux's, with which lines and faults are tried",
    limit: "lab",
  },
  {
    forbids: ({ peer, role }) => peer === "poptop" && role === "server",
    reason: "Poptop is only called",
    limit: "peer",
  },
  {
    forbids: ({ peer, network }) => peer !== "pptp-linux" && NAT.includes(network),
    reason: "the lab has its NAT box in front of pptp-linux alone",
    limit: "lab",
  },
  {
    forbids: ({ network, fault }) => (network === "nat-no-alg" || network === "two-clients") && fault !== "none",
    reason: "the network is the fault: another one beside it could not be told from it",
    limit: "lab",
  },
  {
    forbids: ({ network, fault }) => LOSSY.includes(network) && OF_ONE_FRAME.includes(fault),
    reason: "where frames are lost anyway, one that is lost on purpose proves nothing",
    limit: "lab",
  },
  {
    forbids: ({ peer, fault }) => peer === "pptp-linux" && fault === "set-link-info-lost",
    reason: "pptp-linux 1.10 sends no Set-Link-Info",
    limit: "peer",
  },
  {
    forbids: ({ encryption, fault }) => encryption !== "128-stateful" && fault === "ccp-reset-lost",
    reason: "only stateful MPPE resets (RFC 3078 §8)",
    limit: "protocol",
  },
  {
    forbids: ({ encryption, fault }) => encryption === "none" && fault === "mppe-out-of-step",
    reason: "without MPPE nothing can be out of step",
    limit: "protocol",
  },
  {
    forbids: ({ encryption, fault }) => encryption !== "128" && fault === "40-bit-only",
    reason: "the fault is that the caller wants 128 bit",
    limit: "protocol",
  },
  {
    forbids: ({ peer, fault }) => peer === "poptop" && fault === "pool-empty",
    reason: "pptpctrl is given the one address of each call on its command line",
    limit: "peer",
  },
];

/** The first rule that forbids it; undefined for a cell that can be run. */
export function forbidding(cell: Cell): Rule | undefined {
  return RULES.find(({ forbids }) => forbids(cell));
}

/** Debian's pppd in a guest, calling or called: what it needs, its options, how its log and exit status read. */
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import type { Ailment } from "../node/definition.ts";
import type { Guest, GuestContents } from "../node/guest.ts";
import { check } from "../scenario.ts";

/** pppd 2.4.9 with every library it opens. The image lock lists packages, so each is named. */
export const PPPD: Required<Pick<GuestContents, "packages" | "executables" | "modules">> = {
  packages: [
    ...["ppp", "libc6", "libcrypt1", "libssl3", "libpam0g", "libpcap0.8", "libsystemd0", "libdbus-1-3"],
    ...["libaudit1", "libcap-ng0", "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5", "libzstd1"],
  ],
  executables: ["/usr/sbin/pppd"],
  modules: ["ppp_generic", "ppp_async", "ppp_mppe"],
};

/** Where each call's debug log goes. */
export const PPPD_LOG = "/var/log/pppd.log";

/** For a guest that may be in no state to answer. */
const ASKED_WITHIN_MS = 10_000;

/** How a call is authenticated and encrypted, and nothing else will do. */
export interface Protection {
  readonly authentication: AuthMethod;
  /** `undefined`: no encryption. pppd has no 56 bits. */
  readonly mppe: { readonly bits: 40 | 128; readonly stateful: boolean } | undefined;
}

/** What Windows asks for by default. */
export const STRONGEST: Protection = { authentication: "mschap-v2", mppe: { bits: 128, stateful: false } };

/** pppd(8)'s words behind `require-` and `refuse-`. */
const AUTHENTICATION: Readonly<Record<AuthMethod, string>> = {
  pap: "pap",
  "chap-md5": "chap",
  "mschap-v1": "mschap",
  "mschap-v2": "mschap-v2",
};

/** Options of one who dials: proves itself by this method alone. */
export function callerOptions({ authentication, mppe }: Protection): string {
  const others = Object.entries(AUTHENTICATION).filter(([method]) => method !== authentication);
  return ["refuse-eap", ...others.map(([, word]) => `refuse-${word}`), mppeOptions(mppe)].join(" ");
}

/** Options of one who is called: accepts this method alone. */
export function answererOptions({ authentication, mppe }: Protection): string {
  return `require-${AUTHENTICATION[authentication]} ${mppeOptions(mppe)}`;
}

function mppeOptions(mppe: Protection["mppe"]): string {
  if (mppe === undefined) return "nomppe";
  const strength = mppe.bits === 128 ? "require-mppe-128 nomppe-40" : "require-mppe-40 nomppe-128";
  return mppe.stateful ? `${strength} mppe-stateful` : strength;
}

/** What one end of a call agreed to, in the words of the device's `show vpn`. */
export interface Agreement {
  readonly authentication: string;
  /** How the packets that it receives are encrypted, and those that it sends: `MPPE-128 stateless`, `none`. */
  readonly receives: string;
  readonly sends: string;
}

/** What both ends have to agree to with this protection, in both directions. */
export function agreementOf({ authentication, mppe }: Protection): Agreement {
  const encryption = mppe === undefined ? "none" : mppeName(String(mppe.bits), mppe.stateful);
  return { authentication, receives: encryption, sends: encryption };
}

const METHOD: Readonly<Record<string, AuthMethod>> = {
  pap: "pap",
  "chap MD5": "chap-md5",
  "chap MS": "mschap-v1",
  "chap MS-v2": "mschap-v2",
};

/** Reads pppd's debug log of one call by what was acknowledged, which holds whoever asked first. */
export function parseAgreement(log: string): Agreement {
  const asked = [...log.matchAll(/^(?:sent|rcvd) \[LCP ConfAck .*<auth ([^>]+)>/gm)].at(-1)?.[1] ?? "none";
  return {
    authentication: METHOD[asked] ?? asked,
    // Whoever requests an option is the one that receives so (RFC 1962 §4).
    receives: acknowledgedMppe(log, "rcvd"),
    sends: acknowledgedMppe(log, "sent"),
  };
}

/** pppd prints the bits of RFC 3078 §2.1 as `<mppe +H -M +S -L -D -C>`: H stateless, S 128, L 40. */
function acknowledgedMppe(log: string, verb: "sent" | "rcvd"): string {
  const acks = [...log.matchAll(new RegExp(`^${verb} \\[CCP ConfAck .*<mppe ([+-]H) ([+-]M) ([+-]S) ([+-]L)`, "gm"))];
  const ack = acks.at(-1);
  if (ack === undefined) return "none";
  const [, h, m, s, l] = ack;
  const bits = [s === "+S" && "128", m === "+M" && "56", l === "+L" && "40"].filter((bit) => bit !== false);
  return mppeName(bits.join("+"), h === "-H");
}

function mppeName(bits: string, stateful: boolean): string {
  return `MPPE-${bits} ${stateful ? "stateful" : "stateless"}`;
}

/** pppd(8), EXIT STATUS: those that a dial-in can end with. */
const STATUS: Readonly<Record<number, string>> = {
  1: "a fatal error",
  2: "wrong options",
  4: "the kernel has no PPP",
  5: "ended by a signal",
  8: "the connect script failed",
  10: "PPP negotiation failed: no network protocol came up",
  11: "the peer refused to authenticate itself",
  15: "terminated because the peer does not answer echo requests",
  16: "the line was closed by the other side",
  17: "PPP negotiation failed: loopback",
  19: "we failed to authenticate ourselves to the peer",
};

export function pppdStatus(status: number): string {
  return STATUS[status] ?? `pppd exit status ${status}`;
}

/** What IPCP gave, read from pppd's debug log. */
export interface NetworkSettings {
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Primary and secondary, as far as the server names them. */
  readonly dns: readonly string[];
}

/** Reads the end of a successful negotiation; undefined when pppd did not come that far. */
export function parseNetworkSettings(log: string): NetworkSettings | undefined {
  const local = lastAddress(log, "local  IP address");
  const remote = lastAddress(log, "remote IP address");
  if (local === undefined || remote === undefined) return undefined;
  const dns = [lastAddress(log, "primary   DNS address"), lastAddress(log, "secondary DNS address")];
  return { localAddress: local, remoteAddress: remote, dns: dns.filter((address) => address !== undefined) };
}

function lastAddress(log: string, label: string): string | undefined {
  return [...log.matchAll(new RegExp(`^${label} (\\S+)$`, "gm"))].at(-1)?.[1];
}

/** Ends the call as a user does, and returns when pppd is gone. */
export async function hangUpPppd(guest: Guest): Promise<void> {
  await guest.shell.run("kill -TERM $(pidof pppd)");
  await untilPppdGone(guest, 20_000);
}

/** Returns when no call is left, whoever ended it. */
export async function untilPppdGone(guest: Guest, withinMs: number): Promise<void> {
  const seconds = Math.ceil(withinMs / 1000);
  const { status } = await guest.shell.try(
    `timeout ${seconds} sh -c 'while pidof pppd >/dev/null; do sleep 0.2; done'`,
    withinMs + 20_000,
  );
  check(status === 0, `${guest.name}: pppd is still there ${seconds} s after the call should have ended`);
}

/** Whether pppd died in a call that was up: it is gone, and never logged an end of that call. */
export async function pppdAilment(guest: Guest): Promise<Ailment | undefined> {
  const { status } = await guest.shell.try(
    `! pidof pppd >/dev/null && awk '/^local  IP address/ { up = 1 } /erminat|angup/ { up = 0 } END { exit !up }' ${PPPD_LOG}`,
    ASKED_WITHIN_MS,
  );
  return status === 0
    ? { by: "guest", what: "pppd died in the midst of a call, without a word in its log" }
    : undefined;
}

/** The MTU of the tunnel's interface, in bytes; undefined when there is none. */
export async function pppMtu(guest: Guest): Promise<number | undefined> {
  const { status, output } = await guest.shell.try("cat /sys/class/net/ppp0/mtu");
  return status === 0 ? Number(output) : undefined;
}

/** What a call leaves behind that should be gone: interfaces, routes and `processes`, one line each. */
export async function pppLeftovers(guest: Guest, processes: string): Promise<readonly string[]> {
  const found = await guest.shell.run(
    `ip -o link show | grep -o 'ppp[0-9][0-9]*' ; ip route | grep ppp ; pidof ${processes} | sed 's/^/process /' ; true`,
  );
  return found.split("\n").filter((line) => line !== "");
}

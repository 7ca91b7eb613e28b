/**
 * Where the two cables of an emulated device lead: to QEMU's user networks, which need no rights and carry no GRE, or to TAP
 * interfaces of this computer, which need root and carry everything.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import process from "node:process";
import { execa } from "execa";
import { formatIpv4, Ipv4 } from "../appliance/wire/ipv4.ts";
import { Fault } from "./fault.ts";
import { broadcastOf, type Cidr, contains, formatCidr, netmask, parseCidr } from "./net/ip/cidr.ts";
import type { NicSpec } from "./node/qemu/args.ts";
import { UsageError } from "./usage-error.ts";

/** What the examples of the manuals have. */
export const DEFAULT_LAN = "192.168.1.1/24";
/** Of TAP networks: the documentation's own (RFC 5737), so that it is nobody's. */
const WAN: Cidr = { address: Ipv4(0xcb007101), prefixLength: 24 };
const WANTED_SSH_PORT = 2222;
const MACS = ["02:43:00:00:00:00", "02:43:00:00:00:01"] as const;

export interface EmulatedNetwork {
  /** WAN, LAN. */
  readonly nics: readonly NicSpec[];
  /** Runs once QEMU has made its ends. */
  readonly plug: () => Promise<void>;
  /** How people get to the device. */
  readonly lines: readonly string[];
}

/** The device's own address on the LAN with the length of its network. Throws a UsageError. */
export function parseLan(text: string): Cidr {
  const lan = tryCidr(text);
  const network = lan && networkOf(lan);
  if (lan === undefined || network === undefined || lan.prefixLength > 29 || lan.prefixLength < 8)
    throw new UsageError(
      `emulate: --lan ${text}: give the device's own address with a length from 8 to 29: ${DEFAULT_LAN}`,
    );
  if (lan.address === network || lan.address === broadcastOf(lan))
    throw new UsageError(`emulate: --lan ${text}: that is the address of the network or of all hosts in it`);
  return lan;
}

/** Without rights: a port of this computer leads to SSH, and the WAN leads to the Internet. */
export async function userNetwork(lan: Cidr): Promise<EmulatedNetwork> {
  const port = await freePort(WANTED_SSH_PORT);
  return { nics: userNics(lan, port), plug: () => Promise.resolve(), lines: userLines(lan, port) };
}

export function userNics(lan: Cidr, sshPort: number): readonly NicSpec[] {
  const [wanMac, lanMac] = MACS;
  const network = { address: networkOf(lan), prefixLength: lan.prefixLength };
  const forward = `tcp:127.0.0.1:${sshPort}-${formatIpv4(lan.address)}:22`;
  return [
    { mac: wanMac, user: [] },
    // The LAN has no way to the Internet but by the device.
    {
      mac: lanMac,
      user: [`net=${formatCidr(network)}`, `host=${formatIpv4(neighbourOf(lan))}`, "restrict=on", `hostfwd=${forward}`],
    },
  ];
}

export function userLines(lan: Cidr, sshPort: number): readonly string[] {
  return [
    `SSH    ssh -p ${sshPort} admin@127.0.0.1    once the device has`,
    ...sshSettings(lan),
    "WAN    the Internet, behind QEMU's own router: set interfaces wan mode dhcp",
    "PPTP   not from here: QEMU's user network carries TCP, UDP and pings, but no GRE.",
    "       As root, --tap gives both cables a network of this computer: sudo -E npx culvert emulate --tap",
  ];
}

/** As root: both cables end in interfaces of this computer. Throws a Fault when they cannot. */
export async function tapNetwork(lan: Cidr): Promise<EmulatedNetwork> {
  if (process.getuid?.() !== 0)
    throw new Fault(
      "host",
      "emulate: --tap makes network interfaces, which needs root: sudo -E npx culvert emulate --tap",
    );
  const ends = [
    { cidr: WAN, tap: `cvtwan${process.pid.toString(36)}`, mac: MACS[0] },
    { cidr: lan, tap: `cvtlan${process.pid.toString(36)}`, mac: MACS[1] },
  ];
  for (const { cidr } of ends) await refuseOverlap(cidr);
  return {
    nics: ends.map(({ tap, mac }) => ({ mac, tap })),
    // They are gone when QEMU ends, however it ends.
    plug: async () => {
      for (const { cidr, tap } of ends) {
        await ip("address", "add", `${formatIpv4(neighbourOf(cidr))}/${cidr.prefixLength}`, "dev", tap);
        await ip("link", "set", "dev", tap, "up");
      }
    },
    lines: tapLines(lan),
  };
}

export function tapLines(lan: Cidr): readonly string[] {
  const [wan, ours] = [formatIpv4(WAN.address), formatIpv4(neighbourOf(WAN))];
  const network = formatCidr({ ...WAN, address: networkOf(WAN) });
  const add = `Add-VpnConnection -Name Culvert -ServerAddress ${wan} -TunnelType Pptp`;
  return [
    `SSH    ssh admin@${formatIpv4(lan.address)}    once the device has`,
    ...sshSettings(lan),
    `PPTP   to ${wan}, once the device has`,
    `         set interfaces wan address ${formatCidr(WAN)}`,
    "         set vpn server enabled true",
    "         set vpn server pool start ADDRESS, pool count NUMBER; set vpn account USER password PASSWORD",
    `       from here      pppd pty 'pptp ${wan} --nolaunchpppd' user USER password PASSWORD noauth nodetach require-mppe-128`,
    `       from Windows   ${add} -EncryptionLevel Required -AuthenticationMethod MSChapv2`,
    "                      rasdial Culvert USER PASSWORD",
    `                      on a PC with a route to ${network} by this computer, which forwards (net.ipv4.ip_forward=1)`,
    `WAN    ${ours} is this computer; it is no way to the Internet unless you make it one`,
  ];
}

function sshSettings(lan: Cidr): readonly string[] {
  return [`         set interfaces lan address ${formatCidr(lan)}`, "         set system ssh enabled true"];
}

function networkOf({ address, prefixLength }: Cidr): Ipv4 {
  return Ipv4(address & netmask(prefixLength));
}

/** Another host of the device's network: the one behind it, or before it at the end. */
function neighbourOf(cidr: Cidr): Ipv4 {
  const next = Ipv4(cidr.address + 1);
  return next === broadcastOf(cidr) ? Ipv4(cidr.address - 1) : next;
}

function tryCidr(text: string): Cidr | undefined {
  try {
    return parseCidr(text);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A port of the loopback that nobody has: this one if that is possible. */
async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const server = createServer();
    const listening = once(server, "listening").then(
      () => true,
      () => false,
    );
    server.listen({ host: "127.0.0.1", port });
    if (!(await listening)) continue;
    const address = server.address();
    server.close();
    await once(server, "close");
    if (address !== null && typeof address === "object") return address.port;
  }
  throw new Fault("host", "emulate: no TCP port of 127.0.0.1 is free");
}

/** A second network of the same addresses would take this computer's own away. */
async function refuseOverlap(cidr: Cidr): Promise<void> {
  const routes = JSON.parse(await ip("-json", "-4", "route", "show", "table", "all")) as readonly {
    readonly dst?: string;
    readonly dev?: string;
    readonly type?: string;
  }[];
  for (const { dst = "", dev = "", type = "unicast" } of routes) {
    const there = tryCidr(dst.includes("/") ? dst : `${dst}/32`);
    if (there === undefined || type === "broadcast") continue;
    if (!contains(cidr, there.address) && !contains(there, cidr.address)) continue;
    if (there.prefixLength === 0) continue;
    const network = formatCidr({ ...cidr, address: networkOf(cidr) });
    const what = cidr === WAN ? "take it away for the time" : "choose another network: --lan 10.99.1.1/24";
    throw new Fault("host", `emulate: this computer has ${dst} on ${dev} already, in the device's ${network}; ${what}`);
  }
}

async function ip(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await execa("ip", words, { reject: false });
  if (exitCode === 0) return stdout === "" ? "[]" : stdout;
  const why = exitCode === undefined ? "there is no such program; apt-get install iproute2" : stderr;
  throw new Fault("host", `emulate: \`ip ${words.join(" ")}\` failed: ${why}`);
}

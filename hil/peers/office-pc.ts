/** A computer on the LAN that is given everything by DHCP, resolves names, dials out with pptp-linux, and administers the device by SSH. */
import type { NodeDefinition } from "../node/definition.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import { DROPBEAR_CLIENT, makeSshKey, type SshProof, sshCommand, sshOutput } from "./dropbear-client.ts";
import { PPPD } from "./pppd.ts";
import { PptpLinux } from "./pptp-linux.ts";
import { openPorts } from "./traffic.ts";

/** What the DHCP server gave. */
export interface DhcpAnswer {
  readonly address: string;
  readonly router: string | undefined;
  readonly dns: readonly string[];
}

const LEASE_SCRIPT = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
ip route add default via $router
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
echo "lease $ip $router $dns"
`;

export class OfficePc extends PptpLinux {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    super(guest);
    this.#guest = guest;
  }

  /** Asks for an address, takes what it gets, and uses it from then on. */
  async askDhcp(): Promise<DhcpAnswer> {
    const said = await this.#guest.shell.run(
      "ip addr flush dev eth0 && ip link set eth0 up && udhcpc -i eth0 -n -q -t 10 -T 2 -s /etc/lease 2>&1",
      60_000,
    );
    const [, address, router, ...dns] = /^lease (.*)$/m.exec(said)?.[0].split(" ") ?? [];
    if (address === undefined) throw new Error(`${this.#guest.name}: no address by DHCP:\n${said}`);
    return { address, router, dns: dns.filter((word) => word !== "") };
  }

  makeSshKey = () => makeSshKey(this.#guest);
  ssh = (device: string, command: string, proof: SshProof) => sshCommand(this.#guest, device, command, proof);
  sshOutput = () => sshOutput(this.#guest);
  openPorts = (target: string, ports: readonly number[]) => openPorts(this.#guest, target, ports);

  /** The address of a name, as the name server that DHCP named says. */
  async resolve(name: string): Promise<string | undefined> {
    const { output } = await this.#guest.shell.try(`nslookup -type=a ${name}`, 30_000);
    return /^Name:\s+\S+\s+^Address(?: 1)?: (\S+)/m.exec(output)?.[1];
  }
}

export function officePc(): NodeDefinition<OfficePc, "eth0"> {
  const contents = {
    name: "office-pc",
    packages: [...new Set([...PPPD.packages, "pptp-linux", ...DROPBEAR_CLIENT.packages])],
    executables: [...PPPD.executables, "/usr/sbin/pptp", ...DROPBEAR_CLIENT.executables],
    modules: [...PPPD.modules, "af_packet"],
    files: [
      { path: "/etc/ppp/options", mode: 0o600, data: "" },
      { path: "/etc/lease", mode: 0o755, data: LEASE_SCRIPT },
    ],
  };
  return guestNode({
    what: "a PC with udhcpc, pptp-linux 1.10, pppd 2.4.9 and dbclient 2022.83",
    contents,
    setUp: (guest) => guest.shell.run("mkdir -p /var/run/pptp").then(() => {}),
    dress: (guest) => new OfficePc(guest),
  });
}

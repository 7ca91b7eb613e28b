/**
 * The Internet as one guest: a provider that lends addresses by DHCP and takes calls over PPPoE (rp-pppoe's server and pppd),
 * a name server (dnsmasq), a PPTP server (Poptop), and a host with files behind the provider.
 */
import type { NodeDefinition } from "../node/definition.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import { answererOptions, PPPD, PPPD_LOG, STRONGEST } from "./pppd.ts";
import { fetchFile, isAnswered, offerFile, openPorts, ping } from "./traffic.ts";

export interface InternetSettings {
  /** Of the provider's router, with prefix length; it is also name server and PPTP server. */
  readonly address: string;
  /** Lent by DHCP: first and last. */
  readonly lent: readonly [string, string];
  /** Somewhere behind the provider: only who is routed gets there. */
  readonly far: string;
  /** A name and its address. */
  readonly name: readonly [string, string];
  readonly pppoe: {
    readonly user: string;
    readonly password: string;
    readonly local: string;
    /** The first of the addresses given out. */
    readonly remote: string;
  };
  readonly pptp: {
    readonly user: string;
    readonly password: string;
    readonly local: string;
    readonly remote: string;
  };
}

/** dnsmasq with every library it opens. */
const DNSMASQ = [
  ...["dnsmasq-base", "libc6", "libcap2", "libdbus-1-3", "libgcrypt20", "libgmp10", "libgpg-error0", "libhogweed6"],
  ...["libidn2-0", "liblz4-1", "liblzma5", "libmnl0", "libnetfilter-conntrack3", "libnettle8", "libnfnetlink0"],
  ...["libnftables1", "libnftnl11", "libjansson4", "libxtables12", "libsystemd0", "libunistring2", "libzstd1"],
];

const OPTIONS = "nobsdcomp\nnodeflate\nnovj\ndebug\nlcp-echo-interval 10\nlcp-echo-failure 3\n";

export class Internet {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  ping = (target: string) => ping(this.#guest, target);
  isAnswered = (target: string) => isAnswered(this.#guest, target);
  offerFile = (bytes: number) => offerFile(this.#guest, bytes);
  fetchFile = (from: string) => fetchFile(this.#guest, from);

  openPorts = (target: string, ports: readonly number[]) => openPorts(this.#guest, target, ports);

  /** Ends every PPP call that came in over PPPoE. */
  async hangUpPppoe(): Promise<void> {
    await this.#guest.shell.run("killall -q -TERM pppd; true");
  }
}

export function internet(settings: InternetSettings): NodeDefinition<Internet, "eth0"> {
  const { address, lent, far, name, pppoe, pptp } = settings;
  const own = address.replace(/\/.*/, "");
  const secret = {
    mode: 0o600,
    data: `"${pppoe.user}" * "${pppoe.password}" *\n${pptp.user} poptop ${pptp.password} *\n`,
  };
  const contents = {
    name: "internet",
    packages: [...new Set([...PPPD.packages, ...DNSMASQ, "pppoe", "pptpd"])],
    executables: [
      ...PPPD.executables,
      "/usr/sbin/dnsmasq",
      "/usr/sbin/pppoe",
      "/usr/sbin/pppoe-server",
      "/usr/sbin/pptpctrl",
    ],
    modules: [...PPPD.modules, "af_packet"],
    files: [
      { path: "/etc/passwd", mode: 0o644, data: "root:x:0:0:root:/root:/bin/sh\n" },
      { path: "/etc/group", mode: 0o644, data: "root:x:0:\n" },
      { path: "/etc/ppp/options", mode: 0o600, data: "" },
      { path: "/etc/ppp/chap-secrets", ...secret },
      { path: "/etc/ppp/pap-secrets", ...secret },
      {
        path: "/etc/ppp/pppoe-server-options",
        mode: 0o600,
        data: `require-pap\nms-dns ${far}\nlogfile /var/log/pppoe.log\nmtu 1492\nmru 1492\n${OPTIONS}`,
      },
      {
        path: "/etc/ppp/options.pptpd",
        mode: 0o600,
        data: `name poptop\nauth\n${answererOptions(STRONGEST).split(" ").join("\n")}\nlogfile ${PPPD_LOG}\n${OPTIONS}`,
      },
      // See poptop.ts.
      {
        path: "/usr/bin/poptop-call",
        mode: 0o755,
        data: `#!/bin/sh\nexec pptpctrl 1 1 1 /etc/ppp/options.pptpd 0 1 ${pptp.local} 1 ${pptp.remote} 7 /usr/sbin/pppd 0\n`,
      },
      {
        path: "/etc/dnsmasq.conf",
        mode: 0o644,
        data: [
          "user=root",
          "no-resolv",
          "no-hosts",
          `dhcp-range=${lent.join(",")},10m`,
          `dhcp-option=option:router,${own}`,
          `dhcp-option=option:dns-server,${own}`,
          "dhcp-leasefile=/tmp/leases",
          "dhcp-authoritative",
          `host-record=${name.join(",")}`,
          "",
        ].join("\n"),
      },
    ],
  };
  return guestNode({
    what: "a provider: dnsmasq, pppoe-server, pppd and Poptop",
    contents,
    setUp: async (guest) => {
      await guest.configure(address);
      await guest.shell.run(`ip addr add ${far}/32 dev lo && echo 1 >/proc/sys/net/ipv4/ip_forward`);
      await guest.shell.run(`touch ${PPPD_LOG} /var/log/pppoe.log && dnsmasq`);
      await guest.shell.run(
        `pppoe-server -I eth0 -C provider -L ${pppoe.local} -R ${pppoe.remote} -N 4 -O /etc/ppp/pppoe-server-options`,
      );
      await guest.shell.run("(while :; do nc -l -p 1723 -e /usr/bin/poptop-call; done) >/dev/null 2>&1 &");
    },
    dress: (guest) => new Internet(guest),
  });
}

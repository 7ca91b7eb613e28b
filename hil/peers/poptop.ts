/** Poptop 1.4 with pppd: the PPTP server most Linux users know, here as the far end that proves our client and our lab. */
import type { NodeDefinition } from "../lab.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import { PPPD } from "./pppd.ts";
import { fetchFile, offerFile, ping } from "./traffic.ts";

export interface PoptopSettings {
  /** Of eth0, with prefix length. */
  readonly address: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly dns: string;
  readonly user: string;
  readonly password: string;
}

const LOG = "/var/log/pppd.log";

const OPTIONS = `name poptop
auth
require-mschap-v2
require-mppe-128
nobsdcomp
nodeflate
novj
debug
logfile ${LOG}
`;

export class Poptop {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** pppd's debug log of all calls so far. */
  async log(): Promise<string> {
    return await this.#guest.shell.run(`cat ${LOG}`);
  }

  ping = (target: string) => ping(this.#guest, target);
  offerFile = (bytes: number) => offerFile(this.#guest, bytes);
  fetchFile = (from: string) => fetchFile(this.#guest, from);
}

export function poptop(settings: PoptopSettings): NodeDefinition<Poptop, "eth0"> {
  const contents = {
    name: "poptop",
    packages: [...PPPD.packages, "pptpd"],
    executables: [...PPPD.executables, "/usr/sbin/pptpctrl"],
    modules: PPPD.modules,
    files: [
      { path: "/etc/ppp/options", mode: 0o600, data: "" },
      { path: "/etc/ppp/options.pptpd", mode: 0o600, data: `${OPTIONS}ms-dns ${settings.dns}\n` },
      { path: "/etc/ppp/chap-secrets", mode: 0o600, data: `${settings.user} poptop ${settings.password} *\n` },
      // pptpctrl(8) as from inetd: debug, no ipparam, options file, no speed, local and remote address, call id, pppd,
      // no wtmp. Without the last three, which its manual calls optional, version 1.4.0 ends with a segmentation fault.
      {
        path: "/usr/bin/poptop-call",
        mode: 0o755,
        data: `#!/bin/sh\nexec pptpctrl 1 1 1 /etc/ppp/options.pptpd 0 1 ${settings.localAddress} 1 ${settings.remoteAddress} 7 /usr/sbin/pppd 0\n`,
      },
    ],
  };
  return guestNode(contents, async (guest) => {
    await guest.configure(settings.address);
    await guest.shell.run(
      "touch /var/log/pppd.log; (while :; do nc -l -p 1723 -e /usr/bin/poptop-call; done) >/dev/null 2>&1 &",
    );
    return new Poptop(guest);
  });
}

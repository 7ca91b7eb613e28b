/** Poptop 1.4 with pppd: the PPTP server most Linux users know, here as the far end that proves our client and our lab. */
import type { NodeDefinition, SelfCheck } from "../node/definition.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import {
  type Agreement,
  answererOptions,
  hangUpPppd,
  PPPD,
  PPPD_LOG,
  type Protection,
  parseAgreement,
  pppdAilment,
  pppLeftovers,
  pppMtu,
  STRONGEST,
  untilPppdGone,
} from "./pppd.ts";
import { fetchFile, offerFile, ping } from "./traffic.ts";

export interface PoptopSettings {
  /** Of eth0, with prefix length. */
  readonly address: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly dns: string;
  readonly user: string;
  readonly password: string;
  /** Networks behind whoever calls, such as `192.168.1.0/24`: reached through the tunnel while the call lasts. */
  readonly routes?: readonly string[];
}

/** The part of the options that changes from call to call. */
const PROTECTION = "/etc/ppp/protection";

const OPTIONS = `name poptop
auth
file ${PROTECTION}
nobsdcomp
nodeflate
novj
debug
logfile ${PPPD_LOG}
`;

export class Poptop implements SelfCheck {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** From now on calls are answered with this protection alone; the log starts anew. */
  async answerWith(protection: Protection): Promise<void> {
    await this.#guest.shell.run(`echo '${answererOptions(protection)}' >${PROTECTION} && : >${PPPD_LOG}`);
  }

  /** The server dies with all its calls, without a word to anybody, and answers the next call. */
  async crash(): Promise<void> {
    await this.#guest.shell.run("killall -KILL pptpctrl pppd");
    await untilPppdGone(this.#guest, 10_000);
  }

  /** What the last call since `answerWith` agreed on. */
  async agreed(): Promise<Agreement> {
    return parseAgreement(await this.#guest.shell.run(`cat ${PPPD_LOG}`));
  }

  /** Of the tunnel's interface, in bytes; undefined without a call. */
  mtu = () => pppMtu(this.#guest);
  ailment = () => pppdAilment(this.#guest);
  hangUp = () => hangUpPppd(this.#guest);
  untilDown = (withinMs: number) => untilPppdGone(this.#guest, withinMs);
  leftovers = () => pppLeftovers(this.#guest, "pppd pptpctrl");
  ping = (target: string) => ping(this.#guest, target);
  offerFile = (bytes: number) => offerFile(this.#guest, bytes);
  fetchFile = (from: string) => fetchFile(this.#guest, from);
}

export function poptop(settings: PoptopSettings): NodeDefinition<Poptop, "eth0"> {
  const { address, localAddress, remoteAddress, dns, user, password, routes = [] } = settings;
  const secret = { mode: 0o600, data: `${user} poptop ${password} *\n` };
  const routing = routes.map((route) => `ip route add ${route} dev "$1"\n`).join("");
  const contents = {
    name: "poptop",
    packages: [...PPPD.packages, "pptpd"],
    executables: [...PPPD.executables, "/usr/sbin/pptpctrl"],
    modules: PPPD.modules,
    files: [
      { path: "/etc/ppp/options", mode: 0o600, data: "" },
      { path: "/etc/ppp/options.pptpd", mode: 0o600, data: `${OPTIONS}ms-dns ${dns}\n` },
      { path: PROTECTION, mode: 0o600, data: `${answererOptions(STRONGEST)}\n` },
      { path: "/etc/ppp/chap-secrets", ...secret },
      { path: "/etc/ppp/pap-secrets", ...secret },
      // pppd runs it with the interface's name as the first argument and without a path.
      { path: "/etc/ppp/ip-up", mode: 0o755, data: `#!/bin/sh\nPATH=/bin:/sbin\n${routing}` },
      // pptpctrl(8) as from inetd: debug, no ipparam, options file, no speed, local and remote address, call id, pppd,
      // no wtmp. Without the last three, which its manual calls optional, version 1.4.0 ends with a segmentation fault.
      {
        path: "/usr/bin/poptop-call",
        mode: 0o755,
        data: `#!/bin/sh\nexec pptpctrl 1 1 1 /etc/ppp/options.pptpd 0 1 ${localAddress} 1 ${remoteAddress} 7 /usr/sbin/pppd 0\n`,
      },
    ],
  };
  return guestNode({
    what: "Poptop 1.4 and pppd 2.4.9",
    contents,
    setUp: async (guest) => {
      await guest.configure(address);
      await guest.shell.run(
        `touch ${PPPD_LOG}; (while :; do nc -l -p 1723 -e /usr/bin/poptop-call; done) >/dev/null 2>&1 &`,
      );
    },
    dress: (guest) => new Poptop(guest),
  });
}

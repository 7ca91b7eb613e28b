/** The Linux PPTP client, pptp 1.10 and pppd, as a mobile user: one tunnel at a time. */
import type { NodeDefinition, SelfCheck } from "../node/definition.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import { CheckError, check } from "../scenario.ts";
import { shellWord } from "../shell-word.ts";
import {
  type Agreement,
  callerOptions,
  hangUpPppd,
  type NetworkSettings,
  PPPD,
  PPPD_LOG,
  type Protection,
  parseAgreement,
  parseNetworkSettings,
  pppdAilment,
  pppdStatus,
  pppLeftovers,
  pppMtu,
  untilPppdGone,
} from "./pppd.ts";
import { fetchFile, offerFile, ping } from "./traffic.ts";

/** pptp(8) `--test-type`: how the packets that it sends leave in a wrong order, at every `every`-th packet. */
export interface Disorder {
  /** 1: two change places. 2: ten are held back, then sent in order. 3: ten are held back, then sent in reverse, and one more never leaves. */
  readonly type: 1 | 2 | 3;
  readonly every: number;
}

export interface Dialing {
  readonly server: string;
  readonly user: string;
  readonly password: string;
  readonly protection: Protection;
  /** Subnets to reach through the tunnel, such as `192.168.1.0/24`. */
  readonly routes: readonly string[];
  readonly disorder?: Disorder;
  /** Further options of pppd(8), which count more than the others: `noip`, `10.1.2.3:`. */
  readonly options?: string;
}

/** The call as the client sees it. */
export interface DialedCall extends NetworkSettings {
  readonly agreed: Agreement;
}

/** The call did not come up. `status` is pppd's exit status (19: authentication failed). */
export class DialError extends CheckError {
  readonly status: number;
  constructor(node: string, dialing: Dialing, status: number, log: string) {
    const tail = log.trimEnd().split("\n").slice(-14);
    super(
      `${node}: dialing ${dialing.server} as ${dialing.user} failed: ${pppdStatus(status)}. The end of its log:\n${tail.map((line) => `  | ${line}`).join("\n")}`,
    );
    this.name = "DialError";
    this.status = status;
  }
}

const INTERFACE = "ppp0";
const DIAL_WITHIN_MS = 120_000;
/** pptp never ends by itself when pppd does: pppd would wait five seconds before it tells it to. */
const CHILD_SECONDS = 1;

export class PptpLinux implements SelfCheck {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** Ends what an earlier failure left behind, dials, and returns once the network is up; throws a `DialError` with pppd's own words otherwise. */
  async dial(dialing: Dialing): Promise<DialedCall> {
    const { server, user, password, protection, routes, disorder, options = "" } = dialing;
    const test = disorder === undefined ? "" : ` --test-type ${disorder.type} --test-rate ${disorder.every}`;
    const { status } = await this.#guest.shell.try(
      `killall -q -KILL pppd pptp; rm -f ${PPPD_LOG}; pppd pty "pptp ${server} --nolaunchpppd --nohostroute${test}" updetach noauth` +
        ` ${callerOptions(protection)} nobsdcomp nodeflate novj noipdefault usepeerdns child-timeout ${CHILD_SECONDS}` +
        ` user ${shellWord(user)} password ${shellWord(password)} unit 0 debug logfile ${PPPD_LOG} ${options}`,
      DIAL_WITHIN_MS,
    );
    const log = await this.#guest.shell.run(`cat ${PPPD_LOG}`);
    const network = parseNetworkSettings(log);
    if (status !== 0 || network === undefined) throw new DialError(this.#guest.name, dialing, status, log);
    for (const route of routes) await this.#guest.shell.run(`ip route add ${route} dev ${INTERFACE}`);
    return { ...network, agreed: parseAgreement(log) };
  }

  /** What the last call was given, by its log; fails when it did not come up. */
  async lastCall(): Promise<DialedCall> {
    const log = await this.#guest.shell.run(`cat ${PPPD_LOG}`);
    const network = parseNetworkSettings(log);
    check(network !== undefined, `${this.#guest.name}: the log of the last call names no addresses`);
    return { ...network, agreed: parseAgreement(log) };
  }

  /** Has the user give up so many seconds from now, whatever the call has come to. */
  async hangUpIn(seconds: number): Promise<void> {
    await this.#guest.shell.run(`(sleep ${seconds}; kill -TERM $(pidof pppd)) >/dev/null 2>&1 &`);
  }

  /** Opens so many TCP connections to the server's control port, on which it says nothing. */
  async openIdle(server: string, count: number): Promise<void> {
    await this.#guest.shell.run(`for n in $(seq ${count}); do sleep 60 | nc ${server} 1723 >/dev/null 2>&1 & done`);
  }

  /** Of the tunnel's interface, in bytes; undefined without a call. */
  mtu = () => pppMtu(this.#guest);
  ailment = () => pppdAilment(this.#guest);
  hangUp = () => hangUpPppd(this.#guest);
  untilDown = (withinMs: number) => untilPppdGone(this.#guest, withinMs);
  leftovers = () => pppLeftovers(this.#guest, "pppd pptp");
  ping = (target: string) => ping(this.#guest, target);
  offerFile = (bytes: number) => offerFile(this.#guest, bytes);
  fetchFile = (from: string) => fetchFile(this.#guest, from);
}

export function pptpLinux(settings: {
  readonly address: string;
  readonly gateway?: string;
}): NodeDefinition<PptpLinux, "eth0"> {
  const contents = {
    name: "pptp-linux",
    packages: [...PPPD.packages, "pptp-linux"],
    executables: [...PPPD.executables, "/usr/sbin/pptp"],
    modules: PPPD.modules,
    files: [{ path: "/etc/ppp/options", mode: 0o600, data: "" }],
  };
  return guestNode({
    what: "pptp-linux 1.10 and pppd 2.4.9",
    contents,
    setUp: async (guest) => {
      await guest.configure(settings.address, settings.gateway);
      await guest.shell.run("mkdir -p /var/run/pptp"); // the call manager's socket; Debian makes the folder at boot
    },
    dress: (guest) => new PptpLinux(guest),
  });
}

/** The Linux PPTP client, pptp 1.10 and pppd, as a mobile user: one tunnel at a time. */
import type { NodeDefinition } from "../lab.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import { type NetworkSettings, PPPD, parseNetworkSettings, pppdStatus } from "./pppd.ts";
import { fetchFile, offerFile, ping } from "./traffic.ts";

export interface Dialing {
  readonly server: string;
  readonly user: string;
  readonly password: string;
  /** Insist on MPPE-128; without it the client asks for no encryption. */
  readonly mppe128: boolean;
  /** Subnets to reach through the tunnel, such as `192.168.1.0/24`. */
  readonly routes: readonly string[];
}

/** The call did not come up. `status` is pppd's exit status (19: authentication failed). */
export class DialError extends Error {
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

const LOG = "/var/log/pppd.log";
const INTERFACE = "ppp0";
const DIAL_WITHIN_MS = 120_000;

export class PptpLinux {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** Dials and returns once the network is up; throws a `DialError` with pppd's own words otherwise. */
  async dial(dialing: Dialing): Promise<NetworkSettings> {
    const { server, user, password, mppe128, routes } = dialing;
    const encryption = mppe128 ? "require-mppe-128" : "nomppe";
    const { status } = await this.#guest.shell.try(
      `rm -f ${LOG}; pppd pty "pptp ${server} --nolaunchpppd --nohostroute" updetach noauth refuse-eap ${encryption}` +
        ` nobsdcomp nodeflate novj noipdefault usepeerdns user ${quote(user)} password ${quote(password)}` +
        ` unit 0 debug logfile ${LOG}`,
      DIAL_WITHIN_MS,
    );
    const log = await this.#guest.shell.run(`cat ${LOG}`);
    const network = parseNetworkSettings(log);
    if (status !== 0 || network === undefined) throw new DialError(this.#guest.name, dialing, status, log);
    for (const route of routes) await this.#guest.shell.run(`ip route add ${route} dev ${INTERFACE}`);
    return network;
  }

  /** Ends the call as a user does, and returns when pppd is gone. */
  async hangUp(): Promise<void> {
    await this.#guest.shell.run("kill -TERM $(pidof pppd)");
    await this.untilDown(20_000);
  }

  /** Returns when no call is left, whoever ended it. */
  async untilDown(withinMs: number): Promise<void> {
    const seconds = Math.ceil(withinMs / 1000);
    const { status } = await this.#guest.shell.try(
      `timeout ${seconds} sh -c 'while pidof pppd >/dev/null; do sleep 0.2; done'`,
      withinMs + 20_000,
    );
    if (status !== 0)
      throw new Error(`${this.#guest.name}: pppd is still there ${seconds} s after the call should have ended`);
  }

  /** What a call leaves behind that should be gone: interfaces, routes and processes, one line each. */
  async leftovers(): Promise<readonly string[]> {
    const found = await this.#guest.shell.run(
      "ip -o link show | grep -o 'ppp[0-9][0-9]*' ; ip route | grep ppp ; pidof pppd pptp | sed 's/^/process /' ; true",
    );
    return found.split("\n").filter((line) => line !== "");
  }

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
  return guestNode(contents, async (guest) => {
    await guest.configure(settings.address, settings.gateway);
    await guest.shell.run("mkdir -p /var/run/pptp"); // the call manager's socket; Debian makes the folder at boot
    return new PptpLinux(guest);
  });
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** NetworkManager with its PPTP plugin, as on a Debian desktop and driven by nmcli: a mobile user, one tunnel at a time. */
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import type { Ailment, NodeDefinition, SelfCheck } from "../node/definition.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import { CheckError, check } from "../scenario.ts";
import { shellWord } from "../shell-word.ts";
import {
  type Agreement,
  type NetworkSettings,
  PPPD,
  PPPD_LOG,
  type Protection,
  parseAgreement,
  parseNetworkSettings,
  pppdAilment,
  pppLeftovers,
  pppMtu,
  untilPppdGone,
} from "./pppd.ts";
import { fetchFile, offerFile, ping } from "./traffic.ts";

export interface NetworkManagerDialing {
  readonly server: string;
  readonly user: string;
  readonly password: string;
  /** `"as the dialog has it"`: any authentication, no MPPE, which is what a new connection has before somebody ticks a box. */
  readonly protection: Protection | "as the dialog has it";
  /** Subnets to reach through the tunnel. None: everything, which is NetworkManager's default. */
  readonly routes: readonly string[];
}

export interface NetworkManagerCall extends NetworkSettings {
  readonly agreed: Agreement;
  /** What /etc/resolv.conf has while the call lasts. */
  readonly resolvers: readonly string[];
}

/** The call did not come up, in the words of NetworkManager. */
export class NetworkManagerDialError extends CheckError {
  /** What the plugin told NetworkManager: `connect-failed`, `login-failed`, `bad-ip-config`; undefined when it told nothing. */
  readonly reason: string | undefined;
  /** pppd's debug log of the call: its exit status stays between it and the plugin. */
  readonly log: string;
  constructor(node: string, { server, user }: NetworkManagerDialing, nmcli: string, managerLog: string, log: string) {
    const reason = /dbus: failure: ([\w-]+) \(\d+\)/.exec(managerLog)?.[1];
    const tail = log.trimEnd().split("\n").slice(-14);
    super(
      `${node}: dialing ${server} as ${user} failed: ${nmcli.split("\n")[0]} (its plugin: ${reason ?? "no reason"}).` +
        ` The end of pppd's log:\n${tail.map((line) => `  | ${line}`).join("\n")}`,
    );
    this.name = "NetworkManagerDialError";
    this.reason = reason;
    this.log = log;
  }
}

/** Names of the two connections: what everything else goes over, and the tunnel. */
const WIRE = "wire";
const TUNNEL = "tunnel";
const MANAGER_LOG = "/var/log/NetworkManager.log";
const SECRET = "/run/secret";
/** nmcli gives up after this long, NetworkManager itself after a minute (`vpn.timeout`). */
const UP_WITHIN_SECONDS = 90;
const DOWN_WITHIN_SECONDS = 30;

/** The plugin's words behind `refuse-`; it always refuses EAP, whose secrets it has no field for. */
const REFUSE: Readonly<Record<AuthMethod, string>> = {
  pap: "refuse-pap",
  "chap-md5": "refuse-chap",
  "mschap-v1": "refuse-mschap",
  "mschap-v2": "refuse-mschapv2",
};

export class NetworkManager implements SelfCheck {
  readonly #guest: Guest;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /**
   * Ends what an earlier failure left behind, makes the connection anew and brings it up; throws a `NetworkManagerDialError`
   * when NetworkManager says that it failed.
   */
  async dial(dialing: NetworkManagerDialing): Promise<NetworkManagerCall> {
    const { password, routes } = dialing;
    const { shell, name } = this.#guest;
    const split = routes.length === 0 ? "" : ` ipv4.never-default yes ipv4.routes ${shellWord(routes.join(", "))}`;
    await shell.run(
      `nmcli connection delete ${TUNNEL} >/dev/null 2>&1; killall -q -KILL pppd pptp; : >${MANAGER_LOG}; : >${PPPD_LOG};` +
        ` printf %s ${shellWord(`vpn.secrets.password:${password}`)} >${SECRET} &&` +
        ` nmcli connection add type vpn vpn-type pptp con-name ${TUNNEL} ifname eth0 connection.autoconnect no` +
        ` vpn.data ${shellWord(pluginData(dialing))}${split}`,
    );
    const { status, output } = await shell.try(
      `nmcli --wait ${UP_WITHIN_SECONDS} connection up ${TUNNEL} passwd-file ${SECRET} 2>&1`,
      (UP_WITHIN_SECONDS + 30) * 1000,
    );
    // The plugin speaks of a failure before pppd has ended.
    if (status !== 0) await untilPppdGone(this.#guest, 20_000);
    const log = await shell.run(`cat ${PPPD_LOG}`);
    if (status !== 0) {
      const managerLog = await shell.run(`grep -a 'dbus: failure' ${MANAGER_LOG} || true`);
      throw new NetworkManagerDialError(name, dialing, output, managerLog, log);
    }
    const network = parseNetworkSettings(log);
    check(network !== undefined, `${name}: NetworkManager is connected, and pppd's log names no addresses:\n${log}`);
    const shown = await shell.run(`nmcli -g IP4.ADDRESS connection show ${TUNNEL}`);
    check(
      shown.trim() === `${network.localAddress}/32`,
      `${name}: pppd was given ${network.localAddress}, and NetworkManager shows ${shown.trim()}`,
    );
    return { ...network, agreed: parseAgreement(log), resolvers: await this.#resolvers() };
  }

  async hangUp(): Promise<void> {
    await this.#guest.shell.run(
      `nmcli --wait ${DOWN_WITHIN_SECONDS} connection down ${TUNNEL}`,
      (DOWN_WITHIN_SECONDS + 30) * 1000,
    );
    await this.untilDown(20_000);
  }

  /** Interfaces, routes, processes, name servers and NetworkManager's own idea of a tunnel. */
  async leftovers(): Promise<readonly string[]> {
    const active = await this.#guest.shell.run("nmcli -t -f TYPE,NAME connection show --active");
    const vpn = active.split("\n").filter((line) => line.startsWith("vpn:"));
    const resolvers = (await this.#resolvers()).map((address) => `name server ${address}`);
    return [...(await pppLeftovers(this.#guest, "pppd pptp")), ...vpn, ...resolvers];
  }

  async ailment(): Promise<Ailment | undefined> {
    const { status } = await this.#guest.shell.try("pidof NetworkManager && pidof dbus-daemon", 10_000);
    if (status !== 0) return { by: "guest", what: "NetworkManager or the message bus died" };
    return await pppdAilment(this.#guest);
  }

  /** Of the tunnel's interface, in bytes; undefined without a call. */
  mtu = () => pppMtu(this.#guest);
  untilDown = (withinMs: number) => untilPppdGone(this.#guest, withinMs);
  ping = (target: string) => ping(this.#guest, target);
  offerFile = (bytes: number) => offerFile(this.#guest, bytes);
  fetchFile = (from: string) => fetchFile(this.#guest, from);

  async #resolvers(): Promise<readonly string[]> {
    const file = await this.#guest.shell.run("cat /etc/resolv.conf");
    return [...file.matchAll(/^nameserver (\S+)$/gm)].map(([, address = ""]) => address);
  }
}

/** The plugin's own keys (nm-pptp-service), as its dialog writes them. */
function pluginData({ server, user, protection }: NetworkManagerDialing): string {
  const data: Record<string, string> = { gateway: server, user, "password-flags": "2" };
  if (protection !== "as the dialog has it") {
    const { authentication, mppe } = protection;
    data["refuse-eap"] = "yes";
    for (const [method, key] of Object.entries(REFUSE)) if (method !== authentication) data[key] = "yes";
    if (mppe !== undefined) data[`require-mppe-${mppe.bits}`] = "yes";
    if (mppe?.stateful === true) data["mppe-stateful"] = "yes";
  }
  return Object.entries(data)
    .map(([key, value]) => `${key} = ${value.replaceAll(/[\\,]/g, "\\$&")}`)
    .join(", ");
}

/** `gateway` is a must: NetworkManager dials over the connection that has the default route, and without one over none. */
export function networkManager(settings: {
  readonly address: string;
  readonly gateway: string;
}): NodeDefinition<NetworkManager, "eth0"> {
  const { address, gateway } = settings;
  return guestNode({
    what: "NetworkManager 1.42 with network-manager-pptp 1.2.12, pptp-linux 1.10 and pppd 2.4.9",
    contents: CONTENTS,
    setUp: async (guest) => {
      // With /sys read-only it does not wait for udev, as in a container.
      await guest.shell.run(
        "rmdir /var/run && ln -s /run /var/run && mkdir -p /run/dbus /run/lock /run/pptp /var/lib/NetworkManager && " +
          "ln -s /run/lock /var/lock && ln -s /bin/busybox /sbin/modprobe && mount -o remount,ro /sys && " +
          `dbus-daemon --system --fork && (NetworkManager --debug >>${MANAGER_LOG} 2>&1 &)`,
      );
      // Once it answers, it has its devices, and eth0 a link.
      await guest.shell.run(
        "timeout 60 sh -c 'until nmcli -t -f DEVICE,STATE device | grep -q ^eth0:disconnected; do sleep 0.5; done'",
        90_000,
      );
      await guest.shell.run(
        `nmcli connection add type ethernet con-name ${WIRE} ifname eth0 connection.autoconnect no ipv6.method disabled` +
          ` ipv4.method manual ipv4.addresses ${address} ipv4.gateway ${gateway} && nmcli --wait 60 connection up ${WIRE}`,
        90_000,
      );
    },
    dress: (guest) => new NetworkManager(guest),
  });
}

const CONFIGURATION = `[main]
plugins=keyfile
auth-polkit=false
no-auto-default=*
dns=default
rc-manager=file
`;

const CONTENTS = {
  name: "network-manager",
  packages: [
    ...PPPD.packages,
    ...["pptp-linux", "network-manager", "network-manager-pptp", "libnm0", "dbus-daemon", "dbus-system-bus-common"],
    // What these and their libraries open, by who needs it: GLib, the message bus, nmcli, libcurl and GnuTLS.
    ...["libglib2.0-0", "libffi8", "libpcre2-8-0", "libselinux1", "libmount1", "libblkid1", "zlib1g", "libndp0"],
    ...["libudev1", "libpsl5", "libcurl3-gnutls", "libexpat1", "libapparmor1", "libreadline8", "libtinfo6"],
    ...["libgnutls30", "libp11-kit0", "libtasn1-6", "libidn2-0", "libunistring2", "libnettle8", "libhogweed6"],
    ...["libgmp10", "libnghttp2-14", "librtmp1", "libssh2-1", "libbrotli1", "libldap-2.5-0", "libsasl2-2"],
    ...["libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libkeyutils1", "libcom-err2"],
  ],
  executables: [
    ...PPPD.executables,
    ...["/usr/sbin/pptp", "/usr/bin/dbus-daemon", "/usr/sbin/NetworkManager", "/usr/bin/nmcli"],
    "/usr/lib/NetworkManager/nm-pptp-service",
  ],
  libraries: [
    "/usr/lib/pppd/*/nm-pptp-pppd-plugin.so",
    "/usr/lib/x86_64-linux-gnu/NetworkManager/libnm-vpn-plugin-pptp.so",
    "/usr/lib/NetworkManager/VPN/nm-pptp-service.name",
    "/usr/share/dbus-1/system.conf",
    "/usr/share/dbus-1/system.d/org.freedesktop.NetworkManager.conf",
    "/usr/share/dbus-1/system.d/nm-pptp-service.conf",
  ],
  modules: PPPD.modules,
  // The plugin loads it before each call, in case that this host also masquerades.
  spareModules: ["nf_conntrack_pptp"],
  files: [
    // The plugin has no say in these; a file of all pppd's has.
    { path: "/etc/ppp/options", mode: 0o600, data: `debug\nlogfile ${PPPD_LOG}\n` },
    { path: "/etc/NetworkManager/NetworkManager.conf", mode: 0o644, data: CONFIGURATION },
    // Of whom the message bus's own configuration speaks.
    {
      path: "/etc/passwd",
      mode: 0o644,
      data: "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/nonexistent:/bin/false\n",
    },
    { path: "/etc/group", mode: 0o644, data: "root:x:0:\nmessagebus:x:100:\n" },
    { path: "/etc/machine-id", mode: 0o444, data: `${"0".repeat(31)}1\n` },
    { path: "/etc/resolv.conf", mode: 0o644, data: "" },
  ],
};

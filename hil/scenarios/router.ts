/** Suite `router`: the device between a provider and an office, by DHCP and by PPPoE. */
import { execa } from "execa";
import type { LabClock } from "../clock.ts";
import { defineLab, type LabOf } from "../lab.ts";
import type { Link } from "../net/link.ts";
import { device } from "../node/device.ts";
import type { DeviceConsole } from "../node/device-console.ts";
import { internet } from "../peers/internet.ts";
import { officePc } from "../peers/office-pc.ts";
import { STRONGEST } from "../peers/pppd.ts";
import { check, defineSuite, type Scenario, type Step } from "../scenario.ts";
import { ADMIN_PASSWORD } from "./head-office.ts";
import { nothingLeftOn, pingAll, transfer } from "./tunnel-claims.ts";

const PROVIDER = "203.0.113.254";
const FAR = "198.51.100.1";
const NAME = ["www.lab.example", "198.51.100.80"] as const;
const PC = "192.168.1.100";
const LAN = "192.168.1.0/24";
const PPPOE = { user: "office@provider", password: "pppoe secret", local: "100.64.0.1", remote: "100.64.0.10" };
const PPTP = { user: "guest", password: "s3cret", local: "10.8.0.1", remote: "10.8.0.2" };
/** The port that httpd serves files on: mapped to the PC. */
const FILE_PORT = 8000;
const TRANSFER_BYTES = 1_000_000;
const WAN_WITHIN_MS = 60_000;

const router = defineLab({
  nodes: {
    device: device(),
    provider: internet({
      address: `${PROVIDER}/24`,
      lent: ["203.0.113.100", "203.0.113.109"],
      far: FAR,
      name: NAME,
      pppoe: PPPOE,
      pptp: PPTP,
    }),
    pc: officePc(),
  },
  links: {
    internet: ["provider.eth0", "device.wan"],
    office: ["pc.eth0", "device.lan"],
  },
});
type RouterLab = LabOf<typeof router>;
type Start = "office" | "dhcp" | "pppoe";

/** The LAN side, the same for every kind of WAN. The pool has one address, so that the mapping finds the PC. */
const OFFICE = [
  "set interfaces lan address 192.168.1.1/24",
  "set dhcp-server enabled true",
  `set dhcp-server pool start ${PC}`,
  "set dhcp-server pool count 1",
  `set nat mapping files port ${FILE_PORT}`,
  `set nat mapping files address ${PC}`,
];

/** `show interfaces` until it says that the WAN has an address; returns that. */
async function wanAddress(console: DeviceConsole, clock: LabClock): Promise<string> {
  const until = clock.nowNs() + BigInt(WAN_WITHIN_MS) * 1_000_000n;
  for (;;) {
    const shown = await console.run("show interfaces");
    const address = /^WAN by \w+: ([\d.]+) on/m.exec(shown)?.[1];
    if (address !== undefined) return address;
    check(clock.nowNs() < until, `the WAN has no address after ${WAN_WITHIN_MS / 1000} s:\n${shown}`);
    await new Promise<void>((resolve) => clock.after(500, resolve));
  }
}

async function configureWan(lab: RouterLab, step: Step, wan: readonly string[]): Promise<void> {
  const { node, clock } = lab;
  await step("enter and commit the WAN's configuration", () => node.device.console.configure(wan));
  await step("the WAN has an address", () => wanAddress(node.device.console, clock));
  await step("the PC gets its address by DHCP", async () => {
    const { address } = await node.pc.askDhcp();
    check(address === PC, `the PC got ${address} instead of ${PC}`);
  });
}

const lanByDhcp: Scenario<RouterLab, Start> = {
  name: "lan-by-dhcp",
  claim:
    "a PC on the LAN gets address, router and name server by DHCP, resolves names through the device, and is listed",
  from: "dhcp",
  async run({ node }, step) {
    await step("the PC asks again and gets the same address, the device as router and name server", async () => {
      const { address, router: gateway, dns } = await node.pc.askDhcp();
      check(address === PC && gateway === "192.168.1.1", `the PC got ${address} with router ${gateway ?? "none"}`);
      check(dns.join() === "192.168.1.1", `the PC was told name servers ${dns.join(" ") || "none"}`);
    });
    await step("a name of the Internet has its address", async () => {
      const address = await node.pc.resolve(NAME[0]);
      check(address === NAME[1], `${NAME[0]} is ${address ?? "unknown"} instead of ${NAME[1]}`);
    });
    await step("`show dhcp leases` has the PC", async () => {
      const shown = await node.device.console.run("show dhcp leases");
      check(shown.includes(PC), `${PC} is not in the list:\n${shown}`);
    });
    await step("the device itself resolves and pings", async () => {
      const shown = await node.device.console.run(`ping ${PROVIDER}`, 30_000);
      check(/5 packets received/.test(shown), `the device's pings got lost:\n${shown}`);
    });
  },
};

const natOut: Scenario<RouterLab, Start> = {
  name: "nat-out",
  claim: "the PC reaches the Internet and fetches 1 MB, and nobody there sees an address of the LAN",
  from: "dhcp",
  async run({ node, link }, step) {
    await step("the PC pings a host behind the provider", () => pingAll(node.pc, FAR));
    await step("1 MB from there to the PC", () => transfer(node.provider, FAR, node.pc, TRANSFER_BYTES));
    await noLanAddressOn(link.internet, step);
  },
};

const portMapping: Scenario<RouterLab, Start> = {
  name: "port-mapping",
  claim: "a mapped port leads to the PC; every other port of the device is closed to the Internet, pings as configured",
  from: "dhcp",
  async run({ node, clock }, step) {
    const wan = await step("the WAN's address is known", () => wanAddress(node.device.console, clock));
    await step("1 MB from the PC, fetched at the device's WAN address", () =>
      transfer(node.pc, wan, node.provider, TRANSFER_BYTES),
    );
    const ports = [...Array.from({ length: 200 }, (_, i) => i + 1), ...[443, 514, 1701, 1723, FILE_PORT, 8080, 8443]];
    await step(`of ${ports.length} TCP ports the mapped one alone is open`, async () => {
      const open = await node.provider.openPorts(wan, ports);
      check(open.join() === String(FILE_PORT), `open: ${open.join(", ") || "none"}`);
    });
    await step("with the VPN server, its port is open too", async () => {
      await node.device.console.configure([
        "set vpn server enabled true",
        "set vpn server pool start 192.168.1.200",
        "set vpn server pool count 2",
      ]);
      const open = await node.provider.openPorts(wan, [22, 53, 443, 1723, FILE_PORT]);
      check(open.join() === `1723,${FILE_PORT}`, `open: ${open.join(", ") || "none"}`);
    });
    await step("a ping is answered, and then, as configured, is not", async () => {
      await pingAll(node.provider, wan);
      await node.device.console.configure(["set firewall ping-from-wan false"]);
      check(!(await node.provider.isAnswered(wan)), "the device still answers pings");
    });
    await step("nobody gets to the LAN but by the mapped port", async () => {
      check(!(await node.provider.isAnswered(PC)), `${PC} answers a ping from the Internet`);
    });
  },
};

const passThrough: Scenario<RouterLab, Start> = {
  name: "pptp-pass-through",
  claim: "the PC dials a PPTP server on the Internet through the device's NAT, and works in the tunnel",
  from: "dhcp",
  async run({ node, link }, step) {
    const { user, password } = PPTP;
    await step("the PC dials", () =>
      node.pc.dial({ server: PROVIDER, user, password, protection: STRONGEST, routes: [] }),
    );
    await step("the PC pings the server in the tunnel", () => pingAll(node.pc, PPTP.local));
    await step("1 MB from the server to the PC", () => transfer(node.provider, PPTP.local, node.pc, TRANSFER_BYTES));
    await step("hang up", () => node.pc.hangUp());
    await nothingLeftOn(node.pc, "the PC", step);
    await noLanAddressOn(link.internet, step);
  },
};

/** Bytes of a pcapng file's first block (Section Header Block, pcapng §4.1): its type, then its length. */
const PCAPNG = /^0a0d0d0a/;

const remoteLogin: Scenario<RouterLab, Start> = {
  name: "remote-login",
  claim:
    "SSH is off until it is enabled; then a PC on the LAN runs commands and downloads a trace, and the Internet gets nowhere",
  from: "dhcp",
  async run({ node, clock }, step) {
    const { device: router_, pc, provider } = node;
    const [lan, key] = ["192.168.1.1", { by: "key" }] as const;
    const wan = await step("the WAN's address is known", () => wanAddress(router_.console, clock));
    await step("nothing answers at port 22, neither on the LAN nor on the WAN", async () => {
      check((await pc.openPorts(lan, [22])).length === 0, "port 22 is open on the LAN");
      check((await provider.openPorts(wan, [22])).length === 0, "port 22 is open on the WAN");
    });
    await step("SSH is enabled with the PC's key", async () =>
      router_.console.configure([
        "set system ssh enabled true",
        `set system ssh key pc public-key ${await pc.makeSshKey()}`,
      ]),
    );
    await step("the PC runs `show vpn` with its key", async () => {
      const until = clock.nowNs() + BigInt(WAN_WITHIN_MS) * 1_000_000n;
      let answer = await pc.ssh(lan, "show vpn", key);
      while (answer.status !== 0 && clock.nowNs() < until) answer = await pc.ssh(lan, "show vpn", key);
      check(
        answer.status === 0 && answer.output.includes("No sessions."),
        `${answer.status}: ${JSON.stringify(answer)}`,
      );
    });
    await step("with the administrator's password too, and with a wrong one not", async () => {
      const right = await pc.ssh(lan, "show version", { by: "password", password: ADMIN_PASSWORD });
      check(right.status === 0 && right.output.startsWith("Culvert "), JSON.stringify(right));
      const wrong = await pc.ssh(lan, "show version", { by: "password", password: `${ADMIN_PASSWORD}x` });
      check(wrong.status !== 0 && !wrong.output.includes("Culvert"), JSON.stringify(wrong));
    });
    await step("a command that is refused ends with status 1", async () => {
      const refused = await pc.ssh(lan, "vpn dial nobody", key);
      check(refused.status === 1 && refused.error.includes("there is no client nobody"), JSON.stringify(refused));
    });
    await step("a trace comes down as a file of Wireshark", async () => {
      await pc.ssh(lan, "trace all", key);
      const { status, error } = await pc.ssh(lan, "show trace pcapng", key);
      const { start, bytes } = await pc.sshOutput();
      check(status === 0 && PCAPNG.test(start) && bytes > 0, `${status}, ${bytes} bytes, ${start}: ${error}`);
    });
    await step("`show users` and the log tell who was there", async () => {
      const shown = await pc.ssh(lan, "show users", key);
      check(/^console /m.test(shown.output), shown.output);
      const log = await router_.console.run("show log");
      check(log.includes(`${PC} logged in with the key pc`), log);
      check(log.includes(`Bad password attempt for 'admin' from ${PC}`), log);
    });
    await step("from the Internet port 22 is closed as before", async () => {
      check((await provider.openPorts(wan, [22])).length === 0, "port 22 is open on the WAN");
    });
  },
};

const wanByPppoe: Scenario<RouterLab, Start> = {
  name: "wan-by-pppoe",
  claim: "over PPPoE the PC reaches the Internet both ways with full-sized packets, and the mapped port works",
  from: "pppoe",
  async run({ node, link, clock }, step) {
    const wan = await step("the device has the address that the provider gave", async () => {
      const address = await wanAddress(node.device.console, clock);
      check(address.startsWith("100.64.0."), `the WAN has ${address}`);
      const shown = await node.device.console.run("show interfaces");
      check(/^ppp0 +up .* 1492 /m.test(shown), `ppp0 with MTU 1492 is not there:\n${shown}`);
      return address;
    });
    await step("a name is resolved by the server that PPP named", async () => {
      const address = await node.pc.resolve(NAME[0]);
      check(address === NAME[1], `${NAME[0]} is ${address ?? "unknown"}`);
    });
    await step("1 MB from the Internet to the PC", () => transfer(node.provider, FAR, node.pc, TRANSFER_BYTES));
    await step("1 MB from the PC, fetched at the device's WAN address", () =>
      transfer(node.pc, wan, node.provider, TRANSFER_BYTES),
    );
    await noLanAddressOn(link.internet, step);
  },
};

const pppoeAgain: Scenario<RouterLab, Start> = {
  name: "pppoe-again",
  claim: "when the provider hangs up, the device dials again; a wrong password is named",
  from: "pppoe",
  async run({ node, clock }, step) {
    await step("the provider hangs up", () => node.provider.hangUpPppoe());
    await step("the device says so in its log", async () => {
      const log = await untilLog(node.device.console, clock, /connection to the provider is gone/);
      check(log, "the log has no line about it");
    });
    await step("the WAN has an address again", () => wanAddress(node.device.console, clock));
    await step("the PC reaches the Internet again", () => pingAll(node.pc, FAR));
    await step("with a wrong password the log names the failed authentication", async () => {
      await node.device.console.configure(["set interfaces wan pppoe password wrong"]);
      check(await untilLog(node.device.console, clock, /PPPoE: PAP authentication failed/), "the log does not name it");
    });
  },
};

async function untilLog(console: DeviceConsole, clock: LabClock, pattern: RegExp): Promise<boolean> {
  const until = clock.nowNs() + BigInt(WAN_WITHIN_MS) * 1_000_000n;
  while (clock.nowNs() < until) {
    if (pattern.test(await console.run("show log"))) return true;
    await new Promise<void>((resolve) => clock.after(1000, resolve));
  }
  return false;
}

/** tshark looks for packets with a LAN address, plain or inside PPPoE; what is inside the PC's own tunnel is encrypted. */
async function noLanAddressOn(link: Link, step: Step): Promise<void> {
  const { failed } = await execa("tshark", ["--version"], { reject: false });
  if (failed) {
    await step("tshark is not installed: the capture is not looked at", () => {});
    return;
  }
  await step(`no packet on link ${link.name} has an address of the LAN`, async () => {
    const { stdout } = await execa("tshark", ["-r", link.capture.path, "-Y", `ip.addr == ${LAN}`]);
    const frames = stdout.split("\n").filter((line) => line !== "");
    check(frames.length === 0, `${frames.length} packets, first:\n${frames.slice(0, 3).join("\n")}`);
  });
}

export const routerSuite = defineSuite({
  name: "router",
  title: "Router: a provider by DHCP or PPPoE, an office behind NAT",
  lab: router,
  stages: {
    office: {
      claim: "the LAN side is set up over the serial console",
      async run({ node }, step) {
        await step("set the administrator's password at the first login", () =>
          node.device.console.login(ADMIN_PASSWORD),
        );
        await step("enter and commit the configuration of the LAN", () => node.device.console.configure(OFFICE));
      },
    },
    dhcp: {
      claim: "the WAN has its address by DHCP, and a PC on the LAN too",
      after: "office",
      run: (lab, step) => configureWan(lab, step, ["set interfaces wan mode dhcp"]),
    },
    pppoe: {
      claim: "the WAN is dialed over PPPoE, and a PC on the LAN has its address by DHCP",
      after: "office",
      run: (lab, step) =>
        configureWan(lab, step, [
          "set interfaces wan mode pppoe",
          `set interfaces wan pppoe user ${PPPOE.user}`,
          `set interfaces wan pppoe password "${PPPOE.password}"`,
        ]),
    },
  },
  scenarios: [lanByDhcp, natOut, portMapping, passThrough, remoteLogin, wanByPppoe, pppoeAgain],
});

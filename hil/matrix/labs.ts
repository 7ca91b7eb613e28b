/** The labs of the matrix and their ends: pptp-linux calls, with and without a NAT box; NetworkManager calls; Poptop is called; a second device does either. */

import type { LabClock } from "../clock.ts";
import { defineLab, type LabOf } from "../lab.ts";
import { serviceHost } from "../net/services/service-host.ts";
import { device } from "../node/device.ts";
import type { DeviceConsole } from "../node/device-console.ts";
import { lanHost } from "../peers/lan-host.ts";
import { type NetworkManagerCall, networkManager } from "../peers/network-manager.ts";
import type { DialedCall, Dialing } from "../peers/pptp-linux.ts";
import type { PingResult } from "../peers/traffic.ts";
import { windowsProfile } from "../peers/windows.ts";
import { check, type Stage } from "../scenario.ts";
import { type BranchOffice, CLIENT, CLIENT_AT, HEAD, PASSWORD } from "../scenarios/branch-office.ts";
import { awaitSession, findSession, listSessions } from "../scenarios/device-sessions.ts";
import {
  ADMIN_PASSWORD,
  ALICE,
  CAROL,
  configureHeadOffice,
  type HeadOffice,
  OFFICE,
  POOL_START,
} from "../scenarios/head-office.ts";
import { transfer, untilReached } from "../scenarios/tunnel-claims.ts";
import type { TwoHomes } from "../scenarios/two-homes.ts";
import type { Cell } from "./cell.ts";
import { commandsOf, type Ends, protectionOf } from "./ends.ts";

type DeviceNode = ReturnType<typeof device>;

const TRANSFER_BYTES = 60_000;
const UP_WITHIN_MS = 90_000;
const WRONG = "wrong";
/** pppd asks every second; whether it is answered shows the capture, so that a busy computer ends no call. */
const ECHO = "lcp-echo-interval 1 lcp-echo-failure 60";

/** What the server has to be told for the faults that are settings of its. */
function serverCommands(cell: Cell): readonly string[] {
  const bits = cell.fault === "40-bit-only" ? 40 : undefined;
  const taken = [
    "set vpn server pool count 1",
    "set vpn account nobody password s3cret",
    `set vpn account nobody address ${POOL_START}`,
  ];
  return [...commandsOf("vpn server", cell, bits), ...(cell.fault === "pool-empty" ? taken : [])];
}

function passwordOf(cell: Cell, right: string): string {
  return cell.fault === "wrong-password" ? WRONG : right;
}

async function restartServer(console: DeviceConsole): Promise<void> {
  await console.configure(["set vpn server enabled false"]);
  await console.configure(["set vpn server enabled true"]);
}

/** A client of a device dials; rejects with a CheckError once it has given up. */
async function dialClient(console: DeviceConsole, clock: LabClock): Promise<void> {
  await console.run(`vpn dial ${CLIENT}`);
  const over = ({ state }: { state: string }): boolean => state === "connected" || state === "listening";
  const { state } = await awaitSession(console, clock, CLIENT, UP_WITHIN_MS, over);
  check(state === "connected", "the client gave up");
}

// --- pptp-linux, straight -------------------------------------------------------------------------------------------

export function pptpLinuxEnds({ node, link, clock }: HeadOffice): Ends {
  let call: DialedCall | undefined;
  return {
    console: node.device.console,
    clock,
    line: link.internet,
    peerNode: "mobile",
    deviceSide: 1,
    session: ALICE.user,
    arrange: (cell) => node.device.console.configure(serverCommands(cell)),
    call: async (cell) => {
      const password = passwordOf(cell, ALICE.password);
      call = await node.mobile.dial({ ...ALICE, password, protection: protectionOf(cell), options: ECHO });
    },
    ping: () => node.mobile.ping(OFFICE),
    transfer: () => transfer(node.office, OFFICE, node.mobile, TRANSFER_BYTES),
    peerAgreement: () => Promise.resolve(call?.agreed),
    peerMtu: () => node.mobile.mtu(),
    restartServer: () => restartServer(node.device.console),
    hangUp: () => node.mobile.hangUp(),
    leftovers: () => node.mobile.leftovers(),
  };
}

// --- NetworkManager, straight ---------------------------------------------------------------------------------------

/** desktop ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
export function desktopWith(under: DeviceNode) {
  return defineLab({
    nodes: {
      device: under,
      desktop: networkManager({ address: "203.0.113.50/24", gateway: "203.0.113.254" }),
      office: lanHost({ address: `${OFFICE}/24`, gateway: "192.168.1.1" }),
    },
    links: { internet: ["desktop.eth0", "device.wan"], office: ["office.eth0", "device.lan"] },
  });
}
type DesktopLab = LabOf<ReturnType<typeof desktopWith>>;

export const desktopConfigured: Stage<DesktopLab> = {
  claim: "an administrator sets the device up over its serial console",
  async run({ node }, step) {
    await configureHeadOffice(node, step);
    await step("the desktop reaches the device's Internet address", () => untilReached(node.desktop, ALICE.server));
  },
};

export function networkManagerEnds({ node, link, clock }: DesktopLab): Ends {
  let call: NetworkManagerCall | undefined;
  return {
    console: node.device.console,
    clock,
    line: link.internet,
    peerNode: "desktop",
    deviceSide: 1,
    session: ALICE.user,
    arrange: (cell) => node.device.console.configure(serverCommands(cell)),
    call: async (cell) => {
      const password = passwordOf(cell, ALICE.password);
      call = await node.desktop.dial({ ...ALICE, password, protection: protectionOf(cell) });
    },
    ping: () => node.desktop.ping(OFFICE),
    transfer: () => transfer(node.office, OFFICE, node.desktop, TRANSFER_BYTES),
    peerAgreement: () => Promise.resolve(call?.agreed),
    peerMtu: () => node.desktop.mtu(),
    restartServer: () => restartServer(node.device.console),
    hangUp: () => node.desktop.hangUp(),
    leftovers: () => node.desktop.leftovers(),
  };
}

// --- pptp-linux behind a NAT box ------------------------------------------------------------------------------------

const BOB: Dialing = { ...ALICE, user: "bob" };

export const homesConfigured: Stage<TwoHomes> = {
  claim: "the device is set up, and both callers reach it through the NAT box",
  async run({ node }, step) {
    await step("set the administrator's password at the first login", () => node.device.console.login(ADMIN_PASSWORD));
    await step("enter and commit the configuration", () =>
      node.device.console.configure([
        `set interfaces wan address ${ALICE.server}/24`,
        "set interfaces lan address 192.168.1.1/24",
        "set vpn server enabled true",
        "set vpn server address 192.168.1.1",
        `set vpn server pool start ${POOL_START}`,
        "set vpn server pool count 2",
        `set vpn account ${ALICE.user} password ${ALICE.password}`,
        `set vpn account ${BOB.user} password ${BOB.password}`,
      ]),
    );
    await step("both callers ping the device through the NAT box", async () => {
      await untilReached(node.alice, ALICE.server);
      await untilReached(node.bob, ALICE.server);
    });
  },
};

export function homesEnds({ node, link, clock }: TwoHomes): Ends {
  const calls = new Map<"alice" | "bob", DialedCall>();
  const dial = async (who: "alice" | "bob", cell: Cell): Promise<void> => {
    const as = who === "alice" ? ALICE : BOB;
    const password = passwordOf(cell, as.password);
    calls.set(who, await node[who].dial({ ...as, password, protection: protectionOf(cell), options: ECHO }));
  };
  return {
    console: node.device.console,
    clock,
    line: link.internet,
    peerNode: "nat",
    deviceSide: 1,
    session: ALICE.user,
    nat: node.nat.nat,
    arrange: (cell) => node.device.console.configure(serverCommands(cell)),
    call: (cell) => dial("alice", cell),
    callToo: (cell) => dial("bob", cell),
    ping: async () => {
      const all: PingResult[] = [];
      for (const who of calls.keys()) all.push(await node[who].ping(OFFICE));
      return {
        sent: all.reduce((sum, { sent }) => sum + sent, 0),
        received: all.reduce((sum, { received }) => sum + received, 0),
      };
    },
    peerAgreement: () => Promise.resolve(calls.get("alice")?.agreed),
    peerMtu: () => node.alice.mtu(),
    restartServer: () => restartServer(node.device.console),
    hangUp: async () => {
      for (const who of calls.keys()) await node[who].hangUp();
      calls.clear();
    },
    leftovers: async () => [...(await node.alice.leftovers()), ...(await node.bob.leftovers())],
  };
}

// --- the Windows 10 profile ------------------------------------------------------------------------------------------

/** Windows takes no more, whatever MRU it is told. */
const WINDOWS_MTU = 1400;
const WINDOWS_METHOD = { "mschap-v2": "MSChapv2", "mschap-v1": "MSChap", "chap-md5": "Chap", pap: "Pap" } as const;

/** windows ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
export function windowsWith(under: DeviceNode) {
  return defineLab({
    nodes: {
      device: under,
      windows: windowsProfile({ version: "windows-10", address: "203.0.113.50/24" }),
      office: lanHost({ address: `${OFFICE}/24`, gateway: "192.168.1.1" }),
    },
    links: { internet: ["windows.eth0", "device.wan"], office: ["office.eth0", "device.lan"] },
  });
}
type WindowsLab = LabOf<ReturnType<typeof windowsWith>>;

export const windowsConfigured: Stage<WindowsLab> = {
  claim: "an administrator sets the device up over its serial console",
  async run({ node }, step) {
    await configureHeadOffice(node, step);
    await step("Windows reaches the device's Internet address", () => untilReached(node.windows, CAROL.server));
  },
};

export function windowsEnds({ node, link, clock }: WindowsLab): Ends {
  let mtu: number | undefined;
  return {
    console: node.device.console,
    clock,
    line: link.internet,
    peerNode: "windows",
    deviceSide: 1,
    session: CAROL.user,
    largestMtu: WINDOWS_MTU,
    arrange: (cell) => node.device.console.configure(serverCommands(cell)),
    call: async (cell) => {
      const encryption = cell.encryption === "none" ? "NoEncryption" : "Required";
      const authentication = [WINDOWS_METHOD[cell.auth]];
      const password = passwordOf(cell, CAROL.password);
      mtu = (await node.windows.dial({ ...CAROL, password, encryption, authentication })).mtu;
    },
    ping: () => node.windows.ping(OFFICE),
    transfer: () => transfer(node.office, OFFICE, node.windows, TRANSFER_BYTES),
    peerAgreement: () => Promise.resolve(undefined),
    peerMtu: () => Promise.resolve(mtu),
    restartServer: () => restartServer(node.device.console),
    hangUp: () => node.windows.hangUp(),
    leftovers: () => node.windows.leftovers(),
  };
}

// --- Poptop ---------------------------------------------------------------------------------------------------------

export function poptopEnds({ node, link, clock }: BranchOffice): Ends {
  const { console } = node.device;
  return {
    console,
    clock,
    line: link.internet,
    peerNode: "head",
    deviceSide: 1,
    session: CLIENT,
    arrange: async (cell) => {
      await node.head.answerWith(protectionOf(cell, cell.fault === "40-bit-only" ? 40 : undefined));
      const password = `set ${CLIENT_AT} password ${passwordOf(cell, PASSWORD)}`;
      await console.configure([...commandsOf(CLIENT_AT, cell), password]);
    },
    call: () => dialClient(console, clock),
    ping: () => node.office.ping(HEAD),
    transfer: () => transfer(node.head, HEAD, node.office, TRANSFER_BYTES),
    peerAgreement: () => node.head.agreed(),
    peerMtu: () => node.head.mtu(),
    restartServer: () => node.head.crash(),
    hangUp: () => console.run(`vpn hangup ${CLIENT}`).then(() => {}),
    leftovers: () => node.head.leftovers(),
  };
}

// --- a second device ------------------------------------------------------------------------------------------------

const USER = "branch";
const BRANCH_PASSWORD = "br4nch";
const WAN = { device: "203.0.113.1", other: "203.0.113.2" } as const;
const LAN = { device: 1, other: 2 } as const;
const FAR = "192.168.2.10";
const OTHER_POOL = "192.168.2.200";

/** near ── 192.168.1.0/24 ── lan device wan ── internet 203.0.113.0/24 ── wan other lan ── 192.168.2.0/24 ── far */
export function twoDevicesWith(under: DeviceNode) {
  return defineLab({
    nodes: {
      device: under,
      other: device(),
      near: lanHost({ address: "192.168.1.10/24", gateway: "192.168.1.1" }),
      far: serviceHost({ address: `${FAR}/24`, gateway: "192.168.2.1" }),
    },
    links: {
      internet: ["device.wan", "other.wan"],
      nearLan: ["device.lan", "near.eth0"],
      farLan: ["other.lan", "far.eth0"],
    },
  });
}
type TwoDevices = LabOf<ReturnType<typeof twoDevicesWith>>;

/** Each may call the other, and is ready to be called. */
function officeCommands(own: "device" | "other", its: "device" | "other"): readonly string[] {
  return [
    `set system name ${own}`,
    `set interfaces wan address ${WAN[own]}/24`,
    `set interfaces lan address 192.168.${LAN[own]}.1/24`,
    "set vpn server enabled true",
    `set vpn server pool start 192.168.${LAN[own]}.200`,
    "set vpn server pool count 2",
    `set vpn account ${USER} password ${BRANCH_PASSWORD}`,
    `set ${CLIENT_AT} server ${WAN[its]}`,
    `set ${CLIENT_AT} user ${USER}`,
    `set ${CLIENT_AT} password ${BRANCH_PASSWORD}`,
    `set ${CLIENT_AT} route 192.168.${LAN[its]}.0/24`,
    `set ${CLIENT_AT} dial manual`,
  ];
}

export const twoDevicesConfigured: Stage<TwoDevices> = {
  claim: "two devices are set up to call each other, each over its serial console",
  async run({ node }, step) {
    await step("set the administrators' passwords at the first login", async () => {
      await node.device.console.login(ADMIN_PASSWORD);
      await node.other.console.login(ADMIN_PASSWORD);
    });
    await step("enter and commit both configurations", async () => {
      await node.device.console.configure(officeCommands("device", "other"));
      await node.other.console.configure(officeCommands("other", "device"));
    });
    await step("the host on the device's LAN reaches the device", () => untilReached(node.near, "192.168.1.1"));
  },
};

export function twoDevicesEnds({ node, link, clock }: TwoDevices, { role }: Cell): Ends {
  const { console } = node.device;
  const other = node.other.console;
  const [server, caller] = role === "server" ? [console, other] : [other, console];
  const peerSession = role === "server" ? CLIENT : USER;
  return {
    console,
    clock,
    line: link.internet,
    peerNode: "other",
    deviceSide: 0,
    session: role === "server" ? USER : CLIENT,
    arrange: async (cell) => {
      // A network can be reached one way only: by the account of who calls, or by a client.
      const network = `192.168.${role === "server" ? LAN.other : LAN.device}.0/24`;
      const reached = [`delete ${CLIENT_AT} route`, `set vpn account ${USER} route ${network}`];
      const commands = [...serverCommands(cell), ...reached];
      await server.configure(
        role === "server" ? commands : commands.map((line) => line.replace(POOL_START, OTHER_POOL)),
      );
      const password = `set ${CLIENT_AT} password ${passwordOf(cell, BRANCH_PASSWORD)}`;
      await caller.configure([...commandsOf(CLIENT_AT, cell), password]);
    },
    call: () => dialClient(caller, clock),
    ping: () => node.near.ping(FAR),
    peerAgreement: async () => (await findSession(other, peerSession)).agreed,
    peerMtu: () => Promise.resolve(undefined),
    restartServer: () => restartServer(server),
    hangUp: () => caller.run(`vpn hangup ${CLIENT}`).then(() => {}),
    leftovers: async () => {
      const sessions = (await listSessions(other)).filter(({ state }) => state !== "listening");
      return sessions.map(({ id, state }) => `session ${id} of the peer (${state})`);
    },
  };
}

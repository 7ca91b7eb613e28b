/** The lab of the manual's Figure 13-2: a branch office dials into the head office, and mobile users dial into both. */
import { defineLab, type LabOf } from "../lab.ts";
import { device } from "../node/device.ts";
import { lanHost } from "../peers/lan-host.ts";
import { windowsProfile } from "../peers/windows.ts";
import type { WindowsDialing } from "../peers/windows-peer.ts";
import type { Stage } from "../scenario.ts";
import { awaitSession } from "./device-sessions.ts";
import { ADMIN_PASSWORD } from "./head-office.ts";
import { pingAll } from "./tunnel-claims.ts";

/** What the branch office's client is called there, and its account at the head office. */
export const TUNNEL = "head";
export const BRANCH_USER = "branch1";
/** The hosts on the LANs. */
export const HEAD_HOST = "192.168.1.10";
export const BRANCH_HOST = "192.168.2.10";
const CONNECTED_WITHIN_MS = 90_000;

function dialing(server: string, user: string): WindowsDialing {
  return { server, user, password: `${user}-s3cret`, routes: ["192.168.0.0/16"] };
}
/** Mobile users of the head office, with Windows 10, and of the branch office, with Windows 7: what Windows chooses by itself. */
export const ALICE = dialing("203.0.113.1", "alice");
export const BOB = dialing("203.0.113.2", "bob");

function office(number: number, mobile: WindowsDialing): readonly string[] {
  return [
    `set interfaces wan address 203.0.113.${number}/24`,
    "set interfaces wan gateway 203.0.113.254",
    `set interfaces lan address 192.168.${number}.1/24`,
    "set vpn server enabled true",
    `set vpn server pool start 192.168.${number}.200`,
    "set vpn server pool count 10",
    `set vpn account ${mobile.user} password ${mobile.password}`,
  ];
}

const HEAD = [
  "set system name head",
  ...office(1, ALICE),
  `set vpn account ${BRANCH_USER} password br4nch`,
  `set vpn account ${BRANCH_USER} route 192.168.2.0/24`,
];

const BRANCH = [
  "set system name branch",
  ...office(2, BOB),
  `set vpn client ${TUNNEL} server 203.0.113.1`,
  `set vpn client ${TUNNEL} user ${BRANCH_USER}`,
  `set vpn client ${TUNNEL} password br4nch`,
  `set vpn client ${TUNNEL} route 192.168.1.0/24`,
  `set vpn client ${TUNNEL} dial always`,
];

/**
 * alice ──┐                             ┌── bob
 *         internet 203.0.113.0/24 ──────┤
 * head host ── 192.168.1.0/24 ── head   └── branch ── 192.168.2.0/24 ── branch host
 */
export const twoOffices = defineLab({
  nodes: {
    head: device(),
    branch: device(),
    alice: windowsProfile({ version: "windows-10", address: "203.0.113.50/24", computerName: "ALICE-PC" }),
    bob: windowsProfile({ version: "windows-7", address: "203.0.113.51/24", computerName: "BOB-PC" }),
    headHost: lanHost({ address: `${HEAD_HOST}/24`, gateway: "192.168.1.1" }),
    branchHost: lanHost({ address: `${BRANCH_HOST}/24`, gateway: "192.168.2.1" }),
  },
  links: {
    internet: ["head.wan", "branch.wan", "alice.eth0", "bob.eth0"],
    headLan: ["head.lan", "headHost.eth0"],
    branchLan: ["branch.lan", "branchHost.eth0"],
  },
});
export type TwoOffices = LabOf<typeof twoOffices>;

export const bothConfigured: Stage<TwoOffices> = {
  claim: "both devices are set up over their serial consoles alone, and the branch office connects by itself",
  async run({ node, clock }, step) {
    await step("set the administrators' passwords at the first login", async () => {
      await node.head.console.login(ADMIN_PASSWORD);
      await node.branch.console.login(ADMIN_PASSWORD);
    });
    await step("enter and commit the head office's configuration", () => node.head.console.configure(HEAD));
    await step("enter and commit the branch office's configuration", () => node.branch.console.configure(BRANCH));
    await step("the branch office's tunnel comes up", () =>
      awaitSession(node.branch.console, clock, TUNNEL, CONNECTED_WITHIN_MS, ({ state }) => state === "connected"),
    );
    await step("the LANs reach each other", () => pingAll(node.headHost, BRANCH_HOST));
  },
};

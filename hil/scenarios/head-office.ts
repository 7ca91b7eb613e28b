/** The lab of the manual's Figure 13-1, and how its device is set up: a mobile user dials into the head office. */
import { defineLab, type LabOf } from "../lab.ts";
import { device } from "../node/device.ts";
import { lanHost } from "../peers/lan-host.ts";
import { STRONGEST } from "../peers/pppd.ts";
import { pptpLinux } from "../peers/pptp-linux.ts";
import type { Stage, Step } from "../scenario.ts";
import { untilReached } from "./tunnel-claims.ts";

export const ADMIN_PASSWORD = "lab-Admin-1";
export const POOL_START = "192.168.1.200";
/** Two addresses, given out in turn: the third dial proves that both came back. */
export const POOL_COUNT = 2;
export const DNS = "192.168.1.1";
export const OFFICE = "192.168.1.10";
export const OFFICE_NETWORK = "192.168.1.0/24";
export const ALICE = {
  server: "203.0.113.1",
  user: "alice",
  password: "s3cret",
  protection: STRONGEST,
  routes: ["192.168.1.0/25"],
};
/** Whoever dials in from a Windows computer, with what Windows chooses by itself. */
export const CAROL = { server: ALICE.server, user: "carol", password: "p4ss word" };

const CONFIGURATION = [
  "set interfaces wan address 203.0.113.1/24",
  "set interfaces wan gateway 203.0.113.254",
  "set interfaces lan address 192.168.1.1/24",
  "set vpn server enabled true",
  "set vpn server address 192.168.1.1",
  `set vpn server pool start ${POOL_START}`,
  `set vpn server pool count ${POOL_COUNT}`,
  `set vpn server dns ${DNS}`,
  `set vpn account ${ALICE.user} password ${ALICE.password}`,
  `set vpn account ${CAROL.user} password "${CAROL.password}"`,
];

/** mobile ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
export function headOfficeWith(under: ReturnType<typeof device>) {
  return defineLab({
    nodes: {
      device: under,
      mobile: pptpLinux({ address: "203.0.113.50/24" }),
      office: lanHost({ address: `${OFFICE}/24`, gateway: "192.168.1.1" }),
    },
    links: {
      internet: ["mobile.eth0", "device.wan"],
      office: ["office.eth0", "device.lan"],
    },
  });
}
export const headOffice = headOfficeWith(device());
export type HeadOffice = LabOf<typeof headOffice>;

export const headOfficeConfigured: Stage<HeadOffice> = {
  claim: "an administrator sets the device up over its serial console",
  async run({ node }, step) {
    await configureHeadOffice(node, step);
    await step("the mobile user reaches the device's Internet address", () => untilReached(node.mobile, ALICE.server));
  },
};

/** Whoever the mobile users are. */
export async function configureHeadOffice(node: Pick<HeadOffice["node"], "device" | "office">, step: Step) {
  await step("set the administrator's password at the first login", () => node.device.console.login(ADMIN_PASSWORD));
  await step("enter and commit the configuration of Figure 13-1", () => node.device.console.configure(CONFIGURATION));
  await step("the office host reaches the device's LAN address", () => untilReached(node.office, "192.168.1.1"));
}

/** The lab of a branch office, and how its device is set up: the device dials into a head office that Poptop serves. */
import { defineLab, type LabOf } from "../lab.ts";
import { device } from "../node/device.ts";
import { lanHost } from "../peers/lan-host.ts";
import { poptop } from "../peers/poptop.ts";
import { STRONGEST } from "../peers/pppd.ts";
import type { Stage } from "../scenario.ts";
import { ADMIN_PASSWORD, OFFICE, OFFICE_NETWORK } from "./head-office.ts";
import { policyCommands } from "./policies.ts";
import { untilReached } from "./tunnel-claims.ts";

export const SERVER = "203.0.113.50";
/** The head office's end of the tunnel. */
export const HEAD = "10.99.0.1";
export const HEAD_NETWORK = "10.99.0.0/16";
/** The client in the device's configuration. */
export const CLIENT = "head";
export const CLIENT_AT = `vpn client ${CLIENT}`;
export const PASSWORD = "br4nch";
const USER = "branch1";

const CONFIGURATION = [
  "set interfaces wan address 203.0.113.1/24",
  "set interfaces wan gateway 203.0.113.254",
  "set interfaces lan address 192.168.1.1/24",
  `set ${CLIENT_AT} server ${SERVER}`,
  `set ${CLIENT_AT} user ${USER}`,
  `set ${CLIENT_AT} password ${PASSWORD}`,
  `set ${CLIENT_AT} route ${HEAD_NETWORK}`,
  `set ${CLIENT_AT} dial manual`,
  ...policyCommands(CLIENT_AT, STRONGEST),
];

/** head ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
export function branchOfficeWith(under: ReturnType<typeof device>) {
  return defineLab({
    nodes: {
      device: under,
      head: poptop({
        address: `${SERVER}/24`,
        localAddress: HEAD,
        remoteAddress: "10.99.0.2",
        dns: HEAD,
        user: USER,
        password: PASSWORD,
        routes: [OFFICE_NETWORK],
      }),
      office: lanHost({ address: `${OFFICE}/24`, gateway: "192.168.1.1" }),
    },
    links: {
      internet: ["head.eth0", "device.wan"],
      office: ["office.eth0", "device.lan"],
    },
  });
}
export const branchOffice = branchOfficeWith(device());
export type BranchOffice = LabOf<typeof branchOffice>;

export const branchOfficeConfigured: Stage<BranchOffice> = {
  claim: "an administrator sets the device up as a client over its serial console",
  async run({ node }, step) {
    await step("set the administrator's password at the first login", () => node.device.console.login(ADMIN_PASSWORD));
    await step("enter and commit the configuration", () => node.device.console.configure(CONFIGURATION));
    await step("the office host reaches the device's LAN address", () => untilReached(node.office, "192.168.1.1"));
    await step("the head office reaches the device's Internet address", () => untilReached(node.head, "203.0.113.1"));
  },
};

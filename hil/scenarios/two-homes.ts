/** Two people behind one NAT box call the device. */
import { defineLab, type LabOf } from "../lab.ts";
import { natBox } from "../net/services/nat-box.ts";
import { serviceHost } from "../net/services/service-host.ts";
import type { device } from "../node/device.ts";
import { pptpLinux } from "../peers/pptp-linux.ts";
import { OFFICE } from "./head-office.ts";

const HOME_ROUTER = "192.168.77.1";

/** alice, bob ── home 192.168.77.0/24 ── nat ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
export function twoHomes(called: ReturnType<typeof device>) {
  return defineLab({
    nodes: {
      device: called,
      alice: pptpLinux({ address: "192.168.77.10/24", gateway: HOME_ROUTER }),
      bob: pptpLinux({ address: "192.168.77.11/24", gateway: HOME_ROUTER }),
      nat: natBox({ inside: `${HOME_ROUTER}/24`, outside: "203.0.113.50/24" }),
      office: serviceHost({ address: `${OFFICE}/24`, gateway: "192.168.1.1" }),
    },
    links: {
      home: ["alice.eth0", "bob.eth0", "nat.inside"],
      internet: ["nat.outside", "device.wan"],
      office: ["office.eth0", "device.lan"],
    },
  });
}
export type TwoHomes = LabOf<ReturnType<typeof twoHomes>>;

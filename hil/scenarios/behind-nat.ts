/** Suite `behind-nat`: two clients behind one NAT box call the device, for each way in which such boxes treat PPTP. */
import { defineLab, type LabOf } from "../lab.ts";
import { natBox } from "../net/services/nat-box.ts";
import type { PptpAlgMode } from "../net/services/pptp-alg-mode.ts";
import { serviceHost } from "../net/services/service-host.ts";
import { device } from "../node/device.ts";
import { STRONGEST } from "../peers/pppd.ts";
import { DialError, type Dialing, pptpLinux } from "../peers/pptp-linux.ts";
import { check, defineSuite, type Scenario, type Stage, type Step } from "../scenario.ts";
import { pingAll } from "./tunnel-claims.ts";

const ADMIN_PASSWORD = "lab-Admin-1";
const DEVICE = "203.0.113.1";
const OFFICE = "192.168.1.10";
const HOME_ROUTER = "192.168.77.1";

const CONFIGURATION = [
  `set interfaces wan address ${DEVICE}/24`,
  "set interfaces lan address 192.168.1.1/24",
  "set vpn server enabled true",
  "set vpn server address 192.168.1.1",
  "set vpn server pool start 192.168.1.200",
  "set vpn server pool count 2",
  "set vpn account alice password s3cret",
  "set vpn account bob password s3cret",
];

/** alice, bob ── home 192.168.77.0/24 ── nat ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
const lab = defineLab({
  nodes: {
    device: device(),
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
type Homes = LabOf<typeof lab>;

const configured: Stage<Homes> = {
  claim: "the device is set up, and both clients reach it through the NAT box",
  async run({ node }, step) {
    await step("set the administrator's password at the first login", () => node.device.console.login(ADMIN_PASSWORD));
    await step("enter and commit the configuration", () => node.device.console.configure(CONFIGURATION));
    await step("both clients ping the device through the NAT box", async () => {
      await pingAll(node.alice, DEVICE);
      await pingAll(node.bob, DEVICE);
    });
  },
};

function callOf(user: "alice" | "bob"): Dialing {
  return { server: DEVICE, user, password: "s3cret", protection: STRONGEST, routes: ["192.168.1.0/25"] };
}

function scenario(
  alg: PptpAlgMode,
  claim: string,
  run: (node: Homes["node"], step: Step) => Promise<void>,
): Scenario<Homes, "configured"> {
  return {
    name: alg,
    claim,
    from: "configured",
    async run({ node }, step) {
      node.nat.nat.alg = alg;
      await run(node, step);
    },
  };
}

async function bothCall(node: Homes["node"], step: Step): Promise<void> {
  await step("alice dials", () => node.alice.dial(callOf("alice")));
  await step("bob dials while alice's call is up", () => node.bob.dial(callOf("bob")));
  await step("the NAT box knows two calls of different outside Call IDs", () => {
    const ids = new Set(node.nat.nat.calls.filter(({ isOver }) => !isOver).map(({ outsideId }) => outsideId));
    check(ids.size === 2, `it knows ${[...ids].join(", ") || "none"}`);
  });
  for (const who of ["alice", "bob", "alice"] as const) {
    await step(`${who} pings the office through the tunnel`, () => pingAll(node[who], OFFICE));
  }
  await step("alice hangs up, and bob's call goes on", async () => {
    await node.alice.hangUp();
    await pingAll(node.bob, OFFICE);
  });
}

async function nobodyCalls(node: Homes["node"], step: Step): Promise<void> {
  await step("alice's call does not come up", async () => {
    const error = await node.alice.dial(callOf("alice")).catch((reason: unknown) => reason);
    check(error instanceof DialError, "it came up");
  });
  await step("with the right helper it does: nothing of the first try is in its way", async () => {
    node.nat.nat.alg = "right";
    await node.alice.dial(callOf("alice"));
    await pingAll(node.alice, OFFICE);
  });
}

export const behindNatSuite = defineSuite({
  name: "behind-nat",
  title: "Two clients behind one NAT box call the device",
  lab,
  stages: { configured },
  scenarios: [
    scenario("right", "behind a NAT box that translates Call IDs, two clients call at once", bothCall),
    scenario("linux", "behind a NAT box that translates as Linux does, two clients call at once", bothCall),
    scenario(
      "inbound-gre-first-dropped",
      "a NAT box that waits for the client's first GRE packet delays no call for good",
      bothCall,
    ),
    scenario("off", "behind a NAT box without a helper no call comes up", nobodyCalls),
    scenario("gre-blocked", "where GRE is blocked no call comes up", nobodyCalls),
    scenario(
      "single-session",
      "behind a NAT box that maps GRE by server address, the second call silences the first and works itself",
      async (node, step) => {
        await step("alice dials and pings the office", async () => {
          await node.alice.dial(callOf("alice"));
          await pingAll(node.alice, OFFICE);
        });
        await step("bob dials and pings the office", async () => {
          await node.bob.dial(callOf("bob"));
          await pingAll(node.bob, OFFICE);
        });
        await step("alice hears nothing any more", async () => {
          const { received } = await node.alice.ping(OFFICE);
          check(received === 0, `${received} of her pings were answered`);
        });
      },
    ),
  ],
});

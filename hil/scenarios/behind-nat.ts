/** Suite `behind-nat`: two clients behind one NAT box call the device, for each way in which such boxes treat PPTP. */
import type { PptpAlgMode } from "../net/services/pptp-alg-mode.ts";
import { device } from "../node/device.ts";
import { STRONGEST } from "../peers/pppd.ts";
import { DialError, type Dialing } from "../peers/pptp-linux.ts";
import { check, defineSuite, type Scenario, type Stage, type Step } from "../scenario.ts";
import { OFFICE } from "./head-office.ts";
import { pingAll } from "./tunnel-claims.ts";
import { type TwoHomes, twoHomes } from "./two-homes.ts";

const ADMIN_PASSWORD = "lab-Admin-1";
const DEVICE = "203.0.113.1";

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

const lab = twoHomes(device());

const configured: Stage<TwoHomes> = {
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
  run: (node: TwoHomes["node"], step: Step) => Promise<void>,
): Scenario<TwoHomes, "configured"> {
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

async function bothCall(node: TwoHomes["node"], step: Step): Promise<void> {
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

async function nobodyCalls(node: TwoHomes["node"], step: Step): Promise<void> {
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

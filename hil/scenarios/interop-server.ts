/** Suite `interop-server`: pptp-linux and pppd dial our server in each way that they know, and in wrong order. */

import { inspectOrder } from "../net/tunnel-traffic.ts";
import { agreementOf } from "../peers/pppd.ts";
import type { Disorder } from "../peers/pptp-linux.ts";
import { check, defineSuite, type Scenario, type Step } from "../scenario.ts";
import { findSession, noCallOnDevice } from "./device-sessions.ts";
import { ALICE, type HeadOffice, headOffice, headOfficeConfigured, OFFICE, OFFICE_NETWORK } from "./head-office.ts";
import { MPPE_56, POLICIES, type Policy, policyCommands } from "./policies.ts";
import { agreedTo, nothingLeftOn, onlyCiphertext, onlyCleartext, pingAll, transfer } from "./tunnel-claims.ts";

const TRANSFER_BYTES = 1_000_000;
/** The mobile user's place in the link `internet`. */
const MOBILE_SIDE = 0;
const LEAST_OVERTAKEN = 10;

function dialWith({ name, title, protection }: Policy): Scenario<HeadOffice, "configured"> {
  return {
    name,
    claim: `a call with ${title}: agreed on by both sides, carries pings and 1 MB each way, ends without a trace`,
    from: "configured",
    async run({ node, link }, step) {
      const before = link.internet.capture.frames;
      await step(`the device allows ${title} alone`, () =>
        node.device.console.configure(policyCommands("vpn server", protection)),
      );
      const call = await step("the mobile user dials with the same", () => node.mobile.dial({ ...ALICE, protection }));
      await step("pppd's log and `show vpn` name what was wanted", async () => {
        const session = await findSession(node.device.console, ALICE.user);
        agreedTo("pppd", call.agreed, agreementOf(protection));
        agreedTo("the device", session.agreed, agreementOf(protection));
      });
      await step("the mobile user pings the office host", () => pingAll(node.mobile, OFFICE));
      await step("1 MB from the office to the mobile user", () =>
        transfer(node.office, OFFICE, node.mobile, TRANSFER_BYTES),
      );
      await step("1 MB from the mobile user to the office", () =>
        transfer(node.mobile, call.localAddress, node.office, TRANSFER_BYTES),
      );
      if (protection.mppe === undefined) await onlyCleartext(link.internet, step, before);
      else await onlyCiphertext(link.internet, OFFICE_NETWORK, step, before);
      await hangUp(node, step);
    },
  };
}

function outOfOrder(name: string, how: string, disorder: Disorder): Scenario<HeadOffice, "configured"> {
  return {
    name,
    claim: `1 MB arrives intact in a call whose client ${how}, and the call stays up`,
    from: "configured",
    async run({ node, link }, step) {
      const before = link.internet.capture.frames;
      await step("the device wants MS-CHAPv2 and MPPE-128 stateless", () =>
        node.device.console.configure(policyCommands("vpn server", ALICE.protection)),
      );
      const call = await step(`the mobile user dials with pptp --test-type ${disorder.type}`, () =>
        node.mobile.dial({ ...ALICE, disorder }),
      );
      const session = await findSession(node.device.console, ALICE.user);
      await step("1 MB from the mobile user to the office", () =>
        transfer(node.mobile, call.localAddress, node.office, TRANSFER_BYTES),
      );
      const after = await findSession(node.device.console, ALICE.user);
      const { overtaken, missing } = inspectOrder(link.internet.capture.read(), MOBILE_SIDE, before);
      await step(`${overtaken} packets left out of order, ${missing} never; the device misses no more`, () => {
        check(overtaken >= LEAST_OVERTAKEN, `${overtaken} are too few to prove anything`);
        check(after.lost <= missing, `the device gave up ${after.lost} packets`);
      });
      await step("it is still the same session", () =>
        check(after.id === session.id, `session ${after.id} took the place of ${session.id}`),
      );
      await hangUp(node, step);
    },
  };
}

async function hangUp(node: HeadOffice["node"], step: Step): Promise<void> {
  await step("the mobile user hangs up", () => node.mobile.hangUp());
  await nothingLeftOn(node.mobile, "the client", step);
  await noCallOnDevice(node.device.console, step);
}

export const interopServerSuite = defineSuite({
  name: "interop-server",
  title: "pptp-linux and pppd dial the device, in every way they know",
  lab: headOffice,
  stages: { configured: headOfficeConfigured },
  scenarios: [
    ...POLICIES.map(dialWith),
    MPPE_56,
    outOfOrder("reorder-swap", "swaps packets", { type: 1, every: 20 }),
    // Held packets wait for more to come, and TCP for them: each time may cost a retransmission timeout.
    outOfOrder("reorder-late", "sends ten packets late", { type: 2, every: 100 }),
    outOfOrder("reorder-reversed", "sends ten packets in reverse and swallows one", { type: 3, every: 100 }),
  ],
});

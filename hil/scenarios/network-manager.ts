/** Suite `network-manager`: a Linux desktop dials the device as its user does, with NetworkManager's PPTP plugin. */
import { defineLab, type LabOf } from "../lab.ts";
import { device } from "../node/device.ts";
import { lanHost } from "../peers/lan-host.ts";
import {
  type NetworkManager,
  NetworkManagerDialError,
  type NetworkManagerDialing,
  networkManager,
} from "../peers/network-manager.ts";
import { poptop } from "../peers/poptop.ts";
import { agreementOf } from "../peers/pppd.ts";
import { check, defineSuite, type Stage, type Step } from "../scenario.ts";
import { awaitFailure, type ExpectedFailure } from "./device-log.ts";
import { findSession, noCallOnDevice } from "./device-sessions.ts";
import { ALICE, configureHeadOffice, DNS, OFFICE, OFFICE_NETWORK, POOL_COUNT, POOL_START } from "./head-office.ts";
import { policyCommands } from "./policies.ts";
import { agreedTo, nothingLeftOn, onlyCiphertext, pingAll, transfer, untilReached } from "./tunnel-claims.ts";

const TRANSFER_BYTES = 1_000_000;
const LOGGED_WITHIN_MS = 60_000;
const POPTOP = { server: "203.0.113.2", inside: "192.168.50.1", given: "192.168.50.10" };
/** Everything through the tunnel, as NetworkManager does by itself. */
const CALL: NetworkManagerDialing = { ...ALICE, routes: [] };

/** mobile and Poptop ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
const lab = defineLab({
  nodes: {
    device: device(),
    mobile: networkManager({ address: "203.0.113.50/24", gateway: "203.0.113.254" }),
    office: lanHost({ address: `${OFFICE}/24`, gateway: DNS }),
    poptop: poptop({
      address: `${POPTOP.server}/24`,
      localAddress: POPTOP.inside,
      remoteAddress: POPTOP.given,
      dns: POPTOP.inside,
      user: ALICE.user,
      password: ALICE.password,
    }),
  },
  links: {
    internet: ["mobile.eth0", "poptop.eth0", "device.wan"],
    office: ["office.eth0", "device.lan"],
  },
});
type Desk = LabOf<typeof lab>;

const configured: Stage<Desk> = {
  claim: "the device is set up as in Figure 13-1, and the desktop reaches it",
  async run({ node }, step) {
    await configureHeadOffice(node, step);
    await step("the desktop reaches the device's Internet address", () => untilReached(node.mobile, ALICE.server));
  },
};

/** Dials with what cannot work: NetworkManager says so with this reason, and the device's log says why. */
async function refused(
  { node, clock }: Desk,
  step: Step,
  dialing: NetworkManagerDialing,
  pppdSays: RegExp,
  logged: ExpectedFailure,
): Promise<void> {
  await step("NetworkManager says connect-failed, and its pppd why", async () => {
    const error = await node.mobile.dial(dialing).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof NetworkManagerDialError)) throw error ?? new Error("the call came up");
    check(error.reason === "connect-failed", `the reason is ${error.reason}: ${error.message}`);
    check(pppdSays.test(error.log), `pppd says nothing like ${pppdSays}: ${error.message}`);
  });
  await step(`the device's log names stage ${logged.stage}, error ${logged.code} and what to check`, async () => {
    await awaitFailure(node.device.console, clock, logged, LOGGED_WITHIN_MS);
  });
  await nothingLeftOn(node.mobile, "the desktop", step);
  await noCallOnDevice(node.device.console, step);
}

async function hangUp(mobile: NetworkManager, step: Step): Promise<void> {
  await step("nmcli takes the connection down", () => mobile.hangUp());
  await nothingLeftOn(mobile, "the desktop", step);
}

export const networkManagerSuite = defineSuite({
  name: "network-manager",
  title: "NetworkManager's PPTP plugin dials the device",
  lab,
  stages: { configured },
  scenarios: [
    {
      name: "poptop",
      claim: "NetworkManager reaches Poptop, which is not ours: if this fails, do not blame the device",
      from: "booted",
      async run({ node, link }, step) {
        const call = await step("nmcli makes the connection and brings it up", () =>
          node.mobile.dial({ ...CALL, server: POPTOP.server }),
        );
        await step("it has Poptop's address and name server", () => {
          check(call.localAddress === POPTOP.given, `got ${call.localAddress} instead of ${POPTOP.given}`);
          check(call.resolvers.join() === POPTOP.inside, `/etc/resolv.conf has ${call.resolvers.join(", ")}`);
        });
        await step("both logs say MS-CHAPv2 and MPPE-128 stateless", async () => {
          agreedTo("NetworkManager's pppd", call.agreed, agreementOf(ALICE.protection));
          agreedTo("Poptop's pppd", await node.poptop.agreed(), agreementOf(ALICE.protection));
        });
        await step("ping Poptop through the tunnel", () => pingAll(node.mobile, POPTOP.inside));
        await step("fetch 1 MB from Poptop", () => transfer(node.poptop, POPTOP.inside, node.mobile, TRANSFER_BYTES));
        await onlyCiphertext(link.internet, "192.168.50.0/24", step);
        await hangUp(node.mobile, step);
      },
    },
    {
      name: "dial",
      claim:
        "a call with MS-CHAPv2 and MPPE-128 brings address and name server, carries all traffic, ends without a trace",
      from: "configured",
      async run({ node, link }, step) {
        const before = link.internet.capture.frames;
        const call = await step("nmcli makes the connection and brings it up", () => node.mobile.dial(CALL));
        await step("it has an address of the pool and the device's name server in /etc/resolv.conf", () => {
          const [first = 0, given = 0] = [POOL_START, call.localAddress].map((ip) => Number(ip.split(".")[3]));
          check(given >= first && given < first + POOL_COUNT, `${call.localAddress} is not of the pool`);
          check(call.resolvers.join() === DNS, `/etc/resolv.conf has ${call.resolvers.join(", ")}`);
        });
        await step("pppd's log and `show vpn` say MS-CHAPv2 and MPPE-128 stateless", async () => {
          const session = await findSession(node.device.console, ALICE.user);
          agreedTo("pppd", call.agreed, agreementOf(ALICE.protection));
          agreedTo("the device", session.agreed, agreementOf(ALICE.protection));
        });
        await step("the desktop pings the office host by its new default route", () => pingAll(node.mobile, OFFICE));
        await step("1 MB from the office to the desktop", () =>
          transfer(node.office, OFFICE, node.mobile, TRANSFER_BYTES),
        );
        await step("1 MB from the desktop to the office", () =>
          transfer(node.mobile, call.localAddress, node.office, TRANSFER_BYTES),
        );
        await onlyCiphertext(link.internet, OFFICE_NETWORK, step, before);
        await hangUp(node.mobile, step);
        await noCallOnDevice(node.device.console, step);
      },
    },
    {
      name: "split-routes",
      claim: "with routes of its own the desktop reaches the office through the tunnel and the Internet beside it",
      from: "configured",
      async run({ node }, step) {
        await step("nmcli brings it up with one route", () => node.mobile.dial(ALICE));
        await step("the desktop pings the office host", () => pingAll(node.mobile, OFFICE));
        await step("the desktop still reaches the server's Internet address", () => pingAll(node.mobile, ALICE.server));
        await hangUp(node.mobile, step);
        await noCallOnDevice(node.device.console, step);
      },
    },
    {
      name: "wrong-password",
      claim: "a wrong password is connect-failed to NetworkManager, and error 691 to the device",
      from: "configured",
      run: (desk, step) =>
        refused(desk, step, { ...CALL, password: "wrong" }, /^CHAP authentication failed$/m, {
          stage: "lcp-opened",
          code: 691,
          says: /wrong user name or password.*; check user name and password/,
        }),
    },
    {
      name: "no-mppe-ticked",
      claim: "a connection as the dialog makes it, without MPPE, fails on a device that requires it, whose log says so",
      from: "configured",
      run: (desk, step) =>
        refused(desk, step, { ...CALL, protection: "as the dialog has it" }, /^LCP terminated by peer/m, {
          stage: "authenticated",
          code: 741,
          says: /the peer refuses MPPE encryption, which this device requires/,
        }),
    },
    {
      name: "mppe-40-stateful",
      claim: "a call with MS-CHAPv2 and MPPE-40 stateful: agreed on by both sides, carries pings and 1 MB",
      from: "configured",
      async run({ node }, step) {
        const protection = { authentication: "mschap-v2", mppe: { bits: 40, stateful: true } } as const;
        await step("the device allows that alone", () =>
          node.device.console.configure(policyCommands("vpn server", protection)),
        );
        const call = await step("nmcli brings up a connection with the same", () =>
          node.mobile.dial({ ...CALL, protection }),
        );
        await step("pppd's log and `show vpn` name what was wanted", async () => {
          const session = await findSession(node.device.console, ALICE.user);
          agreedTo("pppd", call.agreed, agreementOf(protection));
          agreedTo("the device", session.agreed, agreementOf(protection));
        });
        await step("the desktop pings the office host", () => pingAll(node.mobile, OFFICE));
        await step("1 MB from the office to the desktop", () =>
          transfer(node.office, OFFICE, node.mobile, TRANSFER_BYTES),
        );
        await hangUp(node.mobile, step);
        await noCallOnDevice(node.device.console, step);
      },
    },
  ],
});

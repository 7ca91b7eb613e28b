/** Suite `interop-client`: our client dials Poptop and pppd in each way that they know, and lives through what goes wrong. */
import { agreementOf, STRONGEST } from "../peers/pppd.ts";
import { check, defineSuite, type Scenario, type Step } from "../scenario.ts";
import {
  type BranchOffice,
  branchOffice,
  branchOfficeConfigured,
  CLIENT,
  CLIENT_AT,
  HEAD,
  HEAD_NETWORK,
  SERVER,
} from "./branch-office.ts";
import { awaitSession, type DeviceSession, noCallOnDevice } from "./device-sessions.ts";
import { OFFICE, OFFICE_NETWORK } from "./head-office.ts";
import { MPPE_56, POLICIES, type Policy, policyCommands } from "./policies.ts";
import { agreedTo, nothingLeftOn, onlyCiphertext, onlyCleartext, pingAll, transfer } from "./tunnel-claims.ts";

const TRANSFER_BYTES = 1_000_000;
const CONNECTED_WITHIN_MS = 60_000;
/** Longer than the device may take to notice a call's end. */
const DOWN_WITHIN_MS = 30_000;

function dialWith({ name, title, protection }: Policy): Scenario<BranchOffice, "configured"> {
  return {
    name,
    claim: `a call with ${title}: agreed on by both sides, carries pings and 1 MB each way, ends without a trace`,
    from: "configured",
    async run(lab, step) {
      const { node, link } = lab;
      const before = link.internet.capture.frames;
      await step(`both sides allow ${title} alone`, async () => {
        await node.head.answerWith(protection);
        await node.device.console.configure(policyCommands(CLIENT_AT, protection));
      });
      const session = await dial(lab, step);
      await step("pppd's log and `show vpn` name what was wanted", async () => {
        agreedTo("pppd", await node.head.agreed(), agreementOf(protection));
        agreedTo("the device", session.agreed, agreementOf(protection));
      });
      await step("the office host pings the head office", () => pingAll(node.office, HEAD));
      await step("the head office pings the office host", () => pingAll(node.head, OFFICE));
      await step("1 MB from the head office to the office host", () =>
        transfer(node.head, HEAD, node.office, TRANSFER_BYTES),
      );
      await step("1 MB from the office host to the head office", () =>
        transfer(node.office, OFFICE, node.head, TRANSFER_BYTES),
      );
      if (protection.mppe === undefined) await onlyCleartext(link.internet, step, before);
      else await onlyCiphertext(link.internet, OFFICE_NETWORK, step, before);
      await hangUp(lab, step);
    },
  };
}

const hangUpByServer: Scenario<BranchOffice, "configured"> = {
  name: "hang-up-by-server",
  claim: "the server hangs up: the client notices, says so in its log, and waits to be told",
  from: "configured",
  async run(lab, step) {
    const { node, clock } = lab;
    await strongest(lab, step);
    await dial(lab, step);
    await step("pppd at the head office is ended", () => node.head.hangUp());
    await step("the client is listening again", () =>
      awaitSession(node.device.console, clock, CLIENT, DOWN_WITHIN_MS, ({ state }) => state === "listening"),
    );
    await lastLogLine(lab, step, "that the peer hung up", /client head: the peer hung up/);
    await nothingLeft(lab, step);
  },
};

const dialAlways: Scenario<BranchOffice, "configured"> = {
  name: "dial-always",
  claim:
    "with `dial always` the client connects by itself, and again after the server hung up, until it is told to stop",
  from: "configured",
  async run(lab, step) {
    const { node, clock } = lab;
    await strongest(lab, step);
    await step("`dial always` is committed", () => node.device.console.configure([`set ${CLIENT_AT} dial always`]));
    const connected = () =>
      awaitSession(node.device.console, clock, CLIENT, CONNECTED_WITHIN_MS, ({ state }) => state === "connected");
    await step("the client connects by itself", connected);
    await step("pppd at the head office is ended", () => node.head.hangUp());
    await step("the client notices, and waits for its next attempt", () =>
      awaitSession(node.device.console, clock, CLIENT, DOWN_WITHIN_MS, ({ state }) => state !== "connected"),
    );
    await step("the client connects again by itself", connected);
    await step("the office host pings the head office", () => pingAll(node.office, HEAD));
    await hangUp(lab, step);
  },
};

const dialOnDemand: Scenario<BranchOffice, "configured"> = {
  name: "dial-on-demand",
  claim: "with `dial on-demand` a packet of the office for the head office makes the client dial",
  from: "configured",
  async run(lab, step) {
    const { node, clock } = lab;
    await strongest(lab, step);
    await step("`dial on-demand` is committed", () =>
      node.device.console.configure([`set ${CLIENT_AT} dial on-demand`]),
    );
    await step("the office host sends a packet to the head office, which is lost", () => node.office.isAnswered(HEAD));
    await step("the client is connected", () =>
      awaitSession(node.device.console, clock, CLIENT, CONNECTED_WITHIN_MS, ({ state }) => state === "connected"),
    );
    await step("the office host pings the head office", () => pingAll(node.office, HEAD));
    // First `manual`: an interface that waits for the next packet would be taken for one left behind.
    await step("`dial manual` is committed, which ends the call", () =>
      node.device.console.configure([`set ${CLIENT_AT} dial manual`]),
    );
    await step("the head office has no call any more", () => node.head.untilDown(DOWN_WITHIN_MS));
    await nothingLeft(lab, step);
  },
};

const serverInsideRoute: Scenario<BranchOffice, "configured"> = {
  name: "server-inside-route",
  claim: "a route through the tunnel that covers the server's own address does not lead the tunnel into itself",
  from: "configured",
  async run(lab, step) {
    const { node } = lab;
    await strongest(lab, step);
    await step("the routes cover the server, narrower than the WAN's network", () =>
      node.device.console.configure([`set ${CLIENT_AT} route ${HEAD_NETWORK} 203.0.113.48/28`]),
    );
    await dial(lab, step);
    await step("the office host pings the head office", () => pingAll(node.office, HEAD));
    await step("1 MB from the head office to the office host", () =>
      transfer(node.head, HEAD, node.office, TRANSFER_BYTES),
    );
    await hangUp(lab, step);
    await step("without the call the device reaches the server as before: dial and hang up once more", async () => {
      await dial(lab, (_name, work) => Promise.resolve(work()));
      await node.device.console.run(`vpn hangup ${CLIENT}`);
      await node.head.untilDown(DOWN_WITHIN_MS);
    });
    await nothingLeft(lab, step);
  },
};

const wrongPassword: Scenario<BranchOffice, "configured"> = {
  name: "wrong-password",
  claim: "Poptop refuses a wrong password, and the client's log names the stage and the code that Windows shows, 691",
  from: "configured",
  async run(lab, step) {
    const { node, clock } = lab;
    await strongest(lab, step);
    await step("a wrong password is committed", () =>
      node.device.console.configure([`set ${CLIENT_AT} password wrong`]),
    );
    await step("the client dials, and is listening again", async () => {
      await node.device.console.run(`vpn dial ${CLIENT}`);
      await awaitSession(node.device.console, clock, CLIENT, CONNECTED_WITHIN_MS, ({ state }) => state === "listening");
    });
    await lastLogLine(lab, step, "stage lcp-opened and code 691", /client head: .*\bstage lcp-opened\b.*\b691\b/);
    await nothingLeft(lab, step);
  },
};

/** The steps of the scenarios that are not about protection. */
async function strongest({ node }: BranchOffice, step: Step): Promise<void> {
  await step("both sides allow MS-CHAPv2 and MPPE-128 stateless", async () => {
    await node.head.answerWith(STRONGEST);
    await node.device.console.configure(policyCommands(CLIENT_AT, STRONGEST));
  });
}

async function dial({ node, clock }: BranchOffice, step: Step): Promise<DeviceSession> {
  return await step(`\`vpn dial ${CLIENT}\` connects to ${SERVER}`, async () => {
    await node.device.console.run(`vpn dial ${CLIENT}`);
    return await awaitSession(
      node.device.console,
      clock,
      CLIENT,
      CONNECTED_WITHIN_MS,
      ({ state }) => state === "connected",
    );
  });
}

async function hangUp(lab: BranchOffice, step: Step): Promise<void> {
  const { node, clock } = lab;
  await step(`\`vpn hangup ${CLIENT}\` ends the call on both sides`, async () => {
    await node.device.console.run(`vpn hangup ${CLIENT}`);
    await awaitSession(node.device.console, clock, CLIENT, DOWN_WITHIN_MS, ({ state }) => state === "listening");
    await node.head.untilDown(DOWN_WITHIN_MS);
  });
  await nothingLeft(lab, step);
}

async function nothingLeft({ node }: BranchOffice, step: Step): Promise<void> {
  await nothingLeftOn(node.head, "the server", step);
  await noCallOnDevice(node.device.console, step);
}

/** The last lines of the device's log have one that says so. */
async function lastLogLine({ node }: BranchOffice, step: Step, what: string, line: RegExp): Promise<void> {
  await step(`\`show log\` says ${what}`, async () => {
    const log = await node.device.console.run("show log 4");
    check(
      log.split("\n").some((each) => line.test(each)),
      `the end of the device's log does not say so:\n${log}`,
    );
  });
}

export const interopClientSuite = defineSuite({
  name: "interop-client",
  title: "the device dials Poptop and pppd, in every way they know",
  lab: branchOffice,
  stages: { configured: branchOfficeConfigured },
  scenarios: [
    ...POLICIES.map(dialWith),
    MPPE_56,
    hangUpByServer,
    dialAlways,
    dialOnDemand,
    serverInsideRoute,
    wrongPassword,
  ],
});

/** Suite `smoke`: the manual's typical application, a mobile user who dials into the head office and works on its LAN. */
import { defineLab } from "../lab.ts";
import { DialError } from "../peers/pptp-linux.ts";
import { windowsProfile } from "../peers/windows.ts";
import { check, defineSuite, type Scenario, type Step } from "../scenario.ts";
import { findSession, noCallOnDevice } from "./device-sessions.ts";
import {
  ALICE,
  DNS,
  type HeadOffice,
  headOffice,
  headOfficeConfigured,
  OFFICE,
  OFFICE_NETWORK,
  POOL_COUNT,
  POOL_START,
} from "./head-office.ts";
import { nothingLeftOn, onlyCiphertext, pingAll, transfer } from "./tunnel-claims.ts";
import { windowsDials, windowsWrongPassword } from "./windows-user.ts";

/** What a person fetches, and what he sends: the guests' emulated processors need 20 s for the larger one. */
/** Longer than the device may take to notice a call's end. */
const DOWN_WITHIN_MS = 30_000;

/** The head office's lab, and a second mobile user, with Windows 10. */
const figure131 = defineLab({
  nodes: { ...headOffice.nodes, windows: windowsProfile({ version: "windows-10", address: "203.0.113.51/24" }) },
  links: {
    internet: ["mobile.eth0", "device.wan", "windows.eth0"],
    office: ["office.eth0", "device.lan"],
  },
});

type Start = "configured" | "connected";

const dial: Scenario<HeadOffice, Start> = {
  name: "dial",
  claim: "a mobile user dials in with MS-CHAPv2 and MPPE-128 and gets address and DNS server from the pool",
  from: "connected",
  async run({ node }, step) {
    const network = await step("the client's log of the call", () => node.mobile.lastCall());
    await step("the address is from the pool, the DNS server from the configuration", () => {
      const host = Number(network.localAddress.split(".")[3]);
      const first = Number(POOL_START.split(".")[3]);
      check(
        network.localAddress.startsWith("192.168.1.") && host >= first && host < first + POOL_COUNT,
        `the client got ${network.localAddress}; the pool has ${POOL_COUNT} addresses from ${POOL_START}`,
      );
      check(network.dns[0] === DNS, `the client got DNS server ${network.dns[0] ?? "none"} instead of ${DNS}`);
    });
    await step("the device shows alice as connected", () => findSession(node.device.console, ALICE.user));
  },
};

const traffic: Scenario<HeadOffice, Start> = {
  name: "traffic",
  claim:
    "pings both ways, 10 MB to the mobile user and 2 MB to the office (a twentieth on an emulated MIPS) pass unharmed, encrypted on the Internet",
  from: "connected",
  async run({ node, link }, step) {
    const session = await findSession(node.device.console, ALICE.user);
    const { bulkBytes } = node.device;
    const back = bulkBytes / 5;
    await step("the mobile user pings the office host", () => pingAll(node.mobile, OFFICE));
    await step("the office host pings the mobile user", () => pingAll(node.office, session.address));
    await step(`${bulkBytes / 1e6} MB from the office to the mobile user`, () =>
      transfer(node.office, OFFICE, node.mobile, bulkBytes),
    );
    await step(`${back / 1e6} MB from the mobile user to the office`, () =>
      transfer(node.mobile, session.address, node.office, back),
    );
    await onlyCiphertext(link.internet, OFFICE_NETWORK, step);
  },
};

const hangUpByClient: Scenario<HeadOffice, Start> = {
  name: "hang-up-by-client",
  claim: "the mobile user hangs up and nothing of the call stays behind on either side",
  from: "connected",
  async run({ node }, step) {
    await step("the client hangs up", () => node.mobile.hangUp());
    await nothingLeft(node, step);
  },
};

const wrongPassword: Scenario<HeadOffice, Start> = {
  name: "wrong-password",
  claim:
    "a wrong password is refused, and the device's log names the user, the stage and the code that Windows shows, 691",
  from: "configured",
  async run({ node }, step) {
    await step("dialing with a wrong password ends with pppd status 19 (authentication failed)", async () => {
      const error = await node.mobile.dial({ ...ALICE, password: "wrong" }).catch((reason: unknown) => reason);
      check(error instanceof DialError, "the call came up with a wrong password");
      check(error.status === 19, `the call failed for another reason:\n${error.message}`);
    });
    await step("`show log` has a line with the user, the last completed stage and code 691", async () => {
      const log = await node.device.console.run("show log");
      const line = log.split("\n").find((each) => each.includes("691"));
      check(line !== undefined, `no line of the device's log has the code 691:\n${log}`);
      check(/\bstage lcp-opened\b/.test(line), `the line with 691 does not name the last completed stage:\n${line}`);
      check(line.includes(ALICE.user), `the line with 691 does not name the user, ${ALICE.user}:\n${line}`);
    });
    await nothingLeft(node, step);
  },
};

const hangUpByDevice: Scenario<HeadOffice, Start> = {
  name: "hang-up-by-device",
  claim: "the administrator hangs the call up and nothing stays behind",
  from: "connected",
  async run({ node }, step) {
    await step("`vpn hangup` ends the call on both sides", async () => {
      const session = await findSession(node.device.console, ALICE.user);
      await node.device.console.run(`vpn hangup ${session.id}`);
      await node.mobile.untilDown(DOWN_WITHIN_MS);
    });
    await nothingLeft(node, step);
  },
};

const dialAgain: Scenario<HeadOffice, Start> = {
  name: "dial-again",
  claim: "after two calls that ended, a third gets an address from a pool of two",
  from: "connected",
  async run({ node }, step) {
    await step("hang up, dial a second time and hang up", async () => {
      await node.mobile.hangUp();
      await node.mobile.dial(ALICE);
      await node.mobile.hangUp();
    });
    await step("dial a third time", () => node.mobile.dial(ALICE));
    await step("the mobile user reaches the office host again", () => pingAll(node.mobile, OFFICE));
    await step("hang up", () => node.mobile.hangUp());
    await nothingLeft(node, step);
  },
};

async function nothingLeft(node: HeadOffice["node"], step: Step): Promise<void> {
  await nothingLeftOn(node.mobile, "the client", step);
  await noCallOnDevice(node.device.console, step);
  await step("nobody answers for the pool's address on the LAN", async () => {
    const answered = await node.office.isAnswered(POOL_START);
    check(!answered, `${POOL_START} still answers the office's pings although nobody is connected`);
  });
}

export const smokeSuite = defineSuite({
  name: "smoke",
  title: "Figure 13-1: mobile users, one with Windows 10, dial into the head office",
  lab: figure131,
  stages: {
    configured: headOfficeConfigured,
    connected: {
      claim: "the mobile user's tunnel is up",
      after: "configured",
      run: async ({ node }, step) => void (await step("dial with the right password", () => node.mobile.dial(ALICE))),
    },
  },
  scenarios: [
    dial,
    traffic,
    hangUpByClient,
    wrongPassword,
    hangUpByDevice,
    dialAgain,
    windowsDials,
    windowsWrongPassword,
  ],
  cold: true, // that the image boots is part of what it proves
});

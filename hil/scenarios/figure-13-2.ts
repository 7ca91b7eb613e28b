/** Suite `figure-13-2`: everybody reaches everybody through two devices that are client and server at once. */
import type { PingResult } from "../peers/traffic.ts";
import { check, defineSuite, type Scenario, type Step } from "../scenario.ts";
import { awaitGone, awaitSession, findSession } from "./device-sessions.ts";
import { onlyCiphertext, pingAll, transfer } from "./tunnel-claims.ts";
import {
  ALICE,
  BOB,
  BRANCH_HOST,
  BRANCH_USER,
  bothConfigured,
  HEAD_HOST,
  TUNNEL,
  type TwoOffices,
  twoOffices,
} from "./two-offices.ts";

const TRANSFER_BYTES = 2_000_000;
/** Long enough for all the commits of `EDITS`. */
const EDIT_TRANSFER_BYTES = 8_000_000;
/** Each is a commit on the head office's device; none is about alice. */
const EDITS = [
  ["set vpn account dave password s3cret-dave", "set vpn account dave address 192.168.1.250"],
  ["set vpn account dave password another-dave"],
  [`set vpn account ${BRANCH_USER} password changed`],
  ["delete vpn account dave"],
];
const CONNECTED_WITHIN_MS = 90_000;
const DOWN_WITHIN_MS = 30_000;

type Start = "configured" | "connected";

/** Who can be pinged, by what address, from everyone else. */
async function everyone({ node }: TwoOffices): Promise<readonly (readonly [string, Pinger, string])[]> {
  const { address: alice } = await findSession(node.head.console, ALICE.user);
  const { address: bob } = await findSession(node.branch.console, BOB.user);
  return [
    ["the head office's host", node.headHost, HEAD_HOST],
    ["the branch office's host", node.branchHost, BRANCH_HOST],
    ["alice", node.alice, alice],
    ["bob", node.bob, bob],
  ];
}
interface Pinger {
  ping(target: string): Promise<PingResult>;
}

async function allPairs(lab: TwoOffices, step: Step): Promise<void> {
  const all = await step("both devices show their mobile user", () => everyone(lab));
  for (const [who, from] of all) {
    for (const [whom, other, address] of all) {
      if (other === from) continue;
      await step(`${who} reaches ${whom}`, async () => {
        const { sent, received } = await from.ping(address);
        check(received === sent, `${received} of ${sent} pings to ${address} were answered`);
      });
    }
  }
}

const reach: Scenario<TwoOffices, Start> = {
  name: "all-pairs",
  claim: "mobile users of either office and hosts on either LAN reach each other, all twelve ways",
  from: "connected",
  run: allPairs,
};

const lanToLan: Scenario<TwoOffices, Start> = {
  name: "lan-to-lan",
  claim: "2 MB pass unharmed between the LANs both ways, encrypted on the Internet",
  from: "configured",
  async run({ node, link }, step) {
    const before = link.internet.capture.frames;
    await step("2 MB from the head office to the branch office", () =>
      transfer(node.headHost, HEAD_HOST, node.branchHost, TRANSFER_BYTES),
    );
    await step("2 MB from the branch office to the head office", () =>
      transfer(node.branchHost, BRANCH_HOST, node.headHost, TRANSFER_BYTES),
    );
    await onlyCiphertext(link.internet, "192.168.1.0/24", step, before);
  },
};

const heal: Scenario<TwoOffices, Start> = {
  name: "hang-up-and-redial",
  claim: "the tunnel is hung up at either end and redialed, and everybody reaches everybody again",
  from: "connected",
  async run(lab, step) {
    const { node, clock } = lab;
    const state = (wanted: string) =>
      awaitSession(node.branch.console, clock, TUNNEL, CONNECTED_WITHIN_MS, (session) => session.state === wanted);
    await step("the branch office hangs up", async () => {
      await node.branch.console.run(`vpn hangup ${TUNNEL}`);
      await awaitSession(node.branch.console, clock, TUNNEL, DOWN_WITHIN_MS, (it) => it.state === "listening");
    });
    await step("bob still reaches the branch office's host", () => pingAll(node.bob, BRANCH_HOST));
    await step("nobody answers for the other LAN meanwhile", async () =>
      check(!(await node.branchHost.isAnswered(HEAD_HOST)), "the head office's host still answers"),
    );
    await step("`vpn dial` brings it back", async () => {
      await node.branch.console.run(`vpn dial ${TUNNEL}`);
      await state("connected");
    });
    await step("the head office hangs the branch office up, and it comes back by itself", async () => {
      const { id } = await findSession(node.head.console, BRANCH_USER);
      await node.head.console.run(`vpn hangup ${id}`);
      await awaitSession(node.head.console, clock, BRANCH_USER, CONNECTED_WITHIN_MS, (it) => it.id !== id);
      await state("connected");
    });
    await allPairs(lab, step);
  },
};

const editOneAccount: Scenario<TwoOffices, Start> = {
  name: "edit-one-account",
  claim: "a commit that ends one account's session leaves another's transfer running, to the last byte",
  from: "connected",
  async run({ node, clock }, step) {
    const alice = await findSession(node.head.console, ALICE.user);
    const branch = await findSession(node.head.console, BRANCH_USER);
    await step(
      "8 MB go to alice while other accounts come, change and go, and the branch office's session ends",
      async () => {
        let isPassing = true;
        const passing = transfer(node.headHost, HEAD_HOST, node.alice, EDIT_TRANSFER_BYTES).then(() => {
          isPassing = false;
        });
        const edits = async () => {
          for (const lines of EDITS) await node.head.console.configure(lines);
          check(isPassing, "all bytes had arrived before the last commit: the transfer has to be longer");
          await awaitGone(node.head.console, clock, branch.id, DOWN_WITHIN_MS);
        };
        await Promise.all([passing, edits()]);
      },
    );
    await step("alice's session is the same", async () => {
      const after = await findSession(node.head.console, ALICE.user);
      check(after.id === alice.id, `session ${after.id} took the place of ${alice.id}`);
    });
  },
};

export const figure132Suite = defineSuite({
  name: "figure-13-2",
  title: "Figure 13-2: a branch office and mobile users, everybody reaches everybody",
  lab: twoOffices,
  stages: {
    configured: bothConfigured,
    connected: {
      claim: "a mobile user has dialed into each office",
      after: "configured",
      run: async ({ node }, step) => {
        await step("alice dials into the head office", () => node.alice.dial(ALICE));
        await step("bob dials into the branch office", () => node.bob.dial(BOB));
      },
    },
  },
  scenarios: [reach, lanToLan, heal, editOneAccount],
});

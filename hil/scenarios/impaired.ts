/** Suite `impaired`: the head office of Figure 13-1 over a bad line, and with the very frames lost that hurt most. */
import type { LabClock } from "../clock.ts";
import type { FaultKind, Impairment } from "../net/impairment.ts";
import { ccp, chap, from, gre, lcp, pptp, type Query } from "../net/query.ts";
import { drop, nth, pass } from "../net/trap.ts";
import { DialError } from "../peers/pptp-linux.ts";
import { type Claim, check, defineSuite, type Scenario, type Step } from "../scenario.ts";
import { findSession, listSessions, noCallOnDevice } from "./device-sessions.ts";
import { ALICE, type HeadOffice, headOffice, headOfficeConfigured, OFFICE, OFFICE_NETWORK } from "./head-office.ts";
import { policyCommands } from "./policies.ts";
import { nothingLeftOn, onlyCiphertext, pingAll, transfer } from "./tunnel-claims.ts";

const TRANSFER_BYTES = 500_000;
/** pppd sends its Terminate-Request three times, three seconds apart; TCP needs longer for its last words on a bad line. */
const GONE_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 500;
/** A trap that is set before a call, or the lost frame's repetition, is hit long before. */
const HIT_WITHIN_MS = 30_000;
/** In the middle of the transfer: a call needs some dozen packets to come up. */
const DATA_SEQUENCE = 60;

function onBadLine(
  claim: Omit<Claim, "from">,
  run: (lab: HeadOffice, step: Step) => Promise<void>,
): Scenario<HeadOffice, "configured"> {
  return { ...claim, from: "configured", run };
}

interface BadLine {
  readonly name: string;
  /** Completes "over a line that …". */
  readonly line: string;
  readonly impairment: Impairment;
  /** What must have happened to so many frames, or the scenario proves nothing. */
  readonly fault: FaultKind;
  readonly atLeast: number;
  /** Of three pings. */
  readonly answered: number;
}

const BAD_LINES: readonly BadLine[] = [
  {
    name: "loss-1",
    line: "loses 1 % of all frames both ways",
    impairment: { loss: 0.01 },
    fault: "lost",
    atLeast: 5,
    answered: 2,
  },
  {
    name: "loss-5",
    line: "loses 5 % of all frames both ways",
    impairment: { loss: 0.05 },
    fault: "lost",
    atLeast: 30,
    answered: 1,
  },
  {
    name: "reorder",
    line: "lets 10 % of all frames be overtaken",
    impairment: { reorder: 0.1, reorderMs: 20 },
    fault: "reordered",
    atLeast: 40,
    answered: 3,
  },
  {
    name: "duplicate",
    line: "delivers 10 % of all frames twice",
    impairment: { duplicate: 0.1 },
    fault: "duplicated",
    atLeast: 40,
    answered: 3,
  },
  {
    name: "delay-200",
    line: "takes 200 ms each way",
    impairment: { delayMs: 200 },
    fault: "delayed",
    atLeast: 400,
    answered: 3,
  },
];

function overBadLine({
  name,
  line,
  impairment,
  fault,
  atLeast,
  answered,
}: BadLine): Scenario<HeadOffice, "configured"> {
  const claim = `over a line that ${line} a call comes up, carries pings and 500 KB both ways unharmed, and ends without a trace`;
  return onBadLine({ name, claim }, async (lab, step) => {
    const { node, link } = lab;
    const before = link.internet.faults.get(fault) ?? 0;
    link.internet.impair(impairment);
    const call = await step("the mobile user dials", () => node.mobile.dial(ALICE));
    const session = await findSession(node.device.console, ALICE.user);
    await step(`at least ${answered} of 3 pings to the office host are answered`, async () => {
      const { received } = await node.mobile.ping(OFFICE);
      check(received >= answered, `${received} were answered`);
    });
    await transferBothWays(lab, call.localAddress, step);
    const count = (link.internet.faults.get(fault) ?? 0) - before;
    await step(`${count} frames were ${fault}`, () =>
      check(count >= atLeast, `that is too few to prove anything: ${atLeast} were expected`),
    );
    await stillTheSame(lab, session.id, step);
    await hangUp(lab, step);
  });
}

interface LostFrame {
  readonly name: string;
  /** Completes "the call comes up although …". */
  readonly although: string;
  readonly frame: readonly [Query<"device" | "mobile">, ...Query<"device" | "mobile">[]];
}

const LOST_FRAMES: readonly LostFrame[] = [
  {
    name: "call-reply-lost",
    although: "the device's Outgoing-Call-Reply is lost: TCP sends it again",
    frame: [pptp.message("outgoing-call-reply"), from("device")],
  },
  {
    name: "lcp-ack-to-client-lost",
    although: "the device's first LCP Configure-Ack is lost: the client asks again, and is answered again",
    frame: [lcp.code("configure-ack"), from("device")],
  },
  {
    name: "lcp-ack-to-device-lost",
    although: "the client's first LCP Configure-Ack is lost: the device asks again",
    frame: [lcp.code("configure-ack"), from("mobile")],
  },
  {
    name: "ccp-ack-to-client-lost",
    although: "the device's first CCP Configure-Ack is lost: nothing passes in the clear until the client asked again",
    frame: [ccp.code("configure-ack"), from("device")],
  },
  {
    name: "chap-success-lost",
    although: "the device's CHAP Success is lost: pppd takes no IPCP without one, so the device sends it again",
    frame: [chap.code("success"), from("device")],
  },
];

function withLostFrame({ name, although, frame }: LostFrame): Scenario<HeadOffice, "configured"> {
  return onBadLine({ name, claim: `the call comes up although ${although}` }, async (lab, step) => {
    const { node, link } = lab;
    const before = link.internet.capture.frames;
    const lost = link.internet.trap(drop, nth(1), ...frame);
    const call = await step("the mobile user dials", () => node.mobile.dial(ALICE));
    await step("the frame was lost", () => lost.hit({ withinMs: 0 }));
    await step("the mobile user pings the office host", () => pingAll(node.mobile, OFFICE));
    await transferBothWays(lab, call.localAddress, step);
    await onlyCiphertext(link.internet, OFFICE_NETWORK, step, before);
    await hangUp(lab, step);
  });
}

const setLinkInfoLost: Claim & { readonly impossible: string } = {
  name: "set-link-info-lost",
  claim: "the call comes up although the client's Set-Link-Info is lost",
  impossible: "pptp-linux 1.10 sends none; it takes a Windows peer",
};

interface FatalLoss {
  readonly name: string;
  /** Completes "a call …". */
  readonly call: string;
  /** Why the call cannot be saved, whatever the device does. */
  readonly because: string;
  readonly frame: readonly [Query<"device" | "mobile">, ...Query<"device" | "mobile">[]];
}

const FATAL_LOSSES: readonly FatalLoss[] = [
  {
    name: "ccp-ack-to-device-lost",
    call: "whose client's CCP Configure-Ack is lost",
    because:
      "the device asks again, as RFC 1661 §4.4 wants; that takes pppd's CCP down, and pppd ends the call: MPPE disabled",
    frame: [ccp.code("configure-ack"), from("mobile")],
  },
];

function afterFatalLoss({ name, call, because, frame }: FatalLoss): Scenario<HeadOffice, "configured"> {
  const claim = `a call ${call} fails on both sides within a minute and leaves nothing behind, and the next one comes up`;
  return onBadLine({ name, claim }, async (lab, step) => {
    const { node, link } = lab;
    const before = link.internet.capture.frames;
    const lost = link.internet.trap(drop, nth(1), ...frame);
    await step(`the call does not come up: ${because}`, async () => {
      const error = await node.mobile.dial(ALICE).catch((reason: unknown) => reason);
      check(error instanceof DialError, "it came up");
    });
    await step("the frame was lost", () => lost.hit({ withinMs: 0 }));
    await gone(lab, step);
    await step("the device's log says that alice was authenticated, and no more", async () => {
      const log = await node.device.console.run("show log");
      const [line] = log
        .split("\n")
        .filter((each) => each.includes("stage "))
        .slice(-1);
      check(
        line?.includes(ALICE.user) === true && /\bstage authenticated\b/.test(line),
        `the last line with a stage does not say so:\n${log}`,
      );
    });
    const next = await step("the next call comes up", () => node.mobile.dial(ALICE));
    await step("the mobile user pings the office host", () => pingAll(node.mobile, OFFICE));
    await transferBothWays(lab, next.localAddress, step);
    await onlyCiphertext(link.internet, OFFICE_NETWORK, step, before);
    await hangUp(lab, step);
  });
}

const dataLost = onBadLine(
  {
    name: "gre-sequence-lost",
    claim: "one lost data packet each way costs that packet alone: MPPE goes on, the device counts one as lost",
  },
  async (lab, step) => {
    const { node, link } = lab;
    const fromMobile = link.internet.trap(drop, nth(1), gre.sequence(DATA_SEQUENCE), from("mobile"));
    const fromDevice = link.internet.trap(drop, nth(1), gre.sequence(DATA_SEQUENCE), from("device"));
    const call = await step("the mobile user dials", () => node.mobile.dial(ALICE));
    const session = await findSession(node.device.console, ALICE.user);
    await transferBothWays(lab, call.localAddress, step);
    await step(`both packets with sequence number ${DATA_SEQUENCE} were lost`, async () => {
      await fromMobile.hit({ withinMs: 0 });
      await fromDevice.hit({ withinMs: 0 });
    });
    await step("the mobile user pings the office host", () => pingAll(node.mobile, OFFICE));
    const after = await stillTheSame(lab, session.id, step);
    await step("the device counts one packet as lost", () =>
      check(after.dropped?.startsWith("1 lost") === true, `the device shows as dropped: ${after.dropped ?? "nothing"}`),
    );
    await hangUp(lab, step);
  },
);

const STATEFUL = { ...ALICE.protection, mppe: { bits: 128, stateful: true } } as const;

const resetRequestLost = onBadLine(
  {
    name: "reset-request-lost",
    claim: "in a stateful call a lost packet and a lost CCP Reset-Request delay the tunnel and never kill it",
  },
  async (lab, step) => {
    const { node, link } = lab;
    const { console } = node.device;
    await step("the device takes stateful MPPE", () => console.configure(policyCommands("vpn server", STATEFUL)));
    const lost = link.internet.trap(drop, nth(1), gre.sequence(DATA_SEQUENCE), from("mobile"));
    const lostRequest = link.internet.trap(drop, nth(1), ccp.code("reset-request"), from("device"));
    const nextRequest = link.internet.trap(pass, nth(1), ccp.code("reset-request"), from("device"));
    const call = await step("the mobile user dials", () => node.mobile.dial({ ...ALICE, protection: STATEFUL }));
    const session = await findSession(console, ALICE.user);
    await transferBothWays(lab, call.localAddress, step);
    await step(`packet ${DATA_SEQUENCE} and the Reset-Request were lost, and the device asked again`, async () => {
      await lost.hit({ withinMs: 0 });
      await lostRequest.hit({ withinMs: HIT_WITHIN_MS });
      await nextRequest.hit({ withinMs: HIT_WITHIN_MS });
    });
    await step("the mobile user pings the office host", () => pingAll(node.mobile, OFFICE));
    await stillTheSame(lab, session.id, step);
    await hangUp(lab, step);
    await step("the device wants stateless MPPE again", () =>
      console.configure(policyCommands("vpn server", ALICE.protection)),
    );
  },
);

const cut = onBadLine(
  {
    name: "cut",
    claim: "a line that is cut for ten seconds in a call takes nothing but these seconds",
  },
  async (lab, step) => {
    const { node, link, clock } = lab;
    await step("the mobile user dials", () => node.mobile.dial(ALICE));
    const session = await findSession(node.device.console, ALICE.user);
    await step("the line is cut, and nobody answers", async () => {
      link.internet.cut();
      const { received } = await node.mobile.ping(OFFICE);
      check(received === 0, `${received} pings were answered over a cut line`);
      await new Promise<void>((resolve) => clock.after(10_000, resolve));
    });
    link.internet.restore();
    await step("the mobile user pings the office host again", () => pingAll(node.mobile, OFFICE));
    await stillTheSame(lab, session.id, step);
    await hangUp(lab, step);
  },
);

async function transferBothWays({ node }: HeadOffice, mobile: string, step: Step): Promise<void> {
  await step("500 KB from the office to the mobile user", () =>
    transfer(node.office, OFFICE, node.mobile, TRANSFER_BYTES),
  );
  await step("500 KB from the mobile user to the office", () =>
    transfer(node.mobile, mobile, node.office, TRANSFER_BYTES),
  );
}

async function stillTheSame({ node }: HeadOffice, id: string, step: Step) {
  return await step("it is still the same session", async () => {
    const session = await findSession(node.device.console, ALICE.user);
    check(session.id === id, `session ${session.id} took the place of ${id}`);
    return session;
  });
}

async function hangUp(lab: HeadOffice, step: Step): Promise<void> {
  await step("the mobile user hangs up", () => lab.node.mobile.hangUp());
  await gone(lab, step);
}

/** The call's end takes its time on a bad line, but it comes, and leaves nothing. */
async function gone({ node, clock }: HeadOffice, step: Step): Promise<void> {
  await step(`the call ends on both sides within ${GONE_WITHIN_MS / 1000} s`, () =>
    untilNothing(clock, async () => {
      const sessions = (await listSessions(node.device.console)).filter(({ state }) => state !== "listening");
      return [...sessions.map(({ id, state }) => `session ${id} (${state})`), ...(await node.mobile.leftovers())];
    }),
  );
  await nothingLeftOn(node.mobile, "the client", step);
  await noCallOnDevice(node.device.console, step);
}

async function untilNothing(clock: LabClock, look: () => Promise<readonly string[]>): Promise<void> {
  const endNs = clock.nowNs() + BigInt(GONE_WITHIN_MS) * 1_000_000n;
  for (let left = await look(); left.length > 0; left = await look()) {
    check(clock.nowNs() < endNs, `still there: ${left.join(", ")}`);
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
}

export const impairedSuite = defineSuite({
  name: "impaired",
  title: "a mobile user dials into the head office over a bad line",
  lab: headOffice,
  stages: { configured: headOfficeConfigured },
  scenarios: [
    ...BAD_LINES.map(overBadLine),
    ...LOST_FRAMES.map(withLostFrame),
    setLinkInfoLost,
    dataLost,
    cut,
    resetRequestLost,
    ...FATAL_LOSSES.map(afterFatalLoss),
  ],
});

/**
 * One cell of the matrix in its lab: both ends are set, the line is made what it shall be, the fault is laid, the caller calls, and
 * what comes of it is compared with what must.
 */

import { reset } from "../net/edit.ts";
import { type Rudeness, strayCallIds, unansweredRequests } from "../net/inspect-call.ts";
import type { Query } from "../net/query.ts";
import { ccp, from, gre, ppp, pptp } from "../net/query.ts";
import { drop, every, nth, pass, type Trap } from "../net/trap.ts";
import { RasError } from "../peers/windows-peer.ts";
import { CheckError, check, type Step } from "../scenario.ts";
import { awaitFailure } from "../scenarios/device-log.ts";
import { findSession, listSessions } from "../scenarios/device-sessions.ts";
import { agreedTo } from "../scenarios/tunnel-claims.ts";
import type { Cell } from "./cell.ts";
import { agreementOf, type Ends } from "./ends.ts";
import { type Expectation, expectationOf } from "./expectation.ts";

/** Half a minute of LCP without answers, and a slow computer. */
const LOGGED_WITHIN_MS = 90_000;
const GONE_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 500;
/** Longer than two restart timers of any protocol that a lost packet may wait for. */
const HIT_WITHIN_MS = 30_000;
/** The call is up, and the receiver has a key before and after it. */
const LOST_DATA_PACKET = 2;
const PING_ROUNDS = 6;
/** pppd ends a call whose CCP Configure-Ack is lost (suite impaired, ccp-ack-to-device-lost): its user dials again. */
const DIALS_ON_LOSSY_LINE = 3;
/** pppd takes 4 bytes off the MTU for MPPE, in some calls for each direction. */
const MPPE_PAD = 8;

export async function runCell(cell: Cell, ends: Ends, step: Step): Promise<void> {
  const wanted = expectationOf(cell);
  const before = ends.line.capture.frames;
  await step("both ends are set", () => ends.arrange(cell));
  layLine(cell, ends);
  const traps = layTraps(cell, ends);
  if (wanted.outcome === "fail") {
    await fails(cell, ends, step, wanted, traps);
    return;
  }
  await comesUp(cell, ends, step);
  if (cell.network === "two-clients")
    await step("the second caller calls", async () => {
      await ends.callToo?.(cell);
    });
  await agrees(cell, ends, step);
  await passes(cell, ends, step);
  for (const trap of traps) await step(trap.says, () => trap.hit({ withinMs: HIT_WITHIN_MS }));
  if (cell.fault === "server-restarted") await comesBack(cell, ends, step);
  await step("the caller hangs up", () => ends.hangUp());
  await nothingIsLeft(ends, step);
  await hasManners(cell, ends, step, before);
}

/** What the capture says of the device, whatever the peer puts up with. */
async function hasManners(
  { network, fault }: Cell,
  { line, deviceSide }: Ends,
  step: Step,
  before: number,
): Promise<void> {
  const capture = line.capture.read();
  const complain = (found: readonly Rudeness[]): void =>
    check(
      found.length === 0,
      found
        .slice(0, 5)
        .map(({ frame, what }) => `frame ${frame}: ${what}`)
        .join("\n"),
    );
  await step("every GRE packet of the device names a Call ID that its peer gave", () =>
    complain(strayCallIds(capture, deviceSide, before)),
  );
  if (network !== "clean" || fault !== "none") return;
  await step("the device answered each Configure-Request and LCP Echo-Request", () =>
    complain(unansweredRequests(capture, deviceSide, before)),
  );
}

function layLine({ network }: Cell, { line, nat }: Ends): void {
  if (network === "loss-1") line.impair({ loss: 0.01, seed: 1 });
  if (network === "loss-5") line.impair({ loss: 0.05, seed: 1 });
  if (network === "reorder") line.impair({ reorder: 0.1, reorderMs: 20 });
  if (network === "delay-200") line.impair({ delayMs: 200 });
  if (nat !== undefined) nat.alg = network === "nat-no-alg" ? "off" : "right";
}

/** The traps that must be hit before the cell is over. */
function layTraps({ fault, role }: Cell, { line, peerNode }: Ends): readonly Trap[] {
  const byPeer: Query<string> = from(peerNode);
  const byDevice: Query<string> = from("device");
  const lostData = () => line.trap(drop, nth(LOST_DATA_PACKET), ppp.data, byPeer);
  switch (fault) {
    case "gre-to-peer-lost":
      return [line.trap(drop, every, gre.data, byDevice)];
    case "gre-from-peer-lost":
      return [line.trap(drop, every, gre.data, byPeer)];
    case "control-reset": {
      const message = role === "server" ? "outgoing-call-request" : "outgoing-call-reply";
      return [line.trap(reset, nth(1), pptp.message(message), byPeer)];
    }
    case "set-link-info-lost":
      return [line.trap(drop, nth(1), pptp.message("set-link-info"), role === "server" ? byPeer : byDevice)];
    case "mppe-out-of-step":
      return [lostData()];
    case "ccp-reset-lost": {
      const request = ccp.code("reset-request");
      return [lostData(), line.trap(drop, nth(1), request, byDevice), line.trap(pass, nth(1), request, byDevice)];
    }
    case "none":
    case "wrong-password":
    case "pool-empty":
    case "40-bit-only":
    case "server-restarted":
      return [];
  }
}

async function fails(
  cell: Cell,
  ends: Ends,
  step: Step,
  wanted: Extract<Expectation, { outcome: "fail" }>,
  traps: readonly Trap[],
): Promise<void> {
  await step("the call does not come up", async () => {
    const error = await ends.call(cell).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined && !(error instanceof CheckError)) throw error;
    check(error !== undefined, "it came up");
    if (error instanceof RasError)
      check(error.code === wanted.code, `the caller shows ${error.code} instead of ${wanted.code}: ${error.message}`);
  });
  for (const trap of traps) await step(trap.says, () => trap.hit({ withinMs: 0 }));
  await step(`\`show log\` names stage ${wanted.stage}, error ${wanted.code} and the cause`, () =>
    awaitFailure(ends.console, ends.clock, wanted, LOGGED_WITHIN_MS),
  );
  ends.line.heal();
  await nothingIsLeft(ends, step);
}

async function comesUp(cell: Cell, ends: Ends, step: Step): Promise<void> {
  const isLossy = cell.network === "loss-1" || cell.network === "loss-5";
  for (let left = isLossy ? DIALS_ON_LOSSY_LINE : 1; ; left--) {
    const isUp = await step(
      left === 1 ? "the caller calls" : "the caller calls, on a line that loses frames",
      async () => {
        try {
          await ends.call(cell);
          return true;
        } catch (error) {
          if (left === 1 || !(error instanceof CheckError)) throw error;
          return false;
        }
      },
    );
    if (isUp) return;
    await step("the call was lost with a frame of its set-up; the caller calls once more", () => {});
  }
}

async function agrees(cell: Cell, ends: Ends, step: Step): Promise<void> {
  const agreement = agreementOf(cell);
  await step("both ends show the authentication and encryption that was wanted", async () => {
    agreedTo("the device", (await findSession(ends.console, ends.session)).agreed, agreement);
    const peers = await ends.peerAgreement();
    if (peers !== undefined) agreedTo("the peer", peers, agreement);
  });
  const mtu = await ends.peerMtu();
  if (mtu === undefined) return;
  const wanted = Math.min(Number(cell.mtu), ends.largestMtu ?? Number.POSITIVE_INFINITY);
  await step(`the peer's MTU is ${wanted}`, () => check(mtu <= wanted && mtu >= wanted - MPPE_PAD, `it is ${mtu}`));
}

/** On a bad line some pings may be lost; after a packet that was lost on purpose the tunnel has to recover. */
async function passes(cell: Cell, ends: Ends, step: Step): Promise<void> {
  const isLossy = cell.network === "loss-1" || cell.network === "loss-5";
  const recovers = cell.fault === "mppe-out-of-step" || cell.fault === "ccp-reset-lost";
  const rounds = isLossy || recovers ? PING_ROUNDS : 1;
  await step(rounds === 1 ? "every ping is answered" : "pings are answered, in the end all of a round", async () => {
    let last = { sent: 0, received: 0 };
    for (let round = 0; round < rounds; round++) {
      last = await ends.ping();
      if (last.received === last.sent && (round > 0 || !recovers)) return;
    }
    check(false, `${last.received} of ${last.sent} were answered`);
  });
  const transfer = ends.transfer?.bind(ends);
  if (transfer !== undefined) await step("a file arrives as it was", transfer);
}

async function comesBack(cell: Cell, ends: Ends, step: Step): Promise<void> {
  await step("the server goes down and comes back", () => ends.restartServer());
  await nothingIsLeft(ends, step);
  await comesUp(cell, ends, step);
  await passes(cell, ends, step);
}

async function nothingIsLeft(ends: Ends, step: Step): Promise<void> {
  await step(`within ${GONE_WITHIN_MS / 1000} s neither end has anything left of the call`, async () => {
    const endNs = ends.clock.nowNs() + BigInt(GONE_WITHIN_MS) * 1_000_000n;
    for (;;) {
      const sessions = (await listSessions(ends.console)).filter(({ state }) => state !== "listening");
      const left = [...sessions.map(({ id, state }) => `session ${id} (${state})`), ...(await ends.leftovers())];
      if (left.length === 0) return;
      check(ends.clock.nowNs() < endNs, `still there: ${left.join(", ")}`);
      await new Promise<void>((resolve) => ends.clock.after(LOOK_AGAIN_MS, resolve));
    }
  });
}

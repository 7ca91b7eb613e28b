/** A mobile user with Windows at the head office: the same scenarios for the profile and for a real Windows. */
import type { LabClock } from "../clock.ts";
import type { Link } from "../net/link.ts";
import type { Device } from "../node/device.ts";
import type { LanHost } from "../peers/lan-host.ts";
import { RasEventId } from "../peers/windows/ras-events.ts";
import { RasError, type WindowsPeer } from "../peers/windows-peer.ts";
import { check, type Scenario, type Step } from "../scenario.ts";
import { awaitGone, findSession, noCallOnDevice } from "./device-sessions.ts";
import { CAROL, DNS, OFFICE, OFFICE_NETWORK } from "./head-office.ts";
import { nothingLeftOn, onlyCiphertext, pingAll, transfer } from "./tunnel-claims.ts";

/** What these scenarios need of a lab. */
export interface WindowsLab {
  readonly node: { readonly device: Device; readonly office: LanHost; readonly windows: WindowsPeer };
  readonly link: { readonly internet: Link };
  readonly clock: LabClock;
}

const TRANSFER_BYTES = 500_000;
const DOWN_WITHIN_MS = 30_000;

export const windowsDials: Scenario<WindowsLab, "configured"> = {
  name: "windows-dial",
  claim: "a Windows mobile user dials in with Windows' defaults, works on the office LAN, and hangs up without a trace",
  from: "configured",
  async run(lab, step) {
    await worksAndHangsUp(lab, step);
    await nothingLeft(lab.node, step);
  },
};

export const windowsWrongPassword: Scenario<WindowsLab, "configured"> = {
  name: "windows-wrong-password",
  claim: "a Windows user with a wrong password sees error 691, and the device's log says so too",
  from: "configured",
  async run({ node }, step) {
    await step("rasdial with a wrong password ends with RAS error 691", async () => {
      const error = await node.windows.dial({ ...CAROL, password: "wrong" }).catch((reason: unknown) => reason);
      check(error instanceof RasError, `the call came up with a wrong password, or failed otherwise: ${String(error)}`);
      check(error.code === 691, error.message);
    });
    await step("event 20227 names 691", async () => {
      const last = (await node.windows.events()).at(-1);
      check(last?.id === RasEventId.failed && last.code === 691, `the last event is ${last?.id}: ${last?.message}`);
    });
    await step("`show log` has a line with the user and code 691", async () => {
      const log = await node.device.console.run("show log");
      check(
        log.split("\n").some((line) => line.includes("691") && line.includes(CAROL.user)),
        `no line of the device's log has ${CAROL.user} and 691:\n${log}`,
      );
    });
    await nothingLeft(node, step);
  },
};

export const windowsHungUpByDevice: Scenario<WindowsLab, "configured"> = {
  name: "windows-hung-up-by-device",
  claim: "the administrator hangs a Windows user up; Windows takes it as the server's end of the call",
  from: "configured",
  async run({ node, clock }, step) {
    await step("rasdial connects", () => node.windows.dial(CAROL));
    await step("`vpn hangup` ends the call on both sides", async () => {
      const { id } = await findSession(node.device.console, CAROL.user);
      await node.device.console.run(`vpn hangup ${id}`);
      await node.windows.untilDown(DOWN_WITHIN_MS);
      await awaitGone(node.device.console, clock, id, DOWN_WITHIN_MS);
    });
    await step("the last event is 20226", async () => {
      const last = (await node.windows.events()).at(-1);
      check(last?.id === RasEventId.terminated, `the last event is ${last?.id}: ${last?.message}`);
    });
    await nothingLeft(node, step);
  },
};

/** Dials, pings, transfers both ways, hangs up, and finds all of it in the events. */
export async function worksAndHangsUp({ node, link }: WindowsLab, step: Step): Promise<void> {
  const before = link.internet.capture.frames;
  const call = await step("rasdial connects", () => node.windows.dial(CAROL));
  await step("address, name server, MTU 1400 and a route to the office's network are there", () => {
    check(call.localAddress.startsWith("192.168.1."), `Windows got the address ${call.localAddress}`);
    check(call.dns[0] === DNS, `Windows got the name server ${call.dns[0] ?? "none"} instead of ${DNS}`);
    check(call.mtu === 1400, `the tunnel's MTU is ${call.mtu} instead of 1400`);
    check(call.routes.includes(OFFICE_NETWORK), `the tunnel's routes are ${call.routes.join(", ") || "none"}`);
  });
  await step("the device shows carol, MS-CHAPv2 and MPPE-128 stateless", async () => {
    const { agreed } = await findSession(node.device.console, CAROL.user);
    const found = `${agreed?.authentication}, ${agreed?.receives}, ${agreed?.sends}`;
    check(found === "mschap-v2, MPPE-128 stateless, MPPE-128 stateless", `the device shows ${found}`);
  });
  await step("Windows pings the office host, and the office host pings Windows", async () => {
    await pingAll(node.windows, OFFICE);
    await pingAll(node.office, call.localAddress);
  });
  await step("500 kB from the office to Windows, 500 kB back", async () => {
    await transfer(node.office, OFFICE, node.windows, TRANSFER_BYTES);
    await transfer(node.windows, call.localAddress, node.office, TRANSFER_BYTES);
  });
  await onlyCiphertext(link.internet, OFFICE_NETWORK, step, before);
  await step("Windows hangs up", () => node.windows.hangUp());
  await step("RasClient's events tell of an attempt that connected and was ended", () =>
    eventsAre(node.windows, [
      RasEventId.dialing,
      RasEventId.connectingDevice,
      RasEventId.deviceConnected,
      RasEventId.linkEstablished,
      RasEventId.connected,
      RasEventId.terminated,
    ]),
  );
}

async function eventsAre(windows: WindowsPeer, wanted: readonly number[]): Promise<void> {
  const found = (await windows.events()).map(({ id }) => id);
  check(found.join(" ") === wanted.join(" "), `the events are ${found.join(" ")} instead of ${wanted.join(" ")}`);
}

export async function nothingLeft(node: WindowsLab["node"], step: Step): Promise<void> {
  await nothingLeftOn(node.windows, "Windows", step);
  await noCallOnDevice(node.device.console, step);
}

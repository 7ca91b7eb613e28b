/** Reads the sessions, clients and interfaces out of the device's `show vpn` and `show interfaces`. */
import type { LabClock } from "../clock.ts";
import type { DeviceConsole } from "../node/device-console.ts";
import type { Agreement } from "../peers/pppd.ts";
import { check, type Step } from "../scenario.ts";

export interface DeviceSession {
  /** What `vpn hangup` takes. */
  readonly id: string;
  readonly role: string;
  /** Of the user who dialed in, or of a client of the device's own. */
  readonly name: string;
  /** The far end's address inside the tunnel. */
  readonly address: string;
  readonly state: string;
  /** Undefined unless connected. */
  readonly agreed: Agreement | undefined;
  /** Received packets that were dropped, as the device counts them: `3 lost, 1 late or duplicate`. */
  readonly dropped: string | undefined;
  /** Of these, the packets that it gave up waiting for. */
  readonly lost: number;
}

/** Interfaces that are there without any tunnel. */
const PHYSICAL: readonly string[] = ["lo", "eth0", "eth1"];
const LOOK_AGAIN_MS = 500;

export async function listSessions(console: DeviceConsole): Promise<readonly DeviceSession[]> {
  return parseSessions(await console.run("show vpn"));
}

/** The connected session of a user or client; fails with what the device shows instead. */
export async function findSession(console: DeviceConsole, name: string): Promise<DeviceSession> {
  const shown = await console.run("show vpn");
  const session = parseSessions(shown).find((each) => each.name === name && each.state === "connected");
  check(session !== undefined, `the device shows no connected session of ${name}:\n${shown}`);
  return session;
}

/** Looks until `isSo` holds for the session of a user or client; fails with the last that the device showed. */
export async function awaitSession(
  console: DeviceConsole,
  clock: LabClock,
  name: string,
  withinMs: number,
  isSo: (session: DeviceSession) => boolean,
): Promise<DeviceSession> {
  const endNs = clock.nowNs() + BigInt(withinMs) * 1_000_000n;
  for (;;) {
    const shown = await console.run("show vpn");
    const session = parseSessions(shown).find((each) => each.name === name);
    if (session !== undefined && isSo(session)) return session;
    check(clock.nowNs() < endNs, `after ${withinMs / 1000} s the device shows:\n${shown}`);
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
}

/** Looks until session `id` is no more. */
export async function awaitGone(console: DeviceConsole, clock: LabClock, id: string, withinMs: number): Promise<void> {
  const endNs = clock.nowNs() + BigInt(withinMs) * 1_000_000n;
  for (;;) {
    const shown = await console.run("show vpn");
    if (!shown.split("\n").some((line) => line.startsWith(`${id} `))) return;
    check(clock.nowNs() < endNs, `session ${id} is still there after ${withinMs / 1000} s:\n${shown}`);
  }
}

/** The names of the device's interfaces. */
export async function listInterfaces(console: DeviceConsole): Promise<readonly string[]> {
  return tableRows(await console.run("show interfaces")).map(({ cells: [name = ""] }) => name);
}

/** Nobody is dialed in, no client of the device's has a call, and no tunnel interface is there. */
export async function noCallOnDevice(console: DeviceConsole, step: Step): Promise<void> {
  await step("the device has no session and no tunnel interface left", async () => {
    const sessions = (await listSessions(console)).filter(({ state }) => state !== "listening");
    check(
      sessions.length === 0,
      `the device still shows sessions ${sessions.map(({ id, state }) => `${id} (${state})`).join(", ")}`,
    );
    const tunnels = (await listInterfaces(console)).filter((name) => !PHYSICAL.includes(name));
    check(tunnels.length === 0, `interfaces left behind on the device: ${tunnels.join(", ")}`);
  });
}

/** Columns ID, Role, Name, Peer, Address, State; details follow each row, indented. */
export function parseSessions(shown: string): DeviceSession[] {
  return tableRows(shown)
    .filter(({ cells: [id = ""] }) => /^\d+$/.test(id))
    .map(({ cells: [id = "", role = "", name = "", , address = "", state = ""], details }) => {
      const dropped = /dropped: (.*)$/.exec(details)?.[1];
      const lost = Number(/(\d+) lost/.exec(dropped ?? "")?.[1] ?? 0);
      return { id, role, name, address, state, agreed: parseAgreed(details), dropped, lost };
    });
}

/** `pptp0, mschap-v2, encryption MPPE-128 stateless, up 0:00:07`; `MPPE-… in / MPPE-… out` where the directions differ. */
function parseAgreed(details: string): Agreement | undefined {
  const [, authentication = "not shown", encryption] =
    /(?:^| )pptp\d+, (?:([\w-]+), )?encryption ([^,]+), up /.exec(details) ?? [];
  if (encryption === undefined) return undefined;
  const [, receives = encryption, sends = encryption] = /^(.*) in \/ (.*) out$/.exec(encryption) ?? [];
  return { authentication, receives, sends };
}

/** The rows below a table's head: cells are two blanks apart, the indented lines below a row are its details. */
function tableRows(shown: string): { cells: string[]; details: string }[] {
  const rows: { cells: string[]; details: string }[] = [];
  const [, ...lines] = shown.split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const row = rows.at(-1);
    if (!line.startsWith(" ")) rows.push({ cells: line.trimEnd().split(/ {2,}/), details: "" });
    else if (row !== undefined) row.details = `${row.details} ${line.trim()}`.trimStart();
  }
  return rows;
}

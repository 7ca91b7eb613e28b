/** Reads the sessions and interfaces out of the device's `show vpn` and `show interfaces`. */
import type { DeviceConsole } from "../node/device-console.ts";
import { check } from "../scenario.ts";

export interface DeviceSession {
  /** What `vpn hangup` takes. */
  readonly id: string;
  readonly user: string;
  /** The peer's address inside the tunnel. */
  readonly address: string;
  readonly state: string;
}

export async function listSessions(console: DeviceConsole): Promise<readonly DeviceSession[]> {
  return parseSessions(await console.run("show vpn"));
}

/** The connected session of `user`; fails with what the device shows instead. */
export async function findSession(console: DeviceConsole, user: string): Promise<DeviceSession> {
  const shown = await console.run("show vpn");
  const session = parseSessions(shown).find((each) => each.user === user && each.state === "connected");
  check(session !== undefined, `the device shows no connected session of ${user}:\n${shown}`);
  return session;
}

/** The names of the device's interfaces. */
export async function listInterfaces(console: DeviceConsole): Promise<readonly string[]> {
  return tableRows(await console.run("show interfaces")).map(([name = ""]) => name);
}

/** Columns ID, Role, User, Peer, Address, State, Up; details follow each row, indented. */
export function parseSessions(shown: string): DeviceSession[] {
  return tableRows(shown)
    .filter(([id = ""]) => /^\d+$/.test(id))
    .map(([id = "", , user = "", , address = "", state = ""]) => ({ id, user, address, state }));
}

/** The rows below a table's head: cells are two blanks apart, indented lines belong to the row above. */
function tableRows(shown: string): string[][] {
  const [, ...rows] = shown.split("\n").filter((line) => line !== "" && !line.startsWith(" "));
  return rows.map((row) => row.trimEnd().split(/ {2,}/));
}

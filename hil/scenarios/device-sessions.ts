/** Reads the sessions out of the device's `show vpn`. */
import type { DeviceConsole } from "../node/device-console.ts";
import { check } from "../scenario.ts";

export interface DeviceSession {
  /** What `vpn hangup` takes. */
  readonly id: string;
  readonly user: string;
  /** The peer's address inside the tunnel. */
  readonly address: string;
  readonly line: string;
}

export async function listSessions(console: DeviceConsole): Promise<readonly DeviceSession[]> {
  return parseSessions(await console.run("show vpn"));
}

/** The session of `user`; fails with what the device shows instead. */
export async function findSession(console: DeviceConsole, user: string): Promise<DeviceSession> {
  const shown = await console.run("show vpn");
  const session = parseSessions(shown).find((each) => each.user === user);
  check(session !== undefined, `the device shows no session of ${user}:\n${shown}`);
  return session;
}

function parseSessions(shown: string): DeviceSession[] {
  return shown.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s{2,}/);
    const address = /\b192\.168\.\d+\.\d+\b/.exec(line)?.[0];
    const [id, , user] = words;
    if (id === undefined || !/^\d+$/.test(id) || address === undefined) return [];
    return [{ id, user: user ?? "", address, line: line.trim() }];
  });
}

/** Which sockets a board has: written by image/ into the slot, read on the device when it starts. */

/** A board's table, as image/ writes it into the slot. */
export interface PortTable {
  readonly ports: readonly PortRule[];
  /**
   * What cards become that no rule names: `wan-then-lan`: the first the WAN, if no rule has it, all others the LAN; `lan`: the LAN;
   * `none`: nothing until somebody says so. USB adapters are never taken without being asked for: one may be a modem.
   */
  readonly others: "wan-then-lan" | "lan" | "none";
}

export interface PortRule {
  /** `wan` or `lan1`, `lan2`. */
  readonly port: string;
  /** The place of its card. */
  readonly path: string;
}

/** Where the table lies in the root file system. */
export const PORT_TABLE_PATH = "/usr/lib/culvert/ports.json";

const OTHERS: readonly unknown[] = ["wan-then-lan", "lan", "none"];
const PORT = /^(wan|lan[1-9]\d?)$/;

export function emitPortTable(table: PortTable): string {
  return `${JSON.stringify(table, undefined, 1)}\n`;
}

/** Undefined for a text that is no table. */
export function parsePortTable(text: string): PortTable | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("ports" in value) || !("others" in value)) return undefined;
  const { ports, others } = value;
  if (!Array.isArray(ports) || !ports.every(isRule) || !OTHERS.includes(others)) return undefined;
  return new Set(ports.map(({ port }) => port)).size === ports.length ? (value as PortTable) : undefined;
}

function isRule(value: unknown): value is PortRule {
  if (typeof value !== "object" || value === null || !("port" in value) || !("path" in value)) return false;
  return typeof value.port === "string" && PORT.test(value.port) && typeof value.path === "string" && value.path !== "";
}

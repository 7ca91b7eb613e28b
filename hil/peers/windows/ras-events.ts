/** The events of source RasClient in Windows' application log: one story per attempt, told as it goes. */

/** What each event means (TechNet cc773769, and "RAS Connection Establishment Issues"). */
export const RasEventId = {
  dialing: 20221,
  connectingDevice: 20222,
  deviceConnected: 20223,
  linkEstablished: 20224,
  connected: 20225,
  terminated: 20226,
  failed: 20227,
} as const;

export interface RasEvent {
  readonly id: number;
  /** The error or reason that the event names: 20226 and 20227. */
  readonly code: number | undefined;
  /** The correlation id of the attempt, which is also the Outgoing-Call-Request's subaddress; empty before Windows Vista. */
  readonly correlationId: string;
  readonly message: string;
}

const KNOWN: readonly number[] = Object.values(RasEventId);
const WITH_CODE: readonly number[] = [RasEventId.terminated, RasEventId.failed];

/**
 * Reads events from what PowerShell's ConvertTo-Json made of them: objects with `Id` and `Message`, one or an array. What
 * is no such event is left out. Throws nothing.
 */
export function parseRasEvents(json: string): RasEvent[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json.replace(/^\uFEFF/, "").trim() || "[]");
  } catch {
    return [];
  }
  const list: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  return list.flatMap((each) => {
    const { Id: id, Message: message } = Object(each) as Record<string, unknown>;
    return typeof id === "number" && KNOWN.includes(id) && typeof message === "string" ? [rasEvent(id, message)] : [];
  });
}

export function rasEvent(id: number, message: string): RasEvent {
  const code = WITH_CODE.includes(id) ? /(\d+)\D*$/.exec(message)?.[1] : undefined;
  const correlationId = /\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?/.exec(message)?.[1] ?? "";
  return { id, code: code === undefined ? undefined : Number(code), correlationId, message };
}

/** 16 bytes as Windows writes a GUID: the first three parts are little-endian. Empty for no bytes. */
export function guidText(bytes: Buffer): string {
  if (bytes.length !== 16) return "";
  const hex = Buffer.from(bytes);
  hex.subarray(0, 4).reverse();
  hex.subarray(4, 6).reverse();
  hex.subarray(6, 8).reverse();
  return hex
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
    .toUpperCase();
}

/**
 * What servers are told of sessions: RFC 2866. A record that nobody takes is kept and told again later, with the time it
 * waited in Acct-Delay-Time; memory bounds how many.
 */
import type { Millis } from "../ports.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import type { RadiusAttribute } from "../wire/radius-attribute.ts";
import { nasAttributes, type RadiusSession, sessionAttributes } from "./access.ts";
import type { RadiusSettings } from "./settings.ts";

/** RFC 2866 §5.10. */
export const TerminateCause = {
  userRequest: 1,
  lostCarrier: 2,
  idleTimeout: 4,
  sessionTimeout: 5,
  adminReset: 6,
  nasError: 9,
  nasRequest: 10,
  userError: 17,
} as const;
export type TerminateCause = (typeof TerminateCause)[keyof typeof TerminateCause];

/** As the device counts: received is from the far end. */
export interface AccountedTraffic {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

export interface SessionRecord {
  readonly event: "start" | "interim" | "stop";
  readonly session: RadiusSession;
  readonly userName: Buffer;
  readonly address: Ipv4;
  readonly authenticatedBy: "local" | "radius";
  readonly classes: readonly Buffer[];
  readonly connectedForMs: number;
  /** Of a stop. */
  readonly cause: TerminateCause | undefined;
}

interface CountedRecord extends SessionRecord {
  readonly traffic: AccountedTraffic;
}

export type AccountingRecord =
  /** The device starts or stops: sessions that a server still knows of are over. */
  { readonly event: "on" | "off" } | CountedRecord;

const STATUS: Readonly<Record<AccountingRecord["event"], number>> = { start: 1, stop: 2, interim: 3, on: 7, off: 8 };
const AUTHENTIC = { radius: 1, local: 2 } as const;

/** `waitedMs`: since it happened. */
export function accountingAttributes(
  record: AccountingRecord,
  settings: RadiusSettings,
  waitedMs: number,
): readonly RadiusAttribute[] {
  const status: readonly RadiusAttribute[] = [
    { kind: "acct-status-type", number: STATUS[record.event] },
    { kind: "acct-delay-time", number: Math.floor(waitedMs / 1000) },
  ];
  if (!("session" in record)) {
    const session = { kind: "acct-session-id", octets: Buffer.from("00000000") } as const;
    return [...status, ...nasAttributes(settings), session];
  }
  const { userName, session, address, authenticatedBy, classes } = record;
  return [
    ...status,
    { kind: "user-name", octets: userName },
    { kind: "service-type", number: 2 },
    { kind: "framed-protocol", number: 1 },
    { kind: "framed-ip-address", address },
    ...sessionAttributes(session, settings),
    { kind: "acct-authentic", number: AUTHENTIC[authenticatedBy] },
    ...classes.map((octets) => ({ kind: "class", octets }) as const),
    ...(record.event === "start" ? [] : usage(record)),
  ];
}

function usage({ traffic, connectedForMs, cause }: CountedRecord): readonly RadiusAttribute[] {
  const { receivedBytes, receivedPackets, sentBytes, sentPackets } = traffic;
  const low = (bytes: number): number => bytes % 2 ** 32;
  const high = (bytes: number): number => Math.floor(bytes / 2 ** 32);
  return [
    { kind: "acct-session-time", number: Math.floor(connectedForMs / 1000) },
    { kind: "acct-input-octets", number: low(receivedBytes) },
    { kind: "acct-output-octets", number: low(sentBytes) },
    { kind: "acct-input-gigawords", number: high(receivedBytes) },
    { kind: "acct-output-gigawords", number: high(sentBytes) },
    { kind: "acct-input-packets", number: receivedPackets },
    { kind: "acct-output-packets", number: sentPackets },
    ...(cause === undefined ? [] : [{ kind: "acct-terminate-cause", number: cause } as const]),
  ];
}

/** A record on its way to a server, or on its way back into the queue. */
export interface Entry {
  readonly record: AccountingRecord;
  readonly at: Millis;
  failures: number;
  /** The exchange that carries it now. */
  exchange: number | undefined;
  /** Not before this. */
  notBefore: Millis;
}

const CAPACITY = 1000;

/** Records in the order in which they happened. */
export class AccountingQueue {
  readonly #entries: Entry[] = [];
  /** Records given up for want of memory. */
  lost = 0;

  get waiting(): number {
    return this.#entries.length;
  }
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  add(record: AccountingRecord, now: Millis): void {
    this.#supersede(record);
    if (this.#entries.length >= CAPACITY) this.#dropOne();
    this.#entries.push({ record, at: now, failures: 0, exchange: undefined, notBefore: now });
  }
  remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
  }
  find(exchange: number): Entry | undefined {
    return this.#entries.find((entry) => entry.exchange === exchange);
  }
  clear(): void {
    this.#entries.length = 0;
  }

  /** An interim record that still waits says nothing that a later one of its session does not say better. */
  #supersede(newer: AccountingRecord): void {
    if (!("session" in newer) || newer.event === "start") return;
    const { acctSessionId } = newer.session;
    const stale = this.#entries.find(
      ({ record, exchange }) =>
        exchange === undefined &&
        "session" in record &&
        record.event === "interim" &&
        record.session.acctSessionId === acctSessionId,
    );
    if (stale !== undefined) this.remove(stale);
  }

  #dropOne(): void {
    const idle = this.#entries.filter(({ exchange }) => exchange === undefined);
    const victim = idle.find(({ record }) => record.event === "interim") ?? idle[0] ?? this.#entries[0];
    if (victim !== undefined) this.remove(victim);
    this.lost++;
  }
}

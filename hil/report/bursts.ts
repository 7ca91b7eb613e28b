/** Makes the rows of the sequence diagram: a row per packet that says something, and one per burst of data between them. */
import { elapsedMs } from "../clock.ts";
import { isHarm } from "./omens.ts";
import type { PageFlow, PageRow } from "./page/data.ts";
import type { Packet } from "./wire/packets.ts";
import { type Field, TRAFFIC, TRAFFIC_NAMES, type Traffic } from "./wire/traffic.ts";

/** Data that comes no more than this after other data belongs to it... */
const PAUSE_MS = 1000;
/** ...until the burst is this long: a long download is many rows, so that one can see where in it one is. */
const LONGEST_MS = 5000;
/** Rows a reader may scroll through. What says something beyond them counts as data; the captures have it all. */
const ROWS_SPOKEN = 12_000;
/** Kinds of which every packet is a step of a negotiation: their fields come first when room is short. */
const NEGOTIATION: readonly Traffic[] = ["pptp", "lcp", "auth", "ccp", "ncp"];
/** Characters of fields and of hexadecimal that the page may carry. */
const ROOM = { fields: 2_500_000, hex: 1_500_000 };

/** Of one frame: enough for every control packet; of a data packet the rest says nothing to a reader. */
const BYTES_SHOWN = 320;

export interface RowPlace {
  readonly startedNs: bigint;
  readonly link: number;
  /** The index of a node's name; -1 for undefined. */
  node(name: string | undefined): number;
}

/** `packets` are a link's, in the order of its capture. */
export function rowsOf(packets: readonly Packet[], place: RowPlace): { row: PageRow; packet: Packet | undefined }[] {
  const rows: { row: PageRow; packet: Packet | undefined }[] = [];
  let burst: Packet[] = [];
  const flush = (): void => {
    const [only] = burst;
    if (only !== undefined) rows.push({ row: burstRow(burst, place), packet: burst.length === 1 ? only : undefined });
    burst = [];
  };
  let spoken = 0;
  for (const packet of packets) {
    const speaks = packet.label !== undefined || packet.wrong !== undefined || isHarmed(packet);
    if (speaks && spoken < ROWS_SPOKEN) {
      spoken++;
      flush();
      rows.push({ row: packetRow(packet, place), packet });
      continue;
    }
    const [first] = burst;
    const last = burst.at(-1);
    const isApart =
      first !== undefined &&
      last !== undefined &&
      (elapsedMs(last.atNs, packet.atNs) > PAUSE_MS || elapsedMs(first.atNs, packet.atNs) > LONGEST_MS);
    if (isApart) flush();
    burst.push(packet);
  }
  flush();
  return rows;
}

export function isHarmed({ fault }: Packet): boolean {
  return fault !== undefined && isHarm(fault);
}

function packetRow(packet: Packet, { startedNs, link, node }: RowPlace): PageRow {
  return {
    at: secondsAfter(startedNs, packet.atNs),
    link,
    source: node(packet.from),
    target: node(packet.to),
    traffic: TRAFFIC.indexOf(packet.traffic),
    label: packet.label ?? dataLabel(packet),
    frame: packet.number,
    bytes: packet.bytes.length,
    ...(packet.fault !== undefined && { fault: packet.fault }),
    ...(packet.wrong !== undefined && { wrong: packet.wrong }),
  };
}

function dataLabel({ traffic, fields: read }: Packet): string {
  const fields = read();
  const sequence = fieldOf(fields, "GRE sequence");
  const ack = fieldOf(fields, "GRE acknowledgment");
  const numbers = [
    sequence === undefined || sequence === "none" ? "" : ` seq ${sequence}`,
    ack === undefined || ack === "none" ? "" : ` ack ${ack}`,
  ];
  const kind = traffic === "other" ? (fieldOf(fields, "EtherType") ?? "frame") : "data";
  return `${TRAFFIC_NAMES[traffic][0]} ${kind}${numbers.join("")}`;
}

function fieldOf(fields: readonly Field[], name: string): string | undefined {
  return fields.find(([each]) => each === name)?.[1];
}

function burstRow(burst: readonly Packet[], place: RowPlace): PageRow {
  const [first] = burst;
  const last = burst.at(-1);
  if (first === undefined || last === undefined) throw new RangeError("a burst has packets");
  if (burst.length === 1) return packetRow(first, place);
  const flows = new Map<string, { packets: Packet[]; bytes: number }>();
  for (const packet of burst) {
    const key = `${packet.side} ${packet.to ?? ""} ${packet.traffic}`;
    const flow = flows.get(key) ?? { packets: [], bytes: 0 };
    flow.packets.push(packet);
    flow.bytes += packet.bytes.length;
    flows.set(key, flow);
  }
  const sorted = [...flows.values()].sort((a, b) => b.bytes - a.bytes);
  const toFlow = ({ packets, bytes }: { packets: readonly Packet[]; bytes: number }): PageFlow => ({
    source: place.node(packets[0]?.from),
    target: place.node(packets[0]?.to),
    traffic: TRAFFIC.indexOf(packets[0]?.traffic ?? "other"),
    frames: packets.length,
    bytes,
  });
  const head = sorted[0]?.packets[0] ?? first;
  return {
    at: secondsAfter(place.startedNs, first.atNs),
    to: secondsAfter(place.startedNs, last.atNs),
    link: place.link,
    source: place.node(head.from),
    target: place.node(head.to),
    traffic: TRAFFIC.indexOf(head.traffic),
    label: sorted.map(({ packets }) => flowLabel(packets)).join(", "),
    frame: first.number,
    bytes: sorted.reduce((sum, { bytes }) => sum + bytes, 0),
    flows: sorted.map(toFlow),
    fields: sorted.flatMap(({ packets, bytes }) => flowFields(packets, bytes)),
  };
}

function flowLabel(packets: readonly Packet[]): string {
  const [first] = packets;
  if (first === undefined) return "";
  const name = TRAFFIC_NAMES[first.traffic][0];
  return `${packets.length} ${name}${packets.length > 1 && first.traffic === "ack" ? "s" : ""} from ${first.from}`;
}

const GRE_NUMBERS = ["GRE call id", "GRE sequence", "GRE acknowledgment"];

function flowFields(packets: readonly Packet[], bytes: number): [string, string][] {
  const fields: [string, string][] = [[flowLabel(packets), `${bytes} bytes`]];
  // Only packets of PPTP have these, and if the first has none, no other does.
  const names = packets[0]?.fields().some(([name]) => name === "GRE call id") ? GRE_NUMBERS : [];
  for (const name of names) {
    const has = (packet: Packet): boolean => (fieldOf(packet.fields(), name) ?? "none") !== "none";
    const from = fieldOf(packets.find(has)?.fields() ?? [], name);
    const to = fieldOf(packets.findLast(has)?.fields() ?? [], name);
    if (from !== undefined) fields.push([`  ${name}`, from === to ? from : `${from} to ${to}`]);
  }
  return fields;
}

/** Fields and bytes for as many rows as there is room for, negotiations first. */
export function withDetails(rows: readonly { row: PageRow; packet: Packet | undefined }[]): PageRow[] {
  const room = { ...ROOM };
  const full = new Map<PageRow, PageRow>();
  const isEarly = ({ packet }: { packet: Packet | undefined }): boolean =>
    packet !== undefined && (NEGOTIATION.includes(packet.traffic) || packet.fault !== undefined);
  for (const each of [...rows.filter(isEarly), ...rows.filter((other) => !isEarly(other))]) {
    const { row, packet } = each;
    const fields = row.fields ?? packet?.fields() ?? [];
    const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 8, 0);
    const hex = packet?.bytes.toString("hex", 0, Math.min(packet.bytes.length, BYTES_SHOWN)) ?? "";
    const extra: { fields?: PageRow["fields"]; hex?: string } = {};
    if (size <= room.fields && fields.length > 0) {
      extra.fields = fields;
      room.fields -= size;
    }
    if (hex !== "" && hex.length <= room.hex) {
      extra.hex = hex;
      room.hex -= hex.length;
    }
    const { fields: _, ...bare } = row;
    full.set(row, { ...bare, ...(extra.fields && { fields: extra.fields }), ...(extra.hex && { hex: extra.hex }) });
  }
  return rows.map(({ row }) => full.get(row) ?? row);
}

/** With a resolution of a microsecond. */
export function secondsAfter(startedNs: bigint, atNs: bigint): number {
  return Number((atNs - startedNs) / 1000n) / 1e6;
}

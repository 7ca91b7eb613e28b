/** As much of DNS as a server with a table of addresses needs: RFC 1035 §4. */
import { fault, type Parsed, Reader } from "../../../appliance/wire/cursor.ts";
import type { Ipv4 } from "../../../appliance/wire/ipv4.ts";

export const DnsType = { a: 1, any: 255 } as const;
export const DnsResult = { ok: 0, formatError: 1, noSuchName: 3, notImplemented: 4 } as const;
export type DnsResult = (typeof DnsResult)[keyof typeof DnsResult];

const HEADER_BYTES = 12;
const QR = 0x8000;
const OPCODE = 0x7800;
const AUTHORITATIVE = 0x0400;
const RECURSION_DESIRED = 0x0100;
const RECURSION_AVAILABLE = 0x0080;
const CLASS_IN = 1;
const LONGEST_LABEL = 63;
const LONGEST_NAME = 253;
/** A pointer to the question's name, which always begins behind the header. */
const NAME_OF_QUESTION = 0xc000 | HEADER_BYTES;

export interface DnsQuery {
  readonly id: number;
  readonly isStandard: boolean;
  readonly recursionDesired: boolean;
  /** In lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  readonly isInternet: boolean;
  /** As it came: the answer repeats it, in its letter case too. */
  readonly question: Buffer;
}

/** The first question of a query. A response is a `bad-value`; names of questions are never compressed. */
export function parseDnsQuery(bytes: Buffer): Parsed<DnsQuery> {
  const r = new Reader(bytes);
  const id = r.u16();
  const flags = r.u16();
  const questions = r.u16();
  r.view(6); // numbers of other records
  if (!r.result(0).ok) return fault("short");
  if ((flags & QR) !== 0 || questions !== 1) return fault("bad-value");
  const before = r.remaining;
  const labels: string[] = [];
  for (let length = r.u8(); length !== 0; length = r.u8()) {
    if (length > LONGEST_LABEL) return fault("bad-value");
    labels.push(r.view(length).toString("latin1"));
  }
  const type = r.u16();
  const isInternet = r.u16() === CLASS_IN;
  if (!r.result(0).ok) return fault("short");
  const name = labels.join(".").toLowerCase();
  if (name.length > LONGEST_NAME) return fault("bad-length");
  const question = bytes.subarray(HEADER_BYTES, HEADER_BYTES + before - r.remaining);
  const isStandard = (flags & OPCODE) === 0;
  const recursionDesired = (flags & RECURSION_DESIRED) !== 0;
  return { ok: true, value: { id, isStandard, recursionDesired, name, type, isInternet, question } };
}

/** `addresses` are the answer; `ttl` is in seconds. */
export function emitDnsResponse(
  query: Pick<DnsQuery, "id" | "recursionDesired" | "question">,
  result: DnsResult,
  addresses: readonly Ipv4[],
  ttl: number,
): Buffer {
  const { id, question, recursionDesired } = query;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  const desired = recursionDesired ? RECURSION_DESIRED : 0;
  header.writeUInt16BE(QR | AUTHORITATIVE | RECURSION_AVAILABLE | desired | result, 2);
  header.writeUInt16BE(question.length > 0 ? 1 : 0, 4);
  header.writeUInt16BE(addresses.length, 6);
  const answers = addresses.map((address) => {
    const answer = Buffer.alloc(16);
    answer.writeUInt16BE(NAME_OF_QUESTION, 0);
    answer.writeUInt16BE(DnsType.a, 2);
    answer.writeUInt16BE(CLASS_IN, 4);
    answer.writeUInt32BE(ttl, 6);
    answer.writeUInt16BE(4, 10);
    answer.writeUInt32BE(address, 12);
    return answer;
  });
  return Buffer.concat([header, question, ...answers]);
}

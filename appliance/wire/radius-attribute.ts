/**
 * RADIUS attributes by what they mean: RFC 2865 §5, RFC 2866 §5, RFC 2869 §5, RFC 3576 §3 and Microsoft's own in
 * RFC 2548 §2. One table says what is spoken here; everything else survives as `unknown`.
 */
import { type Parsed, Reader, Writer } from "./cursor.ts";
import { Ipv4, parseIpv4 } from "./ipv4.ts";
import type { RawAttribute } from "./radius.ts";

const VENDOR_SPECIFIC = 26;
const MICROSOFT = 311;
/** What fits into one Vendor-Specific attribute beside vendor, type and length. */
const LONGEST_VENDOR_DATA = 247;

/** Attribute numbers of those whose value is octets or text; they stay octets. */
const OCTETS = {
  "user-name": 1,
  "user-password": 2,
  "chap-password": 3,
  "reply-message": 18,
  "framed-route": 22,
  state: 24,
  class: 25,
  "called-station-id": 30,
  "calling-station-id": 31,
  "nas-identifier": 32,
  "proxy-state": 33,
  "acct-session-id": 44,
  "chap-challenge": 60,
  "message-authenticator": 80,
} as const;

const NUMBERS = {
  "nas-port": 5,
  "service-type": 6,
  "framed-protocol": 7,
  "framed-mtu": 12,
  "session-timeout": 27,
  "idle-timeout": 28,
  "acct-status-type": 40,
  "acct-delay-time": 41,
  "acct-input-octets": 42,
  "acct-output-octets": 43,
  "acct-authentic": 45,
  "acct-session-time": 46,
  "acct-input-packets": 47,
  "acct-output-packets": 48,
  "acct-terminate-cause": 49,
  "acct-input-gigawords": 52,
  "acct-output-gigawords": 53,
  "event-timestamp": 55,
  "nas-port-type": 61,
  "acct-interim-interval": 85,
  "error-cause": 101,
} as const;

const ADDRESSES = {
  "nas-ip-address": 4,
  "framed-ip-address": 8,
  "framed-ip-netmask": 9,
} as const;

/** Vendor types of Microsoft. */
const MICROSOFT_OCTETS = {
  "ms-chap-response": 1,
  "ms-chap-error": 2,
  "ms-chap-challenge": 11,
  "ms-chap-mppe-keys": 12,
  "ms-mppe-send-key": 16,
  "ms-mppe-recv-key": 17,
  "ms-chap2-response": 25,
  "ms-chap2-success": 26,
} as const;
const MICROSOFT_NUMBERS = {
  "ms-mppe-encryption-policy": 7,
  "ms-mppe-encryption-types": 8,
} as const;
const MICROSOFT_ADDRESSES = {
  "ms-primary-dns-server": 28,
  "ms-secondary-dns-server": 29,
} as const;

type OctetsKind = keyof typeof OCTETS | keyof typeof MICROSOFT_OCTETS;
type NumberKind = keyof typeof NUMBERS | keyof typeof MICROSOFT_NUMBERS;
type AddressKind = keyof typeof ADDRESSES | keyof typeof MICROSOFT_ADDRESSES;

export type RadiusAttribute =
  | { readonly kind: OctetsKind; readonly octets: Buffer }
  /** 32 bits, unsigned. */
  | { readonly kind: NumberKind; readonly number: number }
  | { readonly kind: AddressKind; readonly address: Ipv4 }
  /** Not spoken here, or of a length that it cannot have. */
  | { readonly kind: "unknown"; readonly type: number; readonly data: Buffer };

type Format = "octets" | "number" | "address";
interface Row {
  readonly kind: OctetsKind | NumberKind | AddressKind;
  readonly format: Format;
  readonly vendor: boolean;
  readonly type: number;
}
const rows = (table: Readonly<Record<string, number>>, format: Format, vendor: boolean): Row[] =>
  Object.entries(table).map(([kind, type]) => ({ kind: kind as Row["kind"], format, vendor, type }));
const TABLE: readonly Row[] = [
  ...rows(OCTETS, "octets", false),
  ...rows(NUMBERS, "number", false),
  ...rows(ADDRESSES, "address", false),
  ...rows(MICROSOFT_OCTETS, "octets", true),
  ...rows(MICROSOFT_NUMBERS, "number", true),
  ...rows(MICROSOFT_ADDRESSES, "address", true),
];
const BY_KIND = new Map(TABLE.map((row) => [row.kind, row]));
const BY_TYPE = new Map(TABLE.filter(({ vendor }) => !vendor).map((row) => [row.type, row]));
const BY_VENDOR_TYPE = new Map(TABLE.filter(({ vendor }) => vendor).map((row) => [row.type, row]));

/** Every kind there is, for tests that try them all. */
export const RADIUS_KINDS: readonly Row["kind"][] = TABLE.map(({ kind }) => kind);

/** The attribute number of a kind that no vendor owns. */
export const MESSAGE_AUTHENTICATOR = OCTETS["message-authenticator"];

/** One Vendor-Specific attribute may hold several of Microsoft's (RFC 2548 §2): each comes out alone. */
export function interpretRadiusAttributes(raw: readonly RawAttribute[]): readonly RadiusAttribute[] {
  return raw.flatMap((attribute) => microsoft(attribute) ?? [interpret(BY_TYPE.get(attribute.type), attribute)]);
}

export function emitRadiusAttribute(attribute: RadiusAttribute): RawAttribute {
  if (attribute.kind === "unknown") return { type: attribute.type, data: attribute.data };
  const row = BY_KIND.get(attribute.kind);
  if (row === undefined) throw new RangeError(`no RADIUS attribute ${attribute.kind}`);
  const data =
    "octets" in attribute ? attribute.octets : word("number" in attribute ? attribute.number : attribute.address);
  if (!row.vendor) return { type: row.type, data };
  if (data.length > LONGEST_VENDOR_DATA)
    throw new RangeError(`${row.kind}: ${data.length} bytes, ${LONGEST_VENDOR_DATA} is the most`);
  const w = new Writer(6 + data.length)
    .u32(MICROSOFT)
    .u8(row.type)
    .u8(data.length + 2)
    .fixed(data, data.length);
  return { type: VENDOR_SPECIFIC, data: w.bytes };
}

/** The parts of a Microsoft attribute that are all known and whole; undefined for any other. */
function microsoft({ type, data }: RawAttribute): readonly RadiusAttribute[] | undefined {
  if (type !== VENDOR_SPECIFIC) return undefined;
  const r = new Reader(data);
  if (r.u32() !== MICROSOFT || r.remaining === 0) return undefined;
  const parts: RadiusAttribute[] = [];
  while (r.remaining > 0) {
    const vendorType = r.u8();
    const length = r.u8();
    const value = r.view(Math.max(0, length - 2));
    const row = BY_VENDOR_TYPE.get(vendorType);
    if (length < 2 || !r.result(0).ok || row === undefined) return undefined;
    const part = interpret(row, { type, data: value });
    if (part.kind === "unknown") return undefined;
    parts.push(part);
  }
  return parts;
}

function interpret(row: Row | undefined, { type, data }: RawAttribute): RadiusAttribute {
  if (row?.format === "octets") return { kind: row.kind as OctetsKind, octets: data };
  if (row === undefined || data.length !== 4) return { kind: "unknown", type, data };
  const value = data.readUInt32BE();
  return row.format === "number"
    ? { kind: row.kind as NumberKind, number: value }
    : { kind: row.kind as AddressKind, address: Ipv4(value) };
}

function word(value: number): Buffer {
  return new Writer(4).u32(value).bytes;
}

export function octetsOf(attributes: readonly RadiusAttribute[], kind: OctetsKind): Buffer | undefined {
  const found = attributes.find((attribute) => attribute.kind === kind);
  return found !== undefined && "octets" in found ? found.octets : undefined;
}
export function numberOf(attributes: readonly RadiusAttribute[], kind: NumberKind): number | undefined {
  const found = attributes.find((attribute) => attribute.kind === kind);
  return found !== undefined && "number" in found ? found.number : undefined;
}
export function addressOf(attributes: readonly RadiusAttribute[], kind: AddressKind): Ipv4 | undefined {
  const found = attributes.find((attribute) => attribute.kind === kind);
  return found !== undefined && "address" in found ? found.address : undefined;
}

/** Values of MS-CHAP-Response and MS-CHAP2-Response (RFC 2548 §2.1.3 and §2.3.2): 50 octets. */
export function emitMsChapAttribute(
  identifier: number,
  flags: number,
  first: Buffer,
  firstWidth: 24 | 16,
  ntResponse: Buffer,
): Buffer {
  const w = new Writer(50).u8(identifier).u8(flags).fixed(first, firstWidth);
  if (firstWidth === 16) w.fixed(Buffer.alloc(0), 8);
  return w.fixed(ntResponse, 24).bytes;
}

/**
 * The network of a Framed-Route (RFC 2865 §5.22): `192.168.2.0/24 192.168.2.1 1`. Without a length the old classes
 * count. Gateway and metrics are read over: the route leads into the session it came with, whatever they say.
 */
export function parseFramedRoute(octets: Buffer): Parsed<{ readonly address: Ipv4; readonly length: number }> {
  const [, dotted = "", digits] = /^\s*([0-9.]{7,15})(?:\/(\d{1,2}))?(?:\s|\0|$)/.exec(octets.toString("latin1")) ?? [];
  const address = parseIpv4(dotted);
  if (address === undefined) return { ok: false, fault: "bad-value" };
  const length = digits === undefined ? classLength(address) : Number(digits);
  if (length > 32) return { ok: false, fault: "bad-value" };
  const mask = length === 0 ? 0 : 0xffffffff << (32 - length);
  return { ok: true, value: { address: Ipv4(address & mask), length } };
}

function classLength(address: Ipv4): number {
  const first = address >>> 24;
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}

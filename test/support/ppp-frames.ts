/** PPP frames of every protocol of a PPTP call as our emitters write them, with what scapy must read in them. */
import { type CcpOption, emitCcpOption, MppeBit, parseCcpOption } from "../../appliance/wire/ccp-option.ts";
import {
  ChapCode,
  type ChapValue,
  emitChapValue,
  emitMsChapFailure,
  emitMsChapV1Response,
  emitMsChapV2Response,
  parseChapValue,
  parseMsChapFailure,
} from "../../appliance/wire/chap.ts";
import {
  CpCode,
  emitCpPacket,
  emitOptions,
  parseCpPacket,
  parseOptions,
  type RawOption,
} from "../../appliance/wire/cp-packet.ts";
import type { Parsed } from "../../appliance/wire/cursor.ts";
import { emitIpcpOption, type IpcpOption, parseIpcpOption } from "../../appliance/wire/ipcp-option.ts";
import { emitIpv6cpOption, type Ipv6cpOption, parseIpv6cpOption } from "../../appliance/wire/ipv6cp-option.ts";
import { ChapAlgorithm, emitLcpOption, type LcpOption, parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import {
  emitPapMessage,
  emitPapRequest,
  PapCode,
  type PapRequest,
  parsePapMessage,
  parsePapRequest,
} from "../../appliance/wire/pap.ts";
import { emitPppFrame, PLAIN_FRAMING, type PppFraming, Protocol } from "../../appliance/wire/ppp-frame.ts";
import { hex } from "./hex.ts";
import { ip } from "./link-end.ts";
import type { FieldValue, Layer } from "./scapy.ts";

interface DataCodec<T> {
  readonly emit: (value: T) => Buffer;
  readonly parse: (data: Buffer) => Parsed<T>;
}
export interface FrameCase {
  readonly what: string;
  readonly bytes: Buffer;
  readonly layers: readonly Layer[];
  readonly protocol: number;
  /** Identifier and what `read` must make of the payload. */
  readonly meant: unknown;
  readonly read: (payload: Buffer) => unknown;
}

function optionList<T>(emit: (option: T) => RawOption, parse: (raw: RawOption) => T): DataCodec<readonly T[]> {
  return {
    emit: (options) => emitOptions(options.map(emit)),
    parse: (data) => {
      const raw = parseOptions(data);
      return raw.ok ? { ok: true, value: raw.value.map(parse) } : raw;
    },
  };
}
const LCP: DataCodec<readonly LcpOption[]> = optionList(emitLcpOption, parseLcpOption);
const IPCP: DataCodec<readonly IpcpOption[]> = optionList(emitIpcpOption, parseIpcpOption);
const CCP: DataCodec<readonly CcpOption[]> = optionList(emitCcpOption, parseCcpOption);
const IPV6CP: DataCodec<readonly Ipv6cpOption[]> = optionList(emitIpv6cpOption, parseIpv6cpOption);
const PAP_REQUEST: DataCodec<PapRequest> = { emit: emitPapRequest, parse: parsePapRequest };
const PAP_MESSAGE: DataCodec<Buffer> = { emit: emitPapMessage, parse: parsePapMessage };
const CHAP_VALUE: DataCodec<ChapValue> = { emit: emitChapValue, parse: parseChapValue };
const CHAP_FAILURE = { emit: emitMsChapFailure, parse: parseMsChapFailure };
const DATA: DataCodec<Buffer> = { emit: (data) => data, parse: (value) => ({ ok: true, value }) };

const NO_ADDRESS: PppFraming = { omitAddressControl: true, compressProtocol: true };
const ID = 0x5a;

/** A packet of a control protocol: `name` and `fields` are what scapy calls it and reads behind Length. */
function packet<T>(
  what: string,
  [protocol, framing]: readonly [number, PppFraming],
  code: number,
  [codec, value]: readonly [DataCodec<T>, T],
  [name, fields]: Layer,
): FrameCase {
  const payload = emitCpPacket({ code, identifier: ID, data: codec.emit(value) });
  const head: readonly Layer[] = [["PPP", { proto: protocol }]];
  const own: Layer = name === "Raw" ? [name, fields] : [name, { code, id: ID, len: payload.length, ...fields }];
  return {
    what,
    protocol,
    bytes: emitPppFrame({ protocol, payload }, framing),
    layers: [...(framing === NO_ADDRESS ? head : [["HDLC", { address: 0xff, control: 3 }] as const, ...head]), own],
    meant: { ok: true, value: { code, identifier: ID, value: { ok: true, value } } },
    read: (bytes) => {
      const parsed = parseCpPacket(bytes);
      if (!parsed.ok) return parsed;
      const { identifier, data } = parsed.value;
      return { ok: true, value: { code: parsed.value.code, identifier, value: codec.parse(data) } };
    },
  };
}

const lcpOption = (type: number, name: string, len: number, rest: Record<string, FieldValue>): Layer => [
  `PPP_LCP_${name}`,
  { type, len, ...rest },
];
const ipcpOption = (type: number, name: string, address: string): Layer => [
  `PPP_IPCP_Option_${name}`,
  { type, len: 6, data: address, garbage: "" },
];

const ON_LCP = [Protocol.lcp, PLAIN_FRAMING] as const;
const ON_IPCP = [Protocol.ipcp, NO_ADDRESS] as const;
const ON_PAP = [Protocol.pap, PLAIN_FRAMING] as const;
const ON_CHAP = [Protocol.chap, NO_ADDRESS] as const;

const chap = (algorithm: number): LcpOption => ({
  kind: "authentication",
  protocol: Protocol.chap,
  data: Buffer.from([algorithm]),
});
const MAGIC = hex("c0ffee11");
const NT = Buffer.alloc(24, 0xa5);
const CHALLENGE = Buffer.alloc(16, 0x3c);
const V2 = emitMsChapV2Response({ peerChallenge: CHALLENGE, ntResponse: NT, flags: 0 });
const V1 = emitMsChapV1Response({ lmResponse: Buffer.alloc(24), ntResponse: NT, useNtResponse: true });
const NAME = Buffer.from("alice");

const LCP_REQUEST: readonly LcpOption[] = [
  { kind: "mru", mru: 1400 },
  { kind: "accm", map: 0x000a0000 },
  chap(ChapAlgorithm.mschapV2),
  { kind: "magic", magic: 0xc0ffee11 },
  { kind: "pfc" },
  { kind: "acfc" },
  { kind: "callback", operation: 6, message: Buffer.alloc(0) },
  { kind: "mrru", mrru: 1614 },
  { kind: "endpoint", class: 1, address: hex("0102030405") },
];
const LCP_REQUEST_LAYERS: readonly Layer[] = [
  lcpOption(1, "MRU_Option", 4, { max_recv_unit: 1400 }),
  lcpOption(2, "ACCM_Option", 6, { accm: 0x000a0000 }),
  lcpOption(3, "Auth_Protocol_Option", 5, { auth_protocol: Protocol.chap, algorithm: 0x81 }),
  lcpOption(5, "Magic_Number_Option", 6, { magic_number: 0xc0ffee11 }),
  lcpOption(7, "Option", 2, { data: "" }),
  lcpOption(8, "Option", 2, { data: "" }),
  lcpOption(13, "Callback_Option", 3, { operation: 6, message: "" }),
  // Multilink (RFC 1990 §5) has no classes of its own in scapy: type, length and bytes are read.
  lcpOption(17, "Option", 4, { data: "064e" }),
  lcpOption(19, "Option", 8, { data: "010102030405" }),
];

/** What scapy can read to the last field. */
export const FRAMES: readonly FrameCase[] = [
  packet(
    "LCP Configure-Request",
    ON_LCP,
    CpCode.configureRequest,
    [LCP, LCP_REQUEST],
    ["PPP_LCP_Configure", { options: LCP_REQUEST_LAYERS }],
  ),
  ...[ChapAlgorithm.md5, ChapAlgorithm.mschapV1].map((algorithm) =>
    packet(
      `LCP Configure-Nak with CHAP ${algorithm}`,
      ON_LCP,
      CpCode.configureNak,
      [LCP, [chap(algorithm)]],
      [
        "PPP_LCP_Configure",
        { options: [lcpOption(3, "Auth_Protocol_Option", 5, { auth_protocol: Protocol.chap, algorithm })] },
      ],
    ),
  ),
  ...[Protocol.pap, Protocol.eap].map((protocol) =>
    packet(
      `LCP Configure-Reject of authentication by ${protocol.toString(16)}`,
      ON_LCP,
      CpCode.configureReject,
      [LCP, [{ kind: "authentication", protocol, data: Buffer.alloc(0) }]],
      [
        "PPP_LCP_Configure",
        { options: [lcpOption(3, "Auth_Protocol_Option", 4, { auth_protocol: protocol, data: "" })] },
      ],
    ),
  ),
  packet(
    "LCP Configure-Ack of nothing",
    ON_LCP,
    CpCode.configureAck,
    [LCP, []],
    ["PPP_LCP_Configure", { options: [] }],
  ),
  packet(
    "LCP Terminate-Request",
    ON_LCP,
    CpCode.terminateRequest,
    [DATA, Buffer.from("bye")],
    ["PPP_LCP_Terminate", { data: "627965" }],
  ),
  packet(
    "LCP Terminate-Ack",
    ON_LCP,
    CpCode.terminateAck,
    [DATA, Buffer.alloc(0)],
    ["PPP_LCP_Terminate", { data: "" }],
  ),
  packet(
    "LCP Code-Reject of a Time-Remaining",
    ON_LCP,
    CpCode.codeReject,
    [DATA, hex("0d05000801020304")],
    ["PPP_LCP_Code_Reject", { rejected_packet: [["PPP_LCP", { code: 13, id: 5, len: 8, data: "01020304" }]] }],
  ),
  packet(
    "LCP Protocol-Reject of a CCP packet",
    ON_LCP,
    CpCode.protocolReject,
    [DATA, hex("80fd 01050004")],
    [
      "PPP_LCP_Protocol_Reject",
      {
        rejected_protocol: Protocol.ccp,
        rejected_information: [
          ["Packet", {}],
          ["Raw", { load: "01050004" }],
        ],
      },
    ],
  ),
  ...[CpCode.echoRequest, CpCode.echoReply].map((code) =>
    packet(
      `LCP Echo, code ${code}`,
      ON_LCP,
      code,
      [DATA, Buffer.concat([MAGIC, hex("0102")])],
      ["PPP_LCP_Echo", { magic_number: 0xc0ffee11, data: "0102" }],
    ),
  ),
  packet(
    "LCP Discard-Request",
    ON_LCP,
    CpCode.discardRequest,
    [DATA, MAGIC],
    ["PPP_LCP_Discard_Request", { magic_number: 0xc0ffee11, data: "" }],
  ),
  packet(
    "LCP Identification",
    ON_LCP,
    CpCode.identification,
    [DATA, Buffer.concat([MAGIC, Buffer.from("MSRAS")])],
    ["PPP_LCP", { data: "c0ffee114d53524153" }],
  ),
  packet(
    "IPCP Configure-Request",
    ON_IPCP,
    CpCode.configureRequest,
    [
      IPCP,
      [
        { kind: "compression", protocol: Protocol.vjCompressedTcp, data: hex("0f01") },
        { kind: "address", address: ip("192.168.1.100") },
        { kind: "primary-dns", address: ip("192.168.1.1") },
        { kind: "primary-nbns", address: ip("10.0.0.7") },
        { kind: "secondary-dns", address: ip("0.0.0.0") },
        { kind: "secondary-nbns", address: ip("255.255.255.254") },
      ],
    ],
    [
      "PPP_IPCP",
      {
        options: [
          ["PPP_IPCP_Option", { type: 2, len: 6, data: "002d0f01" }],
          ipcpOption(3, "IPAddress", "192.168.1.100"),
          ipcpOption(129, "DNS1", "192.168.1.1"),
          ipcpOption(130, "NBNS1", "10.0.0.7"),
          ipcpOption(131, "DNS2", "0.0.0.0"),
          ipcpOption(132, "NBNS2", "255.255.255.254"),
        ],
      },
    ],
  ),
  packet(
    "PAP request",
    ON_PAP,
    PapCode.authenticateRequest,
    [PAP_REQUEST, { peerId: NAME, password: hex("00ff41") }],
    ["PPP_PAP_Request", { username_len: 5, username: NAME.toString("hex"), passwd_len: 3, password: "00ff41" }],
  ),
  ...[PapCode.authenticateAck, PapCode.authenticateNak].map((code) =>
    packet(
      `PAP answer, code ${code}`,
      ON_PAP,
      code,
      [PAP_MESSAGE, Buffer.from("Hi")],
      ["PPP_PAP_Response", { msg_len: 2, message: "4869" }],
    ),
  ),
  ...(
    [
      ["CHAP Challenge", ChapCode.challenge, CHALLENGE],
      ["CHAP Response with MD5", ChapCode.response, CHALLENGE],
      ["MS-CHAPv1 Response", ChapCode.response, V1],
      ["MS-CHAPv2 Response", ChapCode.response, V2],
    ] as const
  ).map(([what, code, value]) =>
    packet(
      what,
      ON_CHAP,
      code,
      [CHAP_VALUE, { value, name: NAME }],
      [
        "PPP_CHAP_ChallengeResponse",
        { value_size: value.length, value: value.toString("hex"), optional_name: NAME.toString("hex") },
      ],
    ),
  ),
  packet("CHAP Success", ON_CHAP, ChapCode.success, [DATA, Buffer.from("S=00")], ["PPP_CHAP", { data: "533d3030" }]),
  packet(
    "MS-CHAPv2 Failure",
    ON_CHAP,
    ChapCode.failure,
    [CHAP_FAILURE, { errorCode: 691, retryAllowed: false, challenge: CHALLENGE, passwordVersion: 3, message: "no" }],
    ["PPP_CHAP", { data: Buffer.from(`E=691 R=0 C=${"3C".repeat(16)} V=3 M=no`).toString("hex") }],
  ),
];

const MPPE = MppeBit.stateless | MppeBit.strength128;
const IDENTIFIER = hex("021122fffe334455");

/**
 * Scapy 2.5 has no CCP and no IPV6CP. It has ECP, whose packets are built alike (RFC 1968 §3, RFC 1962 §3, RFC 5072 §3): `alike`
 * is what scapy must read when it takes the packet for ECP.
 */
export const UNKNOWN_TO_SCAPY: readonly (FrameCase & { readonly alike: Layer })[] = (
  [
    ["CCP Configure-Request", Protocol.ccp, [CCP, [{ kind: "mppe", bits: MPPE }]], [18, "01000040"]],
    [
      "IPV6CP Configure-Request",
      Protocol.ipv6cp,
      [IPV6CP, [{ kind: "interface-identifier", identifier: IDENTIFIER }]],
      [1, IDENTIFIER.toString("hex")],
    ],
  ] as const
).map(([what, protocol, means, [type, data]]) => {
  const code = CpCode.configureRequest;
  const [codec, value] = means as readonly [DataCodec<unknown>, unknown];
  const load = emitCpPacket({ code, identifier: ID, data: codec.emit(value) });
  return {
    ...packet(what, [protocol, NO_ADDRESS], code, [codec, value], ["Raw", { load: load.toString("hex") }]),
    alike: [
      "PPP_ECP",
      { code, id: ID, len: load.length, options: [["PPP_ECP_Option", { type, len: data.length / 2 + 2, data }]] },
    ],
  };
});

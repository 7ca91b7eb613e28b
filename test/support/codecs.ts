/** Every codec of appliance/wire with real packets for it: from a Windows 7 client and its RRAS server, and from pptp-linux and Poptop. */
import { parseCallbackTypes } from "../../appliance/wire/cbcp.ts";
import { emitCcpOption, parseCcpOption } from "../../appliance/wire/ccp-option.ts";
import {
  emitChangePasswordV2,
  emitChapValue,
  emitMsChapFailure,
  emitMsChapV1Response,
  emitMsChapV2Response,
  parseChangePasswordV2,
  parseChapValue,
  parseMsChapFailure,
  parseMsChapV1Response,
  parseMsChapV2Response,
} from "../../appliance/wire/chap.ts";
import { emitControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import {
  emitCpPacket,
  emitOptions,
  parseCpPacket,
  parseOptions,
  type RawOption,
} from "../../appliance/wire/cp-packet.ts";
import type { Parsed } from "../../appliance/wire/cursor.ts";
import { emitGre, parseGre } from "../../appliance/wire/gre.ts";
import { emitIpcpOption, parseIpcpOption } from "../../appliance/wire/ipcp-option.ts";
import { emitIpv6cpOption, parseIpv6cpOption } from "../../appliance/wire/ipv6cp-option.ts";
import { emitLcpOption, parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import { emitPapMessage, emitPapRequest, parsePapMessage, parsePapRequest } from "../../appliance/wire/pap.ts";
import { emitPppFrame, PLAIN_FRAMING, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { emitRadiusPacket, parseRadiusPacket } from "../../appliance/wire/radius.ts";
import { emitRadiusAttribute, interpretRadiusAttributes } from "../../appliance/wire/radius-attribute.ts";
import { hex } from "./hex.ts";

/** Control messages of a Windows 7 client (frames 31, 33, 48, 20, 22 of the reference capture) and of RRAS. */
export const WINDOWS_CONTROL = {
  startRequest: hex(`009c00011a2b3c4d000100000100000000000001000000010000 0000 ${"00".repeat(64)}
    4d6963726f736f6674 ${"00".repeat(55)}`),
  startReply: hex(`009c00011a2b3c4d000200000100010000000002000000030000 0000 ${"00".repeat(64)}
    4d6963726f736f6674 ${"00".repeat(55)}`),
  callRequest: hex(`00a800011a2b3c4d0007 0000 9d490013 0000012c 05f5e100 00000003 00000003 0040 0000 0000 0000
    ${"00".repeat(64)} 96157121fdb78f47b5d0be36d2e97e50 ${"00".repeat(48)}`),
  callReply: hex("002000011a2b3c4d00080000 736a9d49 0100 0000 00ca9a3b 4000 0000 00000000"),
  linkInfo: hex("001800011a2b3c4d000f0000 736a0000 ffffffff ffffffff"),
  callClear: hex("001000011a2b3c4d000c0000 fcb00000"),
  callDisconnect: hex(`009400011a2b3c4d000d0000 3b37 0000 00000000 ${"00".repeat(128)}`),
  stopRequest: hex("001000011a2b3c4d00030000 01000000"),
  stopReply: hex("001000011a2b3c4d00040000 01000000"),
} as const;

/** GRE packets of the same session, in order; `toServer` carry the server's Call ID. */
export const WINDOWS_GRE = {
  lcpRequest: hex("3001880b0019736a00000000ff03c0210100001501040578050675eb25d5070208020d0306"),
  lcpRequestOfRras: hex(`3081880b00389d490000000000000000ff03c02101000034010405780304c227050670ed20e6070208020d0306
    1104064e131701f3198e8764b2429f8d09ef637b516ea700000000`),
  lcpReject: hex(
    "3081880b0023736a0000000100000001ff03c0210400001f1104064e131701f3198e8764b2429f8d09ef637b516ea700000000",
  ),
  lcpNak: hex("3081880b000d736a0000000200000002ff03c021030100090305c22381"),
  identification: hex("3001880b0014736a00000004c0210c01001275eb25d54d5352415356352e3230"),
  challenge: hex(
    "3081880b00269d490000000400000006c223010000241005b2f10bdc3d6c92b6cd160adee148b457494e2d3942414753373056354950",
  ),
  response: hex(`3081880b003f736a0000000700000004c2230200003d31789223b02a0cc515404bca2c696edcff0000000000000000
    8cd6161253eac63fa53cfc6f74692fd73b0768ca63d612f00076706e75736572`),
  success: hex(`3081880b00309d490000000500000007c2230300002e
    533d39373445373943333530434337444335334642433546334131313443363342314546413136453139`),
  cbcpRequest: hex("3001880b00089d4900000006c029010100060102"),
  ipv6cpRequest: hex("3081880b0010736a000000090000000780570104000e010afcd3335cf10e5c31"),
  ccpRequest: hex("3001880b000c736a0000000a80fd0105000a120601000040"),
  ipcpRequest: hex("3001880b0024736a0000000b802101060022030600000000810600000000820600000000830600000000840600000000"),
  mppe: hex(
    "3081880b002d736a000000110000000ffd90000e55bc7331b4cb89d6f49a82be2c59345b08192f4a7447d9c2d1a27088607ca1618f7a5fd741127f787c",
  ),
  ackOnly: hex("2081880b00009d4900000013"),
  terminate: hex("3001880b00143b370000038bff03c02105090010162a1f3a003ccd7400000000"),
} as const;

/** The PPP frame inside a GRE packet of `WINDOWS_GRE`. */
export function insideGre(packet: Buffer): Buffer {
  const parsed = parseGre(packet);
  if (!parsed.ok) throw new TypeError(`not a GRE packet: ${packet.toString("hex")}`);
  return parsed.value.payload;
}
/** The control-protocol packet inside such a frame. */
export function insidePpp(packet: Buffer): Buffer {
  const parsed = parsePppFrame(insideGre(packet));
  if (!parsed.ok) throw new TypeError(`not a PPP frame: ${packet.toString("hex")}`);
  return parsed.value.payload;
}
/** The data of that packet: an option list, a CHAP value. */
export function insideCp(packet: Buffer): Buffer {
  const parsed = parseCpPacket(insidePpp(packet));
  if (!parsed.ok) throw new TypeError(`not a control-protocol packet: ${packet.toString("hex")}`);
  return parsed.value.data;
}

export interface Codec {
  readonly name: string;
  readonly parse: (bytes: Buffer) => Parsed<unknown>;
  /** Parses, and emits what was understood; undefined when nothing was. */
  readonly reemit: (bytes: Buffer) => Buffer | undefined;
  readonly samples: readonly Buffer[];
}

function codec<T>(
  name: string,
  parse: (bytes: Buffer) => Parsed<T>,
  emit: (value: T) => Buffer,
  samples: readonly Buffer[],
): Codec {
  const reemit = (bytes: Buffer) => {
    const parsed = parse(bytes);
    return parsed.ok ? emit(parsed.value) : undefined;
  };
  return { name, parse, reemit, samples };
}

/** A whole list of options of one protocol, each given its meaning and taken back. */
function options<T>(parse: (raw: RawOption) => T, emit: (option: T) => RawOption) {
  return {
    parse: (bytes: Buffer): Parsed<readonly T[]> => {
      const raw = parseOptions(bytes);
      return raw.ok ? { ok: true, value: raw.value.map(parse) } : raw;
    },
    emit: (values: readonly T[]) => emitOptions(values.map(emit)),
  };
}
const lcp = options(parseLcpOption, emitLcpOption);
const ipcp = options(parseIpcpOption, emitIpcpOption);
const ipv6cp = options(parseIpv6cpOption, emitIpv6cpOption);
const ccp = options(parseCcpOption, emitCcpOption);

/** A whole packet with each attribute given its meaning and taken back. */
function parseRadius(bytes: Buffer) {
  const packet = parseRadiusPacket(bytes);
  if (!packet.ok) return packet;
  const { attributes, ...header } = packet.value;
  return { ok: true, value: { ...header, attributes: interpretRadiusAttributes(attributes) } } as const;
}
/** RFC 2865 §7.2, and an Accept with Microsoft's attributes, two of them in one. */
const RADIUS_PACKETS = [
  hex(`01010047 2aee86f08d0d55969ca5978e0d3367a2 0108666c6f707379 031316e97557c316185895f293ff6344077275 0406c0a80110
    050600000014 060600000002 070600000001`),
  hex(`02010038 15efbc7dab26cfa3dc34d9c03c8601a4 0806fffffffe 1a1200000137070600000002080600000006
    1a0c000001371a06 07533d41`),
];

const GRE = Object.values(WINDOWS_GRE);
const FRAMES = GRE.filter((packet) => packet !== WINDOWS_GRE.ackOnly).map(insideGre);
const PACKETS = GRE.filter((packet) => packet !== WINDOWS_GRE.ackOnly && packet !== WINDOWS_GRE.mppe).map(insidePpp);
const V2_VALUE = insideCp(WINDOWS_GRE.response).subarray(1, 50);
const FAILURE = Buffer.from("E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=Authentication failure");

export const CODECS: readonly Codec[] = [
  codec("control message", parseControlMessage, emitControlMessage, Object.values(WINDOWS_CONTROL)),
  codec("GRE packet", parseGre, emitGre, GRE),
  codec("PPP frame", parsePppFrame, (frame) => emitPppFrame(frame, PLAIN_FRAMING), FRAMES),
  codec("control-protocol packet", parseCpPacket, emitCpPacket, PACKETS),
  codec(
    "option list",
    parseOptions,
    emitOptions,
    [WINDOWS_GRE.lcpRequestOfRras, WINDOWS_GRE.ipcpRequest].map(insideCp),
  ),
  codec("LCP options", lcp.parse, lcp.emit, [
    insideCp(WINDOWS_GRE.lcpRequestOfRras),
    hex("0206ffffffff0304c0231104064e"),
  ]),
  codec("IPCP options", ipcp.parse, ipcp.emit, [insideCp(WINDOWS_GRE.ipcpRequest), hex("0206002d0f01")]),
  codec("IPV6CP options", ipv6cp.parse, ipv6cp.emit, [insideCp(WINDOWS_GRE.ipv6cpRequest)]),
  codec("CCP options", ccp.parse, ccp.emit, [insideCp(WINDOWS_GRE.ccpRequest), hex("1206010000e1")]),
  { name: "CBCP", parse: parseCallbackTypes, reemit: () => undefined, samples: [insideCp(WINDOWS_GRE.cbcpRequest)] },
  codec("PAP request", parsePapRequest, emitPapRequest, [hex("05616c696365 06733363726574")]),
  codec("PAP message", parsePapMessage, emitPapMessage, [hex("026f6b"), hex("00"), hex("")]),
  codec("CHAP value", parseChapValue, emitChapValue, [WINDOWS_GRE.challenge, WINDOWS_GRE.response].map(insideCp)),
  codec("MS-CHAPv2 response", parseMsChapV2Response, emitMsChapV2Response, [V2_VALUE]),
  codec("MS-CHAPv1 response", parseMsChapV1Response, emitMsChapV1Response, [V2_VALUE]),
  codec("Change-Password", parseChangePasswordV2, emitChangePasswordV2, [Buffer.alloc(582, 0x5a)]),
  codec(
    "RADIUS packet",
    parseRadius,
    (packet) => emitRadiusPacket({ ...packet, attributes: packet.attributes.map(emitRadiusAttribute) }),
    RADIUS_PACKETS,
  ),
  codec("MS-CHAP failure", parseMsChapFailure, emitMsChapFailure, [FAILURE, Buffer.from("E=648 R=0")]),
];

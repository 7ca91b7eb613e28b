/** PPP control packets in words: codes, identifiers and options of LCP, CCP, the NCPs, PAP, CHAP and CBCP. */
import { type CcpOption, MppeBit, parseCcpOption } from "../../../appliance/wire/ccp-option.ts";
import { ChapCode, parseChapValue, parseMsChapFailure } from "../../../appliance/wire/chap.ts";
import { CpCode, type CpPacket, parseOptions, type RawOption } from "../../../appliance/wire/cp-packet.ts";
import { type IpcpOption, parseIpcpOption } from "../../../appliance/wire/ipcp-option.ts";
import { formatIpv4 } from "../../../appliance/wire/ipv4.ts";
import { parseIpv6cpOption } from "../../../appliance/wire/ipv6cp-option.ts";
import { ChapAlgorithm, type LcpOption, parseLcpOption } from "../../../appliance/wire/lcp-option.ts";
import { PapCode, parsePapMessage, parsePapRequest } from "../../../appliance/wire/pap.ts";
import { Protocol } from "../../../appliance/wire/ppp-frame.ts";
import type { Field, Traffic, Words } from "./traffic.ts";

const PROTOCOL_NAME: Readonly<Record<number, string>> = {
  [Protocol.ipv4]: "IPv4",
  [Protocol.ipv6]: "IPv6",
  [Protocol.vjCompressedTcp]: "VJ compressed TCP",
  [Protocol.vjUncompressedTcp]: "VJ uncompressed TCP",
  [Protocol.compressed]: "compressed datagram",
  [Protocol.ipcp]: "IPCP",
  [Protocol.ipv6cp]: "IPV6CP",
  [Protocol.ccp]: "CCP",
  [Protocol.lcp]: "LCP",
  [Protocol.pap]: "PAP",
  [Protocol.cbcp]: "CBCP",
  [Protocol.chap]: "CHAP",
  [Protocol.eap]: "EAP",
};
const TRAFFIC_OF: Readonly<Record<number, Traffic>> = {
  [Protocol.lcp]: "lcp",
  [Protocol.ccp]: "ccp",
  [Protocol.ipcp]: "ncp",
  [Protocol.ipv6cp]: "ncp",
  [Protocol.pap]: "auth",
  [Protocol.chap]: "auth",
  [Protocol.eap]: "auth",
  [Protocol.cbcp]: "auth",
};

export function protocolName(protocol: number): string {
  return PROTOCOL_NAME[protocol] ?? `protocol 0x${protocol.toString(16).padStart(4, "0")}`;
}

const CODE_NAME = namesOf(CpCode);
const CHAP_NAME = namesOf(ChapCode);
const PAP_NAME = namesOf(PapCode);
const WITH_OPTIONS: readonly number[] = [
  CpCode.configureRequest,
  CpCode.configureAck,
  CpCode.configureNak,
  CpCode.configureReject,
];
const HEX_KEPT = 64;

export function describeControlPacket(protocol: number, packet: CpPacket): Words {
  const traffic = TRAFFIC_OF[protocol] ?? "other";
  const { code, identifier } = packet;
  const names = protocol === Protocol.chap ? CHAP_NAME : protocol === Protocol.pap ? PAP_NAME : CODE_NAME;
  const name = `${protocolName(protocol)} ${names.get(code) ?? `code ${code}`}`;
  const said = insideOf(protocol, packet);
  const fields: Field[] = [
    ["Code", `${names.get(code) ?? "unknown"} (${code})`],
    ["Identifier", String(identifier)],
  ];
  const summary = said.summary === "" ? "" : `: ${said.summary}`;
  return {
    traffic,
    label: `${name} id ${identifier}${summary}`,
    fields: () => [...fields, ...said.fields],
    wrong: said.isWrong ? `${name}${summary}` : undefined,
  };
}

interface Inside {
  readonly summary: string;
  readonly fields: readonly Field[];
  readonly isWrong?: boolean;
}

function insideOf(protocol: number, packet: CpPacket): Inside {
  if (protocol === Protocol.chap) return chapInside(packet);
  if (protocol === Protocol.pap) return papInside(packet);
  if (protocol === Protocol.eap || protocol === Protocol.cbcp)
    return { summary: "", fields: [["Data", hex(packet.data)]] };
  const { code, data } = packet;
  if (WITH_OPTIONS.includes(code)) return optionsInside(protocol, data);
  if (code === CpCode.protocolReject && data.length >= 2) {
    const rejected = data.readUInt16BE(0);
    const name = protocolName(rejected);
    // Whoever has no IPv6 says so in every call, and the call goes on without.
    return { summary: name, fields: [["Rejected protocol", name]], isWrong: rejected !== Protocol.ipv6cp };
  }
  if (code === CpCode.codeReject) return { summary: "", fields: [["Rejected packet", hex(data)]], isWrong: true };
  if (code === CpCode.resetRequest) return { summary: "", fields: [], isWrong: true };
  if (code === CpCode.terminateRequest || code === CpCode.identification) {
    const text = printable(code === CpCode.identification ? data.subarray(4) : data);
    return { summary: text, fields: text === "" ? [] : [["Message", text]] };
  }
  if (protocol === Protocol.lcp && data.length >= 4) {
    return { summary: "", fields: [["Magic number", word(data.readUInt32BE(0))]] };
  }
  return { summary: "", fields: data.length === 0 ? [] : [["Data", hex(data)]] };
}

function optionsInside(protocol: number, data: Buffer): Inside {
  const options = parseOptions(data);
  if (!options.ok) return { summary: `options cannot be read (${options.fault})`, fields: [["Options", hex(data)]] };
  const texts = options.value.map((option) => optionText(protocol, option));
  return {
    summary: texts.map(([name, value]) => (value === "" ? name : `${name} ${value}`)).join(", "),
    fields: texts,
  };
}

function optionText(protocol: number, raw: RawOption): Field {
  if (protocol === Protocol.lcp) return lcpText(parseLcpOption(raw));
  if (protocol === Protocol.ccp) return ccpText(parseCcpOption(raw));
  if (protocol === Protocol.ipcp) return ipcpText(parseIpcpOption(raw));
  if (protocol === Protocol.ipv6cp) {
    const option = parseIpv6cpOption(raw);
    if (option.kind === "interface-identifier") return ["interface-identifier", hex(option.identifier)];
  }
  return unknownText(raw);
}

function unknownText({ type, data }: RawOption): Field {
  return [`option ${type}`, data.length === 0 ? "empty" : hex(data)];
}

function lcpText(option: LcpOption): Field {
  switch (option.kind) {
    case "mru":
      return ["mru", String(option.mru)];
    case "accm":
      return ["accm", word(option.map)];
    case "authentication":
      return ["auth", authenticationName(option.protocol, option.data)];
    case "magic":
      return ["magic", word(option.magic)];
    case "pfc":
    case "acfc":
      return [option.kind, ""];
    case "callback":
      return ["callback", `operation ${option.operation}`];
    case "mrru":
      return ["mrru", String(option.mrru)];
    case "endpoint":
      return ["endpoint", `class ${option.class} ${hex(option.address)}`];
    case "unknown":
      return unknownText(option);
  }
}

function authenticationName(protocol: number, data: Buffer): string {
  if (protocol !== Protocol.chap) return protocolName(protocol);
  const algorithm = data[0];
  if (algorithm === ChapAlgorithm.md5) return "CHAP-MD5";
  if (algorithm === ChapAlgorithm.mschapV1) return "MS-CHAP";
  if (algorithm === ChapAlgorithm.mschapV2) return "MS-CHAPv2";
  return `CHAP algorithm ${algorithm ?? "missing"}`;
}

const MPPE_WORDS: readonly (readonly [bit: number, word: string])[] = [
  [MppeBit.stateless, "stateless"],
  [MppeBit.strength128, "128-bit"],
  [MppeBit.strength56, "56-bit"],
  [MppeBit.strength40, "40-bit"],
  [MppeBit.obsolete, "obsolete"],
  [MppeBit.mppc, "mppc"],
];

function ccpText(option: CcpOption): Field {
  if (option.kind === "unknown") return unknownText(option);
  const words = MPPE_WORDS.filter(([bit]) => (option.bits & bit) !== 0).map(([, name]) => name);
  return ["mppe", `${words.join(" ") || "nothing"} (${word(option.bits)})`];
}

function ipcpText(option: IpcpOption): Field {
  if (option.kind === "unknown") return unknownText(option);
  if (option.kind === "compression") return ["compression", protocolName(option.protocol)];
  return [option.kind, formatIpv4(option.address)];
}

/** RFC 2433 §6, RFC 2759 §6. */
const CHAP_ERROR: Readonly<Record<number, string>> = {
  646: "restricted logon hours",
  647: "account disabled",
  648: "password expired",
  649: "no dial-in permission",
  691: "wrong name or password",
  709: "error while changing the password",
};

function chapInside({ code, data }: CpPacket): Inside {
  if (code === ChapCode.challenge || code === ChapCode.response) {
    const parsed = parseChapValue(data);
    if (!parsed.ok) return { summary: "cannot be read", fields: [["Data", hex(data)]] };
    const name = printable(parsed.value.name);
    return {
      summary: name,
      fields: [
        ["Name", name],
        ["Value", hex(parsed.value.value)],
      ],
    };
  }
  const text = printable(data);
  if (code === ChapCode.success) return { summary: text, fields: [["Message", text]] };
  if (code !== ChapCode.failure) return { summary: "", fields: [["Data", hex(data)]] };
  const failure = parseMsChapFailure(data);
  const meaning = failure.ok ? CHAP_ERROR[failure.value.errorCode] : undefined;
  const summary = meaning === undefined ? text : `${meaning} (${text})`;
  return {
    summary,
    fields: [["Message", text], ...(meaning === undefined ? [] : [["Error", meaning] as const])],
    isWrong: true,
  };
}

function papInside({ code, data }: CpPacket): Inside {
  if (code === PapCode.authenticateRequest) {
    const request = parsePapRequest(data);
    if (!request.ok) return { summary: "cannot be read", fields: [["Data", hex(data)]] };
    const peerId = printable(request.value.peerId);
    return {
      summary: peerId,
      fields: [
        ["Peer id", peerId],
        ["Password", `${request.value.password.length} bytes`],
      ],
    };
  }
  const message = parsePapMessage(data);
  const text = message.ok ? printable(message.value) : "";
  return { summary: text, fields: [["Message", text]], isWrong: code === PapCode.authenticateNak };
}

/** `configureRequest` → `Configure-Request`. */
function namesOf(codes: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(
    Object.entries(codes).map(([name, code]) => {
      const dashed = name.replace(/[A-Z]/g, (capital) => `-${capital}`);
      return [code, dashed.charAt(0).toUpperCase() + dashed.slice(1)];
    }),
  );
}

function printable(bytes: Buffer): string {
  return bytes.toString("latin1").replace(/[^\x20-\x7e]/g, "·");
}

function hex(bytes: Buffer): string {
  return bytes.length <= HEX_KEPT ? bytes.toString("hex") : `${bytes.toString("hex", 0, HEX_KEPT)}…`;
}

function word(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}

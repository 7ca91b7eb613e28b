/** Puts a frame into words: a line for a list, fields for a closer look, and what is wrong about it if it says so itself. */
import type { ControlMessage } from "../../../appliance/wire/control-message.ts";
import type { GrePacket } from "../../../appliance/wire/gre.ts";
import { formatIpv4, Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { type PppFrame, Protocol } from "../../../appliance/wire/ppp-frame.ts";
import { type Dissection, dissect } from "../../net/dissect.ts";
import { describeControlMessage } from "./control-words.ts";
import { describeControlPacket, protocolName } from "./ppp-words.ts";
import type { Field, Traffic, Words } from "./traffic.ts";

const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
const ETHERTYPE_NAME: Readonly<Record<number, string>> = { [ETHERTYPE.ipv4]: "IPv4", [ETHERTYPE.ipv6]: "IPv6" };
const IP_PROTOCOL = { icmp: 1, tcp: 6, udp: 17, gre: 47 } as const;
const PPTP_PORT = 1723;

/** Reads any bytes, and never throws. `messages` are the control messages that end in this frame. */
export function describeFrame(
  frame: Buffer,
  messages: readonly ControlMessage[],
  { dissection = dissect(frame), isClosing = false }: { dissection?: Dissection; isClosing?: boolean } = {},
): Words {
  const { tcp, gre, ppp } = dissection;
  if (tcp !== undefined) return describeTcp(frame, dissection, messages, isClosing);
  if (gre !== undefined) return describeGre(gre, ppp, dissection);
  const ethertype = frame.length < 14 ? 0 : frame.readUInt16BE(12);
  if (ethertype === ETHERTYPE.arp) return describeArp(frame);
  if (ethertype === ETHERTYPE.ipv4 && frame.length >= 34) {
    const protocol = frame.readUInt8(23);
    const payload = frame.subarray(14 + (frame.readUInt8(14) & 15) * 4);
    const isFirst = (frame.readUInt16BE(20) & 0x1fff) === 0;
    if (protocol === IP_PROTOCOL.icmp && isFirst) return describeIcmp(frame, payload);
    if (protocol === IP_PROTOCOL.udp && isFirst) return describeUdp(frame, payload);
    return bulk("other", () => [...addresses(frame), ["IP protocol", String(protocol)]]);
  }
  return bulk("other", () => [["EtherType", ETHERTYPE_NAME[ethertype] ?? hex16(ethertype)]]);
}

function bulk(traffic: Traffic, fields: () => readonly Field[]): Words {
  return { traffic, label: undefined, fields, wrong: undefined };
}

const TCP_FLAG = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

function describeTcp(
  frame: Buffer,
  { tcp }: Dissection,
  messages: readonly ControlMessage[],
  isClosing: boolean,
): Words {
  if (tcp === undefined) return bulk("tcp", () => []);
  const { source, destination, sourcePort, destinationPort, sequence, payload } = tcp;
  const isPptp = sourcePort === PPTP_PORT || destinationPort === PPTP_PORT;
  const traffic = isPptp ? "pptp" : "tcp";
  const flags = frame.readUInt8(14 + (frame.readUInt8(14) & 15) * 4 + 13);
  const has = (flag: keyof typeof TCP_FLAG): boolean => (flags & TCP_FLAG[flag]) !== 0;
  const names = (): string[] => (["syn", "fin", "rst", "ack"] as const).filter(has).map((flag) => flag.toUpperCase());
  const fields = (): Field[] => [
    ["TCP from", source],
    ["TCP to", destination],
    ["TCP flags", names().join(", ") || "none"],
    ["TCP sequence", String(sequence)],
    ["TCP payload", `${payload.length} bytes`],
  ];
  if (messages.length > 0) {
    const said = messages.map(describeControlMessage);
    return {
      traffic,
      label: said.map(({ label }) => label).join(" + "),
      fields: () => [...said.flatMap((each) => each.fields), ...fields()],
      wrong: said.find(({ wrong }) => wrong !== undefined)?.wrong,
    };
  }
  if (!has("syn") && !has("fin") && !has("rst")) return bulk(traffic, fields);
  const marks = names().filter((name) => name !== "ACK" || has("syn"));
  const wrong =
    has("rst") && isPptp && !isClosing ? `the control connection of ${source} and ${destination} was reset` : undefined;
  return { traffic, label: `TCP ${marks.join("-")} ${source} → ${destination}`, fields, wrong };
}

function describeGre(gre: GrePacket, ppp: PppFrame | undefined, { cp }: Dissection): Words {
  const fields = (): Field[] => [
    ["GRE call id", String(gre.callId)],
    ["GRE sequence", gre.sequence === undefined ? "none" : String(gre.sequence)],
    ["GRE acknowledgment", gre.ack === undefined ? "none" : String(gre.ack)],
    ["GRE payload", `${gre.payload.length} bytes`],
  ];
  if (gre.sequence === undefined) return bulk("ack", fields);
  if (ppp === undefined) return bulk("other", () => [...fields(), ["PPP", "cannot be read"]]);
  const protocol = (): Field => ["PPP protocol", `${protocolName(ppp.protocol)} (${hex16(ppp.protocol)})`];
  if (cp !== undefined) {
    const said = describeControlPacket(ppp.protocol, cp);
    return { ...said, fields: () => [protocol(), ...said.fields(), ...fields()] };
  }
  if (ppp.protocol === Protocol.compressed) {
    return bulk("mppe", () => [protocol(), ...mppeFields(ppp.payload), ...fields()]);
  }
  return bulk(ppp.protocol < 0x8000 ? "ppp" : "other", () => [protocol(), ...fields()]);
}

/** RFC 3078 §3.1: the two bytes before encrypted data. */
function mppeFields(payload: Buffer): Field[] {
  if (payload.length < 2) return [["MPPE", "cut short"]];
  const word = payload.readUInt16BE(0);
  return [
    ["MPPE flushed (A)", word & 0x8000 ? "yes" : "no"],
    ["MPPE encrypted (D)", word & 0x1000 ? "yes" : "no"],
    ["MPPE coherency count", String(word & 0x0fff)],
  ];
}

function describeArp(frame: Buffer): Words {
  if (frame.length < 42) return bulk("arp", () => []);
  const operation = frame.readUInt16BE(20);
  const sender = address(frame, 28);
  const target = address(frame, 38);
  const mac = frame.toString("hex", 22, 28).replace(/..(?=.)/g, "$&:");
  const label = operation === 1 ? `ARP who has ${target}? tell ${sender}` : `ARP ${sender} is at ${mac}`;
  const fields: Field[] = [
    ["ARP operation", operation === 1 ? "request (1)" : `reply (${operation})`],
    ["ARP sender", `${sender} ${mac}`],
    ["ARP target", target],
  ];
  return { traffic: "arp", label, fields: () => fields, wrong: undefined };
}

const ICMP_TYPE: Readonly<Record<number, string>> = {
  0: "echo reply",
  3: "destination unreachable",
  4: "source quench",
  5: "redirect",
  8: "echo request",
  11: "time exceeded",
};
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: "network",
  1: "host",
  2: "protocol",
  3: "port",
  4: "fragmentation needed",
  13: "prohibited",
};

function describeIcmp(frame: Buffer, payload: Buffer): Words {
  if (payload.length < 8) return bulk("icmp", () => addresses(frame));
  const type = payload.readUInt8(0);
  const code = payload.readUInt8(1);
  const name = ICMP_TYPE[type] ?? `type ${type}`;
  const isEcho = type === 0 || type === 8;
  const extra = isEcho ? ` ${payload.readUInt16BE(6)}` : type === 3 ? `: ${UNREACHABLE[code] ?? `code ${code}`}` : "";
  const path = `${address(frame, 26)} → ${address(frame, 30)}`;
  const fields: Field[] = [...addresses(frame), ["ICMP type", `${name} (${type})`], ["ICMP code", String(code)]];
  if (isEcho) fields.push(["ICMP identifier", hex16(payload.readUInt16BE(4))]);
  const isError = type === 3 || type === 11;
  const label = `ICMP ${name}${extra} ${path}`;
  return {
    traffic: "icmp",
    label,
    fields: () => fields,
    wrong: isError ? `${address(frame, 26)} says ${name}${extra}` : undefined,
  };
}

const DHCP_TYPE = ["", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"];
const DHCP_PORTS: readonly number[] = [67, 68];
/** Where options begin: behind the fixed fields and the magic cookie, RFC 2131 §2. */
const DHCP_OPTIONS_AT = 240;

function describeUdp(frame: Buffer, payload: Buffer): Words {
  if (payload.length < 8) return bulk("udp", () => addresses(frame));
  const ports = [payload.readUInt16BE(0), payload.readUInt16BE(2)];
  const fields: Field[] = [...addresses(frame), ["UDP ports", ports.join(" → ")]];
  const data = payload.subarray(8);
  if (!ports.every((port) => DHCP_PORTS.includes(port)) || data.length < DHCP_OPTIONS_AT)
    return bulk("udp", () => fields);
  const type = DHCP_TYPE[dhcpOption(data, 53)?.[0] ?? 0] ?? "";
  const yours = address(data, 16);
  const label = `DHCP ${type}${yours === "0.0.0.0" ? "" : ` ${yours}`}`;
  fields.push(["DHCP message", type], ["DHCP your address", yours], ["DHCP transaction", hex32(data.readUInt32BE(4))]);
  return {
    traffic: "udp",
    label,
    fields: () => fields,
    wrong: type === "NAK" ? "the DHCP server refused the address" : undefined,
  };
}

function dhcpOption(data: Buffer, wanted: number): Buffer | undefined {
  for (let at = DHCP_OPTIONS_AT; at + 1 < data.length; ) {
    const code = data.readUInt8(at);
    if (code === 255) return undefined;
    if (code === 0) at++;
    else {
      const length = data.readUInt8(at + 1);
      if (code === wanted) return data.subarray(at + 2, at + 2 + length);
      at += 2 + length;
    }
  }
  return undefined;
}

function addresses(frame: Buffer): Field[] {
  return [
    ["IPv4 from", address(frame, 26)],
    ["IPv4 to", address(frame, 30)],
  ];
}

function address(bytes: Buffer, at: number): string {
  return at + 4 > bytes.length ? "?" : formatIpv4(Ipv4(bytes.readUInt32BE(at)));
}

function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, "0")}`;
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/**
 * What a Windows computer says by itself on a tunnel that has just come up: an IGMP report, a question to the DHCP server,
 * its NetBIOS names. Fields, order and times are those of Windows 7's capture (frames 315 to 533 of the original).
 */
import { Writer } from "../../../appliance/wire/cursor.ts";
import { Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { onesComplement, sum16 } from "../../net/ip/checksum.ts";
import { BROADCAST, emitIpv4Packet, IpProtocol, type Ipv4Packet, UNSPECIFIED } from "../../net/ip/packet.ts";
import { emitUdp } from "../../net/ip/udp.ts";
import { isClassic, type WindowsVersion } from "./versions.ts";

export interface Talk {
  /** After the address was acknowledged. */
  readonly afterMs: number;
  readonly packet: Buffer;
}

/** What is random in them. */
export interface TalkLuck {
  readonly transaction: number;
  /** 16 bytes: Windows Vista and later name themselves to DHCP servers by a GUID. */
  readonly dhcpClientId: Buffer;
  readonly nameTransaction: number;
}

const TTL = 128;
const ALL_ROUTERS_OF_IGMP = Ipv4(0xe0000016);
const LLMNR_GROUP = Ipv4(0xe00000fc);
const DHCP_CLIENT_PORT = 68;
const DHCP_SERVER_PORT = 67;
const NETBIOS_PORT = 137;
const IGMP = 2;

export function firstTalk(version: WindowsVersion, computerName: string, address: Ipv4, luck: TalkLuck): Talk[] {
  let identification = 0;
  const from = (packet: Partial<Ipv4Packet> & Pick<Ipv4Packet, "protocol" | "destination" | "payload">): Buffer =>
    emitIpv4Packet({
      ...{ source: address, ttl: TTL, typeOfService: 0, dontFragment: false, moreFragments: false, fragmentOffset: 0 },
      ...{ options: Buffer.alloc(0), identification: identification++ },
      ...packet,
    });
  const udp = (port: number, toPort: number, payload: Buffer): Buffer => {
    const datagram = { sourcePort: port, destinationPort: toPort, payload };
    const source = address;
    return from({
      protocol: IpProtocol.udp,
      destination: BROADCAST,
      payload: emitUdp(source, BROADCAST, datagram),
    });
  };
  const inform = (seconds: number): Buffer =>
    udp(DHCP_CLIENT_PORT, DHCP_SERVER_PORT, dhcpInform(version, computerName, address, seconds, luck));
  if (isClassic(version)) return [{ afterMs: 6_000, packet: inform(6) }];
  const name = (suffix: number, text: string, isGroup: boolean, nth: number): Buffer =>
    udp(NETBIOS_PORT, NETBIOS_PORT, nameRegistration(text, suffix, isGroup, address, luck.nameTransaction + nth));
  return [
    {
      afterMs: 26,
      packet: from({
        protocol: IGMP,
        destination: ALL_ROUTERS_OF_IGMP,
        ttl: 1,
        options: Buffer.from([0x94, 4, 0, 0]), // router alert: RFC 2113
        payload: joinReport(LLMNR_GROUP),
      }),
    },
    { afterMs: 66, packet: inform(6) },
    { afterMs: 87, packet: name(0x20, computerName, false, 0) },
    { afterMs: 94, packet: name(0x00, computerName, false, 1) },
    { afterMs: 94, packet: name(0x00, "WORKGROUP", true, 2) },
    { afterMs: 4_066, packet: inform(10) },
  ];
}

/** IGMPv3 membership report, one record "change to exclude nothing" (RFC 3376 §4.2). */
function joinReport(group: Ipv4): Buffer {
  const report = new Writer(16);
  report.u8(0x22).u8(0).u16(0).u16(0).u16(1).u8(4).u8(0).u16(0).u32(group);
  report.bytes.writeUInt16BE(onesComplement(sum16(report.bytes)), 2);
  return report.bytes;
}

/** DHCPINFORM as the RAS interface sends it: hardware type 8 without an address, seconds with their bytes swapped (RFC 2131 §3.4). */
function dhcpInform(
  version: WindowsVersion,
  computerName: string,
  address: Ipv4,
  seconds: number,
  luck: TalkLuck,
): Buffer {
  const classic = isClassic(version);
  // Windows 2000 puts an address of its own making where others have none.
  const hardware = classic ? Buffer.from("534500000000", "hex") : Buffer.alloc(0);
  const clientId = classic
    ? Buffer.concat([Buffer.from([8]), hardware])
    : Buffer.concat([Buffer.from([0]), luck.dhcpClientId]);
  const asked = version === "windows-2000" ? [6, 44, 43, 15] : classic ? [6, 44, 43, 249, 15] : [6, 44, 43, 1, 249, 15];
  const options = [
    option(53, Buffer.from([8])),
    option(61, clientId),
    option(12, Buffer.from(computerName, "latin1")),
    option(60, Buffer.from("MSFT 5.0")),
    option(55, Buffer.from(asked)),
    Buffer.from([255]),
  ];
  const message = new Writer(300);
  message.u8(1).u8(8).u8(hardware.length).u8(0);
  message.u32(luck.transaction).u8(seconds).u8(0).u16(0);
  message.u32(address).u32(UNSPECIFIED).u32(UNSPECIFIED).u32(UNSPECIFIED);
  message
    .fixed(hardware, 16)
    .fixed(Buffer.alloc(0), 64 + 128)
    .u32(0x63825363);
  const all = Buffer.concat(options);
  message.fixed(all, 300 - 240);
  return message.bytes;
}

function option(code: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([code, value.length]), value]);
}

/** NAME REGISTRATION REQUEST by broadcast (RFC 1002 §4.2.2), 300 000 s to live. */
function nameRegistration(name: string, suffix: number, isGroup: boolean, address: Ipv4, transaction: number): Buffer {
  const padded = Buffer.alloc(16, 0x20);
  padded.write(name.toUpperCase().slice(0, 15), "latin1");
  padded[15] = suffix;
  const encoded = Buffer.from([...padded].flatMap((byte) => [0x41 + (byte >> 4), 0x41 + (byte & 15)]));
  const message = new Writer(68);
  message
    .u16(transaction & 0xffff)
    .u16(0x2910)
    .u16(1)
    .u16(0)
    .u16(0)
    .u16(1);
  message.u8(32).fixed(encoded, 32).u8(0).u16(0x20).u16(1);
  message.u16(0xc00c).u16(0x20).u16(1).u32(300_000).u16(6);
  message.u16(isGroup ? 0x8000 : 0).u32(address);
  return message.bytes;
}

/** A service of the lab between stations that a test plays: hosts that answer ARP and keep what they get. */
import assert from "node:assert/strict";
import { type ControlMessage, emitControlMessage } from "../../appliance/wire/control-message.ts";
import { emitGre, type GrePacket, parseGre } from "../../appliance/wire/gre.ts";
import { formatIpv4, type Ipv4 } from "../../appliance/wire/ipv4.ts";
import { emitArp, parseArp } from "../../hil/net/ip/arp.ts";
import { onesComplement, sum16 } from "../../hil/net/ip/checksum.ts";
import { ipv4Of } from "../../hil/net/ip/cidr.ts";
import { emitIcmp, type IcmpMessage, parseIcmp } from "../../hil/net/ip/icmp.ts";
import { emitIpv4Packet, IpProtocol, type Ipv4Packet, parseIpv4Packet } from "../../hil/net/ip/packet.ts";
import { emitUdp, parseUdp } from "../../hil/net/ip/udp.ts";
import type { Port } from "../../hil/net/port.ts";
import type { NodeDefinition, Service } from "../../hil/node/definition.ts";
import { EventList } from "./event-list.ts";
import { ManualClock } from "./fake-line.ts";

const TO_ALL = Buffer.alloc(6, 0xff);

/** What all stations on one NIC of the service share. */
class Wire {
  readonly stations: Station[] = [];
  /** Everything that the service sent. */
  readonly frames: Buffer[] = [];
  readonly mac: Buffer;
  toService: (frame: Buffer) => void = () => {};

  constructor(mac: Buffer) {
    this.mac = mac;
  }
  port(name: string): Port {
    return {
      name,
      onFrame: (receive) => {
        this.toService = receive;
      },
      send: (frame) => {
        this.frames.push(Buffer.from(frame));
        for (const station of this.stations) station.receive(frame);
        return true;
      },
    };
  }
}

export class Station {
  readonly mac: Buffer;
  address: Ipv4;
  /** Stops answering ARP. */
  isDead = false;
  readonly got: Ipv4Packet[] = [];
  readonly #wire: Wire;

  constructor(wire: Wire, mac: Buffer, address: string) {
    this.#wire = wire;
    this.mac = mac;
    this.address = ipv4Of(address);
  }

  receive(frame: Buffer): void {
    const isGroup = (frame.readUInt8(0) & 1) === 1;
    if (this.isDead || (!isGroup && this.mac.compare(frame, 0, 6) !== 0)) return;
    const arp = frame.readUInt16BE(12) === 0x0806 ? parseArp(frame.subarray(14)) : undefined;
    if (arp?.isRequest === true && arp.target === this.address) {
      const answer = { isRequest: false, senderMac: this.mac, sender: this.address };
      this.frame(arp.senderMac, 0x0806, emitArp({ ...answer, targetMac: arp.senderMac, target: arp.sender }));
    }
    if (frame.readUInt16BE(12) !== 0x0800) return;
    const packet = parseIpv4Packet(Buffer.from(frame.subarray(14)));
    assert.ok(packet.ok, "the service sends sound packets");
    this.got.push(packet.value);
  }

  frame(to: Buffer, etherType: number, payload: Buffer): void {
    const type = Buffer.alloc(2);
    type.writeUInt16BE(etherType);
    this.#wire.toService(Buffer.concat([to, this.mac, type, payload]));
  }

  /** To the service's MAC address. */
  send(packet: Ipv4Packet, to: Buffer = this.#wire.mac): void {
    this.frame(to, 0x0800, emitIpv4Packet(packet));
  }

  packet(destination: string, protocol: number, payload: Buffer, more: Partial<Ipv4Packet> = {}): Ipv4Packet {
    return {
      source: this.address,
      destination: ipv4Of(destination),
      protocol,
      ttl: 64,
      typeOfService: 0,
      identification: 7,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      options: Buffer.alloc(0),
      payload,
      ...more,
    };
  }

  udpPacket(destination: string, ports: readonly [number, number], payload: Buffer | string): Ipv4Packet {
    const [sourcePort, destinationPort] = ports;
    const datagram = { sourcePort, destinationPort, payload: Buffer.from(payload as string) };
    return this.packet(destination, IpProtocol.udp, emitUdp(this.address, ipv4Of(destination), datagram));
  }

  udp(destination: string, ports: readonly [number, number], payload: Buffer | string): void {
    this.send(this.udpPacket(destination, ports, payload), destination === "255.255.255.255" ? TO_ALL : this.#wire.mac);
  }

  ping(destination: string, identifier = 9, sequence = 1, more: Partial<Ipv4Packet> = {}): void {
    const message = { type: 8, code: 0, rest: identifier * 65536 + sequence, data: Buffer.from("ping") };
    this.send(this.packet(destination, IpProtocol.icmp, emitIcmp(message), more));
  }

  tcp(
    destination: string,
    [sourcePort, destinationPort]: readonly [number, number],
    flags: number,
    payload: Buffer = Buffer.alloc(0),
  ): void {
    const segment = emitTcp(this.address, ipv4Of(destination), sourcePort, destinationPort, flags, payload);
    this.send(this.packet(destination, IpProtocol.tcp, segment));
  }

  /** Control messages in one segment. */
  control(destination: string, ports: readonly [number, number], ...messages: ControlMessage[]): void {
    this.tcp(destination, ports, 0x18, Buffer.concat(messages.map(emitControlMessage)));
  }

  gre(destination: string, packet: Partial<GrePacket> & { readonly callId: number }): void {
    const { callId, sequence = 1, ack, payload = Buffer.from("ppp") } = packet;
    this.send(this.packet(destination, IpProtocol.gre, emitGre({ callId, sequence, ack, payload })));
  }

  /** What came since the last time. */
  take(): Ipv4Packet[] {
    return this.got.splice(0);
  }

  /** The one packet that came since the last time. */
  takeOne(): Ipv4Packet {
    const packets = this.take();
    const [first] = packets;
    if (packets.length !== 1) assert.fail(`one packet is expected: ${packets.map(text).join("; ") || "none came"}`);
    return first ?? assert.fail();
  }
}

/** `10.0.0.1:5000 > 10.0.1.1:53 hello`: checks the checksums on the way. */
export function text(packet: Ipv4Packet): string {
  const [source, destination] = [formatIpv4(packet.source), formatIpv4(packet.destination)];
  switch (packet.protocol) {
    case IpProtocol.udp: {
      const udp = parseUdp(packet);
      assert.ok(udp.ok, "a UDP checksum is wrong");
      return `${source}:${udp.value.sourcePort} > ${destination}:${udp.value.destinationPort} ${udp.value.payload.toString("latin1")}`;
    }
    case IpProtocol.tcp: {
      assert.equal(tcpChecksum(packet.source, packet.destination, packet.payload), 0, "a TCP checksum is wrong");
      return `${source}:${packet.payload.readUInt16BE(0)} > ${destination}:${packet.payload.readUInt16BE(2)} tcp`;
    }
    case IpProtocol.icmp: {
      const { type, code, rest } = icmpOf(packet);
      return `${source} > ${destination} icmp ${type}/${code} ${rest >>> 16}/${rest & 0xffff}`;
    }
    case IpProtocol.gre: {
      const gre = greOf(packet);
      return `${source} > ${destination} gre ${gre.callId} ${gre.payload.toString("latin1")}`;
    }
    default:
      return `${source} > ${destination} protocol ${packet.protocol}`;
  }
}

export function icmpOf(packet: Ipv4Packet): IcmpMessage {
  const message = parseIcmp(packet.payload);
  assert.ok(packet.protocol === IpProtocol.icmp && message.ok, "a sound ICMP message is expected");
  return message.value;
}

export function greOf(packet: Ipv4Packet): GrePacket {
  const gre = parseGre(packet.payload);
  assert.ok(packet.protocol === IpProtocol.gre && gre.ok, "a GRE packet is expected");
  return gre.value;
}

export function emitTcp(
  source: Ipv4,
  destination: Ipv4,
  sourcePort: number,
  destinationPort: number,
  flags: number,
  payload: Buffer,
): Buffer {
  const segment = Buffer.alloc(20 + payload.length);
  segment.writeUInt16BE(sourcePort, 0);
  segment.writeUInt16BE(destinationPort, 2);
  segment.writeUInt32BE(1000, 4);
  segment.writeUInt8(5 << 4, 12);
  segment.writeUInt8(flags, 13);
  segment.writeUInt16BE(65_535, 14);
  payload.copy(segment, 20);
  segment.writeUInt16BE(tcpChecksum(source, destination, segment), 16);
  return segment;
}

function tcpChecksum(source: Ipv4, destination: Ipv4, segment: Buffer): number {
  const pseudo = Buffer.alloc(12);
  pseudo.writeUInt32BE(source, 0);
  pseudo.writeUInt32BE(destination, 4);
  pseudo.writeUInt8(6, 9);
  pseudo.writeUInt16BE(segment.length, 10);
  return onesComplement(sum16(pseudo) + sum16(segment));
}

export interface ServiceBench<N, Nic extends string> {
  readonly service: Service<N>;
  readonly node: N;
  readonly clock: ManualClock;
  readonly events: EventList;
  station(nic: Nic, address: string): Station;
  frames(nic: Nic): Buffer[];
  /** A frame as it is, into the service. */
  throwIn(nic: Nic, frame: Buffer): void;
  notes(): string[];
}

export async function serviceBench<N, Nic extends string>(
  definition: NodeDefinition<N, Nic>,
): Promise<ServiceBench<N, Nic>> {
  const prepared = await definition.prepare(() => {});
  assert.ok(prepared.kind === "service");
  const clock = new ManualClock();
  const events = new EventList();
  const wires = new Map<Nic, Wire>();
  for (const [index, nic] of definition.nics.entries())
    wires.set(nic, new Wire(Buffer.from([2, 0x43, 0, 0, 1, index])));
  const wire = (nic: Nic): Wire => wires.get(nic) ?? assert.fail();
  const entries = <T>(value: (nic: Nic) => T): Record<Nic, T> =>
    Object.fromEntries(definition.nics.map((nic) => [nic, value(nic)])) as Record<Nic, T>;
  const service = prepared.start({
    name: "service",
    nics: entries((nic) => wire(nic).port(`service.${nic}`)),
    macs: entries((nic) => (wire(nic).mac.toString("hex").match(/../g) ?? []).join(":")),
    clock,
    journal: events,
  });
  let stations = 0;
  return {
    service,
    node: service.node,
    clock,
    events,
    station: (nic, address) => {
      const station = new Station(wire(nic), Buffer.from([2, 0x43, 0, 0, 2, stations++]), address);
      wire(nic).stations.push(station);
      return station;
    },
    frames: (nic) => wire(nic).frames,
    throwIn: (nic, frame) => wire(nic).toService(frame),
    notes: () => events.of("note").map((note) => note.text),
  };
}

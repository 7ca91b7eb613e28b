/** One NIC of a service: Ethernet, ARP, and IPv4 packets in and out. */
import type { Ipv4 } from "../../../appliance/wire/ipv4.ts";
import type { LabClock } from "../../clock.ts";
import type { Port } from "../port.ts";
import { emitArp, Neighbours, parseArp } from "./arp.ts";
import { broadcastOf, type Cidr, contains, formatCidr } from "./cidr.ts";
import {
  BROADCAST,
  cutIntoFragments,
  emitIpv4Packet,
  type Ipv4Packet,
  parseIpv4Packet,
  UNSPECIFIED,
} from "./packet.ts";

const ETHERNET_HEADER = 14;
const SHORTEST_FRAME = 60;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const TO_ALL = Buffer.alloc(6, 0xff);
const NOBODY = Buffer.alloc(6);
const ETHERNET_MTU = 1500;

export interface InterfacePlace {
  readonly name: string;
  readonly port: Port;
  /** `02:43:00:00:00:01` */
  readonly mac: string;
  readonly cidr: Cidr;
  /** Bytes of the largest packet that leaves; 1500 unless given. */
  readonly mtu?: number | undefined;
}

export class IpInterface {
  readonly name: string;
  readonly cidr: Cidr;
  readonly mtu: number;
  readonly neighbours: Neighbours;
  readonly #port: Port;
  readonly #mac: Buffer;
  #isClosed = false;

  /** `receive` gets every sound packet that is addressed to this NIC's MAC address or to a group. */
  constructor(place: InterfacePlace, clock: LabClock, receive: (packet: Ipv4Packet, from: IpInterface) => void) {
    this.name = place.name;
    this.cidr = place.cidr;
    this.mtu = place.mtu ?? ETHERNET_MTU;
    this.#port = place.port;
    this.#mac = macBytes(place.mac);
    this.neighbours = new Neighbours(clock, (address) => this.#ask(address));
    place.port.onFrame((frame) => {
      if (!this.#isClosed) this.#receive(frame, receive);
    });
  }

  get address(): Ipv4 {
    return this.cidr.address;
  }

  /** Whether packets to this address are for everybody on the network. */
  isBroadcast(address: Ipv4): boolean {
    return address === BROADCAST || address === broadcastOf(this.cidr);
  }

  /** Sends to a host on this network, in fragments when it does not fit; `lost` is called when no host answers to `nextHop`. */
  send(packet: Ipv4Packet, nextHop: Ipv4, lost: () => void): void {
    if (this.isBroadcast(nextHop)) this.sendTo(TO_ALL, packet);
    else this.neighbours.find(nextHop, (mac) => this.sendTo(mac, packet), lost);
  }

  /** Sends to a MAC address, whoever has it. */
  sendTo(mac: Buffer, packet: Ipv4Packet): void {
    for (const piece of cutIntoFragments(packet, this.mtu)) this.#frame(mac, ETHERTYPE_IPV4, emitIpv4Packet(piece));
  }

  toString(): string {
    return `${this.name} (${formatCidr(this.cidr)})`;
  }

  close(): void {
    this.#isClosed = true;
    this.neighbours.close();
  }

  #receive(frame: Buffer, receive: (packet: Ipv4Packet, from: IpInterface) => void): void {
    if (frame.length < ETHERNET_HEADER) return;
    const isGroup = (frame.readUInt8(0) & 1) === 1;
    if (!isGroup && this.#mac.compare(frame, 0, 6) !== 0) return;
    const payload = frame.subarray(ETHERNET_HEADER);
    const etherType = frame.readUInt16BE(12);
    if (etherType === ETHERTYPE_ARP) this.#receiveArp(payload);
    if (etherType !== ETHERTYPE_IPV4) return;
    const packet = parseIpv4Packet(payload);
    if (packet.ok) receive(packet.value, this);
  }

  /** RFC 826: whoever asks for us is somebody that we will talk to; who is known already is kept up to date. */
  #receiveArp(payload: Buffer): void {
    const arp = parseArp(payload);
    if (arp === undefined) return;
    const isForUs = arp.target === this.address;
    const isHost = arp.sender !== UNSPECIFIED && arp.sender !== this.address && contains(this.cidr, arp.sender);
    if (isHost && (isForUs || this.neighbours.isKnown(arp.sender))) this.neighbours.learn(arp.sender, arp.senderMac);
    if (!arp.isRequest || !isForUs) return;
    const answer = { isRequest: false, senderMac: this.#mac, sender: this.address };
    this.#frame(arp.senderMac, ETHERTYPE_ARP, emitArp({ ...answer, targetMac: arp.senderMac, target: arp.sender }));
  }

  #ask(target: Ipv4): void {
    const question = { isRequest: true, senderMac: this.#mac, sender: this.address, targetMac: NOBODY, target };
    this.#frame(TO_ALL, ETHERTYPE_ARP, emitArp(question));
  }

  #frame(to: Buffer, etherType: number, payload: Buffer): void {
    const frame = Buffer.alloc(Math.max(SHORTEST_FRAME, ETHERNET_HEADER + payload.length));
    to.copy(frame);
    this.#mac.copy(frame, 6);
    frame.writeUInt16BE(etherType, 12);
    payload.copy(frame, ETHERNET_HEADER);
    if (!this.#isClosed) this.#port.send(frame);
  }
}

function macBytes(text: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new RangeError(`"${text}" is no MAC address`);
  return Buffer.from(text.replaceAll(":", ""), "hex");
}

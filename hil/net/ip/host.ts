/**
 * The IPv4 of a service: interfaces, routes, ICMP, UDP; with `forward`, a router. TCP is not terminated here.
 *
 * The walk of a packet: its interface checks it, `intercept` may take it (NAT), then it is for one of our addresses, or it
 * is forwarded. Fragments are put together for ourselves only; a router passes them on as they are.
 */
import { formatIpv4, type Ipv4 } from "../../../appliance/wire/ipv4.ts";
import type { LabClock } from "../../clock.ts";
import { type Cidr, contains, ipv4Of, parseCidr } from "./cidr.ts";
import { emitIcmp, errorAbout, IcmpType, parseIcmp, Unreachable } from "./icmp.ts";
import { type InterfacePlace, IpInterface } from "./interface.ts";
import { IpProtocol, type Ipv4Packet, packetBytes } from "./packet.ts";
import { Reassembler } from "./reassembly.ts";
import { emitUdp, parseUdp, type UdpDatagram } from "./udp.ts";

const TTL = 64;
const NO_OPTIONS = Buffer.alloc(0);

/** `{ to: "0.0.0.0/0", via: "203.0.113.1" }` */
export interface RouteSettings {
  readonly to: string;
  readonly via: string;
}

interface Route {
  readonly to: Cidr;
  readonly via: Ipv4 | undefined;
  readonly out: IpInterface;
}

export interface UdpArrival extends UdpDatagram {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly on: IpInterface;
}

interface HostPlace {
  readonly interfaces: readonly InterfacePlace[];
  readonly routes?: readonly RouteSettings[] | undefined;
  readonly clock: LabClock;
  /** For the journal: what was dropped, and why. */
  readonly note: (text: string) => void;
}

export interface ForwardOptions {
  /** The packet as its sender knows it, for errors; `packet` itself unless given. */
  readonly quote?: Ipv4Packet | undefined;
  /** The last change before it leaves; undefined drops it. */
  readonly finish?: ((packet: Ipv4Packet, out: IpInterface) => Ipv4Packet | undefined) | undefined;
}

/** What `save` gives. */
export interface SavedHost {
  readonly identification: number;
  readonly neighbours: Readonly<Record<string, readonly (readonly [number, string])[]>>;
}

export class IpHost {
  /** Takes a packet before anything else is done with it, or returns false. */
  intercept: (packet: Ipv4Packet, from: IpInterface) => boolean = () => false;
  /** Whether packets for others are forwarded; otherwise they are dropped in silence. */
  isRouter = false;
  readonly #interfaces: readonly IpInterface[];
  /** The longest prefix first. */
  readonly #routes: readonly Route[];
  readonly #note: (text: string) => void;
  readonly #reassembler: Reassembler;
  readonly #udp = new Map<number, (arrival: UdpArrival) => void>();
  #identification = 0;

  /** Throws a RangeError for a route whose gateway is on none of the networks. */
  constructor({ interfaces, routes = [], clock, note }: HostPlace) {
    this.#note = note;
    this.#reassembler = new Reassembler(clock);
    this.#interfaces = interfaces.map(
      (place) => new IpInterface(place, clock, (packet, from) => this.#receive(packet, from)),
    );
    const connected = this.#interfaces.map((out): Route => ({ to: out.cidr, via: undefined, out }));
    this.#routes = [...connected, ...routes.map((route) => this.#routeOf(route))].sort(
      (a, b) => b.to.prefixLength - a.to.prefixLength,
    );
  }

  interface(name: string): IpInterface {
    const found = this.#interfaces.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no interface ${name}`);
    return found;
  }

  isOurs(address: Ipv4): boolean {
    return this.#interfaces.some((each) => each.address === address);
  }

  /** Everything that comes to this UDP port, at any of our addresses and to all. */
  onUdp(port: number, receive: (arrival: UdpArrival) => void): void {
    this.#udp.set(port, receive);
  }

  sendUdp(source: Ipv4, destination: Ipv4, datagram: UdpDatagram): void {
    this.send(this.packetOf(source, destination, IpProtocol.udp, emitUdp(source, destination, datagram)));
  }

  packetOf(source: Ipv4, destination: Ipv4, protocol: number, payload: Buffer): Ipv4Packet {
    this.#identification = (this.#identification + 1) & 0xffff;
    return {
      source,
      destination,
      protocol,
      ttl: TTL,
      typeOfService: 0,
      identification: this.#identification,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      options: NO_OPTIONS,
      payload,
    };
  }

  /** Sends a packet of our own. */
  send(packet: Ipv4Packet): void {
    const route = this.#route(packet.destination);
    if (route === undefined) this.#note(`no route to ${formatIpv4(packet.destination)}`);
    else route.out.send(packet, route.via ?? packet.destination, () => this.#noteLost(packet, route));
  }

  /** Sends somebody else's packet on, one hop older, or tells its sender why not. */
  forward(packet: Ipv4Packet, from: IpInterface, { quote = packet, finish }: ForwardOptions = {}): void {
    const refuse = (type: number, code: number, mtu?: number): void => this.#refuse(quote, from, type, code, mtu);
    if (packet.ttl <= 1) {
      refuse(IcmpType.timeExceeded, 0);
      return;
    }
    const route = this.#route(packet.destination);
    if (route === undefined) {
      refuse(IcmpType.unreachable, Unreachable.network);
      return;
    }
    const { out, via = packet.destination } = route;
    // A broadcast on a network of ours must not be let in from another one: RFC 2644.
    if (out.isBroadcast(packet.destination)) return;
    if (packet.dontFragment && packetBytes(packet) > out.mtu) {
      refuse(IcmpType.unreachable, Unreachable.fragmentationNeeded, out.mtu);
      return;
    }
    const older = { ...packet, ttl: packet.ttl - 1 };
    const finished = finish === undefined ? older : finish(older, out);
    if (finished === undefined) return;
    out.send(finished, via, () => {
      this.#noteLost(finished, route);
      refuse(IcmpType.unreachable, Unreachable.host);
    });
  }

  save(): SavedHost {
    const neighbours = this.#interfaces.map((each) => [each.name, each.neighbours.save()] as const);
    return { identification: this.#identification, neighbours: Object.fromEntries(neighbours) };
  }

  restore(saved: SavedHost): void {
    this.#identification = saved.identification;
    for (const each of this.#interfaces) each.neighbours.restore(saved.neighbours[each.name] ?? []);
  }

  close(): void {
    for (const each of this.#interfaces) each.close();
    this.#reassembler.close();
  }

  #receive(packet: Ipv4Packet, from: IpInterface): void {
    if (this.intercept(packet, from)) return;
    this.accept(packet, from);
  }

  /** What is done with a packet that nobody intercepts. */
  accept(packet: Ipv4Packet, from: IpInterface): void {
    const { destination } = packet;
    if (this.isOurs(destination) || from.isBroadcast(destination)) {
      const whole = this.#reassembler.add(packet);
      if (whole !== undefined) this.#deliver(whole, from);
    } else if (this.isRouter && destination >>> 28 < 14) this.forward(packet, from);
  }

  #deliver(packet: Ipv4Packet, from: IpInterface): void {
    if (packet.protocol === IpProtocol.icmp) this.#answerEcho(packet, from);
    else if (packet.protocol === IpProtocol.udp) this.#deliverUdp(packet, from);
    else if (this.isOurs(packet.destination)) this.#refuse(packet, from, IcmpType.unreachable, Unreachable.protocol);
  }

  #answerEcho(packet: Ipv4Packet, from: IpInterface): void {
    const message = parseIcmp(packet.payload);
    if (!message.ok || message.value.type !== IcmpType.echoRequest) return;
    const payload = emitIcmp({ ...message.value, type: IcmpType.echoReply });
    const us = this.isOurs(packet.destination) ? packet.destination : from.address;
    this.send(this.packetOf(us, packet.source, IpProtocol.icmp, payload));
  }

  #deliverUdp(packet: Ipv4Packet, from: IpInterface): void {
    const datagram = parseUdp(packet);
    if (!datagram.ok) return;
    const receive = this.#udp.get(datagram.value.destinationPort);
    const { source, destination } = packet;
    if (receive !== undefined) receive({ ...datagram.value, source, destination, on: from });
    else if (this.isOurs(destination)) this.#refuse(packet, from, IcmpType.unreachable, Unreachable.port);
  }

  #refuse(packet: Ipv4Packet, from: IpInterface, type: number, code: number, mtu?: number): void {
    const error = errorAbout(packet, type, code, mtu);
    if (error === undefined) return;
    this.send(this.packetOf(from.address, packet.source, IpProtocol.icmp, emitIcmp(error)));
  }

  #noteLost({ destination }: Ipv4Packet, { via, out }: Route): void {
    const who = formatIpv4(via ?? destination);
    this.#note(`nobody on ${out} answers for ${who}: a packet to ${formatIpv4(destination)} is lost`);
  }

  #route(destination: Ipv4): Route | undefined {
    return this.#routes.find(({ to }) => contains(to, destination));
  }

  #routeOf({ to, via }: RouteSettings): Route {
    const gateway = ipv4Of(via);
    const out = this.#interfaces.find((each) => contains(each.cidr, gateway));
    if (out === undefined) throw new RangeError(`the gateway ${via} of ${to} is on none of the networks`);
    return { to: parseCidr(to), via: gateway, out };
  }
}

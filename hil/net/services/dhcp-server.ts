/** A DHCP server on one interface of a service: RFC 2131 §4.3. */
import { formatIpv4, Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { elapsedMs, type LabClock } from "../../clock.ts";
import { type Cidr, contains, ipv4Of, netmask, parseCidr } from "../ip/cidr.ts";
import type { IpHost, RouteSettings, UdpArrival } from "../ip/host.ts";
import type { IpInterface } from "../ip/interface.ts";
import { BROADCAST, IpProtocol, UNSPECIFIED } from "../ip/packet.ts";
import { emitUdp } from "../ip/udp.ts";
import {
  addressBytes,
  addressOption,
  classlessRouteBytes,
  type DhcpMessage,
  DhcpOption,
  DhcpType,
  emitDhcp,
  parseDhcp,
  secondsBytes,
} from "./dhcp-message.ts";

const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const TO_ALL = Buffer.alloc(6, 0xff);
const DEFAULT_LEASE_SECONDS = 3_600;
/** How long an offered address waits for its Request. */
const OFFER_MS = 60_000;
/** How long an address that a client found in use is not offered. */
const DECLINED_MS = 600_000;

export interface DhcpSettings {
  /** The first and the last address that are given away. */
  readonly from: string;
  readonly to: string;
  /** 3600 unless given. */
  readonly leaseSeconds?: number | undefined;
  /** The interface's own address unless given; `false` for none. */
  readonly router?: string | false | undefined;
  readonly dns?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  /** Options 121 and 249. A client that takes them ignores `router`: RFC 3442. */
  readonly routes?: readonly RouteSettings[] | undefined;
  /** MAC address to address, of the pool or not. */
  readonly reservations?: Readonly<Record<string, string>> | undefined;
}

export interface Lease {
  readonly address: Ipv4;
  /** `client` is option 61, or the MAC address: both as hexadecimal digits. */
  readonly client: string;
  readonly mac: string;
  readonly state: "offered" | "bound" | "declined";
  readonly expiresNs: bigint;
}

export interface SavedDhcp {
  readonly leases: readonly (Omit<Lease, "expiresNs"> & { readonly remainingMs: number })[];
}

interface Offer {
  readonly mask: Buffer;
  readonly leaseSeconds: number;
  /** What the client gets when it asks for it, or when it does not say what it wants. */
  readonly parameters: ReadonlyMap<number, Buffer>;
}

export class DhcpServer {
  /** Answers nothing, as if it were unplugged. */
  isSilent = false;
  readonly #host: IpHost;
  readonly #on: IpInterface;
  readonly #clock: LabClock;
  readonly #note: (text: string) => void;
  readonly #pool: { readonly from: Ipv4; readonly to: Ipv4 };
  readonly #reserved: ReadonlyMap<string, Ipv4>;
  readonly #offer: Offer;
  #leases = new Map<Ipv4, Lease>();

  /** Throws a RangeError for a pool outside the interface's network. */
  constructor(
    host: IpHost,
    on: IpInterface,
    settings: DhcpSettings,
    { clock, note }: { readonly clock: LabClock; readonly note: (text: string) => void },
  ) {
    this.#host = host;
    this.#on = on;
    this.#clock = clock;
    this.#note = note;
    this.#pool = { from: ipv4Of(settings.from), to: ipv4Of(settings.to) };
    if (!contains(on.cidr, this.#pool.from) || !contains(on.cidr, this.#pool.to) || this.#pool.from > this.#pool.to) {
      throw new RangeError(`DHCP: ${settings.from} to ${settings.to} is no range of the network of ${on}`);
    }
    this.#reserved = new Map(
      Object.entries(settings.reservations ?? {}).map(([mac, address]) => [hexOf(mac), ipv4Of(address)]),
    );
    this.#offer = offerOf(settings, on.cidr);
    host.onUdp(SERVER_PORT, (arrival) => this.#receive(arrival));
  }

  /** Those that hold: offered, bound, declined. */
  get leases(): readonly Lease[] {
    const nowNs = this.#clock.nowNs();
    for (const [address, { expiresNs }] of this.#leases) if (expiresNs <= nowNs) this.#leases.delete(address);
    return [...this.#leases.values()];
  }

  /** The address that is bound to this MAC address, `02:43:00:00:01:00`. */
  addressOf(mac: string): string | undefined {
    const lease = this.leases.find((each) => each.mac === hexOf(mac) && each.state === "bound");
    return lease && formatIpv4(lease.address);
  }

  save(): SavedDhcp {
    const nowNs = this.#clock.nowNs();
    const leases = this.leases.map(({ expiresNs, ...lease }) => ({
      ...lease,
      remainingMs: elapsedMs(nowNs, expiresNs),
    }));
    return { leases };
  }

  restore(saved: SavedDhcp): void {
    this.#leases = new Map(
      saved.leases.map(({ remainingMs, ...lease }) => {
        const address = Ipv4(lease.address);
        return [address, { ...lease, address, expiresNs: this.#in(remainingMs) }];
      }),
    );
  }

  #receive({ payload, on }: UdpArrival): void {
    const parsed = parseDhcp(payload);
    if (this.isSilent || on !== this.#on || !parsed.ok || !parsed.value.isRequest) return;
    const request = parsed.value;
    const client = (request.options.get(DhcpOption.clientId) ?? request.mac).toString("hex");
    switch (request.options.get(DhcpOption.messageType)?.[0]) {
      case DhcpType.discover:
        this.#discover(request, client);
        break;
      case DhcpType.request:
        this.#request(request, client);
        break;
      case DhcpType.decline:
        this.#decline(request, client);
        break;
      case DhcpType.release:
        this.#release(request, client);
        break;
      case DhcpType.inform:
        this.#answer(request, DhcpType.ack, UNSPECIFIED);
        break;
      default:
    }
  }

  #discover(request: DhcpMessage, client: string): void {
    const address = this.#choose(request, client);
    if (address === undefined) {
      this.#note(`DHCP: no address is left for ${macText(request.mac)}`);
      return;
    }
    if (this.#leases.get(address)?.state !== "bound") this.#hold(address, client, request.mac, "offered", OFFER_MS);
    this.#answer(request, DhcpType.offer, address);
  }

  #request(request: DhcpMessage, client: string): void {
    const server = addressOption(request, DhcpOption.serverId);
    if (server !== undefined && server !== this.#on.address) {
      this.#free(client, "offered"); // it took another server's offer
      return;
    }
    const wanted = addressOption(request, DhcpOption.requestedAddress) ?? request.clientAddress;
    const refusal = this.#refusal(wanted, request.mac, client);
    if (refusal === undefined) {
      this.#hold(wanted, client, request.mac, "bound", this.#offer.leaseSeconds * 1_000);
      this.#note(`DHCP: ${formatIpv4(wanted)} is leased to ${macText(request.mac)}`);
      this.#answer(request, DhcpType.ack, wanted);
    } else {
      this.#note(`DHCP: ${formatIpv4(wanted)} is refused to ${macText(request.mac)}: ${refusal}`);
      this.#answer(request, DhcpType.nak, UNSPECIFIED);
    }
  }

  /** Why a client cannot have an address. This is the network's one server, so it also refuses what it knows nothing of. */
  #refusal(wanted: Ipv4, mac: Buffer, client: string): string | undefined {
    if (!contains(this.#on.cidr, wanted)) return "it is of another network";
    const lease = this.leases.find((each) => each.address === wanted);
    if (lease !== undefined && lease.client !== client) return "another client has it";
    if (lease?.state === "declined") return "it was found in use";
    return this.#isFor(wanted, mac) ? undefined : "it is not given away";
  }

  #decline(request: DhcpMessage, client: string): void {
    const address = addressOption(request, DhcpOption.requestedAddress);
    if (address === undefined || this.#leases.get(address)?.client !== client) return;
    this.#note(`DHCP: ${macText(request.mac)} finds ${formatIpv4(address)} in use`);
    this.#hold(address, client, request.mac, "declined", DECLINED_MS);
  }

  #release({ clientAddress, mac }: DhcpMessage, client: string): void {
    if (this.#leases.get(clientAddress)?.client !== client) return;
    this.#leases.delete(clientAddress);
    this.#note(`DHCP: ${macText(mac)} gives ${formatIpv4(clientAddress)} back`);
  }

  /** RFC 2131 §4.3.1: what it has, what it asks for, what is free. */
  #choose(request: DhcpMessage, client: string): Ipv4 | undefined {
    const reserved = this.#reserved.get(request.mac.toString("hex"));
    if (reserved !== undefined) return reserved;
    const taken = new Map(this.leases.map((lease) => [lease.address, lease]));
    const own = [...taken.values()].find((lease) => lease.client === client && lease.state !== "declined");
    if (own !== undefined) return own.address;
    const wanted = addressOption(request, DhcpOption.requestedAddress);
    if (wanted !== undefined && !taken.has(wanted) && this.#isFor(wanted, request.mac)) return wanted;
    for (let address = this.#pool.from; address <= this.#pool.to; address = Ipv4(address + 1)) {
      if (!taken.has(address) && this.#isFor(address, request.mac)) return address;
    }
    return undefined;
  }

  #isFor(address: Ipv4, mac: Buffer): boolean {
    const reservedFor = [...this.#reserved].find(([, reserved]) => reserved === address)?.[0];
    if (reservedFor !== undefined) return reservedFor === mac.toString("hex");
    const isInPool = address >= this.#pool.from && address <= this.#pool.to;
    return isInPool && !this.#host.isOurs(address) && !this.#on.isBroadcast(address);
  }

  #hold(address: Ipv4, client: string, mac: Buffer, state: Lease["state"], ms: number): void {
    if (state === "bound") this.#free(client, "bound");
    this.#leases.set(address, { address, client, mac: mac.toString("hex"), state, expiresNs: this.#in(ms) });
  }

  #free(client: string, state: Lease["state"]): void {
    for (const [address, lease] of this.#leases) {
      if (lease.client === client && lease.state === state) this.#leases.delete(address);
    }
  }

  #in(ms: number): bigint {
    return this.#clock.nowNs() + BigInt(Math.round(ms * 1e6));
  }

  #answer(request: DhcpMessage, type: number, yourAddress: Ipv4): void {
    const options = new Map([
      [DhcpOption.messageType, Buffer.from([type])],
      [DhcpOption.serverId, addressBytes(this.#on.address)],
    ] as [number, Buffer][]);
    if (type !== DhcpType.nak) this.#addParameters(request, options, yourAddress !== UNSPECIFIED);
    const message: DhcpMessage = { ...request, isRequest: false, seconds: 0, yourAddress, options };
    this.#send(request, type, yourAddress, emitDhcp(message));
  }

  #addParameters(request: DhcpMessage, options: Map<number, Buffer>, hasLease: boolean): void {
    const { leaseSeconds, mask, parameters } = this.#offer;
    if (hasLease) {
      options.set(DhcpOption.leaseTime, secondsBytes(leaseSeconds));
      options.set(DhcpOption.renewalTime, secondsBytes(leaseSeconds * 0.5));
      options.set(DhcpOption.rebindingTime, secondsBytes(leaseSeconds * 0.875));
    }
    options.set(DhcpOption.mask, mask);
    const wanted = request.options.get(DhcpOption.parameters);
    for (const [code, value] of parameters) if (wanted?.includes(code) ?? true) options.set(code, value);
  }

  /** RFC 2131 §4.1: to the relay, to the client's address, to all, or to an address that the client does not have yet. */
  #send(request: DhcpMessage, type: number, yourAddress: Ipv4, payload: Buffer): void {
    const source = this.#on.address;
    const { clientAddress, mac, relayAddress, wantsBroadcast } = request;
    if (relayAddress !== UNSPECIFIED) {
      this.#host.sendUdp(source, relayAddress, { sourcePort: SERVER_PORT, destinationPort: SERVER_PORT, payload });
      return;
    }
    const toAll = type === DhcpType.nak || (clientAddress === UNSPECIFIED && wantsBroadcast);
    const known = clientAddress === UNSPECIFIED ? yourAddress : clientAddress;
    const destination = toAll ? BROADCAST : known;
    const datagram = emitUdp(source, destination, { sourcePort: SERVER_PORT, destinationPort: CLIENT_PORT, payload });
    this.#on.sendTo(toAll ? TO_ALL : mac, this.#host.packetOf(source, destination, IpProtocol.udp, datagram));
  }
}

function offerOf(settings: DhcpSettings, { address, prefixLength }: Cidr): Offer {
  const { leaseSeconds = DEFAULT_LEASE_SECONDS, router, dns = [], domain, routes = [] } = settings;
  const parameters = new Map<number, Buffer>();
  if (router !== false) {
    parameters.set(DhcpOption.router, addressBytes(router === undefined ? address : ipv4Of(router)));
  }
  if (dns.length > 0) parameters.set(DhcpOption.dns, addressBytes(...dns.map(ipv4Of)));
  if (domain !== undefined) parameters.set(DhcpOption.domain, Buffer.from(domain, "latin1"));
  if (routes.length > 0) {
    const bytes = classlessRouteBytes(routes.map(({ to, via }) => ({ to: parseCidr(to), via: ipv4Of(via) })));
    parameters.set(DhcpOption.classlessRoutes, bytes);
    parameters.set(DhcpOption.microsoftRoutes, bytes);
  }
  return { mask: addressBytes(netmask(prefixLength)), leaseSeconds, parameters };
}

function hexOf(mac: string): string {
  return mac.replaceAll(":", "").toLowerCase();
}

function macText(mac: Buffer): string {
  return (mac.toString("hex").match(/../g) ?? []).join(":");
}

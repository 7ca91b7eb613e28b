/** The mappings of a NAPT: RFC 4787 (UDP), RFC 5382 (TCP), RFC 5508 (ICMP), whose words these are. */
import { type Ipv4, Ipv4 as ipv4 } from "../../../appliance/wire/ipv4.ts";
import { elapsedMs, type LabClock } from "../../clock.ts";
import { endpointText } from "../ip/cidr.ts";

/**
 * What a mapping depends on besides the inside endpoint, and whose packets may come in through it: anybody's, those of
 * addresses that it was used to, those of endpoints that it was used to (RFC 4787 §4.1 and §5).
 */
export type NatBehaviour = "endpoint-independent" | "address-dependent" | "symmetric";
/** `preserve` takes the inside port while it is free; `random` draws from the seed. */
export type PortAllocation = "preserve" | "random";
export type NatProtocol = "tcp" | "udp" | "icmp";

export interface Endpoint {
  readonly address: Ipv4;
  /** A port, or the identifier of an ICMP echo. */
  readonly port: number;
}

/** Milliseconds without a packet in either direction until a mapping is forgotten. */
export interface NatTimeouts {
  readonly udpMs: number;
  readonly icmpMs: number;
  readonly tcpEstablishedMs: number;
  /** For connections that are not yet, or no longer, established. */
  readonly tcpTransitoryMs: number;
}

/** The shortest that the RFCs allow: RFC 4787 REQ-5, RFC 5508 REQ-1, RFC 5382 REQ-5. */
export const DEFAULT_TIMEOUTS: NatTimeouts = {
  udpMs: 120_000,
  icmpMs: 60_000,
  tcpEstablishedMs: 7_440_000,
  tcpTransitoryMs: 240_000,
};

export interface Mapping {
  readonly protocol: NatProtocol;
  readonly inside: Endpoint;
  readonly outsidePort: number;
  /** Whom it was used to: the first decides what it is for when it is not endpoint-independent. */
  readonly remotes: Endpoint[];
  /** A port that is forwarded for good, to anybody. */
  readonly isForward: boolean;
  tcp: { isEstablished: boolean; insideIsDone: boolean; outsideIsDone: boolean };
  expiresNs: bigint;
}

export interface TableSettings {
  readonly mapping: NatBehaviour;
  readonly filtering: NatBehaviour;
  readonly ports: PortAllocation;
  readonly seed: number;
  readonly timeouts: NatTimeouts;
}

const FIRST_FREE_PORT = 1024;
const PORTS = 65_536 - FIRST_FREE_PORT;
const REMOTES_KEPT = 256;

type SavedMapping = Omit<Mapping, "expiresNs"> & { readonly remainingMs: number };
export interface SavedTable {
  readonly luck: number;
  readonly mappings: readonly SavedMapping[];
}

export class NatTable {
  readonly #settings: TableSettings;
  readonly #clock: LabClock;
  readonly #note: (text: string) => void;
  readonly #forgotten: (mapping: Mapping) => void;
  /** By protocol and outside port. */
  readonly #mappings = new Map<string, Mapping>();
  /** The state of xorshift32, never 0. */
  #luck: number;

  /** `forgotten` hears of every mapping that was not used for too long. */
  constructor(
    settings: TableSettings,
    clock: LabClock,
    note: (text: string) => void,
    forgotten: (mapping: Mapping) => void,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#note = note;
    this.#forgotten = forgotten;
    this.#luck = Math.imul(settings.seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1;
  }

  /** Those that are not forgotten. */
  get mappings(): readonly Mapping[] {
    this.#sweep();
    return [...this.#mappings.values()];
  }

  forward(protocol: NatProtocol, outsidePort: number, inside: Endpoint): void {
    const key = keyOf(protocol, outsidePort);
    if (this.#mappings.has(key)) throw new RangeError(`${protocol} port ${outsidePort} is forwarded twice`);
    this.#mappings.set(key, this.#mappingOf(protocol, inside, outsidePort, true));
  }

  /** The mapping for a packet from inside; made when there is none. Undefined when no port is left. */
  outbound(protocol: NatProtocol, inside: Endpoint, remote: Endpoint): Mapping | undefined {
    this.#sweep();
    const found = [...this.#mappings.values()].find(
      (each) =>
        each.protocol === protocol &&
        isSame(each.inside, inside) &&
        (each.isForward || isFor(this.#settings.mapping, each.remotes.slice(0, 1), remote)),
    );
    const mapping = found ?? this.#make(protocol, inside, remote);
    if (mapping === undefined) return undefined;
    if (!mapping.remotes.some((each) => isSame(each, remote))) {
      mapping.remotes.push(remote);
      if (mapping.remotes.length > REMOTES_KEPT) mapping.remotes.splice(1, 1);
    }
    this.refresh(mapping);
    return mapping;
  }

  /** The mapping that lets a packet from outside in. */
  inbound(protocol: NatProtocol, outsidePort: number, remote: Endpoint): Mapping | undefined {
    this.#sweep();
    const mapping = this.#mappings.get(keyOf(protocol, outsidePort));
    if (mapping === undefined) return undefined;
    if (!mapping.isForward && !isFor(this.#settings.filtering, mapping.remotes, remote)) return undefined;
    this.refresh(mapping);
    return mapping;
  }

  refresh(mapping: Mapping): void {
    mapping.expiresNs = this.#clock.nowNs() + BigInt(this.#timeoutMs(mapping)) * 1_000_000n;
  }

  /** Forwarded ports stay. */
  forget(): void {
    for (const [key, { isForward }] of this.#mappings) if (!isForward) this.#mappings.delete(key);
  }

  save(): SavedTable {
    const nowNs = this.#clock.nowNs();
    const mappings = this.mappings.map(({ expiresNs, ...rest }) => ({
      ...rest,
      remainingMs: elapsedMs(nowNs, expiresNs),
    }));
    return { luck: this.#luck, mappings };
  }

  restore(saved: SavedTable): void {
    this.#luck = saved.luck;
    this.#mappings.clear();
    for (const { remainingMs, ...rest } of saved.mappings) {
      const expiresNs = this.#clock.nowNs() + BigInt(Math.round(remainingMs * 1e6));
      const revived: Mapping = {
        ...rest,
        inside: revive(rest.inside),
        remotes: rest.remotes.map(revive),
        tcp: { ...rest.tcp },
        expiresNs,
      };
      this.#mappings.set(keyOf(rest.protocol, rest.outsidePort), revived);
    }
  }

  #make(protocol: NatProtocol, inside: Endpoint, remote: Endpoint): Mapping | undefined {
    const port = this.#freePort(protocol, inside.port);
    const what = `${protocol} ${endpointText(inside.address, inside.port)}`;
    if (port === undefined) {
      this.#note(`no port is left for ${what}`);
      return undefined;
    }
    const mapping = this.#mappingOf(protocol, inside, port, false);
    this.#mappings.set(keyOf(protocol, port), mapping);
    this.#note(`${what} is mapped to outside port ${port}, to ${endpointText(remote.address, remote.port)}`);
    return mapping;
  }

  #mappingOf(protocol: NatProtocol, inside: Endpoint, outsidePort: number, isForward: boolean): Mapping {
    const tcp = { isEstablished: false, insideIsDone: false, outsideIsDone: false };
    return { protocol, inside, outsidePort, remotes: [], isForward, tcp, expiresNs: 0n };
  }

  #freePort(protocol: NatProtocol, wanted: number): number | undefined {
    const isRandom = this.#settings.ports === "random";
    const begin = isRandom || wanted < FIRST_FREE_PORT ? this.#draw() % PORTS : wanted - FIRST_FREE_PORT;
    for (let step = 0; step < PORTS; step++) {
      const port = FIRST_FREE_PORT + ((begin + step) % PORTS);
      if (!this.#mappings.has(keyOf(protocol, port))) return port;
    }
    return undefined;
  }

  #draw(): number {
    let x = this.#luck;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#luck = x;
    return x >>> 0;
  }

  #timeoutMs({ protocol, tcp }: Mapping): number {
    const { timeouts } = this.#settings;
    if (protocol === "udp") return timeouts.udpMs;
    if (protocol === "icmp") return timeouts.icmpMs;
    const isOpen = tcp.isEstablished && !(tcp.insideIsDone && tcp.outsideIsDone);
    return isOpen ? timeouts.tcpEstablishedMs : timeouts.tcpTransitoryMs;
  }

  #sweep(): void {
    const nowNs = this.#clock.nowNs();
    for (const [key, mapping] of this.#mappings) {
      if (mapping.isForward || mapping.expiresNs > nowNs) continue;
      this.#mappings.delete(key);
      const { protocol, inside, outsidePort } = mapping;
      this.#note(
        `${protocol} ${endpointText(inside.address, inside.port)} at outside port ${outsidePort} is forgotten`,
      );
      this.#forgotten(mapping);
    }
  }
}

function keyOf(protocol: NatProtocol, outsidePort: number): string {
  return `${protocol}/${outsidePort}`;
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port;
}

function isFor(behaviour: NatBehaviour, remotes: readonly Endpoint[], remote: Endpoint): boolean {
  switch (behaviour) {
    case "endpoint-independent":
      return true;
    case "address-dependent":
      return remotes.some((each) => each.address === remote.address);
    case "symmetric":
      return remotes.some((each) => isSame(each, remote));
  }
}

function revive({ address, port }: Endpoint): Endpoint {
  return { address: ipv4(address), port };
}

/**
 * Network address and port translation between one inside and one outside interface: RFC 3022, with the behaviours of
 * RFC 4787, for TCP, UDP, ICMP and, through its PPTP ALG, GRE.
 *
 * Every packet is put together before it is translated and cut again where it does not fit, as Linux does. Checksums are
 * repaired by difference, so damage stays visible. Not here: hairpinning (from inside to the outside address).
 */
import { formatIpv4, type Ipv4 } from "../../../appliance/wire/ipv4.ts";
import type { LabClock } from "../../clock.ts";
import { endpointText } from "../ip/cidr.ts";
import type { IpHost } from "../ip/host.ts";
import type { IpInterface } from "../ip/interface.ts";
import { IpProtocol, type Ipv4Packet } from "../ip/packet.ts";
import { Reassembler } from "../ip/reassembly.ts";
import {
  DEFAULT_TIMEOUTS,
  type Endpoint,
  type Mapping,
  type NatBehaviour,
  NatTable,
  type NatTimeouts,
  type PortAllocation,
  type SavedTable,
} from "./nat-table.ts";
import { type ControlSegment, type NatCall, PPTP_PORT, PptpAlg, type SavedAlg } from "./pptp-alg.ts";
import type { PptpAlgMode } from "./pptp-alg-mode.ts";
import { type Flow, flowOf, quoteOf, withEndpoint, withQuotedEndpoint } from "./translate.ts";

export interface NatSettings {
  /** `right` unless given. */
  readonly alg?: PptpAlgMode | undefined;
  /** How mappings are shared; `endpoint-independent` unless given. */
  readonly behaviour?: NatBehaviour | undefined;
  /** Whom mappings let in; as `behaviour` unless given. */
  readonly filtering?: NatBehaviour | undefined;
  /** `preserve` unless given. */
  readonly ports?: PortAllocation | undefined;
  /** For `ports: "random"`. */
  readonly seed?: number | undefined;
  readonly timeouts?: Partial<NatTimeouts> | undefined;
}

export interface SavedNat {
  readonly table: SavedTable;
  readonly alg: SavedAlg;
}

const TCP_FIN = 0x01;
const TCP_SYN = 0x02;
const TCP_RST = 0x04;
/** Drops are noted once for each reason and sender; then the set begins anew. */
const REASONS_KEPT = 256;

export class Nat {
  readonly #host: IpHost;
  readonly #inside: IpInterface;
  readonly #outside: IpInterface;
  readonly #note: (text: string) => void;
  readonly #table: NatTable;
  readonly #alg: PptpAlg;
  readonly #reassembler: Reassembler;
  readonly #noted = new Set<string>();
  #dropped = 0;

  /** Takes the packets of both interfaces from `host`; the rest of what `host` does goes on. */
  constructor(
    host: IpHost,
    { inside, outside }: { readonly inside: IpInterface; readonly outside: IpInterface },
    settings: NatSettings,
    { clock, note }: { readonly clock: LabClock; readonly note: (text: string) => void },
  ) {
    const { behaviour = "endpoint-independent", filtering = behaviour, ports = "preserve", seed = 0 } = settings;
    const timeouts = { ...DEFAULT_TIMEOUTS, ...settings.timeouts };
    this.#host = host;
    this.#inside = inside;
    this.#outside = outside;
    this.#note = note;
    this.#alg = new PptpAlg(settings.alg ?? "right", clock, note);
    this.#reassembler = new Reassembler(clock);
    this.#table = new NatTable({ mapping: behaviour, filtering, ports, seed, timeouts }, clock, note, (mapping) => {
      if (mapping.protocol !== "tcp") return;
      for (const remote of mapping.remotes) this.#alg.connectionEnded(mapping.inside, remote);
    });
    host.intercept = (packet, from) => this.#intercept(packet, from);
  }

  get alg(): PptpAlgMode {
    return this.#alg.mode;
  }
  /** Takes effect with the next packet. */
  set alg(mode: PptpAlgMode) {
    this.#alg.mode = mode;
    this.#noted.clear();
  }

  get mappings(): readonly Mapping[] {
    return this.#table.mappings;
  }
  get calls(): readonly NatCall[] {
    return this.#alg.calls;
  }
  /** Packets from inside or outside that were not let through. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What comes to this port of the outside address goes to `inside`. */
  forward(protocol: "tcp" | "udp", outsidePort: number, inside: Endpoint): void {
    this.#table.forward(protocol, outsidePort, inside);
  }

  /** As after a power failure: every mapping and call is forgotten, forwarded ports stay. */
  forget(): void {
    this.#table.forget();
    this.#alg.forget();
    this.#note("all mappings are forgotten");
  }

  save(): SavedNat {
    return { table: this.#table.save(), alg: this.#alg.save() };
  }
  restore(saved: SavedNat): void {
    this.#table.restore(saved.table);
    this.#alg.restore(saved.alg);
  }
  close(): void {
    this.#reassembler.close();
  }

  #intercept(packet: Ipv4Packet, from: IpInterface): boolean {
    if (from === this.#outside) {
      if (packet.destination === this.#outside.address) this.#take(packet, (whole) => this.#comeIn(whole));
      else if (!from.isBroadcast(packet.destination)) this.#drop(packet, "it is not for the outside address");
      return true;
    }
    if (from !== this.#inside || from.isBroadcast(packet.destination)) return false;
    if (packet.destination === this.#outside.address) this.#drop(packet, "this box does no hairpinning");
    else if (this.#host.isOurs(packet.destination) || packet.destination >>> 28 >= 14) return false;
    else this.#take(packet, (whole) => this.#goOut(whole));
    return true;
  }

  #take(packet: Ipv4Packet, handle: (whole: Ipv4Packet) => void): void {
    const whole = this.#reassembler.add(packet);
    if (whole !== undefined) handle(whole);
  }

  #goOut(packet: Ipv4Packet): void {
    const finish = (older: Ipv4Packet, out: IpInterface): Ipv4Packet | undefined =>
      out === this.#outside ? this.#translateOut(older) : older;
    this.#host.forward(packet, this.#inside, { finish });
  }

  #translateOut(packet: Ipv4Packet): Ipv4Packet | undefined {
    const flow = flowOf(packet);
    if (flow !== undefined) return this.#flowOut(packet, flow);
    const { source, destination, payload } = packet;
    if (packet.protocol === IpProtocol.gre) {
      const verdict = this.#alg.greFromInside(source, destination, payload);
      if (!verdict.passes) return this.#drop(packet, verdict.because);
      return { ...packet, source: this.#outside.address };
    }
    const quote = quoteOf(packet);
    if (quote === undefined) return this.#drop(packet, "its protocol is not translated");
    // About a packet that came in: its destination was the outside address.
    const { flow: quoted } = quote;
    const mapping = quoted && this.#table.outbound(quoted.protocol, quoted.destination, quoted.source);
    const error = withQuotedEndpoint(packet, "destination", this.#outside.address, mapping?.outsidePort);
    return { ...error, source: this.#outside.address };
  }

  #flowOut(packet: Ipv4Packet, { protocol, source, destination }: Flow): Ipv4Packet | undefined {
    const mapping = this.#table.outbound(protocol, source, destination);
    if (mapping === undefined) return this.#drop(packet, "no port is left");
    const outside: Endpoint = { address: this.#outside.address, port: mapping.outsidePort };
    const translated = withEndpoint(packet, "source", outside);
    if (protocol === "tcp") {
      const control = this.#control(translated.payload, mapping, destination);
      if (control !== undefined) this.#alg.outbound(control);
      this.#followTcp(mapping, translated.payload, "inside");
    }
    return translated;
  }

  #comeIn(packet: Ipv4Packet): void {
    const translated = this.#translateIn(packet);
    if (translated !== undefined) this.#host.forward(translated, this.#outside, { quote: packet });
  }

  #translateIn(packet: Ipv4Packet): Ipv4Packet | undefined {
    const flow = flowOf(packet);
    if (flow !== undefined) return this.#flowIn(packet, flow);
    if (packet.protocol === IpProtocol.gre) {
      const verdict = this.#alg.greFromOutside(packet.source, packet.payload);
      if (!verdict.passes) return this.#drop(packet, verdict.because);
      return { ...packet, destination: verdict.inside, payload: verdict.packet };
    }
    const quote = quoteOf(packet);
    if (quote === undefined) return this.#drop(packet, "its protocol is not translated");
    // About a packet that went out: its source was the outside address.
    const inside = this.#quotedSource(quote);
    if (inside === undefined) return this.#drop(packet, "it is about a packet that nobody here sent");
    return { ...withQuotedEndpoint(packet, "source", inside.address, inside.port), destination: inside.address };
  }

  #quotedSource({ flow, destination, ipProtocol, payload }: NonNullable<ReturnType<typeof quoteOf>>) {
    if (flow !== undefined) return this.#table.inbound(flow.protocol, flow.source.port, flow.destination)?.inside;
    const address = ipProtocol === IpProtocol.gre ? this.#alg.greQuoted(destination, payload) : undefined;
    return address === undefined ? undefined : { address, port: undefined };
  }

  #flowIn(packet: Ipv4Packet, { protocol, source, destination }: Flow): Ipv4Packet | undefined {
    const mapping = this.#table.inbound(protocol, destination.port, source);
    if (mapping === undefined) {
      // An echo request of the outside is for this box itself.
      if (protocol === "icmp") this.#host.accept(packet, this.#outside);
      else this.#drop(packet, `no mapping of outside port ${destination.port} lets it in`);
      return undefined;
    }
    const translated = withEndpoint(packet, "destination", mapping.inside);
    if (protocol === "tcp") {
      const control = this.#control(translated.payload, mapping, source);
      if (control !== undefined) this.#alg.inbound(control);
      this.#followTcp(mapping, translated.payload, "outside");
    }
    return translated;
  }

  #control(bytes: Buffer, mapping: Mapping, remote: Endpoint): ControlSegment | undefined {
    if (remote.port !== PPTP_PORT && mapping.inside.port !== PPTP_PORT) return undefined;
    return { bytes, inside: mapping.inside, outsidePort: mapping.outsidePort, remote };
  }

  #followTcp(mapping: Mapping, segment: Buffer, sender: "inside" | "outside"): void {
    const flags = segment.readUInt8(13);
    const { tcp } = mapping;
    if ((flags & TCP_SYN) !== 0) mapping.tcp = { isEstablished: false, insideIsDone: false, outsideIsDone: false };
    else if ((flags & TCP_RST) !== 0) mapping.tcp = { isEstablished: false, insideIsDone: true, outsideIsDone: true };
    else {
      tcp.isEstablished ||= !tcp.insideIsDone && !tcp.outsideIsDone;
      if ((flags & TCP_FIN) !== 0) tcp[sender === "inside" ? "insideIsDone" : "outsideIsDone"] = true;
    }
    this.#table.refresh(mapping);
  }

  #drop(packet: Ipv4Packet, because: string): undefined {
    this.#dropped++;
    const { source, destination } = packet;
    const key = `${source}>${destination}/${packet.protocol}: ${because}`;
    if (this.#noted.has(key)) return;
    if (this.#noted.size >= REASONS_KEPT) this.#noted.clear();
    this.#noted.add(key);
    this.#note(`dropped ${packetText(packet)}, because ${because}`);
  }
}

function packetText(packet: Ipv4Packet): string {
  const flow = flowOf(packet);
  const end = (address: Ipv4, port: number | undefined): string =>
    port === undefined ? formatIpv4(address) : endpointText(address, port);
  const names = new Map<number, string>(
    Object.entries(IpProtocol).map(([name, number]) => [number, name.toUpperCase()]),
  );
  const protocol = names.get(packet.protocol) ?? `protocol ${packet.protocol}`;
  return `${protocol} from ${end(packet.source, flow?.source.port)} to ${end(packet.destination, flow?.destination.port)}`;
}

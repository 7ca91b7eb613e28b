/** A DNS server that knows a table and nothing else: every other name does not exist. UDP only. */
import { formatIpv4 } from "../../../appliance/wire/ipv4.ts";
import { ipv4Of } from "../ip/cidr.ts";
import type { IpHost, UdpArrival } from "../ip/host.ts";
import { type DnsQuery, DnsResult, DnsType, emitDnsResponse, parseDnsQuery } from "./dns-message.ts";

const PORT = 53;
const TTL_SECONDS = 60;
const NO_QUESTION = Buffer.alloc(0);

/** Name to address, or to several. */
export type DnsTable = Readonly<Record<string, string | readonly string[]>>;

export interface SavedDns {
  readonly names: readonly (readonly [string, readonly string[]])[];
}

export class DnsServer {
  /** Answers nothing, as if it were unplugged. */
  isSilent = false;
  readonly #host: IpHost;
  readonly #note: (text: string) => void;
  readonly #names = new Map<string, readonly string[]>();

  /** Throws a RangeError for what is no address. */
  constructor(host: IpHost, table: DnsTable, note: (text: string) => void) {
    this.#host = host;
    this.#note = note;
    for (const [name, addresses] of Object.entries(table)) this.set(name, addresses);
    host.onUdp(PORT, (arrival) => this.#receive(arrival));
  }

  /** From now on the name has these addresses; with none it exists and has no address. */
  set(name: string, addresses: string | readonly string[]): void {
    const list = typeof addresses === "string" ? [addresses] : addresses;
    for (const address of list) ipv4Of(address);
    this.#names.set(name.toLowerCase().replace(/\.$/, ""), list);
  }

  /** From now on the name does not exist. */
  remove(name: string): void {
    this.#names.delete(name.toLowerCase().replace(/\.$/, ""));
  }

  save(): SavedDns {
    return { names: [...this.#names] };
  }
  restore(saved: SavedDns): void {
    this.#names.clear();
    for (const [name, addresses] of saved.names) this.#names.set(name, addresses);
  }

  #receive({ payload, source, sourcePort, destination }: UdpArrival): void {
    if (this.isSilent || payload.length < 2 || !this.#host.isOurs(destination)) return;
    const query = parseDnsQuery(payload);
    let answer: Buffer | undefined;
    if (query.ok) answer = this.#answer(query.value, formatIpv4(source));
    else if (query.fault !== "bad-value") {
      const broken = { id: payload.readUInt16BE(0), recursionDesired: false, question: NO_QUESTION };
      answer = emitDnsResponse(broken, DnsResult.formatError, [], 0);
    }
    if (answer === undefined) return;
    this.#host.sendUdp(destination, source, { sourcePort: PORT, destinationPort: sourcePort, payload: answer });
  }

  #answer(query: DnsQuery, who: string): Buffer {
    if (!query.isStandard) return emitDnsResponse(query, DnsResult.notImplemented, [], 0);
    const known = query.isInternet ? this.#names.get(query.name) : undefined;
    if (known === undefined) {
      this.#note(`DNS: ${who} asks for ${query.name}, which does not exist`);
      return emitDnsResponse(query, DnsResult.noSuchName, [], 0);
    }
    const addresses = query.type === DnsType.a || query.type === DnsType.any ? known.map(ipv4Of) : [];
    if (query.type === DnsType.a) this.#note(`DNS: ${who} asks for ${query.name}: ${known.join(", ") || "no address"}`);
    return emitDnsResponse(query, DnsResult.ok, addresses, TTL_SECONDS);
  }
}

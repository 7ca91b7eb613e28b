/** ARP: RFC 826. Whoever has no answer yet waits in a short queue. */
import { Ipv4 } from "../../../appliance/wire/ipv4.ts";
import type { LabClock } from "../../clock.ts";

const PACKET_BYTES = 28;
const REQUEST = 1;
const REPLY = 2;
const ATTEMPTS = 3;
const RETRY_MS = 1_000;
const WAITING_AT_ONCE = 32;

export interface ArpPacket {
  readonly isRequest: boolean;
  readonly senderMac: Buffer;
  readonly sender: Ipv4;
  readonly targetMac: Buffer;
  readonly target: Ipv4;
}

/** Undefined for anything but a request or a reply of IPv4 on Ethernet. */
export function parseArp(bytes: Buffer): ArpPacket | undefined {
  if (bytes.length < PACKET_BYTES || bytes.readUInt32BE(0) !== 0x0001_0800 || bytes.readUInt16BE(4) !== 0x0604) {
    return undefined;
  }
  const operation = bytes.readUInt16BE(6);
  if (operation !== REQUEST && operation !== REPLY) return undefined;
  return {
    isRequest: operation === REQUEST,
    senderMac: Buffer.from(bytes.subarray(8, 14)),
    sender: Ipv4(bytes.readUInt32BE(14)),
    targetMac: Buffer.from(bytes.subarray(18, 24)),
    target: Ipv4(bytes.readUInt32BE(24)),
  };
}

export function emitArp({ isRequest, senderMac, sender, targetMac, target }: ArpPacket): Buffer {
  const bytes = Buffer.alloc(PACKET_BYTES);
  bytes.writeUInt32BE(0x0001_0800, 0);
  bytes.writeUInt16BE(0x0604, 4);
  bytes.writeUInt16BE(isRequest ? REQUEST : REPLY, 6);
  senderMac.copy(bytes, 8);
  bytes.writeUInt32BE(sender, 14);
  targetMac.copy(bytes, 18);
  bytes.writeUInt32BE(target, 24);
  return bytes;
}

interface Waiting {
  readonly found: (mac: Buffer) => void;
  readonly lost: () => void;
}

interface Search {
  readonly waiting: Waiting[];
  cancel: () => void;
}

/** Who on one network has which MAC address. What was learned stays until it is learned anew: labs are short. */
export class Neighbours {
  readonly #clock: LabClock;
  readonly #ask: (address: Ipv4) => void;
  readonly #known = new Map<Ipv4, Buffer>();
  readonly #searches = new Map<Ipv4, Search>();

  /** `ask` broadcasts a request. */
  constructor(clock: LabClock, ask: (address: Ipv4) => void) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** Calls `found` now or when the answer comes, or `lost` when none comes to three requests, one a second. */
  find(address: Ipv4, found: (mac: Buffer) => void, lost: () => void): void {
    const mac = this.#known.get(address);
    if (mac !== undefined) {
      found(mac);
      return;
    }
    const search = this.#searches.get(address);
    if (search === undefined) {
      const begun: Search = { waiting: [{ found, lost }], cancel: () => {} };
      this.#searches.set(address, begun);
      this.#try(address, begun, ATTEMPTS);
    } else if (search.waiting.length < WAITING_AT_ONCE) search.waiting.push({ found, lost });
    else lost();
  }

  learn(address: Ipv4, mac: Buffer): void {
    this.#known.set(address, mac);
    for (const { found } of this.#end(address)) found(mac);
  }

  isKnown(address: Ipv4): boolean {
    return this.#known.has(address);
  }

  /** `[address, MAC address]`, as JSON. */
  save(): [number, string][] {
    return [...this.#known].map(([address, mac]) => [address, mac.toString("hex")]);
  }

  restore(saved: readonly (readonly [number, string])[]): void {
    for (const [address, mac] of saved) this.#known.set(Ipv4(address), Buffer.from(mac, "hex"));
  }

  /** Nobody who waits hears anything more. */
  close(): void {
    for (const address of [...this.#searches.keys()]) this.#end(address);
  }

  #try(address: Ipv4, search: Search, attempts: number): void {
    if (attempts === 0) {
      for (const { lost } of this.#end(address)) lost();
      return;
    }
    search.cancel = this.#clock.after(RETRY_MS, () => this.#try(address, search, attempts - 1));
    this.#ask(address);
  }

  #end(address: Ipv4): readonly Waiting[] {
    const search = this.#searches.get(address);
    search?.cancel();
    this.#searches.delete(address);
    return search?.waiting ?? [];
  }
}

/** Interfaces, addresses and routes in memory: enough of a kernel for services to run on. */
import {
  type Ipv4Prefix,
  type Net,
  type NetInterface,
  type NextHop,
  type Route,
  SystemError,
  type Tun,
} from "../../appliance/ports.ts";
import { formatIpv4, Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";

const HEADROOM_BYTES = 64;

interface Interface extends NetInterface {
  up: boolean;
  addresses: Ipv4Prefix[];
}

const same = (a: Ipv4Prefix, b: Ipv4Prefix): boolean => a.address === b.address && a.length === b.length;
const contains = (prefix: Ipv4Prefix, address: Ipv4): boolean =>
  Math.floor(prefix.address / 2 ** (32 - prefix.length)) === Math.floor(address / 2 ** (32 - prefix.length));

export class FakeNet implements Net {
  /** Every change in order, as `ip` would be told it: for tests that check what was and was not done. */
  readonly changes: string[] = [];
  readonly #interfaces = new Map<string, Interface>();
  readonly #tuns = new Map<string, FakeTun>();
  #gateway: Ipv4 | undefined;
  #routes: { readonly destination: Ipv4Prefix; readonly by: NextHop }[] = [];

  constructor(...ethernets: readonly string[]) {
    for (const [i, name] of ethernets.entries()) {
      const mac = `02:00:00:00:00:0${i}`;
      this.#interfaces.set(name, { name, up: false, carrier: true, mtu: 1500, mac, addresses: [] });
    }
  }

  interfaces(): readonly NetInterface[] {
    return [...this.#interfaces.values()].map((each) => ({ ...each, addresses: [...each.addresses] }));
  }
  setUp(name: string, up: boolean): void {
    const operation = `set ${name} ${up ? "up" : "down"}`;
    this.#find(operation, name).up = up;
    this.changes.push(operation);
  }
  addAddress(name: string, prefix: Ipv4Prefix): void {
    const operation = `add ${formatIpv4(prefix.address)}/${prefix.length} to ${name}`;
    const found = this.#find(operation, name);
    if (!found.addresses.some((each) => same(each, prefix))) found.addresses.push(prefix);
    this.changes.push(operation);
  }
  removeAddress(name: string, prefix: Ipv4Prefix): void {
    const operation = `remove ${formatIpv4(prefix.address)}/${prefix.length} from ${name}`;
    const found = this.#find(operation, name);
    found.addresses = found.addresses.filter((each) => !same(each, prefix));
    this.changes.push(operation);
  }
  setDefaultGateway(gateway: Ipv4 | undefined): void {
    const operation = gateway ? `set the default route to ${formatIpv4(gateway)}` : "remove the default route";
    const reachable = (address: Ipv4): boolean =>
      this.interfaces().some((each) => each.up && each.addresses.some((prefix) => contains(prefix, address)));
    const byPeer = this.#routes.some(
      ({ destination, by }) => destination.address === gateway && by.gateway === undefined,
    );
    if (gateway !== undefined && !reachable(gateway) && !byPeer) throw new SystemError(operation, "ENETUNREACH");
    this.#gateway = gateway;
    this.changes.push(operation);
  }
  defaultGateway(): Ipv4 | undefined {
    return this.#gateway;
  }
  addRoute(destination: Ipv4Prefix, by: NextHop): void {
    const shown = `${formatIpv4(destination.address)}/${destination.length}`;
    const operation = `route ${shown} by ${by.gateway === undefined ? "" : `${formatIpv4(by.gateway)} on `}${by.interfaceName}`;
    if (!this.#find(operation, by.interfaceName).up) throw new SystemError(operation, "ENETDOWN");
    this.removeRoute(destination);
    const base = 2 ** (32 - destination.length);
    const address = Ipv4(Math.floor(destination.address / base) * base);
    this.#routes.push({ destination: { address, length: destination.length }, by });
    this.changes.push(operation);
  }
  removeRoute(destination: Ipv4Prefix): void {
    const covers = (each: { destination: Ipv4Prefix }) =>
      each.destination.length === destination.length && contains(each.destination, destination.address);
    const before = this.#routes.length;
    this.#routes = this.#routes.filter((each) => !covers(each));
    if (this.#routes.length < before)
      this.changes.push(`remove the route to ${formatIpv4(destination.address)}/${destination.length}`);
  }
  routes(): readonly Route[] {
    const connected = [...this.#interfaces.values()].flatMap(({ name, up, addresses }) =>
      (up ? addresses : [])
        .filter(({ length }) => length < 32)
        .map(({ address, length }) => ({
          destination: { address: Ipv4(Math.floor(address / 2 ** (32 - length)) * 2 ** (32 - length)), length },
          by: { interfaceName: name, gateway: undefined },
        })),
    );
    const gateway = this.#gateway;
    const towards = gateway === undefined ? undefined : this.nextHopTo(gateway);
    const byDefault = { destination: { address: Ipv4(0), length: 0 }, by: { interfaceName: "", ...towards, gateway } };
    return [...(gateway === undefined ? [] : [byDefault]), ...this.#routes, ...connected];
  }
  nextHopTo(address: Ipv4): NextHop | undefined {
    const connected = [...this.#interfaces.values()]
      .filter(({ up }) => up)
      .flatMap(({ name, addresses }) =>
        addresses.map((destination) => ({ destination, by: { interfaceName: name, gateway: undefined } })),
      );
    const best = [...this.#routes, ...connected]
      .filter(({ destination }) => contains(destination, address))
      .sort((a, b) => b.destination.length - a.destination.length)[0];
    if (best !== undefined) return best.by;
    const gateway = this.#gateway;
    const towards = gateway === undefined ? undefined : this.nextHopTo(gateway);
    return towards && { interfaceName: towards.interfaceName, gateway };
  }
  addLinkLocal(name: string, identifier: Buffer): void {
    const operation = `give ${name} fe80::${identifier.toString("hex")}`;
    this.#find(operation, name);
    this.changes.push(operation);
  }
  setBridge(name: string, members: readonly string[] | undefined): void {
    if (members === undefined) {
      if (this.#interfaces.delete(name)) this.changes.push(`take bridge ${name} away`);
      return;
    }
    const operation = `bridge ${name} of ${members.join(", ")}`;
    for (const member of members) this.#find(operation, member).up = true;
    const { mac } = this.#find(operation, members[0] ?? "");
    if (!this.#interfaces.has(name))
      this.#interfaces.set(name, { name, up: false, carrier: true, mtu: 1500, mac, addresses: [] });
    this.changes.push(operation);
  }
  setForwarding(on: boolean): void {
    this.changes.push(`forwarding ${on ? "on" : "off"}`);
  }
  setProxyArp(name: string, on: boolean): void {
    this.#find(`proxy ARP on ${name}`, name);
    this.changes.push(`proxy ARP on ${name} ${on ? "on" : "off"}`);
  }
  openTun(settings: { name: string; local: Ipv4; remote: Ipv4; mtu: number }, onReadable: () => void): Tun {
    const { name, local, mtu } = settings;
    if (this.#interfaces.has(name)) throw new SystemError(`open TUN interface ${name}`, "EBUSY");
    const addresses = [{ address: local, length: 32 }];
    this.#interfaces.set(name, { name, up: true, carrier: true, mtu, mac: undefined, addresses });
    const tun = new FakeTun(name, onReadable, () => {
      this.#interfaces.delete(name);
      this.#routes = this.#routes.filter(({ by }) => by.interfaceName !== name);
      this.#tuns.delete(name);
    });
    this.#tuns.set(name, tun);
    return tun;
  }

  /** A program makes a point-to-point interface, as pppd does. */
  addPointToPoint(name: string, local: string, remote: string): void {
    const addresses = [{ address: parseIpv4(local) ?? Ipv4(0), length: 32 }];
    this.#interfaces.set(name, { name, up: true, carrier: true, mtu: 1492, mac: undefined, addresses });
    const destination = { address: parseIpv4(remote) ?? Ipv4(0), length: 32 };
    this.#routes.push({ destination, by: { interfaceName: name, gateway: undefined } });
  }

  /** The tunnel of this name, seen from the kernel. */
  tun(name: string): FakeTun | undefined {
    return this.#tuns.get(name);
  }

  #find(operation: string, name: string): Interface {
    const found = this.#interfaces.get(name);
    if (found === undefined) throw new SystemError(operation, "ENODEV");
    return found;
  }
}

export class FakeTun implements Tun {
  readonly name: string;
  /** What the kernel was handed, in order. */
  readonly written: Buffer[] = [];
  readonly #onReadable: () => void;
  readonly #removed: () => void;
  #waiting: Buffer[] = [];
  #open = true;

  constructor(name: string, onReadable: () => void, removed: () => void) {
    this.name = name;
    this.#onReadable = onReadable;
    this.#removed = removed;
  }
  /** The kernel routes a packet into the tunnel. */
  deliver(packet: Buffer): void {
    this.#waiting.push(packet);
    if (this.#waiting.length === 1) queueMicrotask(() => this.#open && this.#onReadable());
  }
  receive(each: (slot: Buffer, start: number, end: number) => void): void {
    if (!this.#open) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const packet of waiting) {
      const slot = Buffer.concat([Buffer.alloc(HEADROOM_BYTES), packet]);
      each(slot, HEADROOM_BYTES, slot.length);
    }
  }
  write(packet: Buffer): void {
    if (this.#open) this.written.push(Buffer.from(packet));
  }
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#removed();
  }
}

/** Two or more whole devices on a simulated network: simulated clock, seeded luck, real stack from `service/vpn.ts` down. */
import assert from "node:assert/strict";
import type {
  ControlSocket,
  ControlSocketEvents,
  DatagramTransport,
  GreSocket,
  Log,
  Net,
  Timers,
  Tun,
  TunSettings,
} from "../../appliance/ports.ts";
import { Millis, SystemError } from "../../appliance/ports.ts";
import { Tracer } from "../../appliance/service/trace.ts";
import { VpnService } from "../../appliance/service/vpn.ts";
import type { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { SeededRandom } from "../support/seeded-random.ts";

/** What happens to GRE packets on the way; TCP is reliable and only gets the delay. */
export interface Impairment {
  readonly delayMs: number;
  readonly loss: number;
  readonly duplicate: number;
  /** Share of packets that are held back by `reorderMs`. */
  readonly reorder: number;
  readonly reorderMs: number;
}
export const PERFECT: Impairment = { delayMs: 5, loss: 0, duplicate: 0, reorder: 0, reorderMs: 30 };

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class World {
  now = 0;
  readonly random: SeededRandom;
  readonly hosts = new Map<Ipv4, Host>();
  impairment: Impairment;
  /** Hosts that lost their power: what is sent to them is gone, TCP included. */
  readonly dead = new Set<Ipv4>();
  #queue: Event[] = [];
  #order = 0;

  constructor(seed: number, impairment: Impairment = PERFECT) {
    this.random = new SeededRandom(seed);
    this.impairment = impairment;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const event = { at: this.now + Math.max(0, delayMs), order: this.#order++, run };
    this.#queue.push(event);
    return {
      cancel: () => {
        this.#queue = this.#queue.filter((other) => other !== event);
      },
    };
  }

  /** Runs until nothing is due before `until`, or until `done`. Returns whether `done` became true. */
  run(untilMs: number, done: () => boolean = () => false): boolean {
    for (
      let sameInstant = 0, last = -1;
      !done();
      sameInstant = this.now === last ? sameInstant + 1 : 0, last = this.now
    ) {
      assert.ok(sameInstant < 100_000, `time stands still at ${this.now} ms`);
      let next: Event | undefined;
      for (const event of this.#queue)
        if (next === undefined || event.at < next.at || (event.at === next.at && event.order < next.order))
          next = event;
      if (next === undefined || next.at > untilMs) {
        this.now = untilMs;
        return done();
      }
      this.#queue.splice(this.#queue.indexOf(next), 1);
      this.now = next.at;
      next.run();
    }
    return true;
  }

  readonly #udpSockets = new Map<string, Parameters<DatagramTransport["open"]>[1]>();
  #lastPort = 50_000;
  /** UDP of one address: impaired as GRE is. */
  udp(address: Ipv4): DatagramTransport {
    return {
      open: (wanted, received) => {
        const port = wanted ?? ++this.#lastPort;
        this.#udpSockets.set(`${address}:${port}`, received);
        return {
          send: (to, toPort, bytes) => {
            const copy = Buffer.from(bytes);
            this.#impair(() => {
              if (!this.dead.has(to)) this.#udpSockets.get(`${to}:${toPort}`)?.(address, port, copy);
            });
          },
          close: () => void this.#udpSockets.delete(`${address}:${port}`),
        };
      },
    };
  }

  /** One GRE packet leaves for `to`: what the network does to it. */
  carry(from: Ipv4, to: Ipv4, packet: Buffer): void {
    const bytes = Buffer.from(packet);
    this.#impair(() => {
      if (!this.dead.has(to)) this.hosts.get(to)?.gre.deliver(from, bytes);
    });
  }

  #impair(arrive: () => void): void {
    const { delayMs, loss, duplicate, reorder, reorderMs } = this.impairment;
    const copies = this.random.chance(duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random.chance(loss)) continue;
      const extra = this.random.chance(reorder) ? this.random.below(reorderMs) : 0;
      this.after(delayMs + extra, arrive);
    }
  }
}

class SimGre implements GreSocket {
  readonly #world: World;
  readonly #waiting: { peer: Ipv4; packet: Buffer }[] = [];
  #onReadable: (() => void) | undefined;
  sent: Buffer[] = [];

  constructor(world: World) {
    this.#world = world;
  }
  open(onReadable: () => void): GreSocket {
    this.#onReadable = onReadable;
    return this;
  }
  deliver(peer: Ipv4, packet: Buffer): void {
    if (this.#onReadable === undefined) return;
    this.#waiting.push({ peer, packet });
    this.#onReadable();
  }
  receive(each: (peer: Ipv4, packet: Buffer) => void): void {
    for (const { peer, packet } of this.#waiting.splice(0)) each(peer, packet);
  }
  send(local: Ipv4, peer: Ipv4, packet: Buffer): void {
    this.sent.push(Buffer.from(packet));
    this.#world.carry(local, peer, packet);
  }
  flush(): void {}
  close(): void {
    this.#onReadable = undefined;
  }
}

/** A tunnel interface whose kernel is the test: `inject` is a packet the host sends, `received` what came out. */
export class SimTun implements Tun {
  readonly settings: TunSettings;
  readonly #onReadable: () => void;
  #waiting: Buffer[] = [];
  readonly received: Buffer[] = [];
  closed = false;

  constructor(settings: TunSettings, onReadable: () => void) {
    this.settings = settings;
    this.#onReadable = onReadable;
  }
  get name(): string {
    return this.settings.name;
  }
  inject(packet: Buffer): void {
    this.#waiting.push(packet);
    this.#onReadable();
  }
  receive(each: (slot: Buffer, start: number, end: number) => void): void {
    for (const packet of this.#waiting.splice(0)) {
      const slot = Buffer.alloc(64 + packet.length);
      packet.copy(slot, 64);
      each(slot, 64, slot.length);
    }
  }
  write(packet: Buffer): void {
    this.received.push(Buffer.from(packet));
  }
  close(): void {
    this.closed = true;
  }
}

/** One device: its ports, and the VPN service on them. */
export class Host {
  readonly address: Ipv4;
  readonly gre: SimGre;
  readonly tuns: SimTun[] = [];
  readonly log: string[] = [];
  /** Destination → interface, and interface → IPv6 interface identifier, as the kernel was told. */
  readonly routes = new Map<Ipv4, string>();
  readonly linkLocal = new Map<string, string>();
  readonly udp: DatagramTransport;
  readonly vpn: VpnService;
  readonly tracer: Tracer;
  readonly #world: World;
  listener: ((socket: ControlSocket) => ControlSocketEvents | undefined) | undefined;

  constructor(world: World, address: Ipv4) {
    this.#world = world;
    this.address = address;
    this.gre = new SimGre(world);
    world.hosts.set(address, this);
    const log: Log = { write: (level, _area, text) => this.log.push(`${level} ${text}`) };
    const timers: Timers = { after: (delayMs, run) => world.after(delayMs, run) };
    const net: Pick<Net, "interfaces" | "openTun" | "addRoute" | "removeRoute" | "nextHopTo" | "addLinkLocal"> = {
      interfaces: () => [],
      openTun: (settings: TunSettings, onReadable: () => void) => {
        const tun = new SimTun(settings, onReadable);
        this.tuns.push(tun);
        return tun;
      },
      addRoute: (destination, by) => this.routes.set(destination.address, by.interfaceName),
      removeRoute: (destination) => this.routes.delete(destination.address),
      nextHopTo: () => ({ interfaceName: "wan", gateway: undefined }),
      addLinkLocal: (name, identifier) => this.linkLocal.set(name, identifier.toString("hex")),
    };
    this.tracer = new Tracer(() => new Date(world.now));
    this.udp = world.udp(address);
    this.vpn = new VpnService({
      clock: { now: () => Millis(world.now) },
      random: new SeededRandom(world.random.u32()),
      timers,
      net: net as Net,
      gre: this.tracer.gre(this.gre),
      control: this.tracer.control({
        listen: (_port, accept) => {
          this.listener = accept;
          return {
            close: () => {
              this.listener = undefined;
            },
          };
        },
        connect: (peer, _port, connected, failed) => this.#connect(peer, connected, failed),
      }),
      datagrams: this.udp,
      log,
    });
  }

  /** The interfaces that are up. */
  get up(): readonly SimTun[] {
    return this.tuns.filter((tun) => !tun.closed);
  }

  #connect(
    peer: Ipv4,
    connected: (socket: ControlSocket) => ControlSocketEvents,
    failed: (error: SystemError) => void,
  ): { abort(): void } {
    const attempt = this.#world.after(this.#world.impairment.delayMs * 2, () => {
      if (this.#world.dead.has(peer)) return; // no answer at all: the client's own patience decides
      const accept = this.#world.hosts.get(peer)?.listener;
      if (accept === undefined) {
        failed(new SystemError("connect", "ECONNREFUSED"));
        return;
      }
      const pipe = new SimTcp(this.#world, this.address, peer);
      const far = accept(pipe.far);
      if (far === undefined) {
        failed(new SystemError("connect", "ECONNRESET"));
        return;
      }
      pipe.attach(connected(pipe.near), far);
    });
    return { abort: () => attempt.cancel() };
  }
}

/** A reliable, ordered byte stream with the network's delay. */
class SimTcp {
  readonly near: ControlSocket;
  readonly far: ControlSocket;
  #nearEvents: ControlSocketEvents | undefined;
  #farEvents: ControlSocketEvents | undefined;
  #closed = false;
  readonly #world: World;
  readonly #backlog: (() => void)[] = [];

  constructor(world: World, near: Ipv4, far: Ipv4) {
    this.#world = world;
    this.near = this.#end(near, far, () => this.#farEvents);
    this.far = this.#end(far, near, () => this.#nearEvents);
  }
  attach(near: ControlSocketEvents, far: ControlSocketEvents): void {
    this.#nearEvents = near;
    this.#farEvents = far;
    for (const run of this.#backlog.splice(0)) run();
  }
  #end(local: Ipv4, peer: Ipv4, other: () => ControlSocketEvents | undefined): ControlSocket {
    const later = (run: () => void) => {
      const schedule = () => this.#world.after(this.#world.impairment.delayMs, run);
      if (this.#nearEvents === undefined) this.#backlog.push(schedule);
      else schedule();
    };
    const close = (reason: string | undefined) =>
      later(() => {
        if (this.#closed || this.#world.dead.has(peer)) return;
        this.#closed = true;
        this.#nearEvents?.closed(reason);
        this.#farEvents?.closed(reason);
      });
    return {
      local,
      peer,
      write: (bytes) => {
        const copy = Buffer.from(bytes);
        later(() => {
          if (!this.#closed && !this.#world.dead.has(peer)) other()?.data(copy);
        });
      },
      end: () => close(undefined),
      destroy: () => close("reset"),
    };
  }
}

/**
 * Every hole from the appliance to the outside, as a small interface. `linux/` implements them, `test/support/` has
 * them in memory, and one contract test runs on both. Protocol code below this line has no clock, no luck, no IO.
 */
import type { Ipv4 } from "./wire/ipv4.ts";

/** An instant on the monotonic clock, in milliseconds. Only its differences mean anything. */
export type Millis = number & { readonly instant: true };
export function Millis(value: number): Millis {
  return value as Millis;
}

export interface Clock {
  now(): Millis;
}

export interface Random {
  /** Unpredictable bytes: challenges, magic numbers and call ids are made of them. */
  bytes(length: number): Buffer;
}

/** The raw GRE socket: IP protocol 47, every peer. Packets start at the GRE header. */
export interface GreSocket {
  /** Takes what is waiting, one batch after another, and calls `each` per packet. The bytes are a loan until it returns. */
  receive(each: (peer: Ipv4, packet: Buffer) => void): void;
  /**
   * Queues one packet; it leaves with `flush` or when the batch is full. The bytes must stay unchanged until then.
   * `local` is the source address: the one the control connection of the call uses, whatever the routes say.
   */
  send(local: Ipv4, peer: Ipv4, packet: Buffer): void;
  /** A packet the kernel refuses (no route, no buffer) is gone, as on any wire. */
  flush(): void;
  close(): void;
}

export interface GreTransport {
  /** One socket hears every peer: open it once. `onReadable` runs whenever packets wait. */
  open(onReadable: () => void): GreSocket;
}

/** One tunnel's interface: whole IP packets, no link header. */
export interface Tun {
  readonly name: string;
  /**
   * Takes one batch of what is waiting and calls `each` per packet with `slot[start..end)` holding it. The `start` bytes
   * before it are headroom the callee may write into; a slot stays the callee's until the next `receive`.
   */
  receive(each: (slot: Buffer, start: number, end: number) => void): void;
  /** Hands one IP packet to the kernel. A packet the kernel refuses is counted by it and gone. */
  write(packet: Buffer): void;
  close(): void;
}

/** What the kernel must know about one tunnel once its network is up. */
export interface TunSettings {
  /** Interface name, at most 15 bytes. */
  readonly name: string;
  readonly local: Ipv4;
  readonly remote: Ipv4;
  readonly mtu: number;
}

/** An address with the length of its network prefix, `192.168.1.1/24`: host bits stay. */
export interface Ipv4Prefix {
  readonly address: Ipv4;
  /** 0..32 */
  readonly length: number;
}

/** Where packets for a destination go: out of an interface, and there to a gateway unless the destination is on the link. */
export interface NextHop {
  readonly interfaceName: string;
  readonly gateway: Ipv4 | undefined;
}

/** A way to a network. The default route has the destination 0.0.0.0/0. */
export interface Route {
  readonly destination: Ipv4Prefix;
  readonly by: NextHop;
}

/** One network interface of the kernel, as seen at this moment. */
export interface NetInterface {
  readonly name: string;
  /** Switched on by us. */
  readonly up: boolean;
  /** A cable and a living far end. */
  readonly carrier: boolean;
  readonly mtu: number;
  /** `02:00:5e:10:00:01`; undefined where there is none, as on tunnels. */
  readonly mac: string | undefined;
  readonly addresses: readonly Ipv4Prefix[];
}

/** A network card as it is found. */
export interface NetworkCard {
  /** The kernel's name, such as `eth0`. */
  readonly name: string;
  /** Where it is: `pci-0000:02:00.0`, `platform-fd580000.ethernet`, `pci-0000:00:14.0-usb-0:2:1.0`; undefined when nobody can say. */
  readonly path: string | undefined;
  readonly driver: string | undefined;
}

/** Interfaces, addresses and routes of the kernel. Every call throws a `SystemError` that names the operation. */
export interface Net {
  /** Every interface, in the kernel's order. */
  interfaces(): readonly NetInterface[];
  setUp(name: string, up: boolean): void;
  /** Adding an address the interface has is no error. */
  addAddress(name: string, prefix: Ipv4Prefix): void;
  /** Removing an address the interface does not have is no error. */
  removeAddress(name: string, prefix: Ipv4Prefix): void;
  /** The gateway of the default route; undefined takes the route away. */
  setDefaultGateway(gateway: Ipv4 | undefined): void;
  defaultGateway(): Ipv4 | undefined;
  /** Adds a route, or replaces ours to the same destination. Host bits of the destination are ignored. */
  addRoute(destination: Ipv4Prefix, by: NextHop): void;
  /** Removing a route that is not there is no error. */
  removeRoute(destination: Ipv4Prefix): void;
  /** Every IPv4 route of the main table that leads to others, in the kernel's order. */
  routes(): readonly Route[];
  /** How the kernel would send a packet to this address now; undefined when it has no route. */
  nextHopTo(address: Ipv4): NextHop | undefined;
  /** Whether packets pass from one interface to another at all. */
  setForwarding(on: boolean): void;
  /** Answers ARP on this interface for addresses that are reached elsewhere: tunnel addresses out of the LAN's network. */
  setProxyArp(name: string, on: boolean): void;
  /**
   * A bridge of exactly these interfaces, all of them up; undefined takes it away, and it is no error when there is none. It
   * has the hardware address of the first one.
   */
  setBridge(name: string, members: readonly string[] | undefined): void;
  /** Makes the interface, sets address, peer and MTU, brings it up. `onReadable` runs whenever packets wait. */
  openTun(settings: TunSettings, onReadable: () => void): Tun;
  /** Switches IPv6 on for a tunnel and gives it fe80::/64 with this interface identifier (8 bytes). */
  addLinkLocal(name: string, identifier: Buffer): void;
}

/** One TCP control connection, already established. */
export interface ControlSocket {
  readonly peer: Ipv4;
  /** Our address on this connection: the source of the GRE packets that belong to it. */
  readonly local: Ipv4;
  write(bytes: Buffer): void;
  /** Sends what is queued, then FIN. */
  end(): void;
  /** Drops the connection at once. */
  destroy(): void;
}

export interface ControlSocketEvents {
  data(bytes: Buffer): void;
  /** Once, after FIN, reset, failure or our own `destroy`; `reason` is undefined after an orderly end. */
  closed(reason: string | undefined): void;
}

/** TCP port 1723, both ways. */
export interface ControlTransport {
  /** `accept` returns the events of a new connection, or undefined to refuse it. `failed` runs when the port cannot be had. */
  listen(
    port: number,
    accept: (socket: ControlSocket) => ControlSocketEvents | undefined,
    failed: (error: SystemError) => void,
  ): { close(): void };
  /** `connected` runs once established, or else `failed` once. The returned handle gives up at once. */
  connect(
    peer: Ipv4,
    port: number,
    connected: (socket: ControlSocket) => ControlSocketEvents,
    failed: (error: SystemError) => void,
  ): { abort(): void };
}

export interface Command {
  /** A name that is looked for as a shell does, or a path. */
  readonly program: string;
  readonly arguments: readonly string[];
}

export interface ProgramEvents {
  /** One line of its standard output or error, without the line's end. */
  line(text: string): void;
  /** Once: `undefined` after status 0, else what happened, such as `status 2` or `signal SIGTERM` or `ENOENT`. */
  ended(how: string | undefined): void;
}

/** Programs beside this one: daemons, tools. */
export interface Programs {
  /** Runs a short program to its end and returns what it printed. Throws a `SystemError` that says how it failed. */
  run(command: Command, input?: string): string;
  /** Runs a program until it ends or is stopped. A program that is not there ends; no event comes before this returns. */
  start(command: Command, events: ProgramEvents): { stop(signal: "SIGTERM" | "SIGINT"): void };
}

/** A socket for UDP packets to anywhere. */
export interface UdpSocket {
  /** `host`: an address or a name. A packet that cannot be sent is reported as `failed`. */
  send(host: string, port: number, bytes: Buffer): void;
  close(): void;
}

export interface UdpTransport {
  open(events: { received(bytes: Buffer): void; failed(error: SystemError): void }): UdpSocket;
}

/** One connection of another program of this machine. */
export interface LocalSocket {
  /** Written, and not taken by the other side yet. */
  readonly waitingBytes: number;
  write(bytes: Buffer): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Drops the connection at once. */
  destroy(): void;
}

export interface LocalSocketEvents {
  data(bytes: Buffer): void;
  /** Everything that waited has been taken. */
  drained(): void;
  /** Once, whoever ended it. */
  closed(): void;
}

/** Unix stream sockets. */
export interface LocalTransport {
  /** `path` is made anew; `failed` runs when it cannot be. `close` drops all its connections too. */
  listen(
    path: string,
    accept: (socket: LocalSocket) => LocalSocketEvents,
    failed: (error: SystemError) => void,
  ): { close(): void };
}

/** A TCP connection that only sends. */
export interface SendStream {
  send(bytes: Buffer): void;
  close(): void;
}

export interface SendTransport {
  /**
   * `up` once the connection stands; `down` once, when it fails or ends, with or without `up` before, and not after
   * `close`. No event comes before this returns.
   */
  connect(host: string, port: number, events: { up(): void; down(reason: string): void }): SendStream;
}

/** The time of day, in milliseconds since 1970. */
export interface WallClock {
  nowMs(): number;
  /** Throws a `SystemError` when it may not. */
  setMs(time: number): void;
}

/** UDP with one end of our own: what comes says where from. */
export interface DatagramSocket {
  /** A datagram that the kernel refuses (no route, no buffer) is gone, as on any wire. */
  send(to: Ipv4, port: number, bytes: Buffer): void;
  close(): void;
}

export interface DatagramTransport {
  /**
   * Opens a socket on `port` of every address, on a free one when it is undefined. The bytes belong to `received`.
   * `failed` runs once when the port cannot be had; nothing is received or sent then.
   */
  open(
    port: number | undefined,
    received: (from: Ipv4, port: number, bytes: Buffer) => void,
    failed: (error: SystemError) => void,
  ): DatagramSocket;
}

/** One partition of the medium that the firmware lies on. Failures are `SystemError`s that name it. */
export interface Partition {
  readonly sizeBytes: number;
  /** Exactly so many bytes. */
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, bytes: Buffer): Promise<void>;
  /** Returns once all of it is on the medium. What is read after that comes from there and not out of a cache. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Flash {
  /** The slot that runs; undefined when this system was not started out of one. */
  readonly booted: "a" | "b" | undefined;
  /** A partition of the medium that runs, by its name; undefined when there is none. */
  open(name: string): Promise<Partition | undefined>;
}

/** The machine as a whole. Returns at once; the system ends the process in order (SIGTERM). */
export interface Power {
  reboot(): void;
  powerOff(): void;
}

/** The timer in hardware, or the kernel's stand-in for it, that resets the machine when nobody feeds it any more. */
export interface Watchdog {
  /** As its driver calls it: `i6300ESB timer`. */
  readonly name: string;
  /** How long it waits for food, in seconds. */
  readonly timeoutS: number;
  /** The machine's last reset was its doing. Hardware that cannot tell says false. */
  readonly causedReset: boolean;
}

/** What the kernel knows of the machine as a whole. */
export interface Machine {
  /** Another one after each start of the machine. */
  readonly bootId: string;
  /** Since the machine started, in milliseconds. */
  uptimeMs(): number;
  memory(): { readonly totalBytes: number; readonly availableBytes: number };
  watchdog(): Watchdog | undefined;
}

/** Runs `run` once after `delayMs`; the returned handle cancels it. */
export interface Timers {
  after(delayMs: number, run: () => void): { cancel(): void };
}

export type LogLevel = "debug" | "info" | "warning" | "error";

export interface Log {
  /** `area` is the part that speaks (`pptp`, `ppp`, `config`); `text` is one line a network engineer understands. */
  write(level: LogLevel, area: string, text: string): void;
}

/** The operating system failed an operation. `operation` says which, in the words of the manual page. */
export class SystemError extends Error {
  readonly operation: string;
  readonly errno: string;
  constructor(operation: string, errno: string, options?: ErrorOptions) {
    super(`${operation}: ${errno}`, options);
    this.name = "SystemError";
    this.operation = operation;
    this.errno = errno;
  }
}

/**
 * GRE packets (IP protocol 47) that a scenario makes byte by byte, from this host to a board on a hardware bench, and what
 * the board answers. Needs root and the optional package raw-socket. Virtual labs have traps and services instead.
 */
import type { Socket } from "raw-socket";
import { emitGre, type GrePacket, parseGre } from "../../appliance/wire/gre.ts";
import { formatIpv4 } from "../../appliance/wire/ipv4.ts";
import { elapsedMs, type LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import { parseIpv4Packet } from "./ip/packet.ts";

const PROTOCOL_GRE = 47;
const LONGEST_PACKET = 65_535;
/** What came and nobody asked for; the oldest is forgotten. */
const PACKETS_KEPT = 1_024;

type RawSocket = Pick<typeof import("raw-socket"), "createSocket">;

export interface GreArrival {
  /** The sender's address. */
  readonly source: string;
  /** The bytes behind the IP header. */
  readonly bytes: Buffer;
  /** Undefined when they are not the GRE of PPTP. */
  readonly gre: GrePacket | undefined;
}

interface Waiter {
  readonly wants: (arrival: GreArrival) => boolean;
  readonly resolve: (arrival: GreArrival) => void;
}

export class CraftedGre {
  readonly #socket: Socket;
  readonly #clock: LabClock;
  readonly #waiters = new Set<Waiter>();
  #arrived: GreArrival[] = [];

  private constructor(socket: Socket, clock: LabClock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on("message", (packet: Buffer) => this.#receive(packet));
    // A message that could not be received; the next one may.
    socket.on("error", () => {});
  }

  /** Throws a Fault of class `bench` when the package is missing or this is not root. */
  static async open(clock: LabClock, load: () => Promise<RawSocket> = () => import("raw-socket")): Promise<CraftedGre> {
    const { createSocket } = await load().catch((cause: unknown) => {
      const install = "npm install --no-save raw-socket";
      throw new Fault("bench", `crafted GRE needs the optional package raw-socket: ${install}`, { cause });
    });
    try {
      return new CraftedGre(createSocket({ protocol: PROTOCOL_GRE, bufferSize: LONGEST_PACKET }), clock);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Fault("bench", `no raw socket for GRE: ${why}; run the same command as root, with sudo -E`, { cause });
    }
  }

  /** A packet as it should be, or any bytes behind the IP header. The kernel makes that header, by its routes. */
  async send(to: string, packet: GrePacket | Buffer): Promise<void> {
    const bytes = Buffer.isBuffer(packet) ? packet : emitGre(packet);
    await new Promise<void>((resolve, reject) => {
      this.#socket.send(bytes, 0, bytes.length, to, (error) => {
        if (error === null) resolve();
        else reject(new Fault("bench", `GRE to ${to} cannot be sent: ${error.message}`, { cause: error }));
      });
    });
  }

  /** The first packet that matches and was not taken yet, of the past or to come. Throws a Fault of class `test` after `withinMs`. */
  async next({
    withinMs,
    from,
    matches = () => true,
  }: {
    readonly withinMs: number;
    readonly from?: string;
    readonly matches?: (arrival: GreArrival) => boolean;
  }): Promise<GreArrival> {
    const wants = (arrival: GreArrival): boolean => (from === undefined || arrival.source === from) && matches(arrival);
    const past = this.#arrived.find(wants);
    if (past !== undefined) {
      this.#arrived = this.#arrived.filter((arrival) => arrival !== past);
      return past;
    }
    const startedNs = this.#clock.nowNs();
    return await new Promise<GreArrival>((resolve, reject) => {
      const waiter: Waiter = {
        wants,
        resolve: (arrival) => {
          cancel();
          resolve(arrival);
        },
      };
      this.#waiters.add(waiter);
      const cancel = this.#clock.after(withinMs, () => {
        this.#waiters.delete(waiter);
        const seconds = (elapsedMs(startedNs, this.#clock.nowNs()) / 1000).toFixed(1);
        const others = this.#arrived.length;
        const who = from === undefined ? "" : ` from ${from}`;
        reject(new Fault("test", `no such GRE packet${who} in ${seconds} s; ${others} others wait to be taken`));
      });
    });
  }

  close(): void {
    this.#socket.close();
  }

  #receive(packet: Buffer): void {
    const parsed = parseIpv4Packet(packet);
    if (!parsed.ok) return;
    const bytes = Buffer.from(parsed.value.payload);
    const gre = parseGre(bytes);
    const arrival: GreArrival = {
      source: formatIpv4(parsed.value.source),
      bytes,
      gre: gre.ok ? gre.value : undefined,
    };
    for (const waiter of this.#waiters) {
      if (!waiter.wants(arrival)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(arrival);
      return;
    }
    this.#arrived.push(arrival);
    if (this.#arrived.length > PACKETS_KEPT) this.#arrived.shift();
  }
}

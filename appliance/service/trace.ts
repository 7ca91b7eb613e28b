/**
 * Records the control and GRE packets of one peer, or of all, as pcapng. It sits between the tunnels and their two transports;
 * while nothing is recorded it costs a comparison a packet. Payloads of encrypted packets are cut off: they tell nothing.
 */
import type { ControlSocket, ControlSocketEvents, ControlTransport, GreSocket, GreTransport } from "../ports.ts";
import { parseGre } from "../wire/gre.ts";
import { Ipv4 } from "../wire/ipv4.ts";
import { emitInterface, emitPacket, emitSection, LINK_TYPE } from "../wire/pcapng.ts";
import { Protocol, parsePppFrame } from "../wire/ppp-frame.ts";
import { emitIpv4, PROTOCOL_GRE, TcpStream } from "./trace-packet.ts";

/** A call comes up in some sixty packets: this is hours of control packets, or the first minutes of a transfer. */
const MOST_BYTES = 1024 * 1024;
/** Of a data packet: GRE, PPP and MPPE headers, and enough to see that it is not readable. */
const DATA_BYTES = 32;
const PPTP_PORT = 1723;

export interface TracedPacket {
  readonly at: Date;
  readonly direction: "in" | "out";
  /** The whole IPv4 packet, perhaps cut. */
  readonly bytes: Buffer;
}

export interface TraceStatus {
  /** Undefined: every peer. */
  readonly peer: Ipv4 | undefined;
  readonly isRecording: boolean;
  /** It is full and records nothing more. */
  readonly isFull: boolean;
  readonly packets: readonly TracedPacket[];
}

export class Tracer {
  readonly #wallClock: () => Date;
  #peer: Ipv4 | undefined;
  #isRecording = false;
  #packets: (TracedPacket & { readonly originalLength: number })[] = [];
  #bytes = 0;
  /** Our address towards each peer, for the GRE packets that come without it. */
  readonly #locals = new Map<Ipv4, Ipv4>();

  constructor(wallClock: () => Date) {
    this.#wallClock = wallClock;
  }

  /** Begins anew; `undefined` is every peer. */
  start(peer: Ipv4 | undefined): void {
    this.#peer = peer;
    this.#packets = [];
    this.#bytes = 0;
    this.#isRecording = true;
  }
  /** What was recorded stays until the next `start`. */
  stop(): void {
    this.#isRecording = false;
  }

  get status(): TraceStatus {
    return {
      peer: this.#peer,
      isRecording: this.#isRecording,
      isFull: this.#bytes >= MOST_BYTES,
      packets: this.#packets,
    };
  }

  /** A file that Wireshark opens. */
  pcapng(): Buffer {
    const description = "as the device received and sent it";
    return Buffer.concat([
      emitSection("Culvert"),
      emitInterface({ name: "wan", linkType: LINK_TYPE.raw, description }),
      ...this.#packets.map(({ at, bytes, direction, originalLength }) =>
        emitPacket({
          interfaceIndex: 0,
          timestampNs: BigInt(at.getTime()) * 1_000_000n,
          bytes,
          originalLength,
          comment: direction === "in" ? "received" : "sent",
        }),
      ),
    ]);
  }

  control(inner: ControlTransport): ControlTransport {
    return {
      listen: (port, accept, failed) =>
        inner.listen(port, (socket) => this.#tapSocket(socket, PPTP_PORT, 0, accept), failed),
      connect: (peer, port, connected, failed) =>
        inner.connect(
          peer,
          port,
          (socket) => this.#tapSocket(socket, 0, port, connected) ?? { data: () => {}, closed: () => {} },
          failed,
        ),
    };
  }

  gre(inner: GreTransport): GreTransport {
    return {
      open: (onReadable) => {
        const socket = inner.open(onReadable);
        const tapped: GreSocket = {
          receive: (each) =>
            socket.receive((peer, packet) => {
              if (this.#wants(peer)) this.#addGre("in", peer, this.#locals.get(peer) ?? Ipv4(0), packet);
              each(peer, packet);
            }),
          send: (local, peer, packet) => {
            if (this.#wants(peer)) this.#addGre("out", local, peer, packet);
            socket.send(local, peer, packet);
          },
          flush: () => socket.flush(),
          close: () => socket.close(),
        };
        return tapped;
      },
    };
  }

  #wants(peer: Ipv4): boolean {
    return this.#isRecording && this.#bytes < MOST_BYTES && (this.#peer === undefined || this.#peer === peer);
  }

  /** A port of 0 is the far side's business: the kernel chose it, and the trace shows one of its own. */
  #tapSocket<E extends ControlSocketEvents | undefined>(
    socket: ControlSocket,
    localPort: number,
    peerPort: number,
    open: (socket: ControlSocket) => E,
  ): E {
    const { local, peer } = socket;
    this.#locals.set(peer, local);
    const stream = new TcpStream({ local, peer, localPort, peerPort });
    const add = (direction: "in" | "out", bytes: Buffer): void => {
      if (this.#wants(peer)) this.#add(direction, stream.segment(direction, bytes));
      else stream.skip(direction, bytes.length);
    };
    const events = open({
      local,
      peer,
      write: (bytes) => {
        add("out", bytes);
        socket.write(bytes);
      },
      end: () => socket.end(),
      destroy: () => socket.destroy(),
    });
    if (events === undefined) return events;
    return {
      ...events,
      data: (bytes: Buffer) => {
        add("in", bytes);
        events.data(bytes);
      },
      closed: (reason: string | undefined) => events.closed(reason),
    };
  }

  #addGre(direction: "in" | "out", source: Ipv4, destination: Ipv4, packet: Buffer): void {
    const shown = isData(packet) ? packet.subarray(0, DATA_BYTES) : packet;
    const header = emitIpv4(source, destination, PROTOCOL_GRE, packet.length);
    this.#add(direction, Buffer.concat([header, shown]), header.length + packet.length);
  }

  #add(direction: "in" | "out", bytes: Buffer, originalLength = bytes.length): void {
    this.#packets.push({ at: this.#wallClock(), direction, bytes, originalLength });
    this.#bytes += bytes.length;
  }
}

function isData(packet: Buffer): boolean {
  const gre = parseGre(packet);
  if (!gre.ok || gre.value.payload.length === 0) return false;
  const frame = parsePppFrame(gre.value.payload);
  return frame.ok && frame.value.protocol < Protocol.ipcp;
}

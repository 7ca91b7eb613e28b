/**
 * A read-only TFTP server for boot loaders. It knows files by name only: there are no folders, so no path leads anywhere.
 * It stands on any UDP: a socket of this computer for boards, or a host inside the virtual network, which needs no root.
 */
import { createSocket } from "node:dgram";
import { formatIpv4, type Ipv4 } from "../../appliance/wire/ipv4.ts";
import type { LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import { ipv4Of } from "../net/ip/cidr.ts";
import type { IpHost } from "../net/ip/host.ts";
import type { IpInterface } from "../net/ip/interface.ts";
import { emitTftp, parseTftp, TftpError } from "./tftp-packet.ts";
import { TftpTransfer } from "./tftp-transfer.ts";

const TFTP_PORT = 69;
const FIRST_TRANSFER_PORT = 49_152;

export interface UdpEnd {
  readonly address: string;
  readonly port: number;
}

/** Some UDP. Ports are opened once and closed by the server. */
export interface Udp {
  /** `port` is undefined for any that is free. */
  open(port: number | undefined, receive: (bytes: Buffer, from: UdpEnd) => void): UdpPort;
}

export interface UdpPort {
  send(bytes: Buffer, to: UdpEnd): void;
  close(): void;
}

export interface TftpServerOptions {
  readonly clock: LabClock;
  /** For the journal: what was asked for, and what became of it. */
  readonly note: (text: string) => void;
  /** Hears how much of a file the client has. */
  readonly onProgress?: ((file: string, sentBytes: number, totalBytes: number) => void) | undefined;
}

export class TftpServer {
  readonly #udp: Udp;
  readonly #options: TftpServerOptions;
  readonly #files = new Map<string, Buffer>();
  readonly #port: UdpPort;
  /** By the client's address and port: a request that is repeated belongs to the transfer that it began. */
  readonly #transfers = new Map<string, { readonly port: UdpPort; cancel: () => void }>();

  constructor(udp: Udp, options: TftpServerOptions) {
    this.#udp = udp;
    this.#options = options;
    this.#port = udp.open(TFTP_PORT, (bytes, from) => this.#request(bytes, from));
  }

  /** Offers a file from now on; a transfer under way goes on with what it began. */
  put(name: string, data: Buffer): void {
    this.#files.set(name, data);
  }

  remove(name: string): void {
    this.#files.delete(name);
  }

  close(): void {
    for (const { port, cancel } of this.#transfers.values()) {
      cancel();
      port.close();
    }
    this.#transfers.clear();
    this.#port.close();
  }

  #request(bytes: Buffer, from: UdpEnd): void {
    const parsed = parseTftp(bytes);
    if (!parsed.ok) return;
    const packet = parsed.value;
    const refuse = (code: number, message: string): void => {
      this.#options.note(`TFTP: ${from.address}: ${message}`);
      this.#port.send(emitTftp({ kind: "error", code, message }), from);
    };
    if (packet.kind === "error") return;
    if (packet.kind === "write") {
      refuse(TftpError.accessViolation, `${packet.file}: this server only gives files`);
    } else if (packet.kind !== "read") {
      refuse(TftpError.illegalOperation, "a read request was expected");
    } else if (!this.#transfers.has(key(from))) {
      const data = this.#files.get(packet.file.replace(/^\/+/, ""));
      if (packet.mode !== "octet") refuse(TftpError.undefined, `mode ${packet.mode}: this server knows octet only`);
      else if (data === undefined) refuse(TftpError.fileNotFound, `there is no file ${packet.file}`);
      else this.#begin(packet.file, data, packet.options, from);
    }
  }

  #begin(file: string, data: Buffer, options: ReadonlyMap<string, string>, client: UdpEnd): void {
    const { clock, note } = this.#options;
    const nowMs = (): number => Number(clock.nowNs() / 1_000_000n);
    const transfer = new TftpTransfer(file, data, options, nowMs());
    const port = this.#udp.open(undefined, (bytes, from) => {
      const parsed = parseTftp(bytes);
      if (!parsed.ok) return;
      if (key(from) !== key(client)) {
        // Somebody else's packet must not disturb this transfer: RFC 1350 §4.
        port.send(emitTftp({ kind: "error", code: TftpError.unknownTransfer, message: "unknown transfer" }), from);
        return;
      }
      advance(transfer.handle(parsed.value, nowMs()));
    });
    const entry = { port, cancel: () => {} };
    const arm = (): void => {
      entry.cancel();
      const { deadlineMs } = transfer;
      if (deadlineMs === undefined) return;
      entry.cancel = clock.after(Math.max(0, deadlineMs - nowMs()), () => advance(transfer.tick(nowMs())));
    };
    const advance = (packet: Buffer | undefined): void => {
      if (packet !== undefined) port.send(packet, client);
      this.#options.onProgress?.(file, transfer.acknowledgedBytes, data.length);
      const { outcome } = transfer;
      if (outcome === undefined) {
        arm();
        return;
      }
      entry.cancel();
      this.#transfers.delete(key(client));
      port.close();
      const again = transfer.resent === 0 ? "" : `, ${transfer.resent} packets sent again`;
      const what = outcome.kind === "done" ? `${outcome.bytes} bytes` : outcome.because;
      note(`TFTP: ${file} to ${client.address}: ${what}${again}`);
    };
    this.#transfers.set(key(client), entry);
    note(`TFTP: ${file} to ${client.address}: ${data.length} bytes asked for`);
    port.send(transfer.first, client);
    arm();
  }
}

function key({ address, port }: UdpEnd): string {
  return `${address}:${port}`;
}

/** UDP of this computer, at one of its addresses. `ports` replaces port 69 in tests: it needs root. */
export class HostUdp implements Udp {
  readonly #address: string;
  readonly #wellKnown: ReadonlyMap<number, number>;
  readonly #failed: (fault: Fault) => void;

  constructor(address: string, failed: (fault: Fault) => void, wellKnown: ReadonlyMap<number, number> = new Map()) {
    this.#address = address;
    this.#failed = failed;
    this.#wellKnown = wellKnown;
  }

  open(port: number | undefined, receive: (bytes: Buffer, from: UdpEnd) => void): UdpPort {
    const socket = createSocket("udp4");
    const bound = port === undefined ? 0 : (this.#wellKnown.get(port) ?? port);
    socket.on("message", (bytes, { address, port: from }) => receive(bytes, { address, port: from }));
    socket.on("error", (error) => {
      const cure = /EACCES/.test(error.message) ? ": ports below 1024 need root or CAP_NET_BIND_SERVICE" : "";
      this.#failed(
        new Fault("bench", `UDP port ${bound} of ${this.#address}: ${error.message}${cure}`, { cause: error }),
      );
    });
    socket.bind(bound, this.#address);
    let isClosed = false;
    return {
      // A socket queues what it is given before it is bound.
      send: (bytes, to) => void (isClosed || socket.send(bytes, to.port, to.address)),
      close: () => {
        isClosed = true;
        socket.close();
      },
    };
  }
}

/** UDP of a host inside the virtual network. */
export class LabUdp implements Udp {
  readonly #host: IpHost;
  readonly #on: IpInterface;
  readonly #open = new Set<number>();
  #next = FIRST_TRANSFER_PORT;

  constructor(host: IpHost, on: IpInterface) {
    this.#host = host;
    this.#on = on;
  }

  open(port: number | undefined, receive: (bytes: Buffer, from: UdpEnd) => void): UdpPort {
    const own = port ?? this.#free();
    this.#open.add(own);
    this.#host.onUdp(own, ({ payload, source, sourcePort }) => {
      if (this.#open.has(own)) receive(payload, { address: formatIpv4(source), port: sourcePort });
    });
    const address: Ipv4 = this.#on.address;
    return {
      send: (bytes, to) => {
        this.#host.sendUdp(address, ipv4Of(to.address), { sourcePort: own, destinationPort: to.port, payload: bytes });
      },
      close: () => void this.#open.delete(own),
    };
  }

  #free(): number {
    do this.#next = this.#next >= 65_535 ? FIRST_TRANSFER_PORT : this.#next + 1;
    while (this.#open.has(this.#next));
    return this.#next;
  }
}

/** Sends the log's lines to a log server as they are written; over TCP what cannot leave now waits, as far as there is room. */
import type { SyslogSettings } from "../config/settings-router.ts";
import type { LogLevel, SendStream, SendTransport, Timers, UdpSocket, UdpTransport } from "../ports.ts";
import { emitSyslog, frameSyslog } from "../wire/syslog.ts";
import type { Journal, JournalLine } from "./journal.ts";
import { isSameData } from "./same-data.ts";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];
const LONGEST_QUEUE = 500;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

export interface RemoteLogPorts {
  readonly udp: UdpTransport;
  readonly tcp: SendTransport;
  readonly timers: Timers;
  readonly journal: Journal;
}

export class RemoteLog {
  readonly #ports: RemoteLogPorts;
  #settings: SyslogSettings | undefined;
  #udp: UdpSocket | undefined;
  #tcp: { readonly stream: SendStream; up: boolean } | undefined;
  #queue: Buffer[] = [];
  #retry: { cancel(): void } | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** Said once, until messages leave again. */
  #failing = false;

  constructor(ports: RemoteLogPorts) {
    this.#ports = ports;
    ports.journal.follow((line) => this.#write(line));
  }

  apply(settings: SyslogSettings | undefined): void {
    if (isSameData(settings, this.#settings)) return;
    this.close();
    this.#settings = settings;
    if (settings === undefined) return;
    if (settings.transport === "tcp") this.#connect(settings);
    else
      this.#udp = this.#ports.udp.open({
        received: () => {},
        failed: (error) => this.#failed(error.errno),
      });
  }

  close(): void {
    this.#settings = undefined;
    this.#udp?.close();
    this.#udp = undefined;
    this.#tcp?.stream.close();
    this.#tcp = undefined;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    this.#queue = [];
    this.#failing = false;
  }

  #write({ time, level, area, text }: JournalLine): void {
    const settings = this.#settings;
    if (settings === undefined || LEVELS.indexOf(level) < LEVELS.indexOf(settings.level)) return;
    const { facility, hostName, server, port } = settings;
    const message = emitSyslog({
      facility,
      severity: level,
      time: time.toISOString(),
      hostName,
      application: "culvert",
      messageId: area,
      text,
    });
    if (this.#udp !== undefined) this.#udp.send(server, port, message);
    else if (this.#tcp?.up === true) this.#tcp.stream.send(frameSyslog(message));
    else {
      this.#queue.push(frameSyslog(message));
      if (this.#queue.length > LONGEST_QUEUE) this.#queue.shift();
    }
  }

  #connect({ server, port }: SyslogSettings): void {
    const connection = {
      up: false,
      stream: this.#ports.tcp.connect(server, port, {
        up: () => {
          connection.up = true;
          this.#failing = false;
          this.#retryMs = FIRST_RETRY_MS;
          for (const message of this.#queue) connection.stream.send(message);
          this.#queue = [];
        },
        down: (reason) => {
          this.#tcp = undefined;
          this.#failed(reason);
          this.#retry = this.#ports.timers.after(this.#retryMs, () => {
            this.#retry = undefined;
            if (this.#settings !== undefined) this.#connect(this.#settings);
          });
          this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
        },
      }),
    };
    this.#tcp = connection;
  }

  #failed(reason: string): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#ports.journal.write("warning", "syslog", `${this.#settings?.server} cannot be reached: ${reason}`);
  }
}

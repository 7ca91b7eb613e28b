/** Runs the RADIUS client over UDP: sockets and a timer for the machines of `radius/`. */
import type { Clock, DatagramSocket, DatagramTransport, Log, Millis, Random, Timers } from "../ports.ts";
import type { AccessAnswer, AccessQuestion } from "../radius/access.ts";
import type { AccountingRecord } from "../radius/accounting.ts";
import { RadiusClient, type RadiusOutput, type RadiusStatus } from "../radius/client.ts";
import { DynamicAuthorization, type DynamicRequest } from "../radius/dynamic-authorization.ts";
import type { Purpose } from "../radius/exchange.ts";
import type { RadiusSettings } from "../radius/settings.ts";
import { isSameData } from "./same-data.ts";

export interface RadiusPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly datagrams: DatagramTransport;
  readonly log: Log;
}

export interface RadiusEvents {
  answered(ticket: number, answer: AccessAnswer): void;
  /** A server wants sessions ended or changed: returns how many it meant. */
  dynamic(request: DynamicRequest): number;
}

const NO_SERVERS: RadiusSettings = {
  servers: [],
  timeoutMs: 0,
  tries: 0,
  deadTimeMs: 0,
  nasIdentifier: "",
  nasAddress: undefined,
  dynamicPort: undefined,
};

export class RadiusService {
  readonly #ports: RadiusPorts;
  readonly #events: RadiusEvents;
  readonly #client: RadiusClient;
  readonly #dynamic = new DynamicAuthorization();
  readonly #sockets = new Map<Purpose, DatagramSocket>();
  #settings = NO_SERVERS;
  #listener: DatagramSocket | undefined;
  #timer: { readonly at: Millis; readonly cancel: () => void } | undefined;
  #accounting = false;

  constructor(ports: RadiusPorts, events: RadiusEvents) {
    this.#ports = ports;
    this.#events = events;
    this.#client = new RadiusClient(NO_SERVERS, ports.random);
  }

  /** `accounting`: servers are told of sessions, and first of all that the ones they may remember are over. */
  apply(settings: RadiusSettings, accounting: boolean): void {
    const before = this.#settings;
    this.#settings = settings;
    this.#run((now) => (isSameData(before, settings) ? [] : this.#client.configure(settings, now)));
    this.#listen(before.dynamicPort);
    if (settings.servers.length === 0) this.#closeSockets();
    const told = accounting && settings.servers.length > 0;
    if (told && !this.#accounting) this.account({ event: "on" });
    this.#accounting = told;
  }

  status(): RadiusStatus {
    return this.#client.status(this.#ports.clock.now());
  }

  ask(question: AccessQuestion): void {
    this.#run((now) => this.#client.ask(question, now));
  }

  account(record: AccountingRecord): void {
    this.#run((now) => this.#client.account(record, now));
  }

  /** Says once that the device stops; who does not hear it learns from the next Accounting-On. */
  close(): void {
    if (this.#accounting) this.account({ event: "off" });
    this.#accounting = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listener?.close();
    this.#listener = undefined;
    this.#closeSockets();
  }

  #run(machine: (now: Millis) => readonly RadiusOutput[]): void {
    for (const output of machine(this.#ports.clock.now())) this.#perform(output);
    this.#settle();
  }

  #perform(output: RadiusOutput): void {
    switch (output.type) {
      case "send":
        this.#socket(output.purpose).send(output.to, output.port, output.bytes);
        break;
      case "answer":
        this.#events.answered(output.ticket, output.answer);
        break;
      case "log":
        this.#ports.log.write(output.level, "radius", output.text);
        break;
    }
  }

  /** Opened for the first packet, on a port that the kernel chooses: who cannot see it cannot forge answers to it. */
  #socket(purpose: Purpose): DatagramSocket {
    const open = this.#sockets.get(purpose);
    if (open !== undefined) return open;
    const socket = this.#ports.datagrams.open(
      undefined,
      (from, port, bytes) => this.#run((now) => this.#client.received(purpose, from, port, bytes, now)),
      (error) => {
        this.#sockets.delete(purpose);
        this.#ports.log.write("error", "radius", error.message);
      },
    );
    this.#sockets.set(purpose, socket);
    return socket;
  }

  #closeSockets(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #listen(before: number | undefined): void {
    const { dynamicPort: port, servers } = this.#settings;
    const wanted = servers.length === 0 ? undefined : port;
    if (this.#listener !== undefined && wanted === before) return;
    this.#listener?.close();
    this.#listener = undefined;
    if (wanted === undefined) return;
    const listener = this.#ports.datagrams.open(
      wanted,
      (from, fromPort, bytes) => {
        const answer = this.#dynamic.receive(from, bytes, this.#settings, (request) => this.#events.dynamic(request));
        if (answer !== undefined) listener.send(from, fromPort, answer);
      },
      (error) => {
        this.#listener = undefined;
        this.#ports.log.write("error", "radius", error.message);
      },
    );
    this.#listener = listener;
  }

  #settle(): void {
    const at = this.#client.deadline;
    if (at === this.#timer?.at) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (at === undefined) return;
    const wait = Math.max(1, at - this.#ports.clock.now());
    const tick = (): void => {
      this.#timer = undefined;
      this.#run((now) => this.#client.tick(now));
    };
    this.#timer = { at, cancel: this.#ports.timers.after(wait, tick).cancel };
  }
}

/**
 * Keeps the time of day by SNTP (RFC 4330): asks its servers in turn, and sets the clock when it is wrong by more than a
 * little. Nothing here lives by the time of day but the log, certificates and leases, so steps do no harm.
 */
import type { Clock, Log, Millis, Random, Timers, UdpSocket, UdpTransport, WallClock } from "../ports.ts";
import { SystemError } from "../ports.ts";
import { emitNtpRequest, parseNtpReply } from "../wire/ntp.ts";
import { isSameData } from "./same-data.ts";

const NTP_PORT = 123;
const ANSWER_WITHIN_MS = 4000;
/** RFC 4330 §10: never more often than every 15 s, and slower while nobody answers. */
const FIRST_RETRY_MS = 16_000;
const POLL_MS = 1_024_000;
/** A smaller error is that of the measurement. */
const TOLERATED_MS = 50;
/** An answer that was on its way for longer says little about the time. */
const LONGEST_ROUND_TRIP_MS = 2000;

export interface TimeClientPorts {
  readonly udp: UdpTransport;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly random: Random;
  readonly log: Log;
}

export interface TimeServerStatus {
  readonly server: string;
  readonly state: "not asked" | "asked" | "good" | "failed" | "refuses";
  readonly stratum: number | undefined;
  /** How far our clock was behind it when it answered. */
  readonly offsetMs: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly answeredAt: Millis | undefined;
  readonly problem: string | undefined;
}

interface Question {
  readonly index: number;
  readonly cookie: Buffer;
  /** By both clocks: the one that may jump, and the one that counts. */
  readonly askedAtMs: number;
  readonly asked: Millis;
}

export class TimeClient {
  readonly #ports: TimeClientPorts;
  #servers: TimeServerStatus[] = [];
  #socket: UdpSocket | undefined;
  #question: Question | undefined;
  #timer: { cancel(): void } | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** Whether any answer has come since the servers were configured. */
  #isSet = false;

  constructor(ports: TimeClientPorts) {
    this.#ports = ports;
  }

  status(): readonly TimeServerStatus[] {
    return this.#servers;
  }

  apply(servers: readonly string[]): void {
    const before = this.#servers.map(({ server }) => server);
    if (isSameData(servers, before)) return;
    this.close();
    this.#servers = servers.map((server) => ({ ...UNKNOWN, server }));
    if (servers.length === 0) return;
    this.#socket = this.#ports.udp.open({
      received: (bytes) => this.#received(bytes),
      failed: (error) => this.#failed(error.errno, false),
    });
    this.#ask(0);
  }

  /** There is a new way to the Internet: what failed is tried again at once. */
  retry(): void {
    if (this.#isSet || this.#socket === undefined) return;
    this.#retryMs = FIRST_RETRY_MS;
    this.#ask(0);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#socket?.close();
    this.#socket = undefined;
    this.#question = undefined;
    this.#servers = [];
    this.#retryMs = FIRST_RETRY_MS;
    this.#isSet = false;
  }

  /** Asks the first server from `index` on that may be asked; after the last one it waits. */
  #ask(from: number): void {
    this.#timer?.cancel();
    const index = this.#servers.findIndex(({ state }, i) => i >= from && state !== "refuses");
    const server = this.#servers[index]?.server;
    if (server === undefined) {
      this.#question = undefined;
      if (this.#servers.every(({ state }) => state === "refuses")) return;
      this.#timer = this.#ports.timers.after(this.#retryMs, () => this.#ask(0));
      this.#retryMs = Math.min(this.#retryMs * 2, POLL_MS);
      return;
    }
    const { clock, wallClock, random, timers } = this.#ports;
    const cookie = random.bytes(8);
    this.#question = { index, cookie, askedAtMs: wallClock.nowMs(), asked: clock.now() };
    if (this.#servers[index]?.state === "not asked") this.#note(index, { state: "asked" });
    this.#timer = timers.after(ANSWER_WITHIN_MS, () => this.#failed("no answer", false));
    this.#socket?.send(server, NTP_PORT, emitNtpRequest(cookie));
  }

  #received(bytes: Buffer): void {
    const question = this.#question;
    if (question === undefined) return;
    const parsed = parseNtpReply(bytes, question.cookie);
    if (!parsed.ok) {
      // A forged packet must not push out the true one, which may still come.
      if (bytes.subarray(24, 32).equals(question.cookie)) this.#failed(parsed.problem, parsed.unwelcome);
      return;
    }
    const { clock, wallClock } = this.#ports;
    const roundTripMs = clock.now() - question.asked;
    if (roundTripMs > LONGEST_ROUND_TRIP_MS) {
      this.#failed(`the answer took ${Math.round(roundTripMs)} ms`, false);
      return;
    }
    const { stratum, receivedAt, sentAt } = parsed.reply;
    const offsetMs = (receivedAt - question.askedAtMs + (sentAt - wallClock.nowMs())) / 2;
    const good = {
      state: "good",
      stratum,
      offsetMs,
      roundTripMs,
      answeredAt: clock.now(),
      problem: undefined,
    } as const;
    this.#note(question.index, good);
    this.#question = undefined;
    this.#set(offsetMs, this.#servers[question.index]?.server ?? "");
    this.#retryMs = FIRST_RETRY_MS;
    this.#timer?.cancel();
    this.#timer = this.#ports.timers.after(POLL_MS, () => this.#ask(0));
  }

  #set(offsetMs: number, server: string): void {
    const { wallClock, log } = this.#ports;
    const first = !this.#isSet;
    this.#isSet = true;
    if (Math.abs(offsetMs) < TOLERATED_MS) {
      if (first) log.write("info", "ntp", `the clock agrees with ${server}`);
      return;
    }
    try {
      wallClock.setMs(wallClock.nowMs() + offsetMs);
      log.write("info", "ntp", `the clock was set by ${(offsetMs / 1000).toFixed(3)} s to the time of ${server}`);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      log.write("error", "ntp", error.message);
    }
  }

  #failed(problem: string, unwelcome: boolean): void {
    const question = this.#question;
    if (question === undefined) return;
    const server = this.#servers[question.index];
    if (server !== undefined && server.problem !== problem)
      this.#ports.log.write("warning", "ntp", `${server.server}: ${problem}`);
    this.#note(question.index, { state: unwelcome ? "refuses" : "failed", problem });
    this.#ask(question.index + 1);
  }

  #note(index: number, news: Partial<TimeServerStatus>): void {
    this.#servers = this.#servers.map((server, i) => (i === index ? { ...server, ...news } : server));
  }
}

const UNKNOWN: TimeServerStatus = {
  server: "",
  state: "not asked",
  stratum: undefined,
  offsetMs: undefined,
  roundTripMs: undefined,
  answeredAt: undefined,
  problem: undefined,
};

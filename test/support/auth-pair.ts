/** An authenticator and an authenticatee back to back, with accounts, simulated time and a wire that may lose packets. */
import { Millis } from "../../appliance/ports.ts";
import { Authenticatee, type AuthenticateeSettings } from "../../appliance/ppp/authenticatee.ts";
import { Authenticator, type AuthenticatorSettings, type AuthOutput } from "../../appliance/ppp/authenticator.ts";
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import type { CpPacket } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { type Account, judge, packetOf } from "./link-end.ts";
import { SeededRandom } from "./seeded-random.ts";

type Side = "server" | "client";

export class AuthPair {
  readonly authenticator: Authenticator;
  readonly authenticatee: Authenticatee;
  readonly accounts = new Map<string, Account>([["alice", { password: "s3cret", expired: false }]]);
  /** What each side said but packets. */
  readonly said: Record<Side, AuthOutput[]> = { server: [], client: [] };
  /** Packets on the wire: who sent it, its code and identifier. */
  readonly log: string[] = [];
  readonly #protocol: number;
  now = 0;
  /** `false` loses the packet, a packet replaces it. */
  wire: (from: Side, packet: CpPacket) => boolean | CpPacket = () => true;

  constructor(
    method: AuthMethod,
    client: Partial<AuthenticateeSettings> = {},
    server: Partial<AuthenticatorSettings> = {},
  ) {
    this.#protocol = method === "pap" ? Protocol.pap : Protocol.chap;
    const times = { resendMs: 3000, maxAttempts: 10 };
    this.authenticator = new Authenticator(
      { method, name: "culvert", retries: 2, ...times, ...server },
      new SeededRandom(1),
    );
    this.authenticatee = new Authenticatee(
      { method, user: "alice", password: "s3cret", newPassword: undefined, ...times, ...client },
      new SeededRandom(2),
    );
  }
  start(): this {
    const now = Millis(this.now);
    this.#run("server", this.authenticator.start(now));
    this.#run("client", this.authenticatee.start(now));
    return this;
  }
  advance(milliseconds: number): this {
    const until = this.now + milliseconds;
    for (let turn = 0; turn < 1000; turn++) {
      const next = Math.min(this.authenticator.deadline ?? Infinity, this.authenticatee.deadline ?? Infinity);
      if (next > until) break;
      this.now = Math.max(this.now, next);
      this.#run("server", this.authenticator.tick(Millis(this.now)));
      this.#run("client", this.authenticatee.tick(Millis(this.now)));
    }
    this.now = until;
    return this;
  }
  /** A packet from somewhere arrives at the authenticator. */
  inject(packet: CpPacket): void {
    this.#run("server", this.authenticator.handle(this.#protocol, packet));
  }
  /** The outcome on one side: its only output that ends the exchange. */
  outcome(side: Side): AuthOutput | undefined {
    return this.said[side].find(({ type }) => type === "authenticated" || type === "failed");
  }

  #run(side: Side, outputs: readonly AuthOutput[]): void {
    for (const output of outputs) {
      if (output.type === "send") this.#carry(side, output.protocol, packetOf(output.payload));
      else {
        this.said[side].push(output);
        if (output.type === "verify")
          this.#run(side, this.authenticator.verdict(judge(this.accounts, output.request), Millis(this.now)));
      }
    }
  }
  #carry(from: Side, protocol: number, packet: CpPacket): void {
    this.log.push(`${from} ${packet.code}`);
    const fate = this.wire(from, packet);
    if (fate === false) return;
    const arriving = fate === true ? packet : fate;
    if (from === "server") this.#run("client", this.authenticatee.handle(protocol, arriving));
    else this.#run("server", this.authenticator.handle(protocol, arriving));
  }
}

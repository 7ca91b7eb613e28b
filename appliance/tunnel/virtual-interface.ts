/**
 * The virtual interface of one client tunnel: it outlives its calls. Listening → dialing → connected and back, by Dial
 * and Hang Up, by a first packet, or by itself after a failure; redial waits longer each time, with jitter, so that a
 * hundred branch offices do not return in the same second.
 */
import { Millis, type Random } from "../ports.ts";

export interface DialPolicy {
  /** `always` redials by itself, `on-demand` dials for a packet, `manual` only when told. */
  readonly mode: "always" | "on-demand" | "manual";
  /** Hang up after this long without a packet either way; undefined never does. */
  readonly idleMs: number | undefined;
  readonly firstRedialMs: number;
  readonly longestRedialMs: number;
}
export const DEFAULT_REDIAL = { firstRedialMs: 2_000, longestRedialMs: 300_000 } as const;

type State =
  | { readonly at: "listening" }
  /** A failed attempt waits for its next. */
  | { readonly at: "waiting"; readonly until: Millis }
  | { readonly at: "dialing" }
  | { readonly at: "connected"; readonly since: Millis; lastTraffic: Millis }
  /** Told to end; the call still says goodbye. */
  | { readonly at: "disconnecting"; readonly since: Millis };

/** A connection that stood this long counts as a success: the next failure starts from the shortest wait. */
const STABLE_MS = 60_000;

export class VirtualInterface {
  readonly #policy: DialPolicy;
  readonly #random: Random;
  #state: State = { at: "listening" };
  #failures = 0;
  /** Hang Up was the last word: nothing but Dial, or a packet on demand, brings it back. */
  #heldDown = false;

  constructor(policy: DialPolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
  }

  get at(): State["at"] {
    return this.#state.at;
  }
  get deadline(): Millis | undefined {
    if (this.#state.at === "waiting") return this.#state.until;
    if (this.#state.at === "connected" && this.#policy.idleMs !== undefined)
      return Millis(this.#state.lastTraffic + this.#policy.idleMs);
    return undefined;
  }

  /** Configured or started: whether to dial now. */
  start(): boolean {
    return this.#policy.mode === "always" && this.#dialFrom("listening");
  }

  /** Dial was pressed: whether to dial now. False while it is dialing or connected already. */
  dial(): boolean {
    this.#heldDown = false;
    return this.#dialFrom("listening", "waiting");
  }

  /** A packet wants through: whether to dial now. */
  packet(now: Millis): boolean {
    if (this.#state.at === "connected") this.#state.lastTraffic = now;
    return this.#policy.mode === "on-demand" && this.#dialFrom("listening");
  }

  /** Hang Up was pressed: whether there is something to hang up. */
  hangUp(): boolean {
    this.#heldDown = true;
    if (this.#state.at === "waiting") this.#state = { at: "listening" };
    if (this.#state.at === "connected") this.#state = { at: "disconnecting", since: this.#state.since };
    return this.#state.at === "dialing" || this.#state.at === "disconnecting";
  }

  connected(now: Millis): void {
    this.#state = { at: "connected", since: now, lastTraffic: now };
  }

  /** A packet passed at `at`, either way. */
  traffic(at: Millis): void {
    if (this.#state.at === "connected" && at > this.#state.lastTraffic) this.#state.lastTraffic = at;
  }

  /** The call is over, or came to nothing. */
  ended(now: Millis): void {
    const stood = this.#state.at === "connected" || this.#state.at === "disconnecting" ? now - this.#state.since : 0;
    if (stood >= STABLE_MS) this.#failures = 0;
    if (this.#policy.mode !== "always" || this.#heldDown) {
      this.#state = { at: "listening" };
      return;
    }
    const { firstRedialMs, longestRedialMs } = this.#policy;
    const wait = Math.min(longestRedialMs, firstRedialMs * 2 ** this.#failures++);
    const jitter = (this.#random.bytes(2).readUInt16BE() / 0xffff) * 0.5; // 75 % to 125 %
    this.#state = { at: "waiting", until: Millis(now + wait * (0.75 + jitter)) };
  }

  /** What the time has come for. */
  tick(now: Millis): "dial" | "hang-up" | undefined {
    const { deadline } = this;
    if (deadline === undefined || now < deadline) return undefined;
    if (this.#state.at === "connected") {
      this.#state = { at: "disconnecting", since: this.#state.since };
      return "hang-up";
    }
    this.#state = { at: "dialing" };
    return "dial";
  }

  #dialFrom(...states: readonly State["at"][]): boolean {
    if (!states.includes(this.#state.at)) return false;
    this.#state = { at: "dialing" };
    return true;
  }
}

/** The authentication phase of a link (RFC 1661 §3.5): the peer proves itself to us, we to the peer, or both at once. */
import { Millis, type Random } from "../ports.ts";
import type { CpPacket } from "../wire/cp-packet.ts";
import { Authenticatee } from "./authenticatee.ts";
import { Authenticator, type AuthFailure, type AuthOutput } from "./authenticator.ts";
import { type AuthRequest, type AuthVerdict, NO_KEYS, type SessionKeys } from "./credentials.ts";
import type { AuthMethod } from "./lcp.ts";

export interface AuthPhaseSettings {
  /** How the peer proves itself, our name in Challenges, and how often it may try again. */
  readonly demanded: AuthMethod | undefined;
  readonly name: string;
  readonly retries: number;
  /** How we prove ourselves. */
  readonly asked: AuthMethod | undefined;
  readonly credentials: { readonly user: string; readonly password: string; readonly newPassword?: string } | undefined;
}

export type AuthPhaseOutput =
  | { readonly type: "send"; readonly protocol: number; readonly payload: Buffer }
  | { readonly type: "verify"; readonly request: AuthRequest }
  /** Each side that had to has proved itself; `userName` is the peer's when it did. Comes once. */
  | {
      readonly type: "authenticated";
      readonly userName: Buffer | undefined;
      readonly method: AuthMethod | undefined;
      readonly keys: SessionKeys;
    }
  | { readonly type: "failed"; readonly failure: AuthFailure };

const RESEND_MS = 3000;
const MAX_ATTEMPTS = 10;

export class AuthPhase {
  readonly #method: AuthMethod | undefined;
  readonly #authenticator: Authenticator | undefined;
  readonly #authenticatee: Authenticatee | undefined;
  #pending: number;
  #peerName: Buffer | undefined;
  #keys = NO_KEYS;

  constructor({ demanded, name, retries, asked, credentials }: AuthPhaseSettings, random: Random) {
    const times = { resendMs: RESEND_MS, maxAttempts: MAX_ATTEMPTS };
    this.#method = demanded ?? asked;
    if (demanded !== undefined)
      this.#authenticator = new Authenticator({ method: demanded, name, retries, ...times }, random);
    if (asked !== undefined && credentials !== undefined)
      this.#authenticatee = new Authenticatee(
        { method: asked, newPassword: undefined, ...credentials, ...times },
        random,
      );
    this.#pending = (this.#authenticator ? 1 : 0) + (this.#authenticatee ? 1 : 0);
  }

  get isComplete(): boolean {
    return this.#pending === 0;
  }
  /** The refusal after which the peer may try again: when it leaves instead, this is why. */
  get lastRefusal(): AuthFailure | undefined {
    return this.#authenticator?.lastRefusal;
  }
  get deadline(): Millis | undefined {
    if (this.isComplete) return undefined;
    const set = [this.#authenticator?.deadline, this.#authenticatee?.deadline].filter(
      (instant) => instant !== undefined,
    );
    return set.length === 0 ? undefined : Millis(Math.min(...set));
  }

  start(now: Millis): readonly AuthPhaseOutput[] {
    if (this.isComplete) return [this.#authenticated()];
    return this.#join([...(this.#authenticator?.start(now) ?? []), ...(this.#authenticatee?.start(now) ?? [])]);
  }

  /** Also after the phase: a lost answer is asked for again, and an authenticator may challenge anew (RFC 1994 §4.2, §2). */
  handle(protocol: number, packet: CpPacket): readonly AuthPhaseOutput[] {
    return this.#join([
      ...(this.#authenticator?.handle(protocol, packet) ?? []),
      ...(this.#authenticatee?.handle(protocol, packet) ?? []),
    ]);
  }

  /**
   * Our Success once more: pppd answers no NCP before it has one, and does not repeat its Response when it gets lost,
   * though RFC 1994 §4.2 counts on that.
   */
  repeatSuccess(): readonly AuthPhaseOutput[] {
    const last = this.#authenticator?.lastReply;
    return last?.type === "send" ? [last] : [];
  }

  /** Answers the output `verify`. */
  verdict(verdict: AuthVerdict, now: Millis): readonly AuthPhaseOutput[] {
    return this.#join(this.#authenticator?.verdict(verdict, now) ?? []);
  }

  tick(now: Millis): readonly AuthPhaseOutput[] {
    if (this.isComplete) return [];
    return this.#join([...(this.#authenticator?.tick(now) ?? []), ...(this.#authenticatee?.tick(now) ?? [])]);
  }

  #join(outputs: readonly AuthOutput[]): readonly AuthPhaseOutput[] {
    return outputs.flatMap((output): readonly AuthPhaseOutput[] => {
      if (output.type !== "authenticated") return [output];
      if (this.isComplete) return [];
      if (output.as === "authenticator") this.#peerName = output.userName;
      if (output.keys !== NO_KEYS) this.#keys = output.keys;
      this.#pending--;
      return this.isComplete ? [this.#authenticated()] : [];
    });
  }

  #authenticated(): AuthPhaseOutput {
    return { type: "authenticated", userName: this.#peerName, method: this.#method, keys: this.#keys };
  }
}

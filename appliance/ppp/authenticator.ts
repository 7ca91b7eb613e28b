/** We are the authenticator: the peer proves itself by PAP (RFC 1334), CHAP (RFC 1994), MS-CHAPv1 (RFC 2433) or MS-CHAPv2 (RFC 2759). */
import { Millis, type Random } from "../ports.ts";
import {
  ChapCode,
  emitChapValue,
  emitMsChapFailure,
  parseChangePasswordV2,
  parseChapValue,
  parseMsChapV1Response,
  parseMsChapV2Response,
} from "../wire/chap.ts";
import { type CpPacket, emitCpPacket } from "../wire/cp-packet.ts";
import { emitPapMessage, PapCode, parsePapRequest } from "../wire/pap.ts";
import { Protocol } from "../wire/ppp-frame.ts";
import type { AuthRequest, AuthVerdict, SessionKeys } from "./credentials.ts";
import type { AuthMethod } from "./lcp.ts";

/** What `authenticator.ts` and `authenticatee.ts` ask their owner to do. */
export type AuthOutput =
  | { readonly type: "send"; readonly protocol: number; readonly payload: Buffer }
  /** Find out whether these credentials are good and call `verdict`. */
  | { readonly type: "verify"; readonly request: AuthRequest }
  | {
      readonly type: "authenticated";
      /** Who proved itself: the peer to us (`authenticator`), or we to the peer. */
      readonly as: "authenticator" | "authenticatee";
      readonly userName: Buffer;
      readonly keys: SessionKeys;
    }
  | { readonly type: "failed"; readonly failure: AuthFailure };

export type AuthFailure =
  /** The peer never answered, or never asked. */
  | { readonly reason: "auth-timeout" }
  /** The credentials were refused with this Windows error code, by us or by the peer. */
  | { readonly reason: "auth-refused"; readonly errorCode: number; readonly message: string }
  /** The peer's Success lacked the proof that it knows the password too (RFC 2759 §5). */
  | { readonly reason: "server-not-authentic" };

export interface AuthenticatorSettings {
  readonly method: AuthMethod;
  /** Our name in Challenges. */
  readonly name: string;
  readonly resendMs: number;
  readonly maxAttempts: number;
  /** Wrong answers a peer may follow with another try (MS-CHAP R=1). */
  readonly retries: number;
}

const CHALLENGE_BYTES: Readonly<Record<AuthMethod, number>> = {
  pap: 0,
  "chap-md5": 16,
  "mschap-v1": 8,
  "mschap-v2": 16,
};

type Phase =
  | { readonly at: "idle" }
  /** Sent a Challenge (or wait for a PAP request); `challenge` is the one a Response must answer. */
  | { readonly at: "challenging"; readonly identifier: number; readonly challenge: Buffer }
  | { readonly at: "verifying"; readonly identifier: number; readonly challenge: Buffer; readonly userName: Buffer }
  /** The answer is repeated for a peer that did not hear it (RFC 1994 §4.2). */
  | { readonly at: "done"; readonly identifier: number; readonly success: boolean; readonly message: string };

export class Authenticator {
  readonly #settings: AuthenticatorSettings;
  readonly #random: Random;
  #phase: Phase = { at: "idle" };
  #identifier: number;
  #deadline: Millis | undefined;
  #attempts = 0;
  #retriesLeft: number;
  #lastRefusal: AuthFailure | undefined;

  constructor(settings: AuthenticatorSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
    this.#identifier = random.bytes(1)[0] ?? 0;
    this.#retriesLeft = settings.retries;
  }

  get deadline(): Millis | undefined {
    return this.#deadline;
  }
  /** The Success or Failure that ended it, to be sent again. */
  get lastReply(): AuthOutput | undefined {
    const phase = this.#phase;
    return phase.at === "done" ? this.#reply(phase.identifier, phase.success, phase.message) : undefined;
  }
  /** The refusal after which the peer may try again: when it leaves instead, this is why. */
  get lastRefusal(): AuthFailure | undefined {
    return this.#lastRefusal;
  }

  start(now: Millis): readonly AuthOutput[] {
    this.#attempts = 0;
    return this.#challenge(this.#random.bytes(CHALLENGE_BYTES[this.#settings.method]), now);
  }

  tick(now: Millis): readonly AuthOutput[] {
    if (this.#deadline === undefined || now < this.#deadline) return [];
    if (this.#phase.at !== "challenging" || this.#attempts >= this.#settings.maxAttempts) {
      this.#deadline = undefined;
      return [{ type: "failed", failure: { reason: "auth-timeout" } }];
    }
    // A repeated Challenge keeps its value, so that the answer to either copy is good.
    return this.#challenge(this.#phase.challenge, now);
  }

  handle(protocol: number, packet: CpPacket): readonly AuthOutput[] {
    const isPap = this.#settings.method === "pap";
    if (protocol !== (isPap ? Protocol.pap : Protocol.chap)) return [];
    if (isPap) return packet.code === PapCode.authenticateRequest ? this.#answerPap(packet) : [];
    if (packet.code === ChapCode.response) return this.#answerChap(packet);
    if (packet.code === ChapCode.changePasswordV2) return this.#answerChange(packet);
    return [];
  }

  /** The owner's answer to `verify`. */
  verdict(verdict: AuthVerdict, now: Millis): readonly AuthOutput[] {
    const phase = this.#phase;
    if (phase.at !== "verifying") return [];
    this.#deadline = undefined;
    if (verdict.ok) {
      const last = this.#finish(phase.identifier, true, verdict.message);
      return [last, { type: "authenticated", as: "authenticator", userName: phase.userName, keys: verdict.keys }];
    }
    const { errorCode, message } = verdict;
    this.#lastRefusal = { reason: "auth-refused", errorCode, message };
    const retry = this.#retriesLeft > 0 && errorCode === 691 && this.#settings.method.startsWith("mschap");
    const mayChange = errorCode === 648 && this.#settings.method === "mschap-v2";
    if (!retry && !mayChange) {
      const last = this.#finish(phase.identifier, false, this.#failureText(verdict, false, undefined));
      return [last, { type: "failed", failure: this.#lastRefusal }];
    }
    // RFC 2759 §6: the Failure carries the challenge that the retry, or the change, must answer.
    this.#retriesLeft--;
    const challenge = this.#random.bytes(CHALLENGE_BYTES[this.#settings.method]);
    this.#phase = { at: "challenging", identifier: (phase.identifier + 1) & 0xff, challenge };
    this.#attempts = this.#settings.maxAttempts; // the peer may be asking a person: wait once, do not repeat
    this.#deadline = Millis(now + this.#settings.resendMs * this.#settings.maxAttempts);
    return [this.#reply(phase.identifier, false, this.#failureText(verdict, retry, challenge))];
  }

  #challenge(challenge: Buffer, now: Millis): readonly AuthOutput[] {
    this.#attempts++;
    this.#deadline = Millis(now + this.#settings.resendMs);
    this.#identifier = (this.#identifier + 1) & 0xff;
    this.#phase = { at: "challenging", identifier: this.#identifier, challenge };
    if (this.#settings.method === "pap") return [];
    const data = emitChapValue({ value: challenge, name: Buffer.from(this.#settings.name) });
    return [send(Protocol.chap, { code: ChapCode.challenge, identifier: this.#identifier, data })];
  }

  #answerPap(packet: CpPacket): readonly AuthOutput[] {
    const request = parsePapRequest(packet.data);
    // RFC 1334 §2.2.1: a repeated request has a new identifier, which the answer must have too.
    if (this.#phase.at === "done") return [this.#reply(packet.identifier, this.#phase.success, this.#phase.message)];
    // The same while the answer is not known yet: the peer repeats its request as often as it is impatient.
    if (this.#phase.at === "verifying") this.#phase = { ...this.#phase, identifier: packet.identifier };
    if (!request.ok || this.#phase.at !== "challenging") return [];
    const { peerId, password } = request.value;
    return this.#verify(packet.identifier, {
      method: "pap",
      userName: Buffer.from(peerId),
      password: Buffer.from(password),
    });
  }

  #answerChap(packet: CpPacket): readonly AuthOutput[] {
    const phase = this.#phase;
    if (phase.at === "done")
      return packet.identifier === phase.identifier
        ? [this.#reply(phase.identifier, phase.success, phase.message)]
        : [];
    if (phase.at !== "challenging" || packet.identifier !== phase.identifier) return [];
    const parsed = parseChapValue(packet.data);
    if (!parsed.ok) return [];
    const { value, name } = parsed.value;
    const userName = Buffer.from(name);
    const { challenge } = phase;
    switch (this.#settings.method) {
      case "pap":
        return [];
      case "chap-md5": {
        const { identifier } = packet;
        const response = Buffer.from(value);
        return this.#verify(identifier, { method: "chap-md5", userName, identifier, challenge, response });
      }
      case "mschap-v1": {
        const response = parseMsChapV1Response(value);
        if (!response.ok || !response.value.useNtResponse) return [];
        const ntResponse = Buffer.from(response.value.ntResponse);
        const { identifier } = packet;
        return this.#verify(identifier, { method: "mschap-v1", userName, identifier, challenge, ntResponse });
      }
      case "mschap-v2": {
        const response = parseMsChapV2Response(value);
        if (!response.ok) return [];
        const peerChallenge = Buffer.from(response.value.peerChallenge);
        const ntResponse = Buffer.from(response.value.ntResponse);
        const { identifier } = packet;
        this.#userName = userName;
        const request = { method: "mschap-v2", userName, identifier, challenge, peerChallenge, ntResponse } as const;
        return this.#verify(identifier, request);
      }
    }
  }

  /** Name of the last MS-CHAPv2 Response: a Change-Password packet has none of its own. */
  #userName = Buffer.alloc(0);

  #answerChange(packet: CpPacket): readonly AuthOutput[] {
    const phase = this.#phase;
    if (phase.at !== "challenging" || packet.identifier !== phase.identifier) return [];
    const change = parseChangePasswordV2(packet.data);
    if (!change.ok) return [];
    const { encryptedPassword, encryptedHash, peerChallenge, ntResponse } = change.value;
    return this.#verify(packet.identifier, {
      method: "mschap-v2",
      userName: this.#userName,
      identifier: packet.identifier,
      challenge: phase.challenge,
      peerChallenge: Buffer.from(peerChallenge),
      ntResponse: Buffer.from(ntResponse),
      change: { encryptedPassword: Buffer.from(encryptedPassword), encryptedHash: Buffer.from(encryptedHash) },
    });
  }

  #verify(identifier: number, request: AuthRequest): readonly AuthOutput[] {
    if (this.#phase.at !== "challenging") return [];
    this.#phase = { at: "verifying", identifier, challenge: this.#phase.challenge, userName: request.userName };
    this.#deadline = undefined; // it is for us to answer now, however long that takes
    return [{ type: "verify", request }];
  }

  #finish(identifier: number, success: boolean, message: string): AuthOutput {
    this.#phase = { at: "done", identifier, success, message };
    return this.#reply(identifier, success, message);
  }

  #reply(identifier: number, success: boolean, message: string): AuthOutput {
    const text = Buffer.from(message, "latin1");
    if (this.#settings.method === "pap") {
      const code = success ? PapCode.authenticateAck : PapCode.authenticateNak;
      return send(Protocol.pap, { code, identifier, data: emitPapMessage(text) });
    }
    return send(Protocol.chap, { code: success ? ChapCode.success : ChapCode.failure, identifier, data: text });
  }

  #failureText(
    verdict: Extract<AuthVerdict, { ok: false }>,
    retryAllowed: boolean,
    challenge: Buffer | undefined,
  ): string {
    if (!this.#settings.method.startsWith("mschap")) return verdict.message;
    const { errorCode, message } = verdict;
    // RFC 2759 §6 wants C and V=3 always; without a retry the challenge answers nothing.
    const shown = challenge ?? this.#random.bytes(CHALLENGE_BYTES[this.#settings.method]);
    const passwordVersion = this.#settings.method === "mschap-v2" ? 3 : 2;
    return emitMsChapFailure({ errorCode, retryAllowed, challenge: shown, passwordVersion, message }).toString(
      "latin1",
    );
  }
}

function send(protocol: number, packet: CpPacket): AuthOutput {
  return { type: "send", protocol, payload: emitCpPacket(packet) };
}

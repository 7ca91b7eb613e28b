/** We are the peer that proves itself: RFC 1334 §2, RFC 1994 §4, RFC 2433, RFC 2759. */

import { chapMd5 } from "../crypto/chap.ts";
import {
  challengeResponse,
  checkAuthenticatorResponse,
  generateNtResponse,
  newPasswordEncryptedWithOldNtPasswordHash,
  ntPasswordHash,
  oldNtPasswordHashEncryptedWithNewNtPasswordHash,
} from "../crypto/mschap.ts";
import { Millis, type Random } from "../ports.ts";
import {
  ChapCode,
  emitChangePasswordV2,
  emitChapValue,
  emitMsChapV1Response,
  emitMsChapV2Response,
  parseChapValue,
  parseMsChapFailure,
} from "../wire/chap.ts";
import { type CpPacket, emitCpPacket } from "../wire/cp-packet.ts";
import { emitPapRequest, PapCode, parsePapMessage } from "../wire/pap.ts";
import { Protocol } from "../wire/ppp-frame.ts";
import type { AuthOutput } from "./authenticator.ts";
import { mschapV1Keys, mschapV2Keys, NO_KEYS, type SessionKeys } from "./credentials.ts";
import type { AuthMethod } from "./lcp.ts";

export interface AuthenticateeSettings {
  readonly method: AuthMethod;
  /** As typed, `DOMAIN\user` included. */
  readonly user: string;
  readonly password: string;
  /** Used when the server says the password has expired (E=648); undefined gives up instead. */
  readonly newPassword: string | undefined;
  readonly resendMs: number;
  readonly maxAttempts: number;
}

/** What we must remember to check the server's proof. */
interface Sent {
  readonly challenge: Buffer;
  readonly peerChallenge: Buffer;
  readonly ntResponse: Buffer;
  readonly password: string;
}

export class Authenticatee {
  readonly #settings: AuthenticateeSettings;
  readonly #random: Random;
  readonly #userName: Buffer;
  #sent: Sent | undefined;
  #lastResponse: AuthOutput | undefined;
  #deadline: Millis | undefined;
  #attempts = 0;
  #done = false;
  #changed = false;
  #papIdentifier = 0;

  constructor(settings: AuthenticateeSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
    this.#userName = Buffer.from(settings.user);
  }

  get deadline(): Millis | undefined {
    return this.#deadline;
  }

  start(now: Millis): readonly AuthOutput[] {
    this.#deadline = Millis(now + this.#settings.resendMs);
    this.#attempts = 1;
    return this.#settings.method === "pap" ? [this.#papRequest()] : [];
  }

  tick(now: Millis): readonly AuthOutput[] {
    if (this.#deadline === undefined || now < this.#deadline) return [];
    if (this.#attempts >= this.#settings.maxAttempts) {
      this.#deadline = undefined;
      return [{ type: "failed", failure: { reason: "auth-timeout" } }];
    }
    this.#attempts++;
    this.#deadline = Millis(now + this.#settings.resendMs);
    if (this.#settings.method === "pap") return [this.#papRequest()];
    // RFC 1994 §4.2: a Success that got lost is had by repeating the Response; a lost Challenge is not ours to repeat.
    return this.#lastResponse === undefined ? [] : [this.#lastResponse];
  }

  handle(protocol: number, packet: CpPacket): readonly AuthOutput[] {
    if (protocol === Protocol.pap && this.#settings.method === "pap") return this.#handlePap(packet);
    if (protocol !== Protocol.chap || this.#settings.method === "pap") return [];
    switch (packet.code) {
      case ChapCode.challenge:
        return this.#respond(packet);
      case ChapCode.success:
        return this.#succeed(packet.data);
      case ChapCode.failure:
        return this.#handleFailure(packet);
      default:
        return [];
    }
  }

  #handlePap(packet: CpPacket): readonly AuthOutput[] {
    if (packet.identifier !== this.#papIdentifier || this.#done) return [];
    if (packet.code === PapCode.authenticateAck) return this.#finish(NO_KEYS);
    if (packet.code !== PapCode.authenticateNak) return [];
    const message = parsePapMessage(packet.data);
    return this.#refused(691, message.ok ? message.value.toString("latin1") : "");
  }

  #papRequest(): AuthOutput {
    this.#papIdentifier = (this.#papIdentifier + 1) & 0xff;
    const data = emitPapRequest({ peerId: this.#userName, password: Buffer.from(this.#settings.password) });
    return send(Protocol.pap, { code: PapCode.authenticateRequest, identifier: this.#papIdentifier, data });
  }

  #respond(packet: CpPacket): readonly AuthOutput[] {
    const parsed = parseChapValue(packet.data);
    if (!parsed.ok) return [];
    const value = this.#answer(packet.identifier, Buffer.from(parsed.value.value), this.#settings.password);
    return value === undefined ? [] : [this.#response(packet.identifier, value)];
  }

  #answer(identifier: number, challenge: Buffer, password: string): Buffer | undefined {
    switch (this.#settings.method) {
      case "pap":
        return undefined;
      case "chap-md5":
        return chapMd5(identifier, password, challenge);
      case "mschap-v1": {
        if (challenge.length !== 8) return undefined;
        const ntResponse = challengeResponse(challenge, ntPasswordHash(password));
        this.#sent = { challenge, peerChallenge: Buffer.alloc(0), ntResponse, password };
        return emitMsChapV1Response({ lmResponse: Buffer.alloc(24), ntResponse, useNtResponse: true });
      }
      case "mschap-v2": {
        if (challenge.length !== 16) return undefined;
        const { peerChallenge, ntResponse } = this.#v2Response(challenge, password);
        return emitMsChapV2Response({ peerChallenge, ntResponse, flags: 0 });
      }
    }
  }

  /** The same Challenge, repeated by a server that is impatient, gets the same answer: its Success may be for either copy. */
  #v2Response(challenge: Buffer, password: string): Sent {
    if (this.#sent?.challenge.equals(challenge) === true && this.#sent.password === password) return this.#sent;
    const peerChallenge = this.#random.bytes(16);
    const exchange = { authenticatorChallenge: challenge, peerChallenge, userName: this.#userName };
    const ntResponse = generateNtResponse(exchange, ntPasswordHash(password));
    this.#sent = { challenge, peerChallenge, ntResponse, password };
    return this.#sent;
  }

  #response(identifier: number, value: Buffer): AuthOutput {
    const data = emitChapValue({ value, name: this.#userName });
    this.#lastResponse = send(Protocol.chap, { code: ChapCode.response, identifier, data });
    return this.#lastResponse;
  }

  #succeed(message: Buffer): readonly AuthOutput[] {
    if (this.#done) return [];
    const sent = this.#sent;
    if (this.#settings.method === "chap-md5") return this.#finish(NO_KEYS);
    if (sent === undefined) return [];
    if (this.#settings.method === "mschap-v1") return this.#finish(mschapV1Keys(sent.password, sent.challenge));
    const exchange = { ...sent, authenticatorChallenge: sent.challenge, userName: this.#userName };
    const hash = ntPasswordHash(sent.password);
    if (!checkAuthenticatorResponse(exchange, hash, sent.ntResponse, message.toString("latin1"))) {
      this.#stop();
      return [{ type: "failed", failure: { reason: "server-not-authentic" } }];
    }
    return this.#finish(mschapV2Keys(sent.password, sent.ntResponse, "client"));
  }

  #handleFailure(packet: CpPacket): readonly AuthOutput[] {
    if (this.#done) return [];
    const parsed = parseMsChapFailure(packet.data);
    if (!this.#settings.method.startsWith("mschap") || !parsed.ok)
      return this.#refused(691, packet.data.toString("latin1"));
    const { errorCode, challenge, message } = parsed.value;
    const { newPassword } = this.#settings;
    const mayChange = errorCode === 648 && this.#settings.method === "mschap-v2" && !this.#changed;
    if (!mayChange || newPassword === undefined || challenge?.length !== 16) return this.#refused(errorCode, message);
    // RFC 2759 §7: identifier one above the Failure's, the response made with the new password.
    this.#changed = true;
    const oldHash = ntPasswordHash(this.#settings.password);
    const data = emitChangePasswordV2({
      encryptedPassword: newPasswordEncryptedWithOldNtPasswordHash(newPassword, oldHash, this.#random.bytes(512)),
      encryptedHash: oldNtPasswordHashEncryptedWithNewNtPasswordHash(ntPasswordHash(newPassword), oldHash),
      ...this.#v2Response(challenge, newPassword),
    });
    const identifier = (packet.identifier + 1) & 0xff;
    this.#lastResponse = send(Protocol.chap, { code: ChapCode.changePasswordV2, identifier, data });
    return [this.#lastResponse];
  }

  #refused(errorCode: number, message: string): readonly AuthOutput[] {
    this.#stop();
    return [{ type: "failed", failure: { reason: "auth-refused", errorCode, message } }];
  }

  #finish(keys: SessionKeys): readonly AuthOutput[] {
    this.#stop();
    return [{ type: "authenticated", as: "authenticatee", userName: this.#userName, keys }];
  }

  #stop(): void {
    this.#done = true;
    this.#deadline = undefined;
  }
}

function send(protocol: number, packet: CpPacket): AuthOutput {
  return { type: "send", protocol, payload: emitCpPacket(packet) };
}

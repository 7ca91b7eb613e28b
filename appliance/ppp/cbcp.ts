/** Callback Control Protocol, agreeing on "no callback" and nothing else: [MS-CBCP] 3. The side that is called (the server) asks. */
import { Millis } from "../ports.ts";
import { CbcpCode, emitNoCallback, NO_CALLBACK, parseCallbackTypes } from "../wire/cbcp.ts";
import { type CpPacket, emitCpPacket } from "../wire/cp-packet.ts";
import { Protocol } from "../wire/ppp-frame.ts";

export type CbcpOutput =
  | { readonly type: "send"; readonly protocol: number; readonly payload: Buffer }
  | { readonly type: "agreed" }
  | { readonly type: "failed" };

/** [MS-CBCP] appendix <5>: 2 s, 10 times. */
const RESEND_MS = 2000;
const MAX_ATTEMPTS = 10;

export class Cbcp {
  readonly #role: "asks" | "answers";
  #deadline: Millis | undefined;
  #attempts = 0;
  #identifier = 0;
  #agreed = false;

  constructor(role: "asks" | "answers") {
    this.#role = role;
  }

  get deadline(): Millis | undefined {
    return this.#deadline;
  }

  start(now: Millis): readonly CbcpOutput[] {
    this.#deadline = Millis(now + (this.#role === "asks" ? RESEND_MS : RESEND_MS * MAX_ATTEMPTS));
    if (this.#role === "answers") return [];
    this.#attempts++;
    this.#identifier = (this.#identifier + 1) & 0xff;
    return [packet(CbcpCode.request, this.#identifier)];
  }

  tick(now: Millis): readonly CbcpOutput[] {
    if (this.#deadline === undefined || now < this.#deadline) return [];
    if (this.#role === "asks" && this.#attempts < MAX_ATTEMPTS) return this.start(now);
    this.#deadline = undefined;
    return [{ type: "failed" }];
  }

  handle({ code, identifier, data }: CpPacket): readonly CbcpOutput[] {
    const types = parseCallbackTypes(data);
    if (!types.ok || !types.value.includes(NO_CALLBACK)) return [];
    if (this.#role === "asks") {
      if (code !== CbcpCode.response || identifier !== this.#identifier) return [];
      return [packet(CbcpCode.acknowledgment, identifier), ...this.#agree()];
    }
    if (code === CbcpCode.request) return [packet(CbcpCode.response, identifier)];
    return code === CbcpCode.acknowledgment ? this.#agree() : [];
  }

  #agree(): readonly CbcpOutput[] {
    this.#deadline = undefined;
    if (this.#agreed) return []; // the peer's Response, repeated because our Ack was lost
    this.#agreed = true;
    return [{ type: "agreed" }];
  }
}

function packet(code: number, identifier: number): CbcpOutput {
  return {
    type: "send",
    protocol: Protocol.cbcp,
    payload: emitCpPacket({ code, identifier, data: emitNoCallback() }),
  };
}

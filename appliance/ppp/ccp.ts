/** The Compression Control Protocol, which in PPTP negotiates MPPE: RFC 1962, RFC 3078 §2–§3, and what Windows makes of it (windows.md §7 of the notes: bits seen on the wire are in `test/ppp/ccp.test.ts`). */
import type { MppeStrength } from "../crypto/mppe-keys.ts";
import type { Millis } from "../ports.ts";
import { emitCcpOption, MppeBit, parseCcpOption } from "../wire/ccp-option.ts";
import { CpCode, type CpPacket, type RawOption } from "../wire/cp-packet.ts";
import { judgeOptions } from "./judge.ts";
import type { Judgement, NegotiationOutput, OptionPolicy } from "./negotiation.ts";

export interface EncryptionPolicy {
  /** `required` is enforced on received data too: clear IP inside such a session is dropped and counted. */
  readonly use: "none" | "optional" | "required";
  /** Key lengths we agree to; the strongest common one wins. */
  readonly strengths: readonly MppeStrength[];
  /** Stateful mode (RFC 3078 §8) saves key changes and pays with lost packets after each loss: only for peers that know no other. */
  readonly allowStateful: boolean;
  /** Ask for stateful mode first, as some old peers insist on. */
  readonly preferStateful: boolean;
  /** Offer and accept MPPC under MPPE (RFC 2118, bit C): each direction is compressed if both sides want it. */
  readonly mppc?: boolean;
  /**
   * Bits of our Configure-Requests until the peer refuses them, where they are not the best that we agree to: Windows XP
   * names all it has at once, Windows 10 nothing but stateless mode where encryption is optional.
   */
  readonly firstBits?: number;
}

/** What one direction agreed on. */
export interface MppeAgreement {
  readonly strength: MppeStrength;
  readonly stateless: boolean;
  /** Compressed by MPPC before it is encrypted. */
  readonly mppc?: true;
}

const STRENGTH_BIT: Readonly<Record<MppeStrength, number>> = {
  40: MppeBit.strength40,
  56: MppeBit.strength56,
  128: MppeBit.strength128,
};
const STRONGEST_FIRST: readonly MppeStrength[] = [128, 56, 40];

export class CcpPolicy implements OptionPolicy {
  readonly #policy: EncryptionPolicy;
  /** Key lengths still on the table for our own request. */
  #strengths: readonly MppeStrength[];
  #stateless: boolean;
  #mppc: boolean;
  /** A Configure-Request says what its sender can receive: the peer's, acknowledged, is how we send; ours how it does. */
  #granted: MppeAgreement | undefined;
  #requested: MppeAgreement | undefined;
  readonly #onResetRequest: () => void;
  #strengthsApart = false;
  /** A peer that asks for stateless mode is asked once for stateful, where that is preferred; then it has its way. */
  #mayInsist: boolean;
  #firstBits: number | undefined;

  /** `usable` are the key lengths the authentication yielded keys for. `onResetRequest` runs inside `Negotiation.handle`. */
  constructor(policy: EncryptionPolicy, usable: readonly MppeStrength[], onResetRequest: () => void) {
    this.#policy = policy;
    this.#strengths = STRONGEST_FIRST.filter((bits) => policy.strengths.includes(bits) && usable.includes(bits));
    this.#stateless = !(policy.preferStateful && policy.allowStateful);
    this.#mppc = policy.mppc === true;
    this.#mayInsist = !this.#stateless;
    this.#firstBits = policy.firstBits;
    this.#onResetRequest = onResetRequest;
  }

  /** Meaningful once opened; undefined means this direction is not encrypted. */
  get agreement(): { readonly send: MppeAgreement | undefined; readonly receive: MppeAgreement | undefined } {
    return { send: this.#granted, receive: this.#requested };
  }

  /** The peer has key lengths, and none of them is ours. */
  get strengthsApart(): boolean {
    return this.#strengthsApart;
  }

  request(): readonly RawOption[] {
    if (this.#firstBits !== undefined) {
      this.#requested = undefined; // whoever acknowledges them has chosen nothing
      return [emitCcpOption({ kind: "mppe", bits: this.#firstBits })];
    }
    this.#requested = this.#wanted();
    return [emitCcpOption({ kind: "mppe", bits: this.#wantedBits() })];
  }

  judge(options: readonly RawOption[], mayNak: boolean): Judgement {
    let granted: MppeAgreement | undefined;
    const ours = emitCcpOption({ kind: "mppe", bits: this.#wantedBits() });
    const named = options.some((raw) => parseCcpOption(raw).kind === "mppe");
    const judgement = judgeOptions(
      options,
      mayNak,
      (raw) => {
        const option = parseCcpOption(raw);
        if (option.kind !== "mppe") return "reject";
        granted = this.#grant(option.bits, this.#mayInsist && mayNak);
        if (granted !== undefined && bitsOf(granted) === option.bits) return "ack";
        if (granted === undefined && strengthsIn(option.bits).length > 0) this.#strengthsApart = true;
        const better = granted === undefined ? this.#wantedBits() : bitsOf(granted);
        return { nak: emitCcpOption({ kind: "mppe", bits: better }) };
      },
      named ? [] : [ours],
    );
    if (judgement.answer === "nak") this.#mayInsist = false;
    if (judgement.answer === "ack") {
      this.#granted = granted;
      if (granted !== undefined) this.#settleOn(granted);
    }
    return judgement;
  }

  naked(options: readonly RawOption[]): boolean {
    this.#firstBits = undefined;
    for (const option of options.map(parseCcpOption)) {
      if (option.kind !== "mppe") continue;
      const suggested = this.#grant(option.bits, false);
      if (suggested !== undefined) {
        this.#settleOn(suggested);
        this.#mppc = suggested.mppc === true;
      } else if (strengthsIn(option.bits).length > 0) {
        this.#strengthsApart = true;
        return false;
      }
    }
    return true;
  }

  rejected(options: readonly RawOption[]): boolean {
    return !options.some((raw) => parseCcpOption(raw).kind === "mppe");
  }

  extra(packet: CpPacket, state: string, _now: Millis): readonly NegotiationOutput[] | undefined {
    if (packet.code === CpCode.resetRequest) {
      if (state !== "opened") return [];
      this.#onResetRequest();
      // RFC 3078 §8.2 does without a Reset-Ack, RFC 1962 §3.1 and the receive side of Linux need it: always answer.
      return [{ type: "send", packet: { ...packet, code: CpCode.resetAck } }];
    }
    // Nothing to do for a Reset-Ack: the FLUSHED packet behind it is what counts (RFC 3078 §8.2).
    return packet.code === CpCode.resetAck ? [] : undefined;
  }

  #wanted(): MppeAgreement | undefined {
    const [strength] = this.#strengths;
    return strength === undefined ? undefined : agreement(strength, this.#stateless, this.#mppc);
  }

  #wantedBits(): number {
    const wanted = this.#wanted();
    return wanted === undefined ? 0 : bitsOf(wanted);
  }

  /** The best we can make of `bits`: the strongest common key length, stateless when the peer asks for it unless `stateful`. */
  #grant(bits: number, stateful: boolean): MppeAgreement | undefined {
    const strength = strengthsIn(bits).find((candidate) => this.#strengths.includes(candidate));
    if (strength === undefined) return undefined;
    const stateless = (bits & MppeBit.stateless) !== 0 && !stateful;
    const mppc = (bits & MppeBit.mppc) !== 0 && this.#policy.mppc === true;
    return agreement(strength, stateless || !this.#policy.allowStateful, mppc);
  }

  /** What one direction settled on is what we ask for in the other, if we still have to ask. */
  #settleOn({ strength, stateless }: MppeAgreement): void {
    this.#stateless = stateless;
    this.#strengths = [strength, ...this.#strengths.filter((bits) => bits !== strength)];
  }
}

function strengthsIn(bits: number): readonly MppeStrength[] {
  return STRONGEST_FIRST.filter((strength) => (bits & STRENGTH_BIT[strength]) !== 0);
}

function agreement(strength: MppeStrength, stateless: boolean, mppc: boolean): MppeAgreement {
  return mppc ? { strength, stateless, mppc } : { strength, stateless };
}

function bitsOf({ strength, stateless, mppc }: MppeAgreement): number {
  return (stateless ? MppeBit.stateless : 0) | STRENGTH_BIT[strength] | (mppc ? MppeBit.mppc : 0);
}

/** The IPv6 Control Protocol, as far as a link-local address each: RFC 5072 §4. */
import type { Random } from "../ports.ts";
import type { RawOption } from "../wire/cp-packet.ts";
import { emitIpv6cpOption, parseIpv6cpOption } from "../wire/ipv6cp-option.ts";
import { judgeOptions } from "./judge.ts";
import type { Judgement, OptionPolicy } from "./negotiation.ts";

const NOBODY = Buffer.alloc(8);

export class Ipv6cpPolicy implements OptionPolicy {
  readonly #random: Random;
  #local: Buffer;
  #remote = NOBODY;

  constructor(random: Random) {
    this.#random = random;
    this.#local = freshIdentifier(random);
  }

  /** Eight bytes each: the low halves of the two link-local addresses. */
  get local(): Buffer {
    return this.#local;
  }
  get remote(): Buffer {
    return this.#remote;
  }

  request(): readonly RawOption[] {
    return [emitIpv6cpOption({ kind: "interface-identifier", identifier: this.#local })];
  }

  judge(raw: readonly RawOption[], mayNak: boolean): Judgement {
    let remote = NOBODY;
    const judgement = judgeOptions(raw, mayNak, (rawOption) => {
      const option = parseIpv6cpOption(rawOption);
      if (option.kind === "unknown") return "reject";
      remote = Buffer.from(option.identifier);
      if (!remote.equals(NOBODY) && !remote.equals(this.#local)) return "ack";
      return { nak: emitIpv6cpOption({ kind: "interface-identifier", identifier: freshIdentifier(this.#random) }) };
    });
    if (judgement.answer === "ack") this.#remote = remote;
    return judgement;
  }

  naked(raw: readonly RawOption[]): boolean {
    for (const option of raw.map(parseIpv6cpOption))
      if (option.kind === "interface-identifier" && !option.identifier.equals(NOBODY))
        this.#local = Buffer.from(option.identifier);
    return true;
  }

  rejected(): boolean {
    return false; // without an identifier there is no address
  }
}

function freshIdentifier(random: Random): Buffer {
  const identifier = random.bytes(8);
  identifier[0] = (identifier[0] ?? 0) & ~2; // RFC 5072 §4.1: not globally unique, so the universal bit is 0
  if (identifier.equals(NOBODY)) identifier[7] = 1;
  return identifier;
}

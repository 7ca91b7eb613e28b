/** The one rule by which every control protocol answers a Configure-Request: RFC 1661 §5.3–§5.4. */
import type { RawOption } from "../wire/cp-packet.ts";
import type { Judgement } from "./negotiation.ts";

/** What is thought of one option: fine, fine with another value, or not at all. */
export type OptionVerdict = "ack" | "reject" | { readonly nak: RawOption };

/**
 * Rejects go first and alone, then Naks; only a request without either is acknowledged. `missing` are options the
 * peer should have sent (a Nak may name them, §5.3). When nothing may be Nak-ed any more, a Nak becomes a Reject.
 */
export function judgeOptions(
  options: readonly RawOption[],
  mayNak: boolean,
  verdictOn: (option: RawOption) => OptionVerdict,
  missing: readonly RawOption[] = [],
): Judgement {
  const rejected: RawOption[] = [];
  const naked: RawOption[] = [];
  for (const option of options) {
    const verdict = verdictOn(option);
    if (verdict === "reject" || (verdict !== "ack" && !mayNak)) rejected.push(option);
    else if (verdict !== "ack") naked.push(verdict.nak);
  }
  if (rejected.length > 0) return { answer: "reject", options: rejected };
  if (mayNak) naked.push(...missing);
  return naked.length > 0 ? { answer: "nak", options: naked } : { answer: "ack" };
}

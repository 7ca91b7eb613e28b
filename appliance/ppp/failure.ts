/** Why a PPP link ended, as data: `tunnel/diagnosis.ts` turns it into words, a Windows error code and advice. */
import type { AuthFailure } from "./authenticator.ts";
import type { NegotiationOutput } from "./negotiation.ts";

export type LinkFailure =
  | AuthFailure
  /** Nothing of the peer's PPP ever arrived: GRE does not pass. */
  | { readonly reason: "lcp-no-response" }
  /** The peer's LCP arrives, and it answers none of ours: GRE does not pass from here to there. */
  | { readonly reason: "lcp-unanswered" }
  | { readonly reason: "lcp-not-converging" }
  /** Our own magic number came back: the call ends at ourselves. */
  | { readonly reason: "lcp-loopback" }
  /** No authentication method is allowed on both sides. */
  | { readonly reason: "no-common-authentication" }
  /** Encryption is required and the peer refuses it, or speaks no CCP at all. */
  | { readonly reason: "encryption-refused" }
  /** The peer asked for MPPE, was refused because our settings or the authentication method leave none, and hung up. */
  | { readonly reason: "encryption-not-offered" }
  /** Encryption is required, and the authentication method yields no keys (RFC 3079 §2–§3). */
  | { readonly reason: "no-encryption-keys" }
  /** Both sides encrypt, with no key length in common. */
  | { readonly reason: "no-common-strength" }
  /** The peer started CCP over. Its keys would repeat, so the link ends instead. */
  | { readonly reason: "ccp-renegotiated" }
  /** The peer accepted callback and then never went through CBCP. */
  | { readonly reason: "callback-failed" }
  | { readonly reason: "ipcp-failed" }
  | { readonly reason: "ipcp-rejected" }
  /** Every address of the pool is taken. */
  | { readonly reason: "no-free-address" }
  /** `windowsError` is the code Windows puts into its Terminate-Request (0: the user hung up). */
  | { readonly reason: "terminated-by-peer"; readonly windowsError: number | undefined; readonly message: string }
  | { readonly reason: "echo-timeout" }
  /** The set-up took longer than `setupLimitMs`. */
  | { readonly reason: "setup-timeout" }
  /** We were told to hang up. */
  | { readonly reason: "administrative" };

/** Windows' trailer behind the magic number: 003ccd74 and the error, both big-endian. */
const WINDOWS_TRAILER = 0x003ccd74;

/** What a Terminate-Request says (RFC 1661 §5.5 leaves its data open). */
export function parseTerminateData(data: Buffer): { windowsError: number | undefined; message: string } {
  if (data.length === 12 && data.readUInt32BE(4) === WINDOWS_TRAILER)
    return { windowsError: data.readUInt32BE(8), message: "" };
  const text = data.toString("latin1");
  return { windowsError: undefined, message: /^[\x20-\x7e]*$/.test(text) ? text : "" };
}

/**
 * The error that Windows puts into its Terminate-Request when it ends a link for this reason; 0 is a person who hung up.
 * Seen on the wire: 0, 691, 778, and 732 in CCP's (windows.md §4); the others are what it shows its user.
 */
export function windowsErrorOf(failure: LinkFailure): number {
  switch (failure.reason) {
    case "auth-refused":
      return failure.errorCode;
    case "server-not-authentic":
      return 778;
    case "auth-timeout":
    case "setup-timeout":
    case "callback-failed":
      return 718;
    case "lcp-not-converging":
      return 732;
    case "encryption-refused":
    case "no-encryption-keys":
      return 742;
    case "no-common-strength":
      return 741;
    case "ipcp-rejected":
      return 733;
    case "ipcp-failed":
      return 720;
    default:
      return 0;
  }
}

/** The data of a Windows Terminate-Request. */
export function emitWindowsTerminateData(magic: number, windowsError: number): Buffer {
  const data = Buffer.alloc(12);
  data.writeUInt32BE(magic);
  data.writeUInt32BE(WINDOWS_TRAILER, 4);
  data.writeUInt32BE(windowsError, 8);
  return data;
}

/** Why LCP ended; `data` is that of the Terminate-Request, if one came. */
export function lcpFailure(
  failure: Extract<NegotiationOutput, { type: "this-layer-finished" }>["failure"],
  data: Buffer,
): LinkFailure {
  switch (failure) {
    case undefined:
      return { reason: "administrative" };
    case "no-response":
      return { reason: "lcp-no-response" };
    case "not-converging":
    case "rejected-by-peer":
      return { reason: "lcp-not-converging" };
    case "option-refused":
      return { reason: "no-common-authentication" };
    case "terminated-by-peer":
      return { reason: "terminated-by-peer", ...parseTerminateData(data) };
  }
}

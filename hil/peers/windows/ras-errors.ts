/**
 * Which error Windows shows for what went wrong with its call: windows.md §10 as data, a row per cause with its evidence.
 * Every code is *predicted* until a real Windows has shown it (`culvert lab run --peer windows`).
 */
import type { SessionFailure } from "../../../appliance/tunnel/diagnosis.ts";
import type { Stage } from "../../../appliance/tunnel/status.ts";
import { isClassic, type WindowsVersion } from "./versions.ts";

/** raserror.h, without ERROR_, and the words that rasdial prints. */
export const RAS_ERRORS = {
  619: [
    "PORT_DISCONNECTED",
    "A connection to the remote computer could not be established, so the port used for this connection was closed.",
  ],
  628: ["DISCONNECTION", "The connection was terminated by the remote computer before it could be completed."],
  629: ["REMOTE_DISCONNECTION", "The connection was closed by the remote computer."],
  631: ["USER_DISCONNECTION", "The port was disconnected by the user."],
  646: ["RESTRICTED_LOGON_HOURS", "The account is not permitted to log on at this time of day."],
  647: ["ACCT_DISABLED", "The account is disabled."],
  648: ["PASSWD_EXPIRED", "The password for this account has expired."],
  649: ["NO_DIALIN_PERMISSION", "The account does not have permission to dial in."],
  678: ["NO_ANSWER", "The remote computer did not respond."],
  691: [
    "AUTHENTICATION_FAILURE",
    "The remote connection was denied because the user name and password combination you provided is not recognized, or the selected authentication protocol is not permitted on the remote access server.",
  ],
  709: ["CHANGING_PASSWORD", "An error occurred while changing the password for the account on the domain."],
  718: ["PPP_TIMEOUT", "The connection was terminated because the remote computer did not respond in a timely manner."],
  720: [
    "PPP_NO_PROTOCOLS_CONFIGURED",
    "A connection to the remote computer could not be established. You might need to change the network settings for this connection.",
  ],
  721: ["PPP_NO_RESPONSE", "The remote computer did not respond."],
  732: ["PPP_NOT_CONVERGING", "Your computer and the remote computer could not agree on PPP control protocols."],
  733: ["PPP_CP_REJECTED", "Your computer and the remote computer could not agree on PPP control protocols."],
  734: ["PPP_LCP_TERMINATED", "The PPP link control protocol was terminated."],
  741: ["NO_LOCAL_ENCRYPTION", "The local computer does not support the required data encryption type."],
  742: ["NO_REMOTE_ENCRYPTION", "The remote computer does not support the required data encryption type."],
  769: ["DESTINATION_UNREACHABLE", "The specified destination is not reachable."],
  778: ["UNABLE_TO_AUTHENTICATE_SERVER", "It was not possible to verify the identity of the server."],
  806: [
    "VPN_GRE_BLOCKED",
    "The VPN connection between your computer and the VPN server could not be completed: Generic Routing Encapsulation (GRE) packets are blocked on the way.",
  ],
  807: ["VPN_DISCONNECT", "The network connection between your computer and the VPN server was interrupted."],
  808: [
    "VPN_REFUSED",
    "The network connection between your computer and the VPN server could not be established because the remote server refused the connection.",
  ],
  809: [
    "VPN_TIMEOUT",
    "The network connection between your computer and the VPN server could not be established because the remote server is not responding.",
  ],
  829: ["LINK_FAILURE", "The modem was disconnected due to link failure."],
} as const satisfies Readonly<Record<number, readonly [string, string]>>;
export type RasCode = keyof typeof RAS_ERRORS;

/** One cause as Windows meets it, and what it shows: since Windows Vista, and before where that differs. */
export interface RasPrediction {
  readonly code: RasCode;
  readonly before?: RasCode;
  /** `(inf)`: inferred from names and stages alone. */
  readonly evidence: string;
}

export const RAS_PREDICTIONS = {
  "tcp-refused": { code: 808, before: 678, evidence: "raserror.h: VPN_REFUSED since Vista; 678 before (inf)" },
  "tcp-no-answer": { code: 809, before: 678, evidence: "raserror.h: VPN_TIMEOUT since Vista; 678 before (inf)" },
  "no-route": { code: 769, evidence: "raserror.h: DESTINATION_UNREACHABLE" },
  "control-ended-in-set-up": {
    code: 619,
    evidence: "Ubuntu forum 2010-11-13, Windows 7: the server gave up after 30 s and the user saw 619",
  },
  "call-refused": { code: 629, evidence: "raserror.h: REMOTE_DISCONNECTION (inf)" },
  "gre-silent": {
    code: 806,
    before: 721,
    evidence: "raserror.h: VPN_GRE_BLOCKED since Vista; 721 before: Microsoft's KB 888201, TN-STAGE",
  },
  "lcp-not-converging": {
    code: 732,
    evidence: "raserror.h; the same code stood in a CCP Terminate-Request (log of XP over L2TP)",
  },
  "lcp-terminated": {
    code: 734,
    evidence: "Ubuntu forum 2018-10-02, Windows 10: the server's Terminate-Request was shown as 734's words",
  },
  "server-not-authentic": { code: 778, evidence: "Terminate-Request with 778 (log of L2TP); RFC 2759 §5" },
  "auth-no-answer": { code: 718, evidence: "raserror.h: PPP_TIMEOUT; TN-STAGE" },
  "set-up-no-answer": { code: 718, evidence: "raserror.h: PPP_TIMEOUT; TN-STAGE" },
  "encryption-refused": { code: 742, evidence: "raserror.h: NO_REMOTE_ENCRYPTION; TN-STAGE" },
  "no-encryption-keys": { code: 742, evidence: "raserror.h (inf): PAP and CHAP make no keys" },
  "strengths-apart": { code: 741, evidence: "KB929857: Vista against a server of 40 or 56 bits" },
  "ipcp-rejected": { code: 733, evidence: "raserror.h: PPP_CP_REJECTED; TN-STAGE" },
  "ipcp-failed": { code: 720, evidence: "raserror.h: PPP_NO_PROTOCOLS_CONFIGURED" },
  "line-lost": { code: 807, before: 619, evidence: "raserror.h: VPN_DISCONNECT since Vista (inf)" },
  "hung-up-by-server": { code: 629, evidence: "raserror.h: REMOTE_DISCONNECTION (inf)" },
  "hung-up-by-user": { code: 631, evidence: "raserror.h: USER_DISCONNECTION (inf)" },
} as const satisfies Readonly<Record<string, RasPrediction>>;
export type RasCause = keyof typeof RAS_PREDICTIONS | { readonly refusedWith: number };

/** What a client of this failure, having come as far as `stage`, met. */
export function rasCauseOf(failure: SessionFailure, stage: Stage): RasCause {
  const wasUp = stage === "network-up";
  switch (failure.reason) {
    case "unreachable":
      if (failure.text === "ECONNREFUSED") return "tcp-refused";
      return failure.text === "ENETUNREACH" || failure.text === "EHOSTUNREACH" ? "no-route" : "tcp-no-answer";
    case "connection-lost":
      return wasUp ? "line-lost" : "control-ended-in-set-up";
    case "control-closed":
      return wasUp ? "hung-up-by-server" : "control-ended-in-set-up";
    case "call-ended":
      if (failure.end.reason === "cleared") return "hung-up-by-user";
      if (wasUp) return "hung-up-by-server";
      return failure.end.reason === "refused" ? "call-refused" : "control-ended-in-set-up";
    case "lcp-no-response":
    case "lcp-loopback":
      return "gre-silent";
    case "lcp-not-converging":
      return "lcp-not-converging";
    case "auth-refused":
      return { refusedWith: failure.errorCode };
    case "server-not-authentic":
      return "server-not-authentic";
    case "auth-timeout":
      return "auth-no-answer";
    case "setup-timeout":
    case "callback-failed":
      return "set-up-no-answer";
    case "encryption-refused":
      return "encryption-refused";
    case "no-encryption-keys":
      return "no-encryption-keys";
    case "no-common-strength":
      return "strengths-apart";
    case "ipcp-rejected":
      return "ipcp-rejected";
    case "ipcp-failed":
      return "ipcp-failed";
    case "no-common-authentication":
    case "ccp-renegotiated":
      return "lcp-terminated";
    case "terminated-by-peer":
      return wasUp ? "hung-up-by-server" : "lcp-terminated";
    case "echo-timeout":
      return "line-lost";
    case "administrative":
    case "collision":
    case "idle-timeout":
    case "session-timeout":
    case "replaced":
    case "no-free-address":
    case "radius-no-answer":
    case "radius-unusable":
    case "radius-disconnect":
      return "hung-up-by-user"; // the rest are a server's own reasons, and no client meets them
  }
}

/** The predicted code. A server's E= is shown as it is (RFC 2759 §6), unless Windows has no such error. */
export function rasCode(cause: RasCause, version: WindowsVersion): RasCode {
  if (typeof cause === "object") return isRasCode(cause.refusedWith) ? cause.refusedWith : 691;
  const { code, before = code }: RasPrediction = RAS_PREDICTIONS[cause];
  return isClassic(version) ? before : code;
}

export function rasEvidence(cause: RasCause): string {
  return typeof cause === "object" ? "RFC 2759 §6: the server's E= is the code" : RAS_PREDICTIONS[cause].evidence;
}

export function isRasCode(code: number): code is RasCode {
  return code in RAS_ERRORS;
}

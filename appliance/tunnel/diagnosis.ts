/**
 * What happened to a session, in words for a person: what went wrong, the error code a Windows client shows for it, and
 * what to look at. The codes are those of `windows-error.ts`; the causes are what users of such routers ran into.
 */
import type { LinkFailure } from "../ppp/failure.ts";
import type { CallEnd } from "../pptp/calls.ts";
import type { ControlClose } from "../pptp/control-connection.ts";
import { codeText, DISCONNECT_RESULT } from "../wire/control-code.ts";
import type { Stage } from "./status.ts";
import type { WindowsErrorCode } from "./windows-error.ts";

export type SessionFailure =
  | LinkFailure
  /** `heardGre`, for a call that ends before LCP is open: whether LCP came from the peer. */
  | { readonly reason: "call-ended"; readonly end: CallEnd; readonly heardGre?: boolean }
  | { readonly reason: "control-closed"; readonly why: ControlClose; readonly text: string }
  | { readonly reason: "connection-lost"; readonly text: string }
  /** Client: the server dialled us at the same moment, and its connection goes first (RFC 2637 §3.1.3). */
  | { readonly reason: "collision" }
  /** The server turned a connection away: too many of this address, or in all, have come to nothing yet. */
  | { readonly reason: "too-many-connections"; readonly limit: number; readonly ofPeer: boolean }
  /** No RADIUS server answered, and nobody else could be asked about the caller. */
  | { readonly reason: "radius-no-answer" }
  /** A RADIUS server let the caller in on terms that cannot be had here. */
  | { readonly reason: "radius-unusable"; readonly server: string; readonly text: string }
  /** A RADIUS server ended the session (Disconnect-Request). */
  | { readonly reason: "radius-disconnect" }
  | { readonly reason: "session-timeout" }
  | { readonly reason: "idle-timeout" }
  /** The same account connected again, and may have one session only. */
  | { readonly reason: "replaced" }
  /** Client: TCP port 1723 of the server could not be reached. */
  | { readonly reason: "unreachable"; readonly text: string };

export interface Diagnosis {
  /** What happened, one sentence without a full stop. */
  readonly what: string;
  /**
   * What a Windows client shows, or undefined when it shows no error (the user hung up). One of `WINDOWS_ERRORS`, unless the
   * peer itself named another.
   */
  readonly windowsError: number | undefined;
  /** What to check, one sentence; empty when there is nothing to do. */
  readonly advice: string;
}

/** An end that nobody needs to look into. A peer that hangs up during set-up had a reason, unless it says it had none. */
export function isOrderly(failure: SessionFailure, stage: Stage): boolean {
  switch (failure.reason) {
    case "administrative":
    case "collision":
    case "radius-disconnect":
    case "session-timeout":
    case "idle-timeout":
    case "replaced":
      return true;
    case "terminated-by-peer":
      return failure.windowsError === 0 || (failure.windowsError === undefined && stage === "network-up");
    case "call-ended":
      return failure.end.reason === "cleared" || (failure.end.reason === "cleared-by-peer" && stage === "network-up");
    case "control-closed":
      return failure.why === "stopped" || failure.why === "stopped-by-peer" || failure.why === "idle";
    default:
      return false;
  }
}

const GRE_ADVICE =
  "let IP protocol 47 (GRE) through every firewall on the way, and switch on PPTP pass-through where there is NAT";

/** What Windows says to the ways in which TCP can fail at once; 809 is no answer at all. */
const UNREACHABLE: Readonly<Record<string, number>> = { ECONNREFUSED: 808, ENETUNREACH: 769, EHOSTUNREACH: 769 };

/** `role` is ours: a server tells what its caller's Windows shows, a client what Windows would show in its place. */
export function diagnose(failure: SessionFailure, stage: Stage, role: "server" | "client"): Diagnosis {
  switch (failure.reason) {
    case "lcp-no-response":
      return {
        what: "the control connection works, but no GRE packet came from the peer",
        windowsError: 806,
        advice: GRE_ADVICE,
      };
    case "lcp-unanswered":
      return {
        what: "GRE packets come from the peer, but it answers none of this device's: they do not reach it",
        windowsError: role === "server" ? 619 : 806,
        advice: GRE_ADVICE,
      };
    case "lcp-not-converging":
      return {
        what: "the peer and this device could not agree on LCP options",
        windowsError: 732,
        advice: "trace the session and compare the Configure-Requests of both sides",
      };
    case "lcp-loopback":
      return {
        what: "the call ends at this device itself: its own LCP magic number came back",
        windowsError: 737,
        advice: "check that the server address is not one of this device's own",
      };
    case "no-common-authentication":
      return {
        what: "the peer refuses every authentication method this device allows",
        windowsError: 734,
        advice: "allow the same method on both sides: MS-CHAPv2 unless the peer is very old",
      };
    case "auth-timeout":
      return {
        what: "the peer did not answer during authentication",
        windowsError: 718,
        advice: "if other sessions work, look for packet loss between the peer and this device",
      };
    case "auth-refused":
      return refusedCredentials(failure.errorCode, failure.message);
    case "server-not-authentic":
      return {
        what: "the server did not prove that it knows the password",
        windowsError: 778,
        advice: "check the server address: somebody else may be answering there",
      };
    case "no-free-address":
      return {
        what: "no free address is left in the pool for this session",
        windowsError: 734, // the whole link ends: IPCP, which would make it 720, never begins
        advice:
          "make the pool larger, or look for sessions that should have ended; a fixed address may be in use already",
      };
    case "encryption-refused":
      return {
        what: "the peer refuses MPPE encryption, which this device requires",
        windowsError: role === "server" ? 741 : 742,
        advice: "require encryption in the peer's settings (Windows: Data encryption, Require encryption)",
      };
    case "encryption-not-offered":
      return {
        what: "the peer requires MPPE encryption, and this device does none in this session",
        windowsError: role === "server" ? 742 : 741,
        advice: "set encryption to optional or required, and authenticate by MS-CHAPv2: PAP and CHAP-MD5 make no keys",
      };
    case "no-encryption-keys":
      return {
        what: "encryption is required, but this authentication method makes no keys",
        windowsError: role === "server" ? 734 : 742,
        advice: "use MS-CHAPv2: PAP and CHAP-MD5 cannot be encrypted",
      };
    case "no-common-strength":
      return {
        what: "peer and device have no MPPE key length in common",
        windowsError: 741,
        advice: "allow 128 bit on both sides: Windows Vista and later know no other",
      };
    case "ccp-renegotiated":
      return {
        what: "the peer restarted encryption inside the session, which would reuse its keys",
        windowsError: 734,
        advice: "dial again; if it happens again, trace the session",
      };
    case "callback-failed":
      return {
        what: "the peer agreed to callback and never negotiated it",
        windowsError: 718,
        advice: "switch callback off in the peer's settings",
      };
    case "ipcp-failed":
    case "ipcp-rejected":
      return {
        what: "the peer and this device could not agree on IP addresses",
        windowsError: failure.reason === "ipcp-rejected" ? 733 : 720,
        advice: "check the address pool, and that the peer has TCP/IP switched on for this connection",
      };
    case "terminated-by-peer":
      return terminated(failure.windowsError, failure.message, stage, role);
    case "echo-timeout":
      return {
        what: "the peer no longer answers LCP Echo-Requests",
        windowsError: 829,
        advice: "the line is down, or a NAT on the way forgot this session",
      };
    case "setup-timeout":
      return {
        what: "the session was not up in time",
        windowsError: 718,
        advice: "trace the session to see which side stopped answering",
      };
    case "administrative":
      return { what: "hung up on this device", windowsError: 629, advice: "" };
    case "call-ended":
      return callEnded(failure.end, stage, role, failure.heardGre);
    case "control-closed":
      return {
        what: failure.text,
        windowsError: failure.why === "refused-by-peer" ? 629 : controlLost(stage),
        advice: "",
      };
    case "connection-lost":
      return {
        what: `the control connection broke: ${failure.text}`,
        windowsError: controlLost(stage),
        advice: "look for a firewall or NAT that drops TCP port 1723",
      };
    case "collision":
      return {
        what: "both sides dialled at once; the other side's call goes first",
        windowsError: undefined,
        advice: "",
      };
    case "too-many-connections":
      return {
        what: `turned away: ${failure.limit} connections ${failure.ofPeer ? "of this address " : ""}have no session yet`,
        windowsError: 629,
        advice:
          "somebody tries passwords or ports, or many callers share this address: look at the other lines about it",
      };
    case "radius-no-answer":
      return {
        what: "no RADIUS server answered",
        windowsError: 734,
        advice:
          "look at 'show vpn radius'; check address, port and shared secret, and that the server knows this device as a client",
      };
    case "radius-unusable":
      return {
        what: `the answer of RADIUS server ${failure.server} cannot be used: ${failure.text}`,
        windowsError: 734,
        advice: "change what the RADIUS server answers for this user",
      };
    case "radius-disconnect":
      return { what: "a RADIUS server ended the session", windowsError: 629, advice: "" };
    case "session-timeout":
      return { what: "the session lasted as long as it may", windowsError: 629, advice: "" };
    case "idle-timeout":
      return { what: "nothing passed for as long as a session may be idle", windowsError: 629, advice: "" };
    case "replaced":
      return { what: "the same account connected again and may have one session only", windowsError: 629, advice: "" };
    case "unreachable":
      return {
        what: `the server cannot be reached on TCP port 1723: ${failure.text}`,
        windowsError: UNREACHABLE[failure.text] ?? 809,
        advice: "check the server address, and that TCP port 1723 is open on the way",
      };
  }
}

function refusedCredentials(errorCode: number, message: string): Diagnosis {
  switch (errorCode) {
    case 646:
      return { what: "the account may not log on at this hour", windowsError: 646, advice: "" };
    case 647:
      return { what: "the account is disabled", windowsError: 647, advice: "enable it under 'vpn account'" };
    case 648:
      return { what: "the password has expired", windowsError: 648, advice: "set a new password" };
    case 649:
      return {
        what: `the account may not dial in${message === "" ? "" : ` (${quoted(message)})`}`,
        windowsError: 649,
        advice: "",
      };
    case 709:
      return { what: "the password could not be changed", windowsError: 709, advice: "" };
    default:
      return {
        what: `wrong user name or password${message === "" ? "" : ` (${quoted(message)})`}`,
        windowsError: 691,
        advice: "check user name and password, keyboard layout and capitals included",
      };
  }
}

/** A peer's own words inside a sentence of ours: one line, no full stop. */
function quoted(message: string): string {
  return message
    .slice(0, 128)
    .replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?")
    .replace(/[.\s]+$/, "");
}

/** 807 before the tunnel is up (Microsoft TechNet, see `windows-error.ts`); a port that closes during set-up is 619, as a Windows 7 showed. */
function controlLost(stage: Stage): WindowsErrorCode {
  return stage === "call-established" || stage === "lcp-opened" || stage === "authenticated" ? 619 : 807;
}

function terminated(
  windowsError: number | undefined,
  message: string,
  stage: Stage,
  role: "server" | "client",
): Diagnosis {
  if (windowsError !== undefined && windowsError !== 0)
    return { what: `the Windows client ended the session with its error ${windowsError}`, windowsError, advice: "" };
  const said = message === "" ? "" : `: ${quoted(message)}`;
  if (stage === "network-up" || windowsError === 0)
    return { what: `the peer hung up${said}`, windowsError: undefined, advice: "" };
  return {
    what: `the peer ended the session during set-up${said}`,
    windowsError: role === "server" ? 628 : 734,
    advice: "look at the peer's own log",
  };
}

function callEnded(end: CallEnd, stage: Stage, role: "server" | "client", heardGre: boolean | undefined): Diagnosis {
  const gre = greSeen(heardGre);
  switch (end.reason) {
    case "cleared":
      return { what: "hung up on this device", windowsError: 629, advice: "" };
    case "cleared-by-peer":
      if (stage === "network-up") {
        const result = codeText(DISCONNECT_RESULT, end.resultCode);
        return { what: `the peer hung up: ${result}`, windowsError: undefined, advice: "" };
      }
      return {
        what: `the peer gave up the call during set-up${gre}`,
        windowsError: stage !== "call-established" ? 628 : role === "server" ? 806 : 619,
        advice: stage === "call-established" ? GRE_ADVICE : "look at the peer's own log",
      };
    case "refused":
      return { what: `the server refused the call: ${end.text}`, windowsError: 629, advice: "" };
    case "no-reply":
      return { what: "the call was never answered", windowsError: 619, advice: "" };
    case "control-connection-closed":
      return {
        what: `the peer closed the control connection${gre}`,
        windowsError: controlLost(stage),
        advice: stage === "call-established" ? GRE_ADVICE : "",
      };
  }
}

/** Which way GRE fails, as far as it can be told from here. */
function greSeen(heardGre: boolean | undefined): string {
  if (heardGre === undefined) return "";
  return heardGre ? ": its GRE packets come, and those to it seem to be lost" : ": no GRE packet of its came";
}

/**
 * The error codes that the PPTP client of Windows shows, one table for the diagnosis and for the interop matrix of the lab.
 *
 * Numbers and names are Microsoft's (raserror.h, ERROR_ left out). When Windows shows which is taken from what is named as
 * evidence; no Windows was at hand, so every row is a prediction until a run with one confirms it.
 */

/** How sure it is that Windows shows this code for what the row says. */
export type Confidence = "predicted" | "confirmed";

export interface WindowsErrorRow {
  readonly code: number;
  /** raserror.h's, without `ERROR_`. */
  readonly name: string;
  /** What a server or the way to it does, so that Windows shows the code. */
  readonly when: string;
  /** Where that is known from. */
  readonly evidence: string;
  readonly confidence: Confidence;
  /** What Windows XP and Server 2003 show instead: the code is younger than they are. */
  readonly before?: number;
  /** Why no server can cause it, or none like this device. */
  readonly notOurs?: string;
}

/** Microsoft's list of the codes that can follow each event of its RasClient log (20222 connecting, 20223 tunnel up). */
const STAGES = "Microsoft TechNet, RAS Connection Establishment Issues";
const HEADER = "raserror.h";
const CHAP = "RFC 2759 §6: the code of a CHAP Failure is shown as it is";

export const WINDOWS_ERRORS = [
  row(619, "PORT_DISCONNECTED", "the control connection or the call ends after the call is up and before LCP is", {
    evidence: "log of a Windows 7 user whose server gave up after 30 s without GRE (Ubuntu forum, 2010-11-13)",
  }),
  row(623, "CANNOT_FIND_PHONEBOOK_ENTRY", "the user dials a connection that does not exist", {
    notOurs: "no packet leaves the PC",
  }),
  row(628, "DISCONNECTION", "the call is cleared while LCP or the authentication is under way", { evidence: HEADER }),
  row(629, "REMOTE_DISCONNECTION", "the server closes TCP 1723 on purpose: a limit, or an administrator", {
    evidence: HEADER,
  }),
  row(633, "PORT_NOT_AVAILABLE", "the WAN miniport is in use", {
    evidence: STAGES,
    notOurs: "no packet leaves the PC",
  }),
  row(646, "RESTRICTED_LOGON_HOURS", "CHAP Failure E=646: the account may not log on now", { evidence: CHAP }),
  row(647, "ACCT_DISABLED", "CHAP Failure E=647: the account is disabled", { evidence: CHAP }),
  row(648, "PASSWD_EXPIRED", "CHAP Failure E=648: the password has expired", { evidence: CHAP }),
  row(649, "NO_DIALIN_PERMISSION", "CHAP Failure E=649: the account may not dial in", { evidence: CHAP }),
  row(691, "AUTHENTICATION_FAILURE", "CHAP Failure E=691 or PAP Authenticate-Nak: wrong user name or password", {
    evidence: `${CHAP}; Terminate-Requests of Windows clients with 0x2b3 in them, after E=691`,
  }),
  row(709, "CHANGING_PASSWORD", "CHAP Failure E=709: the new password is not taken", { evidence: CHAP }),
  row(718, "PPP_TIMEOUT", "the answer to the client's authentication, or to CBCP, never comes", { evidence: STAGES }),
  row(719, "PPP_REMOTE_TERMINATED", "LCP Terminate-Request of the server", {
    evidence: HEADER,
    notOurs: "the same on the wire as 734, which Windows logs show",
  }),
  row(720, "PPP_NO_PROTOCOLS_CONFIGURED", "IPCP does not come up: no address that both sides take", {
    evidence: HEADER,
  }),
  row(721, "PPP_NO_RESPONSE", "the call is up and no GRE answer comes: Windows XP and Server 2003", {
    evidence: `${STAGES}: "I received error 721"`,
  }),
  row(732, "PPP_NOT_CONVERGING", "Naks and Rejects of LCP go round in circles", {
    evidence: "a Windows client's CCP Terminate-Request with 0x2dc in it (L2TP, the same PPP engine)",
  }),
  row(733, "PPP_CP_REJECTED", "Protocol-Reject of IPCP", { evidence: STAGES }),
  row(734, "PPP_LCP_TERMINATED", "LCP Terminate-Request of the server after LCP was open", {
    evidence: `"The PPP Link Control Protocol Was Terminated": a Windows 10 user (Ubuntu forum, 2018-10-02)`,
  }),
  row(735, "PPP_REQUIRED_ADDRESS_REJECTED", "a fixed address of the client's own is refused", {
    evidence: STAGES,
    notOurs: "clients ask for 0.0.0.0 unless their user typed an address",
  }),
  row(736, "PPP_NCP_TERMINATED", "IPCP Terminate-Request of the server", {
    evidence: STAGES,
    notOurs: "this device ends the whole link, never IPCP alone",
  }),
  row(737, "PPP_LOOPBACK_DETECTED", "the PC's own LCP magic number comes back", {
    evidence: STAGES,
    notOurs: "it takes a line that ends where it began",
  }),
  row(738, "PPP_NO_ADDRESS_ASSIGNED", "IPCP comes up without an address for the client", {
    evidence: STAGES,
    notOurs: "without an address this device ends the link before IPCP",
  }),
  row(
    741,
    "NO_LOCAL_ENCRYPTION",
    "the server wants MPPE with 40 or 56 bit, and Vista and later have 128 alone; or the client has none",
    {
      evidence: "Microsoft KB929857; that it also stands for a client without encryption is inferred",
    },
  ),
  row(742, "NO_REMOTE_ENCRYPTION", "the client requires MPPE, and the server rejects it", { evidence: HEADER }),
  row(743, "REMOTE_REQUIRES_ENCRYPTION", "the server requires MPPE", {
    evidence: HEADER,
    notOurs: "no longer used since Vista",
  }),
  row(768, "FAILED_TO_ENCRYPT", "the PC fails to encrypt", { evidence: HEADER, notOurs: "no packet leaves the PC" }),
  row(769, "DEST_NOT_REACHABLE", "no route to the server", {
    evidence: HEADER,
    notOurs: "no packet reaches the server",
  }),
  row(778, "UNABLE_TO_AUTHENTICATE_SERVER", "CHAP Success without the right S=", {
    evidence: "a Windows client's Terminate-Request with 0x30a in it (L2TP, the same PPP engine)",
    notOurs: "a server that knows the password makes no wrong proof",
  }),
  row(800, "AUTOMATIC_VPN_FAILED", "every tunnel type failed", {
    evidence: HEADER,
    notOurs: "shown for tunnel type Automatic alone",
  }),
  row(806, "VPN_GRE_BLOCKED", "the call is up and no GRE answer comes: Vista and later", {
    evidence: STAGES,
    before: 721,
  }),
  row(807, "VPN_DISCONNECT", "the control connection is lost before the call is up, or when the network is", {
    evidence: STAGES,
  }),
  row(808, "VPN_REFUSED", "TCP 1723 answers with RST", { evidence: STAGES }),
  row(809, "VPN_TIMEOUT", "TCP 1723 does not answer", { evidence: STAGES }),
  row(812, "SERVER_POLICY", "a policy of Microsoft's NPS forbids the authentication method", {
    evidence: STAGES,
    notOurs: "only an RRAS server with NPS says so",
  }),
  row(825, "INVALID_VPNSTRATEGY", "PPTP to a server's IPv6 address", {
    evidence: HEADER,
    notOurs: "no packet leaves the PC",
  }),
  row(828, "IDLE_TIMEOUT", "the client itself hangs up an idle connection", {
    evidence: HEADER,
    notOurs: "it is the client's own wish",
  }),
  row(829, "LINK_FAILURE", "the network was up and the peer is silent", { evidence: HEADER }),
] as const satisfies readonly WindowsErrorRow[];

export type WindowsErrorCode = (typeof WINDOWS_ERRORS)[number]["code"];

const BY_CODE: ReadonlyMap<number, WindowsErrorRow> = new Map(WINDOWS_ERRORS.map((each) => [each.code, each]));

/** What is known of a code; undefined for one that is not in the table. */
export function windowsErrorRow(code: number): WindowsErrorRow | undefined {
  return BY_CODE.get(code);
}

/** For the log: `error 806 (XP: 721)`. */
export function windowsErrorText(code: number): string {
  const before = BY_CODE.get(code)?.before;
  return `error ${code}${before === undefined ? "" : ` (XP: ${before})`}`;
}

function row<const C extends number>(
  code: C,
  name: string,
  when: string,
  rest: Partial<Pick<WindowsErrorRow, "evidence" | "before" | "notOurs">>,
): WindowsErrorRow & { readonly code: C } {
  return { code, name, when, evidence: HEADER, confidence: "predicted", ...rest };
}

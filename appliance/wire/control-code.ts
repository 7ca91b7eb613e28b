/** Result, error, reason and cause codes of the control connection, by name: RFC 2637 §2.16 and §2.2–§2.13. */

/** §2.16: why a Result Code said General Error. */
export const GENERAL_ERROR: Readonly<Record<number, string>> = {
  0: "none",
  1: "not connected: no control connection exists yet for this pair",
  2: "bad format: length is wrong or magic cookie value is incorrect",
  3: "bad value: a field was out of range or a reserved field was not zero",
  4: "no resource: insufficient resources to handle this command now",
  5: "bad call id: the call id is invalid in this context",
  6: "PAC error: a vendor-specific error occurred in the PAC",
};

/** §2.2 */
export const START_RESULT: Readonly<Record<number, string>> = {
  1: "successful channel establishment",
  2: "general error",
  3: "command channel already exists",
  4: "requester is not authorized to establish a command channel",
  5: "the protocol version of the requester is not supported",
};

/** §2.3 */
export const STOP_REASON: Readonly<Record<number, string>> = {
  1: "general request to clear the control connection",
  2: "cannot support the peer's version of the protocol",
  3: "requester is being shut down",
};

/** §2.4, §2.6 */
export const STOP_RESULT: Readonly<Record<number, string>> = {
  1: "control connection closed",
  2: "control connection not closed for reason in the error code",
};
export const ECHO_RESULT: Readonly<Record<number, string>> = {
  1: "the Echo-Reply is valid",
  2: "Echo-Request not accepted for the reason in the error code",
};

/** §2.8 */
export const OUTGOING_CALL_RESULT: Readonly<Record<number, string>> = {
  1: "call established with no errors",
  2: "call not established for the reason in the error code",
  3: "no carrier detected",
  4: "busy signal detected",
  5: "no dial tone detected",
  6: "call not established within the time allowed",
  7: "outgoing call administratively prohibited",
};

/** §2.10 */
export const INCOMING_CALL_RESULT: Readonly<Record<number, string>> = {
  1: "the PAC should answer the incoming call",
  2: "the call should not be established for the reason in the error code",
  3: "the PAC should not accept the incoming call",
};

/** §2.13. Windows sends 0 and ignores what it receives ([MS-PTPT] 3.2.5.6). */
export const DISCONNECT_RESULT: Readonly<Record<number, string>> = {
  0: "call disconnected (Windows)",
  1: "lost carrier",
  2: "general error",
  3: "administrative shutdown",
  4: "received Call-Clear-Request",
};

/** `code` as a person should read it: the name, with the number for the RFC. */
export function codeText(names: Readonly<Record<number, string>>, code: number): string {
  return `${names[code] ?? "undefined code"} (${code})`;
}

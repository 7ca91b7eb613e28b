/**
 * Which error Windows shows for what went wrong with its call, and its words. The codes and their evidence are the table of
 * the device's own diagnosis (`tunnel/windows-error.ts`); all of them are *predicted* until a real Windows has shown them.
 */
import { diagnose, type SessionFailure } from "../../../appliance/tunnel/diagnosis.ts";
import type { Stage } from "../../../appliance/tunnel/status.ts";
import { windowsErrorRow } from "../../../appliance/tunnel/windows-error.ts";
import { isClassic, type WindowsVersion } from "./versions.ts";

export interface RasPrediction {
  readonly code: number;
  readonly evidence: string;
}

/** The user hung up. */
const USER_DISCONNECTION = 631;

/** Codes that are younger than Windows XP, and what it most likely showed instead: by their names alone. */
const BEFORE_VISTA: Readonly<Record<number, number>> = { 807: 619, 808: 678, 809: 678 };

/** What a client that met this failure, having come as far as `stage`, shows. */
export function predictRasError(failure: SessionFailure, stage: Stage, version: WindowsVersion): RasPrediction {
  if (isOwnWish(failure)) return { code: USER_DISCONNECTION, evidence: "raserror.h: USER_DISCONNECTION" };
  // A server that ends a call that was up, without a code of its own: Windows has one for that.
  const code = diagnose(failure, stage, "client").windowsError ?? 629;
  const row = windowsErrorRow(code);
  const evidence = row?.evidence ?? "none: raserror.h has a code with this number";
  if (!isClassic(version)) return { code, evidence };
  if (row?.before !== undefined)
    return { code: row.before, evidence: windowsErrorRow(row.before)?.evidence ?? evidence };
  const older = BEFORE_VISTA[code];
  return older === undefined ? { code, evidence } : { code: older, evidence: "raserror.h, by its name alone" };
}

/** Hung up here: no error. */
export function isOwnWish(failure: SessionFailure): boolean {
  return failure.reason === "administrative" || (failure.reason === "call-ended" && failure.end.reason === "cleared");
}

/** As `rasdial` prints it: the words of English Windows 10, from memory of public reports; only the number is relied on. */
export function rasErrorText(code: number): string {
  return `Remote Access error ${code} - ${WORDS[code] ?? `ERROR_${windowsErrorRow(code)?.name ?? code}.`}`;
}

const WORDS: Readonly<Record<number, string>> = {
  619: "A connection to the remote computer could not be established, so the port used for this connection was closed.",
  623: "The system could not find the phone book entry for this connection.",
  628: "The connection was terminated by the remote computer before it could be completed.",
  629: "The connection was closed by the remote computer.",
  633: "The modem (or other connecting device) is already in use or is not configured properly.",
  678: "The remote computer did not respond.",
  691: "The remote connection was denied because the user name and password combination you provided is not recognized, or the selected authentication protocol is not permitted on the remote access server.",
  718: "The connection was terminated because the remote computer did not respond in a timely manner.",
  721: "The remote computer did not respond.",
  732: "Your computer and the remote computer could not agree on PPP control protocols.",
  734: "The PPP link control protocol was terminated.",
  741: "The local computer does not support the required data encryption type.",
  742: "The remote computer does not support the required data encryption type.",
  769: "The specified destination is not reachable.",
  806: "GRE packets between your computer and the VPN server are blocked on the way.",
  807: "The network connection between your computer and the VPN server was interrupted.",
  808: "The remote server refused the connection.",
  809: "The remote server is not responding.",
};

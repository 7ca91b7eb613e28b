/** RFC 5424: one log message. */

/** RFC 5424 §6.2.1. */
const FACILITY: Readonly<Record<string, number>> = {
  user: 1,
  daemon: 3,
  ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`local${n}`, 16 + n])),
};
const Severity = { error: 3, warning: 4, info: 6, debug: 7 } as const;

/** Receivers must take 480 bytes and should take 2048 (§6.1). */
const LONGEST_BYTES = 2048;

export interface SyslogMessage {
  readonly facility: string;
  readonly severity: keyof typeof Severity;
  /** RFC 3339, with milliseconds and `Z`. */
  readonly time: string;
  readonly hostName: string;
  readonly application: string;
  /** Printable ASCII without blanks, such as the part of the program that speaks. */
  readonly messageId: string;
  readonly text: string;
}

/** `<134>1 2026-11-25T14:00:00.000Z office culvert - pptp - BOM text`. Cut to 2048 bytes. */
export function emitSyslog(message: SyslogMessage): Buffer {
  const { facility, severity, time, hostName, application, messageId, text } = message;
  const priority = (FACILITY[facility] ?? 1) * 8 + Severity[severity];
  const words = [time, field(hostName, 255), field(application, 48), "-", field(messageId, 32), "-"];
  // The byte order mark says that what follows is UTF-8 (§6.4).
  const whole = Buffer.from(`<${priority}>1 ${words.join(" ")} \ufeff${text}`);
  return whole.length <= LONGEST_BYTES ? whole : cut(whole);
}

/** RFC 6587 §3.4.1, octet counting: how messages follow each other on a TCP connection. */
export function frameSyslog(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

/** `-` stands for what is missing (NILVALUE). */
function field(text: string, longest: number): string {
  const printable = text.replace(/[^\x21-\x7e]/g, "").slice(0, longest);
  return printable === "" ? "-" : printable;
}

/** Never in the middle of a character of UTF-8. */
function cut(bytes: Buffer): Buffer {
  let end = LONGEST_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/** NTP version 4 packets of a client (RFC 5905 §7.3), as far as SNTP uses them (RFC 4330). */

const NTP_BYTES = 48;
/** 1900 to 1970 (RFC 5905 §6, figure 4). */
const EPOCH_SECONDS = 2_208_988_800;
/** Era 1 begins in 2036: seconds with the highest bit clear belong to it (RFC 4330 §3). */
const ERA_SECONDS = 2 ** 32;
const CLIENT = 3;
const SERVER = 4;

/** `cookie` (8 bytes) takes the place of the transmit timestamp: the server returns it, and whoever cannot see it cannot answer. */
export function emitNtpRequest(cookie: Buffer): Buffer {
  const packet = Buffer.alloc(NTP_BYTES);
  packet[0] = (4 << 3) | CLIENT;
  cookie.copy(packet, 40, 0, 8);
  return packet;
}

export interface NtpReply {
  readonly stratum: number;
  /** Milliseconds since 1970, when the request came and when the reply left. */
  readonly receivedAt: number;
  readonly sentAt: number;
}

export type ParsedNtp =
  | { readonly ok: true; readonly reply: NtpReply }
  /** `problem`: a sentence, for the log. `unwelcome`: the server must not be asked again (RFC 4330 §8). */
  | { readonly ok: false; readonly problem: string; readonly unwelcome: boolean };

/** Total. Takes a server's answer to the request with this cookie. */
export function parseNtpReply(bytes: Buffer, cookie: Buffer): ParsedNtp {
  if (bytes.length < NTP_BYTES) return refused(`${bytes.length} bytes are no NTP packet`);
  if (!bytes.subarray(24, 32).equals(cookie)) return refused("an answer to somebody else's question");
  const [first = 0, stratum = 0] = bytes;
  if ((first & 7) !== SERVER) return refused("not a server's packet");
  // Kiss-o'-Death: stratum 0 with four letters in place of the reference (RFC 5905 §7.4).
  if (stratum === 0) {
    const code = bytes.toString("latin1", 12, 16).replace(/[^A-Z0-9]/g, "");
    const problem = `the server does not want to be asked (${code === "" ? "no reason given" : code})`;
    return { ok: false, problem, unwelcome: true };
  }
  if (stratum > 15 || first >> 6 === 3) return refused("the server does not know the time itself");
  const [receivedAt, sentAt] = [timestamp(bytes, 32), timestamp(bytes, 40)];
  if (receivedAt === undefined || sentAt === undefined) return refused("an answer without the time");
  return { ok: true, reply: { stratum, receivedAt, sentAt } };
}

function refused(problem: string): ParsedNtp {
  return { ok: false, problem, unwelcome: false };
}

function timestamp(bytes: Buffer, at: number): number | undefined {
  const seconds = bytes.readUInt32BE(at);
  const fraction = bytes.readUInt32BE(at + 4);
  if (seconds === 0 && fraction === 0) return undefined;
  const era = seconds >= 0x80000000 ? 0 : ERA_SECONDS;
  return (seconds + era - EPOCH_SECONDS) * 1000 + (fraction * 1000) / 2 ** 32;
}

/** Password Authentication Protocol: the data of its three packets (RFC 1334 §2.2). The packet header is `cp-packet.ts`. */
import { type Parsed, Reader } from "./cursor.ts";

export const PapCode = { authenticateRequest: 1, authenticateAck: 2, authenticateNak: 3 } as const;

export interface PapRequest {
  readonly peerId: Buffer;
  readonly password: Buffer;
}

export function parsePapRequest(data: Buffer): Parsed<PapRequest> {
  const r = new Reader(data);
  return r.result({ peerId: r.view(r.u8()), password: r.view(r.u8()) });
}

/** Both at most 255 bytes. */
export function emitPapRequest({ peerId, password }: PapRequest): Buffer {
  return Buffer.concat([Buffer.from([peerId.length]), peerId, Buffer.from([password.length]), password]);
}

/** RFC 1334 §2.2.2; some peers leave the length out when there is no message. */
export function parsePapMessage(data: Buffer): Parsed<Buffer> {
  if (data.length === 0) return { ok: true, value: data };
  const r = new Reader(data);
  return r.result(r.view(r.u8()));
}

/** At most 255 bytes. */
export function emitPapMessage(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([message.length]), message]);
}

/** Callback Control Protocol, as far as "no callback" goes: [MS-CBCP] 2.2. */
import { parseOptions } from "./cp-packet.ts";
import { fault, type Parsed } from "./cursor.ts";

export const CbcpCode = { request: 1, response: 2, acknowledgment: 3 } as const;
/** [MS-CBCP] 2.2.2: callback type 1 is "no callback". */
export const NO_CALLBACK = 1;

/** The callback types a CBCP packet's data names, in order. */
export function parseCallbackTypes(data: Buffer): Parsed<readonly number[]> {
  const options = parseOptions(data);
  if (!options.ok) return options;
  if (options.value.length === 0) return fault("short");
  return { ok: true, value: options.value.map(({ type }) => type) };
}

/** The data of a packet that offers, takes or acknowledges "no callback" and nothing else. */
export function emitNoCallback(): Buffer {
  return Buffer.from([NO_CALLBACK, 2]);
}

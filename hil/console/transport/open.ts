/** Opens the way to a serial line that a bench file names. */
import { type LabClock, systemClock } from "../../clock.ts";
import { openRfc2217 } from "./rfc2217.ts";
import { openSerial } from "./serial.ts";
import { openTcp, openUnix } from "./tcp.ts";
import type { Transport } from "./transport.ts";

export type TransportSpec =
  | { readonly serial: string; readonly baud?: number }
  /** HOST:PORT */
  | { readonly tcp: string }
  /** HOST:PORT */
  | { readonly rfc2217: string; readonly baud?: number }
  /** The path of a QEMU chardev's socket. */
  | { readonly unix: string };

/** Throws a Fault of class `bench` (of class `host` for QEMU's socket) that says what is wrong and what to do. */
export async function openTransport(spec: TransportSpec, clock: LabClock = systemClock()): Promise<Transport> {
  if ("serial" in spec) return await openSerial(spec.serial, { baud: spec.baud ?? 115_200 }, clock);
  if ("tcp" in spec) return await openTcp(spec.tcp, clock);
  if ("rfc2217" in spec) return await openRfc2217(spec.rfc2217, { baud: spec.baud ?? 115_200 }, clock);
  return await openUnix(spec.unix, clock);
}

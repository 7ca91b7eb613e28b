/** The console of a real board as a stream of bytes. Every failure is a bench Fault; one that comes later ends the stream with it. */
import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { Fault } from "../fault.ts";
import type { ConsoleLine } from "./schema.ts";
import { openSerial } from "./serial.ts";

/** A console server that does not answer is not there. */
const CONNECT_MS = 10_000;

export async function openLine(line: ConsoleLine): Promise<Duplex> {
  if ("serial" in line) return await openSerial(line.serial, line.baud);
  if ("tcp" in line) return await openTcp(line.tcp);
  if ("rfc2217" in line) {
    throw new Fault(
      "bench",
      `console ${line.rfc2217}: RFC 2217 is not built yet; let ser2net offer the port as raw TCP`,
    );
  }
  throw new Fault("harness", "the console of a machine in QEMU is opened with the machine");
}

async function openTcp(address: string): Promise<Duplex> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const socket = connect({ host, port: Number(address.slice(colon + 1)), noDelay: true, keepAlive: true });
  const signal = AbortSignal.timeout(CONNECT_MS);
  try {
    await once(socket, "connect", { signal });
  } catch (error) {
    socket.destroy();
    const why = signal.aborted ? `no answer within ${CONNECT_MS / 1000} s` : (error as Error).message;
    throw new Fault("bench", `console at ${address} cannot be reached: ${why}`, { cause: error });
  }
  return socket;
}

/** Serial lines as plain sockets: a port server's raw TCP, or the unix socket of a QEMU chardev. */
import { connect, type Socket } from "node:net";
import type { LabClock } from "../../clock.ts";
import { Fault, type FaultClass } from "../../fault.ts";
import { noControl, type Transport, transportOver } from "./transport.ts";

const CONNECT_WITHIN_MS = 10_000;

/** Bytes over TCP as they are. `address` is HOST:PORT. */
export async function openTcp(address: string, clock: LabClock): Promise<Transport> {
  const socket = await connectTo(address, hostAndPort(address), "bench", clock);
  return overSocket(address, socket, "bench", "raw TCP; an rfc2217 port can");
}

/** The unix socket of a QEMU chardev (`-chardev socket,server=on`). */
export async function openUnix(path: string, clock: LabClock): Promise<Transport> {
  const socket = await connectTo(path, { path }, "host", clock);
  return overSocket(path, socket, "host", "a QEMU socket");
}

function overSocket(place: string, stream: Socket, faultClass: FaultClass, what: string): Transport {
  const close = (): Promise<void> => closeSocket(stream);
  return transportOver({ place, stream, faultClass, control: noControl(place, what), close });
}

export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve();
    socket.once("close", () => resolve());
    socket.destroy();
  });
}

/** Throws a Fault that says what cannot be reached, and why. */
export function connectTo(
  place: string,
  to: { readonly host: string; readonly port: number } | { readonly path: string },
  faultClass: FaultClass,
  clock: LabClock,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    const fail = (why: string): void => {
      cancel();
      socket.destroy();
      reject(new Fault(faultClass, `${place}: ${why}`));
    };
    const cancel = clock.after(CONNECT_WITHIN_MS, () => fail(`no answer within ${CONNECT_WITHIN_MS / 1000} s`));
    const failed = (error: NodeJS.ErrnoException): void => fail(REASONS[error.code ?? ""] ?? error.message);
    socket.once("error", failed);
    socket.once("connect", () => {
      cancel();
      socket.off("error", failed);
      socket.setNoDelay();
      // A port server that loses its power says nothing.
      socket.setKeepAlive(true, 10_000);
      resolve(socket);
    });
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: does the port server run, and is this its port?",
  ENOENT: "there is no such socket: does QEMU run?",
  ENOTFOUND: "there is no such host",
  EHOSTUNREACH: "the host cannot be reached",
};

export function hostAndPort(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new Fault("bench", `'${address}' is no address of a port: HOST:PORT`);
  }
  return { host: match[1] ?? match[2] ?? "", port };
}

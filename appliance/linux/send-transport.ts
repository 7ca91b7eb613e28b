/** UDP packets and TCP connections that only send, by node:dgram and node:net. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { type SendTransport, SystemError, type UdpTransport } from "../ports.ts";
import { toSystemError } from "./system-call.ts";

/** A server that reads this slowly does not read at all. */
const LARGEST_QUEUE_BYTES = 256 * 1024;
const KEEP_ALIVE_MS = 30_000;

export const udpTransport: UdpTransport = {
  open({ received, failed }) {
    const socket = createSocket("udp4", received);
    const report = (error: Error): void =>
      failed(toSystemError(error, "send a UDP packet") ?? new SystemError("send a UDP packet", error.message));
    socket.on("error", report);
    let open = true;
    return {
      send(host, port, bytes) {
        socket.send(bytes, port, host, (error) => {
          if (error !== null && open) report(error);
        });
      },
      close() {
        open = false;
        socket.close();
      },
    };
  },
};

export const sendTransport: SendTransport = {
  connect(host, port, { up, down }) {
    const socket = connect({ host, port, family: 4, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    let reason = "the far end closed the connection";
    let wanted = true;
    socket.on("connect", up);
    socket.on("error", (error) => {
      reason = toSystemError(error)?.errno ?? error.message;
    });
    socket.on("close", () => {
      if (wanted) down(reason);
    });
    socket.resume(); // whatever it says is of no interest, but its end is
    return {
      send(bytes) {
        socket.write(bytes);
        if (socket.writableLength <= LARGEST_QUEUE_BYTES) return;
        reason = "the far end does not read what we send";
        socket.destroy();
      },
      close() {
        wanted = false;
        socket.destroySoon();
      },
    };
  },
};

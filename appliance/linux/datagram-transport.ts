/** UDP by node:dgram: IPv4 only. */
import { createSocket } from "node:dgram";
import { type DatagramTransport, SystemError } from "../ports.ts";
import { formatIpv4, parseIpv4 } from "../wire/ipv4.ts";
import { toSystemError } from "./system-call.ts";

export const datagramTransport: DatagramTransport = {
  open(port, received, failed) {
    const operation = port === undefined ? "open a UDP socket" : `listen on UDP port ${port}`;
    const socket = createSocket("udp4");
    let state: "opening" | "open" | "closed" = "opening";
    const close = (): void => {
      if (state === "closed") return;
      state = "closed";
      socket.close();
    };
    socket.on("message", (bytes, { address, port: from }) => {
      const sender = parseIpv4(address);
      if (sender !== undefined && state === "open") received(sender, from, bytes);
    });
    socket.on("listening", () => {
      if (state === "opening") state = "open";
    });
    // Once open, errors are those of single datagrams (an ICMP message came back): the datagram is gone, that is all.
    socket.on("error", (error) => {
      if (state !== "opening") return;
      close();
      failed(toSystemError(error, operation) ?? new SystemError(operation, error.message, { cause: error }));
    });
    socket.bind(port ?? 0, "0.0.0.0");
    return {
      send(to, toPort, bytes) {
        // Given a callback, node reports a refused datagram to it instead of failing the socket.
        if (state !== "closed") socket.send(bytes, toPort, formatIpv4(to), () => {});
      },
      close,
    };
  },
};

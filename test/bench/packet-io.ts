/**
 * What a packet costs on its way in and out, per way of doing it, as a ratio to Node's own fs.writeSync on a TUN, all in
 * one run: `unshare -n node dist/test/bench/packet-io.js`. Absolute times are the machine's and no promise.
 */
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readlinkSync, writeSync } from "node:fs";
import { greTransport } from "../../appliance/linux/gre-socket.ts";
import { kernelNet } from "../../appliance/linux/net.ts";
import { BATCH } from "../../appliance/native/addon.ts";
import { type Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { hostAddon } from "../support/native.ts";
import { emitUdp } from "../support/udp-packet.ts";

const ROUNDS = 400;
const PAYLOAD_BYTES = 1372;
const address = (text: string): Ipv4 => {
  const parsed = parseIpv4(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
};

interface Cost {
  readonly what: string;
  readonly microseconds: number;
}

/** The median round: other programs disturb the mean. `round` moves BATCH packets and returns the time that counts. */
async function measure(what: string, round: () => number | Promise<number>): Promise<Cost> {
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round());
  rounds.sort((a, b) => a - b);
  return { what, microseconds: ((rounds[ROUNDS >> 1] ?? 0) * 1000) / BATCH };
}
function timed(run: () => void): number {
  const started = performance.now();
  run();
  return performance.now() - started;
}

async function tunCosts(): Promise<Cost[]> {
  const net = kernelNet(await hostAddon());
  const [local, remote] = [address("10.77.0.1"), address("10.77.0.2")];
  const tun = net.openTun({ name: "bench0", local, remote, mtu: 1400 }, () => {});
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  const inwards = emitUdp({ source: remote, destination: local, sourcePort: 9, destinationPort: 9, payload });

  // The kernel's name of the descriptor leads Node to the same interface.
  const fd = Number(readdirSync("/proc/self/fd").find((each) => linkOf(each) === "/dev/net/tun"));
  const costs = [
    await measure("fs.writeSync to the TUN", () => timed(() => repeat(() => writeSync(fd, inwards)))),
    await measure("tun.write", () => timed(() => repeat(() => tun.write(inwards)))),
  ];

  const sender = createSocket("udp4");
  sender.bind({ address: "10.77.0.1" });
  await once(sender, "listening");
  let received = 0;
  const drain = (): void => tun.receive(() => received++);
  costs.push(
    await measure("tun.receive", async () => {
      drain();
      received = 0;
      await Promise.all(
        Array.from({ length: BATCH }, () => new Promise((resolve) => sender.send(payload, 9, "10.77.0.2", resolve))),
      );
      return timed(() => {
        while (received < BATCH) drain();
      });
    }),
  );
  sender.close();
  tun.close();
  return costs;
}

async function greCosts(): Promise<Cost[]> {
  const here = address("127.0.0.1");
  const socket = greTransport(await hostAddon()).open(() => {});
  const packet = Buffer.alloc(PAYLOAD_BYTES + 16);
  let received = 0;
  const drain = (): void => socket.receive(() => received++);
  const send = (perFlush: number): void => {
    for (let i = 0; i < BATCH; i++) {
      socket.send(here, here, packet);
      if (i % perFlush === perFlush - 1) socket.flush();
    }
  };
  const costs = [
    await measure(`gre.send, ${BATCH} per flush`, () => {
      const time = timed(() => send(BATCH));
      drain();
      return time;
    }),
    await measure("gre.send, 1 per flush", () => {
      const time = timed(() => send(1));
      drain();
      return time;
    }),
    await measure("gre.receive", () => {
      send(BATCH);
      received = 0;
      return timed(() => {
        while (received < BATCH) drain();
      });
    }),
  ];
  socket.close();
  return costs;
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor that read the folder is gone by now.
    return "";
  }
}

function repeat(run: () => void): void {
  for (let i = 0; i < BATCH; i++) run();
}

async function main(): Promise<void> {
  execFileSync("ip", ["link", "set", "lo", "up"]);
  const costs = [...(await tunCosts()), ...(await greCosts())];
  const base = costs[0]?.microseconds ?? 1;
  for (const { what, microseconds } of costs)
    console.log(
      `${what.padEnd(28)} ${microseconds.toFixed(2).padStart(6)} µs  ${(microseconds / base).toFixed(2).padStart(6)}`,
    );
}

await main();

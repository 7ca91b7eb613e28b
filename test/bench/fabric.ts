/**
 * What a link of the lab costs: frames a second between two sockets as QEMU has them, through a link with its capture and
 * its journal on disk, as a ratio to a bare relay that only copies frames from one socket to the other. Run: node
 * dist/test/bench/fabric.js
 */
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emitGre } from "../../appliance/wire/gre.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { emitPppFrame, PLAIN_FRAMING, Protocol } from "../../appliance/wire/ppp-frame.ts";
import { systemClock } from "../../hil/clock.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { CaptureFile } from "../../hil/net/capture-file.ts";
import { emitStreamFrame, StreamSplitter } from "../../hil/net/framing.ts";
import { emitIpv4Packet } from "../../hil/net/ip/packet.ts";
import { Link } from "../../hil/net/link.ts";
import { QemuPort } from "../../hil/net/port.ts";
import { gre } from "../../hil/net/query.ts";
import { drop, nth } from "../../hil/net/trap.ts";

const FRAMES = 20_000;
/** As many as QEMU hands over at once under load. */
const BURST = 32;
const ROUNDS = 5;

const folder = mkdtempSync(join(tmpdir(), "culvert-fabric-"));
const clock = systemClock();

/** A data packet of a PPTP call, `bytes` long. */
function dataFrame(bytes: number): Buffer {
  const payload = emitPppFrame({ protocol: Protocol.compressed, payload: Buffer.alloc(bytes - 52, 7) }, PLAIN_FRAMING);
  const packet = emitIpv4Packet({
    source: Ipv4(0xcb007132),
    destination: Ipv4(0xcb007101),
    protocol: 47,
    ttl: 64,
    typeOfService: 0,
    identification: 1,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    options: Buffer.alloc(0),
    payload: emitGre({ callId: 7, sequence: 1, ack: undefined, payload }),
  });
  return Buffer.concat([Buffer.from("0200000000020200000000010800", "hex"), packet]);
}

/** Both ends of a wire, as two QEMUs would have them, and how to take the wire away. */
interface Wire {
  readonly from: Socket;
  readonly to: Socket;
  close(): void;
}

async function bareRelay(): Promise<Wire> {
  const ends: Socket[] = [];
  const servers = ["a", "b"].map((name) => createServer((socket) => ends.push(socket)).listen(join(folder, name)));
  const [from, to] = [connect(join(folder, "a")), connect(join(folder, "b"))];
  await Promise.all([once(from, "connect"), once(to, "connect")]);
  while (ends.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const [left, right] = ends;
  const splitter = new StreamSplitter();
  left?.on("data", (piece: Buffer) => {
    for (const frame of splitter.push(piece)) right?.write(emitStreamFrame(frame));
  });
  return {
    from,
    to,
    close: () => {
      for (const socket of [from, to, ...ends]) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}

async function link(hasTrap: boolean): Promise<Wire> {
  const ports = [new QemuPort("mobile.eth0"), new QemuPort("device.wan")];
  for (const port of ports) await port.listen(join(folder, port.name));
  const journal = new Journal(clock, join(folder, "journal.ndjson"));
  const names = ports.map((port) => port.name);
  const capture = new CaptureFile(join(folder, "internet.pcapng"), names, clock);
  const internet = new Link<"mobile" | "device">("internet", ports, capture, { clock, journal });
  if (hasTrap) internet.trap(drop, nth(1_000_000), gre.sequence(1));
  const [from, to] = names.map((name) => connect(join(folder, name)));
  if (from === undefined || to === undefined) throw new Error("a link has two ends");
  await Promise.all([once(from, "connect"), once(to, "connect")]);
  await new Promise((resolve) => setImmediate(resolve));
  return {
    from,
    to,
    close: () => {
      for (const socket of [from, to]) socket.destroy();
      for (const port of ports) port.close();
      internet.close();
      capture.close();
      journal.close();
      if (statSync(capture.path).size < FRAMES * 64) throw new Error("the capture does not hold the frames");
    },
  };
}

async function framesPerSecond(lay: () => Promise<Wire>, frame: Buffer): Promise<number> {
  const { from, to, close } = await lay();
  const burst = Buffer.concat(Array.from({ length: BURST }, () => emitStreamFrame(frame)));
  const expected = (burst.length / BURST) * FRAMES;
  const started = performance.now();
  let got = 0;
  const done = new Promise<void>((resolve) => {
    to.on("data", (piece: Buffer) => {
      got += piece.length;
      if (got >= expected) resolve();
    });
  });
  for (let sent = 0; sent < FRAMES; sent += BURST) {
    if (!from.write(burst)) await once(from, "drain");
  }
  await done;
  const seconds = (performance.now() - started) / 1000;
  close();
  return FRAMES / seconds;
}

for (const bytes of [1400, 128]) {
  const frame = dataFrame(bytes);
  const kinds = [bareRelay, () => link(false), () => link(true)];
  const best = kinds.map(() => 0);
  // In turns, so that other load on the machine falls on all of them.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, lay] of kinds.entries()) {
      best[index] = Math.max(best[index] ?? 0, await framesPerSecond(lay, frame));
    }
  }
  const [bare = 1, plain = 0, trapped = 0] = best;
  const row = (what: string, rate: number): void => {
    const gigabits = ((rate * bytes * 8) / 1e9).toFixed(2);
    const ratio = (rate / bare).toFixed(2);
    console.log(
      `${bytes} bytes, ${what.padEnd(34)} ${rate.toFixed(0).padStart(7)} frames/s ${gigabits} Gbit/s, ratio ${ratio}`,
    );
  };
  row("bare relay", bare);
  row("link with capture and journal", plain);
  row("the same with a trap", trapped);
}
rmSync(folder, { recursive: true });

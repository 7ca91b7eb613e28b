import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { CaptureFile } from "../../hil/net/capture-file.ts";
import { emitStreamFrame, StreamSplitter } from "../../hil/net/framing.ts";
import { Link } from "../../hil/net/link.ts";
import { type Port, QemuPort } from "../../hil/net/port.ts";
import { EventList } from "./event-list.ts";
import { ManualClock } from "./fake-line.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-net-"));
after(() => rmSync(folder, { recursive: true }));

test("framing: frames survive any chunking", () =>
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (payloads, sizes) => {
        const frames = payloads.map((bytes) => Buffer.from(bytes));
        const stream = Buffer.concat(frames.map(emitStreamFrame));
        const splitter = new StreamSplitter();
        const got: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          got.push(...splitter.push(stream.subarray(at, at + size)).map((frame) => Buffer.from(frame)));
          at += size;
        }
        assert.deepEqual(got, frames);
      },
    ),
  ));

test("framing: a length that no frame has is refused instead of waited for", () => {
  assert.throws(() => new StreamSplitter().push(Buffer.from("GET / HTTP/1.1")), /not a QEMU network stream/);
});

/** A port in memory: what the node got, and a way to make it send. */
class MemoryPort implements Port {
  readonly name: string;
  readonly got: string[] = [];
  full = false;
  transmit: (frame: Buffer) => void = () => {};
  constructor(name: string) {
    this.name = name;
  }
  onFrame(receive: (frame: Buffer) => void): void {
    this.transmit = receive;
  }
  send(frame: Buffer): boolean {
    if (!this.full) this.got.push(frame.subarray(14).toString());
    return !this.full;
  }
}

function frame(to: string, from: string, payload: string): Buffer {
  const mac = (name: string): Buffer => Buffer.from(name === "all" ? "ffffffffffff" : `0200000000${name}`, "hex");
  return Buffer.concat([mac(to), mac(from), Buffer.from([0x08, 0x00]), Buffer.from(payload)]);
}

function linkOf(names: readonly string[]) {
  const ports = names.map((name) => new MemoryPort(name));
  const clock = new ManualClock();
  const capture = new CaptureFile(join(folder, `${names.join("-")}.pcapng`), names, clock);
  const events = new EventList();
  return { ports, link: new Link("wan", ports, capture, { clock, journal: events }), capture, events: events.bodies };
}

test("a link of two ports is a cable: everything arrives at the other side, nothing comes back", () => {
  const { ports, capture } = linkOf(["left", "right"]);
  const [left, right] = ports;
  left?.transmit(frame("02", "01", "hello"));
  right?.transmit(frame("99", "02", "whoever"));
  assert.deepEqual([left?.got, right?.got], [["whoever"], ["hello"]]);
  capture.close();
});

test("a link of three ports learns where an address is, floods what it does not know, and groups always", () => {
  const { ports, capture } = linkOf(["one", "two", "three"]);
  const [one, two, three] = ports;
  one?.transmit(frame("02", "01", "unknown"));
  two?.transmit(frame("01", "02", "learned"));
  one?.transmit(frame("all", "01", "group"));
  one?.transmit(frame("01", "01", "to itself"));
  assert.deepEqual([one?.got, two?.got, three?.got], [["learned"], ["unknown", "group"], ["unknown", "group"]]);
  capture.close();
});

test("every frame is captured with its side and time; a frame that a full port refused says so", () => {
  const { ports, link, capture, events } = linkOf(["a", "b"]);
  const [a, b] = ports;
  a?.transmit(frame("02", "01", "first"));
  if (b !== undefined) b.full = true;
  a?.transmit(frame("02", "01", "second"));
  b?.transmit(frame("01", "02", "third"));
  a?.transmit(Buffer.from("runt"));
  const { interfaces, packets, application } = capture.read();
  assert.equal(application, "Culvert lab");
  assert.deepEqual(
    interfaces.map((each) => each.name),
    ["a", "b"],
  );
  assert.deepEqual(
    packets.map((packet) => [packet.interfaceIndex, packet.bytes.subarray(14).toString(), packet.comment]),
    [
      [0, "first", undefined],
      [0, "second", "dropped: b is full"],
      [1, "third", undefined],
    ],
  );
  assert.equal(packets[0]?.timestampNs, 1_000_000_000n);
  assert.equal(link.dropped, 1);
  assert.deepEqual(events, [
    { kind: "link", link: "wan", ports: ["a", "b"], capture: "a-b.pcapng" },
    { kind: "frame", link: "wan", number: 1, side: 0, length: 19 },
    { kind: "frame", link: "wan", number: 2, side: 0, length: 20, faults: ["dropped: b is full"] },
    { kind: "frame", link: "wan", number: 3, side: 1, length: 19 },
  ]);
  capture.close();
});

async function plugged(): Promise<{ port: QemuPort; qemu: Socket; path: string }> {
  const path = join(folder, "port");
  const port = new QemuPort("node.nic");
  await port.listen(path);
  const qemu = connect(path);
  await new Promise((resolve) => qemu.once("connect", resolve));
  return { port, qemu, path };
}

test("a QEMU port carries frames both ways over its socket", async () => {
  const { port, qemu } = await plugged();
  const received = new Promise<Buffer>((resolve) => port.onFrame((bytes) => resolve(Buffer.from(bytes))));
  qemu.write(emitStreamFrame(Buffer.from("from the guest")));
  assert.equal((await received).toString(), "from the guest");
  const answered = new Promise<Buffer>((resolve) => qemu.once("data", resolve));
  assert.equal(port.send(Buffer.from("to the guest")), true);
  assert.deepEqual(await answered, emitStreamFrame(Buffer.from("to the guest")));
  qemu.destroy();
  port.close();
});

test("a guest that does not read makes its port drop, and memory stays bounded", async () => {
  const { port, qemu } = await plugged();
  const received = new Promise<void>((resolve) => port.onFrame(() => resolve()));
  qemu.write(emitStreamFrame(Buffer.from("plugged in")));
  await received;
  qemu.pause();
  const bytes = Buffer.alloc(60_000);
  let sent = 0;
  while (port.send(bytes)) {
    sent += bytes.length;
    assert.ok(sent < 16 * 1024 * 1024, "16 MiB are queued for a guest that reads nothing");
  }
  qemu.destroy();
  port.close();
});

test("a port without a machine drops", () => {
  assert.equal(new QemuPort("unplugged").send(Buffer.alloc(60)), false);
});

/** TFTP: codec, one transfer, the server; on sockets, inside the virtual network, and over lines that lose and repeat. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../hil/clock.ts";
import type { Fault } from "../../hil/fault.ts";
import { HostUdp, LabUdp, TftpServer, type Udp, type UdpEnd } from "../../hil/flash/tftp.ts";
import { emitTftp, parseTftp, TftpError, type TftpPacket } from "../../hil/flash/tftp-packet.ts";
import { TftpTransfer } from "../../hil/flash/tftp-transfer.ts";
import { parseCidr } from "../../hil/net/ip/cidr.ts";
import { IpHost } from "../../hil/net/ip/host.ts";
import { joinedPorts } from "../../hil/net/joined-ports.ts";
import { ManualClock } from "./fake-line.ts";

const NO_OPTIONS: ReadonlyMap<string, string> = new Map();

function parsed(bytes: Buffer): TftpPacket {
  const result = parseTftp(bytes);
  assert.ok(result.ok);
  return result.value;
}

test("a request as U-Boot sends it, byte for byte, and what is answered", () => {
  const request = Buffer.from("\0\x01Image\0octet\0timeout\x005\0blksize\x001468\0tsize\x000\0", "latin1");
  const packet = parsed(request);
  assert.deepEqual(packet, {
    kind: "read",
    file: "Image",
    mode: "octet",
    options: new Map([
      ["timeout", "5"],
      ["blksize", "1468"],
      ["tsize", "0"],
    ]),
  });
  assert.deepEqual(emitTftp(packet), request);
  assert.ok(packet.kind === "read");
  const transfer = new TftpTransfer("Image", Buffer.alloc(3000, 7), packet.options, 0);
  assert.equal(transfer.first.toString("latin1"), "\0\x06blksize\x001468\0timeout\x005\0tsize\x003000\0");
  const first = transfer.handle({ kind: "acknowledgment", block: 0 }, 0);
  assert.equal(first?.toString("hex", 0, 5), "0003000107");
  assert.equal(first?.length, 1472);
  assert.equal(transfer.deadlineMs, 5_000);
});

test("packets survive parse and emit, and any bytes are parsed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const result = parseTftp(Buffer.from(bytes));
      if (result.ok && result.value.kind !== "read" && result.value.kind !== "write") {
        const again = parseTftp(emitTftp(result.value));
        assert.deepEqual(again, result);
      }
    }),
  );
  for (const bad of ["", "\0", "\0\x01", "\0\x01name", "\0\x01name\0", "\0\x01name\0octet\0blksize\0", "\0\x07xx"]) {
    assert.equal(parseTftp(Buffer.from(bad, "latin1")).ok, false, JSON.stringify(bad));
  }
});

/** A client that asks for `file`, acknowledges every block, and loses what `loses` says. */
function download(data: Buffer, options: ReadonlyMap<string, string>, loses: (packet: number) => boolean) {
  let nowMs = 0;
  let sent = 0;
  const transfer = new TftpTransfer("file", data, options, nowMs);
  const received: Buffer[] = [];
  let expected = 1;
  let acknowledged = 0;
  let onWire: Buffer | undefined = transfer.first;
  while (transfer.outcome === undefined) {
    if (onWire === undefined) {
      nowMs = transfer.deadlineMs ?? nowMs;
      onWire = transfer.tick(nowMs);
      continue;
    }
    const arrives = !loses(sent++);
    const packet = parsed(onWire);
    onWire = undefined;
    if (!arrives) continue;
    if (packet.kind === "data" && packet.block === (expected & 0xffff)) {
      received.push(Buffer.from(packet.bytes));
      acknowledged = packet.block;
      expected++;
    }
    if (packet.kind === "data" || packet.kind === "option-acknowledgment") {
      if (!loses(sent++)) onWire = transfer.handle({ kind: "acknowledgment", block: acknowledged }, nowMs);
    }
  }
  return { transfer, received: Buffer.concat(received), nowMs };
}

test("files of every length arrive, the last block shorter than the others", () => {
  for (const length of [0, 1, 511, 512, 513, 1024, 5000]) {
    const data = Buffer.from(Array.from({ length }, (_, at) => at & 0xff));
    const { transfer, received } = download(data, NO_OPTIONS, () => false);
    assert.deepEqual(received, data);
    assert.deepEqual(transfer.outcome, { kind: "done", bytes: length });
    assert.equal(transfer.resent, 0);
  }
});

test("block numbers go on with 0 after 65535", () => {
  const data = Buffer.alloc(8 * 65_540, 3);
  data.writeUInt32BE(0xdeadbeef, data.length - 4);
  const { received } = download(data, new Map([["blksize", "8"]]), () => false);
  assert.ok(received.equals(data));
});

test("over a line that loses packets of both directions the file arrives whole, or the transfer says why not", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 4000 }),
      fc.array(fc.boolean(), { maxLength: 60 }),
      fc.boolean(),
      (bytes, lost, asks) => {
        const options = asks ? new Map([["blksize", "100"]]) : NO_OPTIONS;
        const { transfer, received } = download(Buffer.from(bytes), options, (packet) => lost[packet] ?? false);
        if (transfer.outcome?.kind === "done") assert.deepEqual(received, Buffer.from(bytes));
        else assert.match(transfer.outcome?.because ?? "", /no answer to 9 packets/);
      },
    ),
  );
});

test("options out of their limits are left out, and blocks stay below an Ethernet frame", () => {
  const first = (wanted: [string, string][]): TftpPacket =>
    parsed(new TftpTransfer("f", Buffer.alloc(10), new Map(wanted), 0).first);
  assert.equal(first([["blksize", "4"]]).kind, "data");
  assert.equal(first([["blksize", "junk"]]).kind, "data");
  assert.equal(first([["timeout", "0"]]).kind, "data");
  assert.equal(first([["unknown", "1"]]).kind, "data");
  assert.deepEqual(first([["blksize", "65464"]]), {
    kind: "option-acknowledgment",
    options: new Map([["blksize", "1468"]]),
  });
});

test("a repeated acknowledgment sends nothing; silence sends the block again, and ends the transfer in the end", () => {
  const transfer = new TftpTransfer("f", Buffer.alloc(2000), NO_OPTIONS, 0);
  const second = transfer.handle({ kind: "acknowledgment", block: 1 }, 10);
  assert.equal(second?.readUInt16BE(2), 2);
  assert.equal(transfer.handle({ kind: "acknowledgment", block: 1 }, 20), undefined);
  assert.equal(transfer.tick(1_009), undefined, "not before its time");
  for (let retry = 1; retry <= 8; retry++) assert.deepEqual(transfer.tick(retry * 1_010), second);
  assert.equal(transfer.tick(20_000), undefined);
  assert.match(JSON.stringify(transfer.outcome), /no answer to 9 packets after 512 of 2000 bytes/);
  assert.equal(transfer.deadlineMs, undefined);
});

test("a client that refuses, or sends what it should not, ends the transfer", () => {
  const refused = new TftpTransfer("f", Buffer.alloc(9), NO_OPTIONS, 0);
  assert.equal(refused.handle({ kind: "error", code: 3, message: "disk full" }, 0), undefined);
  assert.deepEqual(refused.outcome, { kind: "gave-up", because: "the client refused: disk full (3)" });
  const wrong = new TftpTransfer("f", Buffer.alloc(9), NO_OPTIONS, 0);
  const answer = wrong.handle({ kind: "data", block: 1, bytes: Buffer.alloc(0) }, 0);
  assert.equal(answer?.readUInt16BE(2), TftpError.illegalOperation);
});

/** UDP that stays inside the test. */
class TestUdp implements Udp {
  readonly ports = new Map<number, (bytes: Buffer, from: UdpEnd) => void>();
  readonly sent: { from: number; to: UdpEnd; packet: TftpPacket }[] = [];
  #next = 50_000;

  open(port: number | undefined, receive: (bytes: Buffer, from: UdpEnd) => void) {
    const own = port ?? this.#next++;
    this.ports.set(own, receive);
    return {
      send: (bytes: Buffer, to: UdpEnd) => void this.sent.push({ from: own, to, packet: parsed(bytes) }),
      close: () => void this.ports.delete(own),
    };
  }
}

function serverBench() {
  const udp = new TestUdp();
  const clock = new ManualClock();
  const notes: string[] = [];
  const server = new TftpServer(udp, { clock, note: (text) => notes.push(text) });
  const client = { address: "10.0.0.2", port: 1234 };
  const say = (packet: TftpPacket, port = 69, from: UdpEnd = client): void =>
    udp.ports.get(port)?.(emitTftp(packet), from);
  const read = (file: string, mode = "octet"): void => say({ kind: "read", file, mode, options: NO_OPTIONS });
  return { udp, clock, notes, server, client, say, read };
}

test("the server gives what it was given, and refuses the rest with a code", () => {
  const { udp, server, say, read, notes } = serverBench();
  server.put("Image", Buffer.from("kernel"));
  read("nosuch");
  say({ kind: "write", file: "Image", mode: "octet", options: NO_OPTIONS });
  read("Image", "netascii");
  read("../../etc/passwd");
  say({ kind: "acknowledgment", block: 1 });
  const codes = udp.sent.map(({ packet }) => (packet.kind === "error" ? packet.code : packet.kind));
  assert.deepEqual(codes, [1, 2, 0, 1, 4]);
  udp.sent.length = 0;
  read("/Image");
  const [first] = udp.sent;
  assert.ok(first?.packet.kind === "data" && first.packet.bytes.toString() === "kernel");
  say({ kind: "acknowledgment", block: 1 }, first.from);
  assert.match(notes.at(-1) ?? "", /TFTP: \/Image to 10\.0\.0\.2: 6 bytes$/);
  assert.deepEqual([...udp.ports.keys()], [69], "the transfer's port is closed");
});

test("a request that is repeated begins no second transfer; a stranger does not disturb one", () => {
  const { udp, server, client, say, read, clock } = serverBench();
  server.put("f", Buffer.alloc(600));
  read("f");
  read("f");
  assert.equal(udp.sent.length, 1);
  const port = udp.sent[0]?.from ?? 0;
  say({ kind: "acknowledgment", block: 1 }, port, { address: "10.0.0.9", port: 1234 });
  assert.deepEqual(udp.sent.at(-1)?.packet, { kind: "error", code: 5, message: "unknown transfer" });
  say({ kind: "acknowledgment", block: 1 }, port);
  assert.ok(udp.sent.at(-1)?.packet.kind === "data" && udp.sent.at(-1)?.to === client);
  const before = udp.sent.length;
  clock.advance(1_000);
  assert.equal(udp.sent.length, before + 1, "sent again after a second");
  server.close();
  clock.advance(60_000);
  assert.equal(udp.sent.length, before + 1);
  assert.equal(udp.ports.size, 0);
});

test("any datagrams leave the server alive", () => {
  const { server, udp, client, read } = serverBench();
  server.put("f", Buffer.alloc(10));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      udp.ports.get(69)?.(Buffer.from(bytes), client);
      for (const [port, receive] of [...udp.ports]) if (port !== 69) receive(Buffer.from(bytes), client);
    }),
  );
  udp.sent.length = 0;
  read("f");
  assert.ok(udp.sent.length <= 1);
});

test("on sockets of this computer a file arrives; a port that cannot be had is a bench fault", async () => {
  const data = Buffer.alloc(100_000, 5);
  const faults: Fault[] = [];
  const probe = createSocket("udp4");
  await new Promise<void>((resolve) => probe.bind(0, "127.0.0.1", resolve));
  const taken = probe.address().port;
  const wellKnown = new Map([[69, taken]]);
  await new Promise<void>((resolve) => {
    const failed = (fault: Fault): void => {
      faults.push(fault);
      resolve();
    };
    new HostUdp("127.0.0.1", failed, wellKnown).open(69, () => {});
  });
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  assert.match(faults[0]?.message ?? "", /UDP port \d+ of 127\.0\.0\.1: .*EADDRINUSE/);

  const udp = new HostUdp("127.0.0.1", (fault) => faults.push(fault), wellKnown);
  const server = new TftpServer(udp, { clock: systemClock(), note: () => {} });
  server.put("f", data);
  const client = createSocket("udp4");
  const received: Buffer[] = [];
  await new Promise<void>((resolve) => {
    client.on("message", (bytes, from) => {
      const packet = parsed(bytes);
      if (packet.kind === "data") received.push(Buffer.from(packet.bytes));
      const block = packet.kind === "data" ? packet.block : 0;
      client.send(emitTftp({ kind: "acknowledgment", block }), from.port, from.address);
      if (packet.kind === "data" && packet.bytes.length < 1468) resolve();
    });
    const options = new Map([["blksize", "1468"]]);
    client.send(emitTftp({ kind: "read", file: "f", mode: "octet", options }), taken, "127.0.0.1");
  });
  client.close();
  server.close();
  assert.ok(Buffer.concat(received).equals(data));
});

test("inside the virtual network a file arrives in frames", async () => {
  const clock = new ManualClock();
  const { link: a, node: b } = joinedPorts("wire");
  const note = (): void => {};
  const place = (name: string, port: typeof a, address: string, mac: string) => ({
    interfaces: [{ name, port, mac, cidr: parseCidr(address) }],
    clock,
    note,
  });
  const server = new IpHost(place("eth0", a, "10.0.0.1/24", "02:00:00:00:00:01"));
  const client = new IpHost(place("eth0", b, "10.0.0.2/24", "02:00:00:00:00:02"));
  const tftp = new TftpServer(new LabUdp(server, server.interface("eth0")), { clock, note });
  const data = Buffer.alloc(20_000, 9);
  tftp.put("f", data);
  const received: Buffer[] = [];
  const port = new LabUdp(client, client.interface("eth0")).open(undefined, (bytes, from) => {
    const packet = parsed(bytes);
    if (packet.kind === "data") received.push(Buffer.from(packet.bytes));
    port.send(emitTftp({ kind: "acknowledgment", block: packet.kind === "data" ? packet.block : 0 }), from);
  });
  port.send(emitTftp({ kind: "read", file: "f", mode: "octet", options: new Map([["blksize", "1468"]]) }), {
    address: "10.0.0.1",
    port: 69,
  });
  for (let turn = 0; turn < 2_000 && received.at(-1)?.length !== 20_000 % 1468; turn++) await Promise.resolve();
  assert.ok(Buffer.concat(received).equals(data));
});

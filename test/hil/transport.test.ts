/** Ways to a serial line: a port of this computer on a pseudo terminal, raw TCP, and the TELNET of RFC 2217. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { after, test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../hil/clock.ts";
import { openTransport } from "../../hil/console/transport/open.ts";
import {
  ANSWER,
  breakCommand,
  Command,
  emitCommand,
  emitData,
  emitNegotiation,
  lineCommands,
  Option,
  settingCommands,
  type TelnetEvent,
  TelnetParser,
  Verb,
} from "../../hil/console/transport/rfc2217-codec.ts";
import { Fault } from "../../hil/fault.ts";
import { Pty } from "./pty.ts";

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers) await close();
});

const isBenchFault = (says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error));
  assert.equal(error.faultClass, "bench");
  assert.match(error.message, says);
  return true;
};

async function serve(each: (socket: Socket) => void): Promise<{ address: string; server: Server }> {
  const server = createServer(each).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/** Everything that comes until there are so many bytes. */
async function read(stream: Duplex, count: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of stream.iterator({ destroyOnReturn: false })) {
    pieces.push(piece);
    length += piece.length;
    if (length >= count) break;
  }
  return Buffer.concat(pieces);
}

test("raw TCP carries bytes as they are, both ways, and can set nothing", async () => {
  const { address } = await serve((socket) => socket.pipe(socket));
  const line = await openTransport({ tcp: address });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  line.write(bytes);
  assert.deepEqual(await read(line, 256), bytes);
  await assert.rejects(line.set({ baud: 9600 }), isBenchFault(/setting the line cannot be done over raw TCP/));
  await line.close();
});

test("a port server that is not there, or goes away, is a fault of the bench", async () => {
  const { address, server } = await serve((socket) => socket.end("bye"));
  server.close();
  await assert.rejects(openTransport({ tcp: address }), isBenchFault(/nothing listens there/));
  await assert.rejects(
    openTransport({ tcp: "nonsense" }),
    isBenchFault(/'nonsense' is no address of a port: HOST:PORT/),
  );
  const { address: leaving } = await serve((socket) => socket.destroy());
  const line = await openTransport({ tcp: leaving });
  const [error] = await once(line, "error");
  isBenchFault(/the other end closed the line|ECONNRESET/)(error);
});

test("a serial port on a pseudo terminal: bytes both ways, another rate, one user at a time", async () => {
  const pty = await Pty.open();
  closers.push(() => pty.close());
  const line = await openTransport({ serial: pty.path, baud: 57_600 });
  assert.equal(pty.baud, 57_600);
  const sent = new Promise<Buffer>((resolve) => {
    pty.received = resolve;
  });
  line.write("hello");
  assert.equal((await sent).toString(), "hello");
  await line.drained();
  pty.send("back");
  assert.equal((await read(line, 4)).toString(), "back");
  await line.set({ baud: 9600 });
  assert.equal(pty.baud, 9600);
  await assert.rejects(openTransport({ serial: pty.path }), isBenchFault(/is in use by .*\(\d+\)/));
  await line.close();
  const again = await openTransport({ serial: pty.path });
  await again.close();
});

test("a serial port that is not there says which there are; one that is pulled ends in a fault of the bench", async () => {
  await assert.rejects(
    openTransport({ serial: "/dev/ttyNOSUCH" }),
    isBenchFault(/there is no serial port \/dev\/ttyNOSUCH; /),
  );
  const pty = await Pty.open();
  const line = await openTransport({ serial: pty.path });
  line.resume();
  const failed = once(line, "error");
  await pty.close();
  const [error] = await failed;
  isBenchFault(/the port is gone: was it pulled\?|the line was lost|closed the line/)(error);
});

/** What a port server does, as far as RFC 2217 asks it to: agrees to everything, and repeats each value. */
function portServer(socket: Socket, { baudStays }: { baudStays?: number } = {}): void {
  const parser = new TelnetParser();
  socket.on("data", (chunk) => {
    for (const event of parser.push(chunk, true)) {
      if (event.kind === "negotiation" && event.verb === Verb.will)
        socket.write(emitNegotiation(Verb.do, event.option));
      if (event.kind === "negotiation" && event.verb === Verb.do)
        socket.write(emitNegotiation(Verb.will, event.option));
      if (event.kind === "data") socket.write(emitData(event.bytes, true));
      if (event.kind !== "subnegotiation") continue;
      const [command = 0] = event.bytes;
      const value = Buffer.from(event.bytes.subarray(1));
      if (command === Command.setBaud && baudStays !== undefined) value.writeUInt32BE(baudStays);
      socket.write(emitCommand({ command: command + ANSWER, value }));
    }
  });
  socket.on("error", () => {});
}

test("RFC 2217: every byte passes, IAC too; the line is set and its values confirmed", async () => {
  const { address } = await serve((socket) => portServer(socket));
  const line = await openTransport({ rfc2217: address, baud: 115_200 });
  const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index & 255));
  line.write(bytes);
  assert.deepEqual(await read(line, 512), bytes);
  await line.set({ baud: 9600, parity: "even", stopBits: 2 });
  await line.setLines({ dtr: false, rts: true });
  await line.close();
});

test("RFC 2217: a rate that the port cannot do is told, and so is a server that does not speak it", async () => {
  const { address } = await serve((socket) => portServer(socket, { baudStays: 9600 }));
  await assert.rejects(
    openTransport({ rfc2217: address, baud: 3_000_000 }),
    isBenchFault(/cannot do 3000000 baud: it stays at 9600/),
  );
  const { address: plain } = await serve((socket) => void socket.write(emitNegotiation(Verb.dont, Option.comPort)));
  await assert.rejects(
    openTransport({ rfc2217: plain }),
    isBenchFault(/does not speak RFC 2217: name it as `tcp` instead/),
  );
});

test("RFC 2217 §3: the bytes of the commands are those of the standard, and IAC in a value is doubled", () => {
  const hex = (commands: Parameters<typeof emitCommand>[0][]): string[] =>
    commands.map((command) => emitCommand(command).toString("hex"));
  assert.deepEqual(hex(settingCommands({ baud: 115_200 })), ["fffa2c010001c200fff0"]);
  assert.deepEqual(hex(settingCommands({ baud: 255 })), ["fffa2c01000000fffffff0"]);
  const rest = { dataBits: 7, parity: "even", stopBits: 1.5, flow: "rts-cts" } as const;
  assert.deepEqual(hex(settingCommands(rest)), [
    "fffa2c0207fff0",
    "fffa2c0303fff0",
    "fffa2c0403fff0",
    "fffa2c0503fff0",
  ]);
  assert.deepEqual(hex(lineCommands({ dtr: true, rts: false })), ["fffa2c0508fff0", "fffa2c050cfff0"]);
  assert.deepEqual(hex([breakCommand(true), breakCommand(false)]), ["fffa2c0505fff0", "fffa2c0506fff0"]);
  assert.equal(emitNegotiation(Verb.will, Option.comPort).toString("hex"), "fffb2c");
});

test("RFC 2217: what waits at the server comes before its answers, and all of it is kept", async () => {
  const backlog = Buffer.alloc(500_000, "console text of a board that nobody looked at\r\n");
  const { address } = await serve((socket) => {
    socket.write(backlog);
    portServer(socket);
  });
  const line = await openTransport({ rfc2217: address });
  assert.deepEqual((await read(line, backlog.length)).subarray(0, backlog.length), backlog);
  await line.close();
});

/** The same events, with neighbouring data joined. */
function joined(events: readonly TelnetEvent[]): unknown[] {
  const out: unknown[] = [];
  let data = "";
  for (const event of events) {
    if (event.kind === "data") data += event.bytes.toString("latin1");
    else {
      if (data !== "") out.push(data);
      data = "";
      out.push(event.kind === "negotiation" ? [event.verb, event.option] : [event.option, event.bytes.toString("hex")]);
    }
  }
  return data === "" ? out : [...out, data];
}

test("any bytes can be parsed, and where the stream is cut makes no difference", () => {
  const bytes = fc.uint8Array({ maxLength: 60 }).map((each) => each.map((byte) => (byte % 7 === 0 ? 255 : byte)));
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), fc.boolean(), (pieces, isBinary) => {
      const whole = new TelnetParser().push(Buffer.concat(pieces), isBinary);
      const parser = new TelnetParser();
      const cut = pieces.flatMap((piece) => parser.push(Buffer.from(piece), isBinary));
      assert.deepEqual(joined(cut), joined(whole));
    }),
  );
});

test("what is emitted as data is read back as it was, binary or not", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.boolean(), (bytes, isBinary) => {
      const events = new TelnetParser().push(emitData(Buffer.from(bytes), isBinary), isBinary);
      assert.deepEqual(joined(events), bytes.length === 0 ? [] : [Buffer.from(bytes).toString("latin1")]);
    }),
  );
});

test("a QEMU socket that is not there is this computer's fault", async () => {
  await assert.rejects(openTransport({ unix: "/tmp/no-such-socket" }, systemClock()), (error: unknown) => {
    assert.ok(error instanceof Fault && error.faultClass === "host");
    return true;
  });
});

/** What a trace records of a call on the simulated network, and that it reads as what it was. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { vpnSettings } from "../../appliance/config/settings.ts";
import { describePacket } from "../../appliance/service/describe-packet.ts";
import type { Tracer } from "../../appliance/service/trace.ts";
import { Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { parsePcapng } from "../../appliance/wire/pcapng.ts";
import { Host, World } from "../netsim/world.ts";
import { configOf, OFFICE } from "../support/config-text.ts";
import { loggedIn } from "../support/console-desk.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-trace-"));
after(() => rmSync(folder, { recursive: true }));

const SERVER = parseIpv4("203.0.113.1") ?? assert.fail();
const CLIENT = parseIpv4("198.51.100.7") ?? assert.fail();

/** A call that comes up and carries a packet; `prepare` sees the server's tracer before. */
function call(prepare: (tracer: Tracer) => void): Tracer {
  const world = new World(1);
  const server = new Host(world, SERVER);
  const client = new Host(world, CLIENT);
  prepare(server.tracer);
  server.vpn.apply(vpnSettings(configOf(...OFFICE)));
  const lines = ["server 203.0.113.1", "user alice", "password s3cret", "route 192.168.1.0/24"];
  client.vpn.apply(vpnSettings(configOf(...lines.map((line) => `vpn client office ${line}`))));
  world.run(30_000);
  assert.equal(client.vpn.clients()[0]?.state, "connected");
  return server.tracer;
}
const lines = (tracer: Tracer): string[] =>
  tracer.status.packets.map(({ direction, bytes }) => `${direction} ${describePacket(bytes)}`);

test("a whole call, in order, each packet by its name", () => {
  const shown = lines(call((tracer) => tracer.start(CLIENT)));
  assert.deepEqual(shown.slice(0, 4), [
    "in Start-Control-Connection-Request",
    "out Start-Control-Connection-Reply",
    "in Outgoing-Call-Request",
    "out Outgoing-Call-Reply",
  ]);
  for (const what of [
    /^in GRE call \d+ seq 0.*: LCP Configure-Request id \d+$/,
    /^out GRE .*: LCP Configure-Ack id \d+$/,
    /^out GRE .*: CHAP Challenge id \d+$/,
    /^out GRE .*: CHAP Success id \d+$/,
    /^in GRE .*: CCP Configure-Request id \d+$/,
    /^in GRE .*: IPCP Configure-Request id \d+$/,
  ]) {
    assert.ok(
      shown.some((line) => what.test(line)),
      `${what} is not in\n${shown.join("\n")}`,
    );
  }
});

test("other peers are left out, and before the start and after the stop nothing is recorded", () => {
  assert.deepEqual(lines(call((tracer) => tracer.start(Ipv4(1)))), []);
  assert.deepEqual(lines(call(() => {})), []);
  const stopped = (tracer: Tracer): void => {
    tracer.start(undefined);
    tracer.stop();
  };
  assert.deepEqual(lines(call(stopped)), []);
});

test("the file reads back, and Wireshark's dissector agrees with every line and its headers, RFC 791 §3.1 and RFC 9293 §3.1", (t) => {
  const tracer = call((each) => each.start(undefined));
  const file = tracer.pcapng();
  const parsed = parsePcapng(file);
  assert.ok(parsed.ok);
  assert.equal(parsed.value.packets.length, tracer.status.packets.length);
  const path = join(folder, "trace.pcapng");
  writeFileSync(path, file);
  const options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
  const tshark = spawnSync(
    "tshark",
    ["-r", path, ...options, "-T", "fields", "-e", "frame.protocols", "-e", "_ws.expert"],
    {
      encoding: "utf8",
    },
  );
  if (tshark.error !== undefined) return t.skip("tshark is not installed");
  const shown = tshark.stdout.trimEnd().split("\n");
  assert.equal(shown.length, tracer.status.packets.length);
  assert.ok(shown[0]?.includes("tcp:pptp"), shown[0]);
  assert.ok(shown.some((line) => line.includes("gre:ppp:lcp")));
  for (const line of shown) assert.doesNotMatch(line, /checksum|malformed|retransmission/i);
});

test("describing a packet never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => typeof describePacket(Buffer.from(bytes)) === "string"),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(6, 47), (bytes, protocol) => {
      const packet = Buffer.concat([Buffer.alloc(20), Buffer.from([0x30, 0x81, 0x88, 0x0b]), Buffer.from(bytes)]);
      packet.writeUInt8(protocol, 9);
      return typeof describePacket(packet) === "string";
    }),
  );
});

test("on the console: start, look, keep", async () => {
  const desk = await loggedIn();
  assert.deepEqual(desk.run("show trace"), ["Nothing was recorded: trace start."]);
  assert.match(desk.run("trace start nobody").join("\n"), /% there is no session, client or address nobody/);
  assert.deepEqual(desk.run("trace start 198.51.100.7"), ["Recording the control and GRE packets of 198.51.100.7."]);
  assert.deepEqual(desk.run("show trace"), ["Nothing was recorded yet."]);
  assert.deepEqual(desk.run("trace all"), ["Recording the control and GRE packets of every peer."]);
  const [begin, ...rest] = desk.run("show trace pcapng");
  assert.match(begin ?? "", /^-----BEGIN TRACE \d+ bytes-----$/);
  const end = rest.indexOf("-----END TRACE-----");
  assert.ok(parsePcapng(Buffer.from(rest.slice(0, end).join(""), "base64")).ok);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseUdp } from "../../hil/net/ip/udp.ts";
import { parseDnsQuery } from "../../hil/net/services/dns-message.ts";
import { serviceHost } from "../../hil/net/services/service-host.ts";
import { type Station, serviceBench } from "./service-bench.ts";

async function network() {
  const dns = { "vpn.example": "203.0.113.1", "many.example": ["203.0.113.2", "203.0.113.3"] };
  const bench = await serviceBench(serviceHost({ address: "203.0.113.53/24", dns }));
  return { ...bench, host: bench.station("eth0", "203.0.113.9"), dns: bench.node.dns ?? assert.fail() };
}

/** RFC 1035 §4.1, by hand: id 0x4242, recursion desired. */
function query(name: string, type = 1, flags = 0x0100): Buffer {
  const labels = name.split(".").flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const header = Buffer.from("424201000001000000000000", "hex");
  header.writeUInt16BE(flags, 2);
  return Buffer.concat([header, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1])]);
}

function ask(host: Station, bytes: Buffer): Buffer | undefined {
  host.udp("203.0.113.53", [5353, 53], bytes);
  const [packet] = host.take();
  if (packet === undefined) return undefined;
  const udp = parseUdp(packet);
  assert.ok(udp.ok && udp.value.sourcePort === 53 && udp.value.destinationPort === 5353);
  return udp.value.payload;
}

test("a name of the table has its address; the answer repeats the question, letter case and all", async () => {
  const { host, notes } = await network();
  const question = query("VPN.Example");
  const answer = ask(host, question) ?? assert.fail();
  assert.equal(answer.subarray(0, 12).toString("hex"), "424285800001000100000000");
  assert.deepEqual(answer.subarray(12, question.length), question.subarray(12));
  assert.equal(answer.subarray(question.length).toString("hex"), "c00c000100010000003c0004cb007101");
  assert.deepEqual(notes(), ["DNS: 203.0.113.9 asks for vpn.example: 203.0.113.1"]);
});

test("several addresses, none of another type, a name that does not exist, and what is no query", async () => {
  const { host } = await network();
  const result = (answer: Buffer | undefined) => answer && [answer.readUInt16BE(2) & 15, answer.readUInt16BE(6)];
  assert.deepEqual(result(ask(host, query("many.example"))), [0, 2]);
  assert.deepEqual(result(ask(host, query("vpn.example", 28))), [0, 0]);
  assert.deepEqual(result(ask(host, query("no.example"))), [3, 0]);
  assert.deepEqual(result(ask(host, query("vpn.example", 1, 0x2000))), [4, 0]);
  assert.deepEqual(result(ask(host, query("vpn.example").subarray(0, 20))), [1, 0]);
  assert.equal(ask(host, query("vpn.example", 1, 0x8000)), undefined, "responses get no response");
});

test("the table can be changed while the lab runs, and lives on after a snapshot", async () => {
  const { host, dns, service } = await network();
  const addressOf = (bench: Station): string | undefined =>
    ask(bench, query("vpn.example"))?.subarray(-4).toString("hex");
  dns.set("VPN.example.", "203.0.113.77");
  assert.equal(addressOf(host), "cb00714d");
  const saved = JSON.parse(JSON.stringify(service.save())) as unknown;
  dns.remove("vpn.example");
  assert.equal(ask(host, query("vpn.example"))?.readUInt16BE(2), 0x8583);
  dns.isSilent = true;
  assert.equal(ask(host, query("vpn.example")), undefined);
  const other = await network();
  other.service.restore(saved);
  assert.equal(addressOf(other.host), "cb00714d");
  assert.throws(() => dns.set("x.example", "here"), /"here": give an IPv4 address/);
});

test("no bytes make the server throw, and parsing is total", async () => {
  const { host } = await network();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(30), (noise, at) => {
      const bytes = Buffer.from(query("vpn.example"));
      Buffer.from(noise).copy(bytes, at);
      parseDnsQuery(Buffer.from(noise));
      ask(host, bytes);
      ask(host, Buffer.from(noise));
    }),
  );
});

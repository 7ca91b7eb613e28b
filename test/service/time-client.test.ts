import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { SystemError } from "../../appliance/ports.ts";
import { TimeClient } from "../../appliance/service/time-client.ts";
import { FakeUdp } from "../support/fake-send.ts";
import { ManualClock } from "../support/manual-clock.ts";

const TRUE_TIME = Date.UTC(2026, 10, 25, 12);
let clock: ManualClock;
let udp: FakeUdp;
let ahead: number;
let log: string[];
let client: TimeClient;
let cookies: number;

/** The true time now; our clock is `ahead` of it. */
const truth = (): number => TRUE_TIME + clock.now();

beforeEach(() => {
  clock = new ManualClock();
  udp = new FakeUdp();
  ahead = 0;
  log = [];
  cookies = 0;
  client = new TimeClient({
    udp,
    clock,
    timers: clock,
    wallClock: {
      nowMs: () => truth() + ahead,
      setMs: (time) => {
        ahead = time - truth();
      },
    },
    random: { bytes: (length) => Buffer.alloc(length, ++cookies) },
    log: { write: (level, _area, text) => log.push(`${level} ${text}`) },
  });
});

/** The last question's answer, as it is after `onWayMs` there and back. */
function answer(change: (packet: Buffer) => void = () => {}, onWayMs = 40): void {
  const cookie = udp.sent.at(-1)?.bytes.subarray(40, 48) ?? assert.fail("nobody was asked");
  clock.advance(onWayMs / 2);
  const packet = Buffer.alloc(48);
  packet[0] = 0x24;
  packet[1] = 3;
  cookie.copy(packet, 24);
  for (const at of [32, 40]) {
    packet.writeUInt32BE(Math.floor(truth() / 1000) + 2_208_988_800, at);
    packet.writeUInt32BE(Math.floor(((truth() % 1000) / 1000) * 2 ** 32), at + 4);
  }
  change(packet);
  clock.advance(onWayMs / 2);
  udp.receive(packet);
}
const asked = (): readonly string[] => udp.sent.map(({ host }) => host);

test("a wrong clock is set to the middle of the way, and asked again after 1024 s", () => {
  ahead = -86_400_000;
  client.apply(["a.example"]);
  assert.deepEqual(
    udp.sent.map(({ port }) => port),
    [123],
  );
  answer();
  assert.ok(Math.abs(ahead) < 1, `off by ${ahead} ms`);
  assert.match(log.join(), /set by 86400\.0\d\d s to the time of a\.example/);
  const [status] = client.status();
  assert.deepEqual([status?.state, status?.stratum, status?.roundTripMs], ["good", 3, 40]);
  clock.advance(1_023_000);
  assert.equal(asked().length, 1);
  clock.advance(1000);
  assert.equal(asked().length, 2);
});

test("a clock that is nearly right is left alone", () => {
  ahead = 30;
  client.apply(["a.example"]);
  answer();
  assert.equal(ahead, 30);
  assert.match(log.join(), /agrees with a\.example/);
});

test("RFC 4330 §10 servers are asked in turn, then again after a wait that grows", () => {
  client.apply(["a.example", "b.example"]);
  clock.advance(4000);
  udp.fail(new SystemError("send a UDP packet", "ENETUNREACH"));
  assert.deepEqual(asked(), ["a.example", "b.example"]);
  assert.deepEqual(
    client.status().map(({ problem }) => problem),
    ["no answer", "ENETUNREACH"],
  );
  clock.advance(16_000);
  assert.equal(asked().length, 3);
  clock.advance(8000 + 31_000);
  assert.equal(asked().length, 4);
  clock.advance(1000);
  assert.equal(asked().length, 5);
});

test("RFC 4330 §8, RFC 5905 §7.4 a server that wants peace is not asked again", () => {
  client.apply(["a.example", "b.example"]);
  answer((packet) => void packet.fill(0, 1, 2).write("RATE", 12));
  assert.equal(client.status()[0]?.state, "refuses");
  answer();
  clock.advance(2_000_000);
  assert.deepEqual([...new Set(asked().slice(2))], ["b.example"]);
});

test("a forged answer changes nothing, and the true one still counts", () => {
  ahead = 5000;
  client.apply(["a.example"]);
  answer((packet) => void packet.fill(9, 24, 32), 10);
  assert.equal(ahead, 5000);
  answer();
  assert.ok(Math.abs(ahead) < 20);
});

test("an answer that took its time is not believed", () => {
  ahead = 5000;
  client.apply(["a.example"]);
  answer(undefined, 3000);
  assert.equal(ahead, 5000);
  assert.match(client.status()[0]?.problem ?? "", /took 3000 ms/);
});

test("a new way to the Internet tries at once; without servers nothing is open", () => {
  client.apply(["a.example"]);
  clock.advance(4000);
  client.retry();
  assert.equal(asked().length, 2);
  client.apply([]);
  assert.equal(udp.openSockets, 0);
  clock.advance(2_000_000);
  assert.equal(asked().length, 2);
});

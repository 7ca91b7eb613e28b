import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlSocketEvents, type ControlTransport, SystemError } from "../../appliance/ports.ts";
import { complaints } from "../../appliance/service/health.ts";
import { emitControlMessage, parseControlMessage } from "../../appliance/wire/control-message.ts";
import { formatIpv4, Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { configOf } from "../support/config-text.ts";
import { FakeNet } from "../support/fake-net.ts";
import { ManualClock } from "../support/manual-clock.ts";

const LAN = "interfaces lan address 192.168.1.1/24";
const VPN = ["vpn server enabled true"];
const NOTHING = { defaultRoute: false };

function reply(resultCode: number): Buffer {
  return emitControlMessage({
    type: "start-control-connection-reply",
    protocolVersion: 0x100,
    resultCode,
    errorCode: 0,
    framingCapabilities: 1,
    bearerCapabilities: 1,
    maximumChannels: 0,
    firmwareRevision: 0,
    hostName: "",
    vendorName: "",
  });
}

class Bench {
  readonly net = new FakeNet("eth0", "eth1");
  readonly clock = new ManualClock();
  readonly dialed: string[] = [];
  consoleStarted = true;
  /** What the service does with a connection; undefined: nobody listens. */
  serve: ((send: (bytes: Buffer) => void, events: ControlSocketEvents) => void) | undefined;
  asked: Buffer = Buffer.alloc(0);

  readonly control: ControlTransport = {
    listen: () => ({ close: () => {} }),
    connect: (peer, port, connected, failed) => {
      this.dialed.push(`${formatIpv4(peer)}:${port}`);
      queueMicrotask(() => {
        if (this.serve === undefined) return failed(new SystemError("connect", "ECONNREFUSED"));
        const write = (bytes: Buffer): void => {
          this.asked = Buffer.concat([this.asked, bytes]);
        };
        const events = connected({ peer, local: peer, write, end: () => {}, destroy: () => {} });
        this.serve((bytes) => events.data(bytes), events);
      });
      return { abort: () => {} };
    },
  };

  async complaints(lines: readonly string[], expected = NOTHING): Promise<readonly string[]> {
    const asked = complaints(configOf(...lines), expected, {
      net: this.net,
      control: this.control,
      timers: this.clock,
      consoleStarted: () => this.consoleStarted,
    });
    await new Promise((resolve) => setImmediate(resolve));
    this.clock.advance(5000);
    return await asked;
  }
}

test("a device with nothing to do is healthy once its console runs", async () => {
  const bench = new Bench();
  assert.deepEqual(await bench.complaints([]), []);
  bench.consoleStarted = false;
  assert.deepEqual(await bench.complaints([]), ["the console did not start"]);
  assert.deepEqual(bench.dialed, []);
});

test("the LAN address must be on an interface, and the default route must be back", async () => {
  const bench = new Bench();
  assert.deepEqual(await bench.complaints([LAN], { defaultRoute: true }), [
    "no interface has the LAN address 192.168.1.1",
    "there is no default route, and there was one before the update",
  ]);
  const address = parseIpv4("192.168.1.1") ?? Ipv4(0);
  bench.net.setUp("eth1", true);
  bench.net.addAddress("eth1", { address, length: 24 });
  bench.net.setDefaultGateway(parseIpv4("192.168.1.254"));
  assert.deepEqual(await bench.complaints([LAN], { defaultRoute: true }), []);
});

test("the PPTP service must answer a Start-Control-Connection-Request", async () => {
  const bench = new Bench();
  const complaint = async (): Promise<readonly string[]> => await bench.complaints(VPN);
  assert.deepEqual(await complaint(), ["the PPTP service cannot be reached: connect: ECONNREFUSED"]);
  bench.serve = () => {};
  assert.deepEqual(await complaint(), ["the PPTP service does not answer on port 1723"]);
  bench.serve = (_, events) => events.closed(undefined);
  assert.deepEqual(await complaint(), ["the PPTP service hangs up on port 1723"]);
  bench.serve = (send) => send(reply(2));
  assert.deepEqual(await complaint(), ["the PPTP service gives a wrong answer on port 1723"]);
  bench.asked = Buffer.alloc(0);
  bench.serve = (send) => {
    send(reply(1).subarray(0, 50));
    send(reply(1).subarray(50));
  };
  assert.deepEqual(await complaint(), []);
  assert.equal(bench.dialed.at(-1), "127.0.0.1:1723");
  const question = parseControlMessage(bench.asked);
  assert.ok(question.ok && question.value.type === "start-control-connection-request");
});

test("RFC 4253 §4.2 the SSH service must say its version first", async () => {
  const bench = new Bench();
  bench.net.addAddress("eth1", { address: parseIpv4("192.168.1.1") ?? Ipv4(0), length: 24 });
  const complaint = async (): Promise<readonly string[]> =>
    await bench.complaints([LAN, "system ssh enabled true", "system ssh port 2022"]);
  assert.deepEqual(await complaint(), ["the SSH service cannot be reached: connect: ECONNREFUSED"]);
  bench.serve = () => {};
  assert.deepEqual(await complaint(), ["the SSH service does not answer on port 2022"]);
  bench.serve = (send) => send(Buffer.from("HTTP/1.1 400 Bad Request\r\n"));
  assert.deepEqual(await complaint(), ["the SSH service gives a wrong answer on port 2022"]);
  bench.serve = (send) => {
    send(Buffer.from("SS"));
    send(Buffer.from("H-2.0-dropbear\r\n"));
  };
  assert.deepEqual(await complaint(), []);
  assert.equal(bench.asked.length, 0);
  assert.equal(bench.dialed.at(-1), "192.168.1.1:2022");
});

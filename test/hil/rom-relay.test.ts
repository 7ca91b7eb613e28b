/** A boot ROM starts one QEMU after the other; whoever holds its two sockets sees one machine. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { type Ends, Relay } from "../../hil/node/qemu/rom-relay.ts";

/** Both ends of a socket; what one writes the other reads. */
function pair(): [Duplex, Duplex] {
  const half = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        other().push(chunk);
        done();
      },
      final(done) {
        other().push(null);
        done();
      },
    });
  const one: Duplex = half(() => two);
  const two: Duplex = half(() => one);
  return [one, two];
}

function sockets(): { readonly here: Ends; readonly there: Ends } {
  const [serial, farSerial] = pair();
  const [monitor, farMonitor] = pair();
  return { here: { serial, monitor }, there: { serial: farSerial, monitor: farMonitor } };
}

async function line(stream: Duplex): Promise<string> {
  const [bytes]: Buffer[] = await once(stream, "data");
  return bytes?.toString().trim() ?? "";
}

function shutdown(reason: string): string {
  return `${JSON.stringify({ event: "SHUTDOWN", data: { guest: true, reason } })}\n`;
}

test("what the lab says before the first QEMU is there reaches it", async () => {
  const lab = sockets();
  const relay = new Relay(lab.here);
  lab.there.monitor.write('{"execute":"qmp_capabilities","id":1}\n');
  await new Promise(setImmediate);
  const qemu = sockets();
  void relay.attach(qemu.here);
  assert.deepEqual(JSON.parse(await line(qemu.there.monitor)), { execute: "qmp_capabilities", id: 1 });
  qemu.there.monitor.write('{"return":{},"id":1}\n');
  assert.deepEqual(JSON.parse(await line(lab.there.monitor)), { return: {}, id: 1 });
});

test("a reset is not told; the next QEMU is let go by the relay itself and gets what was said in between", async () => {
  const lab = sockets();
  const relay = new Relay(lab.here);
  const first = sockets();
  const life = relay.attach(first.here);
  first.there.monitor.write(shutdown("guest-reset"));
  first.there.monitor.end();
  assert.equal(await life, "guest-reset");
  lab.there.monitor.write('{"execute":"query-status","id":7}\n');
  await new Promise(setImmediate);
  assert.equal(lab.there.monitor.read(), null, "the lab heard of the reset");
  const second = sockets();
  void relay.attach(second.here);
  const heard: unknown[] = [];
  second.there.monitor.on("data", (bytes: Buffer) => {
    for (const each of bytes.toString().trim().split("\n")) heard.push(JSON.parse(each).execute);
  });
  second.there.monitor.write('{"QMP":{"version":{}}}\n');
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.deepEqual(heard, ["qmp_capabilities", "cont", "query-status"]);
  second.there.serial.write("login: ");
  assert.equal(await line(lab.there.serial), "login:");
});

test("a guest that switches itself off is over, and the lab hears of it", async () => {
  const lab = sockets();
  const relay = new Relay(lab.here);
  const qemu = sockets();
  const life = relay.attach(qemu.here);
  qemu.there.monitor.write(shutdown("guest-shutdown"));
  assert.equal(JSON.parse(await line(lab.there.monitor)).event, "SHUTDOWN");
  qemu.there.monitor.end();
  assert.equal(await life, "guest-shutdown");
});

/** Power switches against the real other side: Net-SNMP's snmpd as a power strip, and QEMU. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../hil/clock.ts";
import { Qmp } from "../../hil/node/qemu/qmp.ts";
import { SwitchedPower } from "../../hil/power/power.ts";
import { QemuPower } from "../../hil/power/qemu.ts";
import { apcOutlet, SnmpPower } from "../../hil/power/snmp.ts";

const folder = await mkdtemp(join(tmpdir(), "culvert-power-"));
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) {
    const ended = once(child, "close");
    if (child.exitCode === null && child.kill("SIGKILL")) await ended;
  }
  await rm(folder, { recursive: true });
});

async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

/** snmpd with outlets 1 and 2 of an APC strip, and one object that only `public` can read. Returns once it listens. */
async function strip(): Promise<number> {
  const port = await freeUdpPort();
  const outlet = ".1.3.6.1.4.1.318.1.1.4.4.2.1.3";
  await writeFile(
    join(folder, "snmpd.conf"),
    `rwcommunity private
rocommunity public
override -rw ${outlet}.1 integer 1
override -rw ${outlet}.2 integer 2
override ${outlet}.3 integer 4
`,
  );
  const address = `udp:127.0.0.1:${port}`;
  const args = ["-f", "-C", "-Lo", "-c", join(folder, "snmpd.conf"), "-p", join(folder, "pid"), address];
  const snmpd = spawn("/usr/sbin/snmpd", args, {
    env: { ...process.env, SNMP_PERSISTENT_DIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(snmpd);
  await new Promise<void>((resolve, reject) => {
    snmpd.stdout.on("data", (text: Buffer) => text.includes("NET-SNMP version") && resolve());
    snmpd.once("exit", (status) => reject(new Error(`snmpd ended with status ${status}`)));
  });
  return port;
}

test("an SNMP outlet: switched, read back, and refused in words", async () => {
  const port = await strip();
  const address = `127.0.0.1:${port}`;
  const driver = new SnmpPower(address, "private", apcOutlet("apc", 1));
  const events: unknown[] = [];
  const place = { node: "dut", clock: systemClock(), journal: { append: (event: unknown) => events.push(event) } };
  const power = new SwitchedPower(driver, { minOffMs: 0 }, place);
  assert.equal(await power.state(), "on");
  await power.off();
  assert.equal(await power.state(), "off");
  await power.on();
  assert.equal(await power.state(), "on");
  assert.equal(events.length, 2);
  await power.close();

  const second = new SnmpPower(address, "private", {
    control: ".1.3.6.1.4.1.318.1.1.4.4.2.1.3.2",
    status: ".1.3.6.1.4.1.318.1.1.4.4.2.1.3.2",
    on: 1,
    off: 2,
  });
  assert.equal(await second.state(), "off");
  second.close();
  const third = new SnmpPower(address, "private", apcOutlet("apc", 3));
  assert.equal(await third.state(), "unknown");
  third.close();
  const absent = new SnmpPower(address, "private", apcOutlet("apc", 9));
  await assert.rejects(absent.state(), /it has no such outlet/);
  absent.close();
  const reader = new SnmpPower(address, "public", apcOutlet("apc", 1));
  await assert.rejects(reader.off(), /no such outlet, or the community may not write it/);
  assert.equal(await reader.state(), "on");
  reader.close();
});

test("QEMU's power: the machine stops, and starts again from its reset", async () => {
  const path = join(folder, "qmp");
  const server = createServer().listen(path);
  await once(server, "listening");
  const args = [
    "-accel",
    "tcg",
    "-machine",
    "pc",
    "-m",
    "8M",
    "-nodefaults",
    "-display",
    "none",
    "-S",
    "-qmp",
    `unix:${path}`,
  ];
  children.push(spawn("qemu-system-x86_64", args, { stdio: "inherit" }));
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  const monitor = new Qmp(socket);
  await monitor.ready();
  const resets = new Promise<void>((resolve) => {
    socket.on("data", (bytes: Buffer) => bytes.includes('"RESET"') && resolve());
  });
  const place = { node: "dut", clock: systemClock(), journal: { append: () => {} } };
  const power = new SwitchedPower(new QemuPower(monitor), { minOffMs: 0 }, place);
  assert.equal(await power.state(), "off", "it was started with -S");
  await power.on();
  assert.equal(await power.state(), "on");
  await resets;
  await power.off();
  assert.equal(await power.state(), "off");
  await power.on();
  assert.equal(await power.state(), "on");
  await power.close();
  socket.destroy();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineLab } from "../../hil/lab.ts";
import type { NodeDefinition } from "../../hil/node/definition.ts";
import { type MachineSpec, qemuArguments } from "../../hil/node/qemu/args.ts";
import { canaryBios } from "../../hil/node/qemu/canary.ts";
import { parseNetworkSettings, pppdStatus } from "../../hil/peers/pppd.ts";
import { Scope } from "../../hil/scope.ts";

const node: NodeDefinition<unknown, "wan" | "lan"> = {
  role: "peer",
  what: "a node",
  nics: ["wan", "lan"],
  prepare: () => Promise.reject(new Error("unused")),
};

test("a lab's links name NICs that exist, checked by the compiler", () => {
  defineLab({ nodes: { a: node, b: node }, links: { x: ["a.wan", "b.lan"] } });
  // @ts-expect-error there is no NIC `dmz`
  defineLab({ nodes: { a: node, b: node }, links: { x: ["a.dmz", "b.lan"] } });
  // @ts-expect-error there is no node `c`
  defineLab({ nodes: { a: node, b: node }, links: { x: ["a.wan", "c.lan"] } });
});

test("a NIC that is plugged twice is refused", () => {
  assert.throws(
    () => defineLab({ nodes: { a: node, b: node }, links: { x: ["a.wan", "b.wan"], y: ["a.wan", "b.lan"] } }),
    /a\.wan is plugged into both x and y/,
  );
});

const MACHINE: MachineSpec = {
  name: "device",
  memoryMib: 512,
  kernel: "/k",
  initrd: "/i",
  append: "console=ttyS0 quiet",
  disks: [{ path: "/root.sqfs", serial: "culvert-root", readOnly: true }],
  nics: [{ socketPath: "/s/wan", mac: "02:43:00:00:00:00" }],
  restarts: true,
};
const SOCKETS = { serial: "/s/tty", monitor: "/s/qmp", consoleLog: "/r/console" };

test("a machine starts stopped, without default devices, with its disk and NIC as they were asked for", () => {
  const line = qemuArguments(MACHINE, SOCKETS, "tcg").join(" ");
  for (const part of [
    "-accel tcg,tb-size=256 -cpu max",
    "-m 512M -nodefaults -no-user-config -display none -S ",
    "-append console=ttyS0 quiet ",
    "-chardev socket,id=serial0,path=/s/tty,logfile=/r/console,logappend=on -serial chardev:serial0",
    "-drive if=none,id=disk0,file=/root.sqfs,format=raw,readonly=on -device virtio-blk-pci,drive=disk0,serial=culvert-root",
    "-netdev stream,id=nic0,server=off,addr.type=unix,addr.path=/s/wan -device virtio-net-pci,netdev=nic0,mac=02:43:00:00:00:00,romfile=",
  ]) {
    assert.ok(line.includes(part), `${part} is not in ${line}`);
  }
  assert.ok(!line.includes("-no-reboot"));
  assert.ok(qemuArguments({ ...MACHINE, restarts: false }, SOCKETS, "kvm").includes("-no-reboot"));
});

test("the canary is a whole BIOS whose reset vector jumps to its loop", () => {
  const bios = canaryBios();
  assert.equal(bios.length, 0x10000);
  assert.equal(bios.subarray(-16, -11).toString("hex"), "ea000100f0");
  assert.equal(bios.subarray(0x100, 0x100 + 17).toString("hex"), "66b9002d3101664975fcba0105b010eef4");
});

test("what was opened is closed in reverse order, all of it, and every failure is named", async () => {
  const closed: string[] = [];
  const scope = new Scope();
  scope.defer("first", () => void closed.push("first"));
  scope.defer("second", () => {
    throw new Error("stuck");
  });
  scope.own("third", { close: () => void closed.push("third") });
  await assert.rejects(scope.close(), /could not close second: stuck/);
  assert.deepEqual(closed, ["third", "first"]);
  await scope.close();
  assert.deepEqual(closed, ["third", "first"]);
});

test("pppd's log: addresses and DNS servers of the last call, or nothing", () => {
  const log = `local  IP address 10.0.0.9
CCP terminated
local  IP address 192.168.1.200
remote IP address 192.168.1.1
primary   DNS address 192.168.1.1
secondary DNS address 192.168.1.2
`;
  assert.deepEqual(parseNetworkSettings(log), {
    localAddress: "192.168.1.200",
    remoteAddress: "192.168.1.1",
    dns: ["192.168.1.1", "192.168.1.2"],
  });
  assert.equal(parseNetworkSettings("Connect: ppp0 <--> /dev/pts/0\nModem hangup\n"), undefined);
});

test("pppd's exit statuses have words", () => {
  assert.match(pppdStatus(19), /failed to authenticate/);
  assert.equal(pppdStatus(99), "pppd exit status 99");
});

/** The doctor: each finding from what it is made of, and leftovers that are really there. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { Lease } from "../../hil/bench/lease.ts";
import {
  accelerator,
  checkLeases,
  checkOptional,
  checkSerialPorts,
  programs,
  qemuFinding,
  space,
} from "../../hil/doctor/checks.ts";
import type { Finding } from "../../hil/doctor/finding.ts";
import { findLeftovers } from "../../hil/doctor/leftovers.ts";
import { examine, renderFindings, repairAll } from "../../hil/doctor.ts";
import { ManualClock } from "./fake-line.ts";

let folder = "";
const folders: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "culvert-doctor-"));
  folders.push(folder);
});
after(() => {
  for (const each of folders) rmSync(each, { recursive: true });
});

const said = (findings: readonly Finding[]): string[] => findings.map(({ state, what }) => `${state}: ${what}`);

test("the accelerator: what the choice means", () => {
  const tcg = { accelerator: "tcg", because: "it won" } as const;
  assert.equal(accelerator({ accelerator: "kvm", because: "it won" }, "opens", "").state, "fine");
  assert.equal(accelerator(tcg, "absent", "").state, "fine");
  assert.match(accelerator(tcg, "opens", "").what, /\/dev\/kvm opens, but a guest does not run on it/);
  assert.match(accelerator(tcg, "closed", "").repair?.command ?? "", /usermod -aG kvm/);
  assert.equal(accelerator(tcg, "closed", "tcg").repair?.command, "unset CULVERT_ACCEL");
});

test("QEMU: its version, and whether it has the network of a lab", () => {
  const netdevs = "Available netdev backend types:\nsocket\nstream\ntap\n";
  assert.deepEqual(said([qemuFinding("QEMU emulator version 7.2.22 (Debian 1:7.2)", netdevs)]), ["fine: 7.2.22"]);
  const old = qemuFinding("QEMU emulator version 6.2.0", "Available netdev backend types:\nsocket\ntap\n");
  assert.deepEqual(said([old]), ["problem: QEMU 6.2.0 has no `-netdev stream`; it came with 7.2"]);
});

test("programs: one line of apt-get brings all that is missing", async () => {
  const asked: boolean[] = [];
  const setUp = (withTests: boolean): Promise<number> => {
    asked.push(withTests);
    return Promise.resolve(withTests ? 1 : 0);
  };
  assert.deepEqual(said(programs([], [], setUp)), ["fine: all there"]);
  const [missing] = programs(["kmod", "xz-utils"], ["kmod", "xz-utils", "tshark"], setUp);
  assert.equal(missing?.state, "problem");
  assert.match(missing?.repair?.command ?? "", /apt-get install -y --no-install-recommends kmod xz-utils$/);
  await missing?.repair?.run?.();
  const [forTests] = programs([], ["tshark"], setUp);
  assert.equal(forTests?.state, "note");
  await assert.rejects(forTests?.repair?.run?.() ?? Promise.resolve(), /setup could not install/);
  assert.deepEqual(asked, [false, true]);
});

test("optional packages: what needs them", () => {
  assert.deepEqual(said(checkOptional(() => "")), ["fine: all there"]);
  const [snmp] = checkOptional((name) => {
    if (name === "net-snmp") throw new Error("not found");
    return name;
  });
  assert.equal(snmp?.state, "note");
  assert.equal(snmp?.repair?.command, "npm install --no-save net-snmp@3.29.2");
});

test("serial ports that may not be opened", () => {
  const port = { path: "/dev/ttyUSB0", stablePath: "/dev/serial/by-id/usb-A", driver: "ftdi_sio", mayOpen: true };
  const closed = { path: "/dev/ttyS0", stablePath: undefined, driver: "serial8250", mayOpen: false };
  assert.deepEqual(said(checkSerialPorts([port, closed])), [
    "fine: /dev/ttyUSB0 (/dev/serial/by-id/usb-A)",
    "problem: this user may not open /dev/ttyS0 (serial8250)",
  ]);
  assert.deepEqual(said(checkSerialPorts([])), ["fine: this computer has none"]);
});

test("leases: one in use is fine, one left behind is cleared away", async () => {
  const lease = await Lease.take("b1", "why", { clock: new ManualClock(), folder });
  writeFileSync(join(folder, "b2.lease"), "rubbish");
  const findings = checkLeases(folder);
  // On the computer's own clock the test's beats are old or young; only what is left of b2 is certain.
  const b2 = findings.find(({ what }) => what.startsWith("bench b2"));
  assert.equal(b2?.state, "problem");
  assert.equal(b2.repair?.command, "culvert lab release b2");
  await b2.repair?.run?.();
  assert.deepEqual(readdirSync(folder), ["b1.lease"]);
  lease.close();
  assert.deepEqual(said(checkLeases(folder)), ["fine: no bench is in use"]);
});

test("space on disks", () => {
  const gib = 2 ** 30;
  assert.equal(space("disk", "/x", 2 * gib, 2 * gib, "c").state, "fine");
  const full = space("disk", "/x", 1.9 * gib, 2 * gib, "c");
  assert.deepEqual([full.state, full.what], ["problem", "1.9 GiB are free at /x"]);
});

/** A computer with a lab that runs, one that was killed, and another user's. */
function computer(): { root: string; temporary: string; nowMs: number } {
  const temporary = join(folder, "tmp");
  const nowMs = Date.now();
  const process = (pid: number, parent: number, exe: string, args: readonly string[]): void => {
    const path = join(folder, "proc", String(pid));
    mkdirSync(path, { recursive: true });
    symlinkSync(exe, join(path, "exe"));
    writeFileSync(join(path, "cmdline"), [...args, ""].join("\0"));
    writeFileSync(join(path, "stat"), `${pid} (a ) (b) S ${parent} 1 1 0`);
  };
  const machine = (name: string, at: string): string[] => [
    "/usr/bin/qemu-system-x86_64",
    ...["-name", name, "-chardev", `socket,path=${temporary}/${at}/${name}.tty`],
  ];
  process(1, 0, "/sbin/init", ["init"]);
  process(10, 1, "/usr/bin/node", ["node", "cli.js"]);
  process(9_000_001, 10, "/usr/bin/qemu-system-x86_64", machine("running", "culvert-aaaaaa"));
  process(9_000_002, 1, "/usr/bin/qemu-system-x86_64", machine("lost", "culvert-bbbbbb"));
  process(9_000_003, 1, "/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", "-name", "of-somebody-else"]);
  process(9_000_004, 9_000_099, "/usr/bin/qemu-system-x86_64", machine("orphan", "culvert-bbbbbb"));
  mkdirSync(join(folder, "proc/net"));
  writeFileSync(
    join(folder, "proc/net/unix"),
    `Num RefCount\n0: 2 0 0 1 01 9 ${temporary}/culvert-cccccc/wan\n1: 3 0 0 1 03 8\n`,
  );
  const made = (name: string, ageMs: number): void => {
    mkdirSync(join(temporary, name), { recursive: true });
    writeFileSync(join(temporary, name, "disk"), "");
    utimesSync(join(temporary, name), new Date(nowMs - ageMs), new Date(nowMs - ageMs));
  };
  const hour = 3_600_000;
  made("culvert-aaaaaa", hour); // its machine runs
  made("culvert-bbbbbb", hour); // its machines are lost
  made("culvert-cccccc", hour); // a socket of it is open
  made("culvert-dddddd", 60_000); // may be coming up
  made("culvert-canary-eeeeee", hour);
  made("culvert-bench-leases", hour);
  made("culvert-ffffff", hour);
  writeFileSync(join(temporary, "culvert-gggggg"), "no folder");
  return { root: folder, temporary, nowMs };
}

test("leftovers: lost machines and their folders, and nothing that is in use", async () => {
  const place = computer();
  const findings = findLeftovers(place);
  assert.deepEqual(said(findings).sort(), [
    `problem: 3 folders of runs that were killed: ${["bbbbbb", "canary-eeeeee", "ffffff"].map((name) => join(place.temporary, `culvert-${name}`)).join(", ")}`,
    "problem: QEMU process 9000002 (lost) runs without the lab that started it",
    "problem: QEMU process 9000004 (orphan) runs without the lab that started it",
  ]);
  for (const finding of findings) await finding.repair?.run?.();
  assert.deepEqual(readdirSync(place.temporary).sort(), [
    "culvert-aaaaaa",
    "culvert-bench-leases",
    "culvert-cccccc",
    "culvert-dddddd",
    "culvert-gggggg",
  ]);
});

test("a computer without leftovers", () => {
  assert.deepEqual(findLeftovers({ root: folder, temporary: join(folder, "tmp"), nowMs: 0 }), []);
});

test("a check that hangs or fails does not stop the others", async () => {
  const clock = new ManualClock();
  const findings = examine(
    {
      first: () => [{ state: "fine", about: "first", what: "well" }],
      second: () => new Promise(() => {}),
      third: () => {
        throw new Error("no such thing");
      },
    },
    clock,
  );
  await new Promise(setImmediate);
  clock.advance(1800);
  assert.deepEqual(said(await findings), [
    "fine: well",
    "problem: this check took longer than 1.8 s and was left",
    "problem: this check failed: no such thing",
  ]);
});

test("repairs: what the doctor may do is done, the rest is said", async () => {
  const told: string[] = [];
  const problem = (command: string, run?: () => Promise<void>): Finding => ({
    ...{ state: "problem", about: "a", what: "w", why: "y" },
    repair: { command, run },
  });
  await repairAll(
    [
      problem("one", () => Promise.resolve()),
      problem("two", () => Promise.reject(new Error("not permitted"))),
      problem("three"),
      { state: "note", about: "a", what: "w", repair: { command: "four" } },
    ],
    (line) => told.push(line),
  );
  assert.deepEqual(told, ["done: one", "failed: two: not permitted (w)", "yours to do: three"]);
});

test("for people: problems come last, with why and what to do", () => {
  const text = renderFindings([
    { state: "problem", about: "disk", what: "full", why: "it matters", repair: { command: "rm x" } },
    { state: "fine", about: "QEMU", what: "7.2" },
  ]);
  assert.equal(
    text,
    `  ok      QEMU: 7.2
  PROBLEM disk: full
            why it matters: it matters
            to change it:   rm x
1 problem`,
  );
  assert.match(renderFindings([]), /^this computer is fit for labs$/);
});

/** What the device tells of how it ended before, in its log, on its console and to `show system`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crashLines, systemLines } from "../../appliance/cli/system-output.ts";
import { Journal } from "../../appliance/service/journal.ts";
import { CRASHED, type Lives, parseLives, type Supervision } from "../../appliance/service/supervision.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { FakeMachine, FIRST_LIFE, supervisionOf } from "../support/supervision-bench.ts";

/** A machine with its disk, on which the app starts again and again. */
class Box {
  readonly machine = new FakeMachine();
  disk = new FakeDisk();
  journal = new Journal(() => new Date(0));

  start(lives: Lives = FIRST_LIFE): Supervision {
    this.journal = new Journal(() => new Date("2026-11-25T17:00:00Z"));
    const supervision = supervisionOf(this.journal, () => new Date("2026-11-25T17:00:00Z"), { ...this, lives });
    supervision.start();
    return supervision;
  }
  /** The machine starts; `stopped`: it was stopped in order before. */
  boot(stopped: boolean): Supervision {
    if (stopped) this.disk.remove("running");
    this.machine.bootId = `${this.machine.bootId}+`;
    return this.start();
  }
  get log(): string {
    return this.journal
      .last(100)
      .map(({ level, area, text }) => `${level} ${area}: ${text}`)
      .join("\n");
  }
}

const life = (status: number, more: { restarts?: number; outOfMemory?: boolean } = {}): Lives => ({
  restarts: more.restarts ?? 1,
  lastEnd: { status, livedS: 35, outOfMemory: more.outOfMemory ?? false },
});

test("a new device, and one that was stopped in order, have nothing to tell", () => {
  const box = new Box();
  assert.deepEqual(box.start().notices, []);
  assert.deepEqual(box.boot(true).notices, []);
  assert.equal(box.log, "");
  assert.equal(box.start().status().lastBoot, undefined);
});

test("a machine that was not stopped in order says so, once a boot", () => {
  const box = new Box();
  box.start();
  const { notices } = box.boot(false);
  assert.deepEqual(notices, ["the machine was not stopped in order: its power was cut, or it was reset"]);
  assert.match(box.log, /error system: the machine was not stopped in order/);
  assert.deepEqual(box.start(life(137)).notices.length, 1, "only the app's end");
});

test("a reset by the watchdog is known by its driver, or by what was written before", () => {
  const box = new Box();
  box.start();
  box.machine.dog = { name: "i6300ESB timer", timeoutS: 30, causedReset: true };
  assert.deepEqual(box.boot(false).notices, ["the machine was reset by its watchdog"]);
  box.machine.dog = undefined;
  box.disk.write("watchdog", Buffer.from("the app gave no sign of life for 25 s\n"));
  const wanted = ["the machine was reset by its watchdog: the app gave no sign of life for 25 s"];
  assert.deepEqual(box.boot(false).notices, wanted);
  // It is told once, and the app's next life in the same boot tells it no more.
  assert.deepEqual(box.start().notices, []);
  assert.deepEqual(box.boot(true).notices, []);
});

test("how the app ended before, in words", () => {
  const box = new Box();
  const told: readonly [Lives, string][] = [
    [life(137), "was killed after 35 s by SIGKILL"],
    [life(137, { outOfMemory: true }), "was killed by the kernel after 35 s: the memory was used up"],
    [life(139), "was killed after 35 s by SIGSEGV"],
    [life(128 + 30), "was killed after 35 s by signal 30"],
    [life(1), "ended after 35 s with status 1"],
    [life(0), "ended after 35 s with status 0"],
    [life(CRASHED), "ended after 35 s because of an error of its own"],
  ];
  for (const [lives, text] of told) {
    const { notices } = box.start(lives);
    assert.deepEqual(notices, [`the app was started again, once since the machine started: it ${text}`]);
  }
  assert.match(box.start(life(1, { restarts: 3 })).notices.join(), /started again, 3 times since/);
});

test("what run-app says is read, and nothing else", () => {
  assert.deepEqual(parseLives("0", ""), FIRST_LIFE);
  assert.deepEqual(parseLives(undefined, undefined), FIRST_LIFE);
  assert.deepEqual(parseLives("2", "137 35"), life(137, { restarts: 2 }));
  assert.deepEqual(parseLives("2", "137 35 oom"), life(137, { restarts: 2, outOfMemory: true }));
  for (const text of ["137", "x 35", "137 35 more", "1370 35", "-1 35"])
    assert.deepEqual(parseLives("2", text), FIRST_LIFE);
  assert.equal(parseLives("x", "1 2").restarts, 1);
});

test("an app with an error of its own leaves a report; the next life logs its head and can show all of it", () => {
  const box = new Box();
  const first = box.start();
  box.journal.write("info", "vpn", "alice connected");
  box.machine.upMs = 35_000;
  const error = new TypeError("x is not a function");
  first.crashed(error);
  assert.match(box.log, /error system: the app ends because of an error of its own: TypeError: x is not a function/);

  const second = box.start(life(CRASHED));
  assert.match(box.log, /error system: TypeError: x is not a function\nerror system: {5}at /);
  const report = crashLines(second.status().reports, 0);
  assert.deepEqual(report.slice(0, 2), error.stack?.split("\n").slice(0, 2));
  assert.ok(report.includes("Culvert 1.2.3, 2026-11-25T17:00:00.000Z, after 35 s"));
  assert.equal(report.at(-1), "2026-11-25T17:00:00.000Z info vpn: alice connected");
  assert.deepEqual(crashLines(second.status().reports, 1), ["No report is that old."]);
  assert.deepEqual(crashLines([], 0), ["The app never ended because of an error of its own."]);
});

test("the newest five reports are kept, whatever is thrown and however long its stack", () => {
  const box = new Box();
  const supervision = box.start();
  const long = new Error("long");
  long.stack = "long\n".repeat(100_000);
  for (const thrown of [1, undefined, null, "text", long, new Error(""), { odd: true }]) supervision.crashed(thrown);
  const { reports } = supervision.status();
  assert.deepEqual(
    reports.map(({ number }) => number),
    [7, 6, 5, 4, 3],
  );
  assert.ok((box.disk.read("crash.5")?.length ?? 0) <= 16 * 1024);
});

test("a disk that fails keeps the app neither from starting nor from ending, and it is logged", () => {
  const box = new Box();
  box.disk.cutAfter(0);
  const supervision = box.start();
  supervision.crashed(new Error("on top of it"));
  assert.match(box.log, /the last stop of the machine is not known: the power is gone/);
  assert.match(box.log, /the crash report could not be stored: the power is gone/);
});

test("show system says it in lines of at most 80 columns", () => {
  const box = new Box();
  box.machine.dog = { name: "i6300ESB timer", timeoutS: 30, causedReset: false };
  assert.deepEqual(systemLines("culvert", box.start().status()), [
    "name      culvert",
    "machine   up 0:00:00",
    "app       up 0:00:00",
    "watchdog  i6300ESB timer, resets after 30 s",
    "memory    300 MB of 512 MB to be had",
  ]);
  box.machine.dog = undefined;
  box.disk.write("watchdog", Buffer.from("the app gave no sign of life for 25 s"));
  box.boot(false).crashed(new Error("a reason that is long enough to make more than one line of eighty columns"));
  box.machine.bootId += "+";
  const lines = systemLines("culvert", box.start(life(CRASHED, { restarts: 12 })).status());
  for (const line of lines) assert.ok(line.length <= 80, line);
  assert.match(lines.join("\n"), /^app {7}up 0:00:00, started again 12 times; before, it ended after 35 s$/m);
  assert.match(lines.join("\n"), /^watchdog {2}none$/m);
  assert.match(lines.join("\n"), /^crashes {3}1 kept, the newest: Error: a reason/m);
});

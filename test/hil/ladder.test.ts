/** The state ladder: ways, journal, broken ladders, stale handles, and what the compiler refuses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleError } from "../../hil/console/console.ts";
import { Fault, type FaultClass } from "../../hil/fault.ts";
import type { Event } from "../../hil/journal/event.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { StaleHandle } from "../../hil/node/handle.ts";
import { BrokenLadder, Ladder, type State, type Transition } from "../../hil/node/ladder.ts";
import { ProgressGuard } from "../../hil/node/progress-guard.ts";
import { fakeConsole, ManualClock } from "./fake-line.ts";

class Loader {
  readonly #moved: (to: State, because: string) => void;
  constructor(moved: (to: State, because: string) => void) {
    this.#moved = moved;
  }
  env(): string {
    return "loader";
  }
  boot(): void {
    this.#moved("kernel", "`boot`");
  }
}
class Shell {
  run(): string {
    return "shell";
  }
}

function bench(more: { hasPower?: boolean; fail?: (transition: string, attempt: number) => Error | undefined } = {}) {
  const clock = new ManualClock();
  const journal = new Journal(clock);
  const events: Event[] = [];
  journal.subscribe((event) => events.push(event));
  const did: string[] = [];
  const attempts = new Map<string, number>();
  const step = (from: State, to: State, what: string): Transition => ({
    from,
    to,
    what,
    budget: { withinMs: 1_000, reason: what },
    run: () => {
      const attempt = (attempts.get(what) ?? 0) + 1;
      attempts.set(what, attempt);
      did.push(what);
      const error = more.fail?.(what, attempt);
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    },
  });
  const ladder = new Ladder<{ bootloader: Loader; shell: Shell }>({
    node: "dut",
    clock,
    journal,
    transitions: [
      step("off", "started", "switch on"),
      step("started", "bootloader", "interrupt"),
      step("started", "kernel", "autoboot"),
      step("bootloader", "kernel", "boot"),
      step("kernel", "shell", "await shell"),
    ],
    drivers: { bootloader: () => new Loader((to, why) => ladder.moved(to, why)), shell: () => new Shell() },
    powerOff:
      more.hasPower === false
        ? undefined
        : () => {
            did.push("switch off");
            return Promise.resolve();
          },
  });
  const states = (): string[] =>
    events.flatMap((event) => (event.kind === "state" ? [`${event.from} -> ${event.to}`] : []));
  return { ladder, did, states, events };
}

test("from wherever the node is, the shortest way leads to the state; being there already does nothing", async () => {
  const { ladder, did, states } = bench();
  assert.equal(await ladder.at("bootloader", (uboot) => uboot.env()), "loader");
  assert.deepEqual(did, ["switch off", "switch on", "interrupt"]);
  assert.deepEqual(states(), ["unknown -> off", "off -> started", "started -> bootloader"]);
  await ladder.at("bootloader", (uboot) => uboot.env());
  assert.equal(did.length, 3);
  assert.equal(await ladder.at("shell", (shell) => Promise.resolve(shell.run())), "shell");
  assert.deepEqual(did.slice(3), ["boot", "await shell"]);
  await ladder.at("bootloader", () => undefined);
  assert.deepEqual(did.slice(5), ["switch off", "switch on", "interrupt"]);
  await ladder.go("off");
  assert.equal(ladder.state, "off");
});

test("from off the shell is reached by autoboot, not through the boot loader", async () => {
  const { ladder, did } = bench();
  await ladder.go("off");
  await ladder.at("shell", () => undefined);
  assert.deepEqual(did, ["switch off", "switch on", "autoboot", "await shell"]);
});

test("a driver's own command moves the ladder, and its handle is stale at once", async () => {
  const { ladder, did } = bench();
  await ladder.at("bootloader", (uboot) => {
    uboot.boot();
    assert.equal(ladder.state, "kernel");
    assert.throws(() => uboot.env(), {
      name: "StaleHandle",
      message: /dut: this handle of state bootloader is stale: `boot` took dut from bootloader to kernel/,
    });
  });
  await ladder.at("shell", () => undefined);
  assert.deepEqual(did.slice(3), ["await shell"]);
});

test("a handle ends with its callback, and so does a method that was taken out of it", async () => {
  const { ladder } = bench();
  let kept: (() => string) | undefined;
  let handle: { env(): string } | undefined;
  await ladder.at("bootloader", (uboot) => {
    kept = uboot.env;
    handle = uboot;
    assert.equal(kept(), "loader");
  });
  assert.throws(() => kept?.(), StaleHandle);
  assert.throws(() => handle?.env(), /its callback is over/);
});

test("leaving a state inside its callback makes the handle stale", async () => {
  const { ladder } = bench();
  await ladder.at("bootloader", async (uboot) => {
    await ladder.go("shell");
    assert.throws(() => uboot.env(), /was told to boot/);
  });
  await ladder.at("shell", async (shell) => {
    await ladder.powerCycle();
    assert.throws(() => shell.run(), /dut was switched off/);
  });
});

test("after a failed transition the first cause is repeated until power is cycled", async () => {
  const { ladder, did } = bench({
    fail: (what, attempt) =>
      what === "await shell" && attempt === 1
        ? new ConsoleError("dut", "death", "the machine died: Kernel panic")
        : undefined,
  });
  await assert.rejects(
    ladder.at("shell", () => undefined),
    (error: unknown) => {
      assert.ok(error instanceof Fault && !(error instanceof BrokenLadder));
      assert.equal(error.faultClass, "device");
      assert.match(
        error.message,
        /dut: could not await shell \(it was in state kernel\):\nthe machine died: Kernel panic/,
      );
      return true;
    },
  );
  const before = did.length;
  for (const state of ["shell", "bootloader"] as const) {
    await assert.rejects(ladder.go(state), (error: unknown) => {
      assert.ok(error instanceof BrokenLadder);
      assert.equal(error.faultClass, "device");
      assert.match(error.message, /not tried again after its first failure[\s\S]*Kernel panic/);
      return true;
    });
  }
  assert.equal(did.length, before, "nothing was tried");
  await ladder.powerCycle();
  assert.equal(ladder.broken, undefined);
  await ladder.at("shell", (shell) => shell.run());
});

test("a fault of the lab at boot is answered by one power cycle, which the journal tells", async () => {
  const faultOf = (faultClass: FaultClass) => (what: string, attempt: number) =>
    what === "interrupt" && attempt === 1 ? new Fault(faultClass, "the guest never ran") : undefined;
  const host = bench({ fail: faultOf("host") });
  await host.ladder.at("bootloader", () => undefined);
  assert.deepEqual(host.did, ["switch off", "switch on", "interrupt", "switch off", "switch on", "interrupt"]);
  assert.ok(host.events.some((event) => event.kind === "message" && /power-cycled once.*never ran/.test(event.text)));

  const device = bench({ fail: faultOf("device") });
  await assert.rejects(
    device.ladder.at("bootloader", () => undefined),
    /the guest never ran/,
  );

  const always = bench({ fail: (what) => (what === "interrupt" ? new Fault("host", "never") : undefined) });
  await assert.rejects(
    always.ladder.at("bootloader", () => undefined),
    (error: unknown) => error instanceof Fault && error.faultClass === "host",
  );
  assert.equal(always.did.filter((what) => what === "interrupt").length, 2, "once, and no more");
});

test("a state that the bench does not have, and a bench without a switch, are told", async () => {
  const { ladder } = bench();
  await assert.rejects(
    ladder.go("cli"),
    /no way leads from unknown to cli; its ladder has started, bootloader, kernel, shell/,
  );
  const bare = bench({ hasPower: false });
  await assert.rejects(bare.ladder.go("off"), { faultClass: "bench", message: /no power switch/ });
});

test("two moves at once are a mistake that is told", async () => {
  const { ladder } = bench();
  const first = ladder.go("shell");
  await assert.rejects(ladder.go("bootloader"), /asked for bootloader while it does this: switch it off/);
  await first;
});

/** What must not compile: each line below has an error, or the build fails. The functions never run. */
export function refusedByTheCompiler(ladder: Ladder<{ bootloader: Loader; shell: Shell }>): unknown[] {
  return [
    // @ts-expect-error a shell has no environment of U-Boot
    () => ladder.at("shell", (shell) => shell.env()),
    // @ts-expect-error this ladder has no command line
    () => ladder.at("cli", () => undefined),
    // @ts-expect-error a handle may not leave its callback
    () => ladder.at("bootloader", (uboot) => uboot),
    // @ts-expect-error nor in a promise
    () => ladder.at("bootloader", async (uboot) => await Promise.resolve(uboot)),
    // @ts-expect-error nor in a field
    () => ladder.at("bootloader", (uboot) => ({ deep: { uboot } })),
    // @ts-expect-error nor in an array
    () => ladder.at("bootloader", (uboot) => [uboot]),
    () => ladder.at("bootloader", (uboot) => uboot.env()),
    () =>
      ladder.at("bootloader", async (uboot) => ({ env: await Promise.resolve(uboot.env()), bytes: Buffer.alloc(1) })),
    () => ladder.at("shell", () => {}),
  ];
}

function guardBench(hasMoved: (() => boolean) | undefined) {
  const parts = fakeConsole("dut");
  const processor = hasMoved === undefined ? undefined : { hasMoved: () => Promise.resolve(hasMoved()) };
  const guard = new ProgressGuard(parts.console, { clock: parts.clock, silentMs: 1_000, processor });
  guard.started();
  return { ...parts, guard };
}

async function passing(clock: ManualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    clock.advance(1_000);
  }
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test("silence with a processor that stands still is a hang: the host's if the guest never ran, else the device's", async () => {
  const never = guardBench(() => false);
  const first = assert.rejects(never.guard.expect({ it: "ready" }, { withinMs: 60_000, reason: "boot" }), {
    faultClass: "host",
    message: /while waiting for boot: the guest never ran/,
  });
  await passing(never.clock, 2);
  await first;

  const later = guardBench(() => false);
  const second = assert.rejects(later.guard.expect({ it: "ready" }, { withinMs: 60_000, reason: "boot" }), {
    faultClass: "device",
    message: /its console is silent and its processor does not move/,
  });
  later.clock.advance(10);
  later.line.say("Linux version 6.1\n");
  await passing(later.clock, 3);
  await second;
});

test("a processor that moves, or that nobody can see, gets the whole time; text that was heard meanwhile counts", async () => {
  for (const hasMoved of [() => true, undefined]) {
    const { guard, clock, line } = guardBench(hasMoved);
    const slow = guard.expect({ it: "ready" }, { withinMs: 10_000, reason: "boot" });
    await passing(clock, 3);
    line.say("rea");
    await passing(clock, 3);
    line.say("dy");
    assert.equal((await slow).pattern, "it");
    const late = assert.rejects(
      guard.expect({ it: "never" }, { withinMs: 5_000, reason: "nothing" }),
      /waited 5\.0 s for nothing/,
    );
    await passing(clock, 6);
    await late;
  }
});

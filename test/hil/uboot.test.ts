/** The driver of U-Boot's command line, against a U-Boot that the test plays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { ConsoleError } from "../../hil/console/console.ts";
import { plain } from "../../hil/console/transcript.ts";
import { Fault } from "../../hil/fault.ts";
import { ProgressGuard } from "../../hil/node/progress-guard.ts";
import { UBoot, UBootError } from "../../hil/node/uboot.ts";
import { UBootLine } from "../../hil/node/uboot-line.ts";
import { fakeConsole, type ManualClock } from "./fake-line.ts";
import { BANNER, FakeUBoot } from "./fake-uboot.ts";

function bench(longestLine = 255) {
  const parts = fakeConsole("dut", { death: [] });
  const fake = new FakeUBoot(parts.line);
  fake.longestLine = longestLine;
  let lost: string | undefined;
  const options = {
    prompt: "=> ",
    interrupt: " ",
    autoboot: "Hit any key",
    longestLine,
    session: "u",
    lost: () => lost,
  };
  const line = new UBootLine(parts.console, options);
  const left: string[] = [];
  const uboot = new UBoot(line, (to, because) => left.push(`${to}: ${because}`));
  const guard = new ProgressGuard(parts.console, { clock: parts.clock, silentMs: 5_000 });
  const off = (): void => {
    lost = "its power is off";
  };
  return { ...parts, fake, uboot, ubootLine: line, guard, left, off };
}

async function atPrompt(longestLine?: number) {
  const parts = bench(longestLine);
  parts.fake.powerOn();
  await parts.ubootLine.interrupt(parts.guard, { withinMs: 10_000, reason: "U-Boot" });
  return parts;
}

/** Lets promises run until nothing more happens. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Time, in the slices in which a command waits. */
async function passing(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    await settle();
    clock.advance(500);
  }
  await settle();
}

test("autoboot is interrupted: the key is typed until the prompt comes", async () => {
  const { fake, clock, ubootLine, guard, line } = bench();
  fake.hears = false;
  const keys: string[] = [];
  const receive = line.typed;
  line.typed = (text) => {
    keys.push(text);
    receive(text);
  };
  const done = ubootLine.interrupt(guard, { withinMs: 10_000, reason: "U-Boot" });
  line.say(BANNER);
  await settle();
  assert.deepEqual(keys, [], "nothing is typed before U-Boot listens");
  fake.powerOn();
  for (let turn = 0; turn < 3; turn++) {
    await settle();
    clock.advance(200);
  }
  await settle();
  fake.hears = true;
  clock.advance(200);
  await settle();
  await done;
  assert.equal(keys.filter((text) => text === " ").length, 5);
  assert.equal(fake.mode, "shell");
});

test("a board that never shows U-Boot is told with the reason and what was sought", async () => {
  const { clock, ubootLine, guard, line } = bench();
  const done = ubootLine.interrupt(guard, { withinMs: 10_000, reason: "U-Boot to start" });
  line.say("ROM boot failed\r\n");
  await settle();
  clock.advance(5_000);
  await settle();
  clock.advance(5_000);
  await assert.rejects(done, (error: unknown) => {
    assert.ok(error instanceof ConsoleError);
    assert.match(error.message, /^dut: waited 10\.0 s for U-Boot to start\n.*Hit any key/);
    assert.match(error.message, /ROM boot failed/);
    return true;
  });
});

test("commands have their own status and output, whatever looks like a prompt in it", async () => {
  const { uboot, fake } = await atPrompt();
  assert.equal(await uboot.run("echo hello"), "hello\n");
  assert.equal(await uboot.run("true"), "");
  assert.deepEqual(await uboot.try("false"), { status: 1, output: "" });
  fake.answer = (command) =>
    command === "odd" ? { status: 3, output: "=> \r\n==> 00000000\r\nBu1 Eu1:0:\r\nno newline at the end" } : undefined;
  assert.deepEqual(await uboot.try("odd"), {
    status: 3,
    output: "=> \n==> 00000000\nBu1 Eu1:0:\nno newline at the end",
  });
  await assert.rejects(uboot.run("frobnicate"), (error: unknown) => {
    assert.ok(error instanceof UBootError);
    assert.equal(error.faultClass, "device");
    assert.match(error.message, /dut: U-Boot's `frobnicate` ended with status 1:\nUnknown command/);
    return true;
  });
});

test("the echo of the typed line never counts as its answer", async () => {
  const { uboot, line } = await atPrompt();
  const typed: string[] = [];
  const receive = line.typed;
  line.typed = (text) => {
    typed.push(text);
    receive(text);
  };
  await uboot.run("true");
  assert.equal(typed.length, 1);
  assert.doesNotMatch(typed[0] ?? "", /[BE]u\d/);
});

test("foreign text anywhere in the first end mark does not change a result", async () => {
  const { fake, line } = await atPrompt();
  const whole = "Bu9\r\nout\r\nEu9:7:\r\nEu9:7:\r\n";
  for (let at = whole.indexOf("Eu9"); at < whole.indexOf("Eu9") + 7; at++) {
    const { uboot, fake: other, line: otherLine } = await atPrompt();
    const receive = otherLine.typed;
    otherLine.typed = (text) => {
      const run = /echo Bu""(\d+)/.exec(text)?.[1];
      if (run === undefined) return receive(text);
      const answer = whole.replaceAll("9", run);
      otherLine.say(`${text}\n${answer.slice(0, at)}[   1.0] usb 1-1: new device\r\n${answer.slice(at)}=> `);
    };
    assert.equal((await uboot.try("x")).status, 7, `text at ${at}`);
    assert.ok(other.isOn);
  }
  assert.ok(fake.isOn && line.readable);
});

test("results do not depend on the pieces in which the text comes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "binary-ascii", maxLength: 60 }),
      fc.nat(255),
      fc.array(fc.nat(9)),
      async (text, status, cuts) => {
        const { uboot, line } = await atPrompt();
        const output = plain(text).replace(/\s/g, "_");
        const receive = line.typed;
        line.typed = (typed) => {
          const run = /echo Bu""(\d+)/.exec(typed)?.[1];
          if (run === undefined) return receive(typed);
          let rest = `${typed}\nBu${run}\r\n${output}\r\nEu${run}:${status}:\r\nEu${run}:${status}:\r\n=> `;
          for (const cut of cuts) {
            line.say(rest.slice(0, cut));
            rest = rest.slice(cut);
          }
          line.say(rest);
        };
        assert.deepEqual(await uboot.try("x"), { status, output: `${output}\n` });
      },
    ),
    { numRuns: 50 },
  );
});

test("variables are set and read as they are, however long", async () => {
  const { uboot, fake } = await atPrompt(160);
  const values = [
    "",
    " two  spaces ",
    `it's "quoted" \\ $HOME; reset && false # no`,
    "x".repeat(900),
    "y".repeat(1500),
    "run a; run b; ".repeat(40),
  ];
  for (const value of values) {
    await uboot.setEnv("probe", value);
    assert.equal(fake.env.get("probe"), value);
    assert.equal(await uboot.env("probe"), value);
  }
  await uboot.setEnv("probe", undefined);
  assert.equal(await uboot.env("probe"), undefined);
  assert.ok(
    fake.entered.every((line) => line.length <= 160),
    "no line is longer than U-Boot takes",
  );
  await assert.rejects(uboot.setEnv("probe", "it's".repeat(400)), /cannot be typed into probe/);
});

test("a command that is longer than a line goes through a variable", async () => {
  const { uboot } = await atPrompt(120);
  assert.equal(await uboot.run(`echo ${"long ".repeat(60)}end`), `${"long ".repeat(60)}end\n`);
  assert.equal((await uboot.try(`echo ${"x".repeat(200)};false`)).status, 1);
});

test("memory: crc32, reading, writing", async () => {
  const { uboot } = await atPrompt();
  const bytes = Buffer.from(Array.from({ length: 37 }, (_, at) => (at * 7) & 0xff));
  await uboot.writeMemory(0x40200000, bytes);
  assert.deepEqual(await uboot.readMemory(0x40200000, 37), bytes);
  assert.equal(await uboot.crc32(0x40200000, 37), crc32(bytes));
  assert.equal(await uboot.crc32(0x40200000, 0), 0);
  assert.equal(await uboot.address("kernel_addr_r"), 0x40400000);
  await assert.rejects(uboot.address("nosuch"), Fault);
});

test("answers that are not understood are faults with the answer", async () => {
  const { uboot, fake } = await atPrompt();
  fake.answer = (command) => (/^(crc32|md)/.test(command) ? { status: 0, output: "what?\r\n" } : undefined);
  await assert.rejects(uboot.crc32(0, 4), /answer to `crc32 0 4` is not understood:\nwhat\?/);
  await assert.rejects(uboot.readMemory(0, 4), /answer to `md\.b 0 4` is not understood/);
});

test("loading by TFTP says how much, and is the bench's fault when it fails", async () => {
  const { uboot, fake } = await atPrompt();
  fake.answer = (command) =>
    command.startsWith("tftpboot 40200000 'a.bin'") || command.startsWith("tftpboot 40200000 a.bin")
      ? { status: 0, output: "Loading: *####\r\ndone\r\nBytes transferred = 300000 (493e0 hex)\r\n" }
      : command.startsWith("tftpboot")
        ? { status: 1, output: "TFTP error: 'File not found' (1)\r\n" }
        : undefined;
  assert.equal(await uboot.tftpBoot(0x40200000, "a.bin"), 300000);
  await assert.rejects(uboot.tftpBoot(0x40200000, "b.bin"), (error: unknown) => {
    assert.ok(error instanceof UBootError && error.faultClass === "bench");
    assert.match(error.message, /File not found/);
    return true;
  });
});

test("starting a system leaves U-Boot; a start that comes back is told with its words", async () => {
  const started = await atPrompt();
  await started.uboot.boot();
  assert.deepEqual(started.left, ["kernel: `boot`"]);

  const failed = await atPrompt();
  failed.fake.answer = (command) =>
    command.startsWith("booti") ? { status: 1, output: "Bad Linux ARM64 Image magic!\r\n" } : undefined;
  await assert.rejects(failed.uboot.bootI(0x40400000, { address: 0x44000000, length: 10 }, "$fdtcontroladdr"), {
    message: /`booti 40400000 44000000:a \$fdtcontroladdr` came back:\nBad Linux ARM64 Image magic!/,
  });
  assert.deepEqual(failed.left, []);
  assert.equal(await failed.uboot.run("echo still here"), "still here\n");

  const reset = await atPrompt();
  await reset.uboot.reset();
  assert.deepEqual(reset.left, ["started: reset"]);
});

test("a command that hangs is interrupted, and the next one works", async () => {
  const { uboot, line, clock } = await atPrompt();
  const receive = line.typed;
  line.typed = (text) => {
    if (text.includes("sleep")) line.say(text);
    else receive(text);
  };
  const hung = uboot.try("sleep 1000", 2_000);
  const told = assert.rejects(hung, /waited 2\.0 s for the result of `sleep 1000`/);
  await passing(clock, 2_000);
  await told;
  assert.equal(await uboot.run("echo next"), "next\n");
});

test("a command whose board loses power ends at once, and says so", async () => {
  const { uboot, fake, clock, off } = await atPrompt();
  fake.powerOff();
  off();
  const told = assert.rejects(uboot.try("crc32 0 1000", 60_000), {
    faultClass: "bench",
    message: /while waiting for the result of `crc32 0 1000`: its power is off/,
  });
  await passing(clock, 500);
  await told;
});

test("any bytes on the line end in a result or an error of the lab's own", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const { uboot, line, clock } = await atPrompt();
      line.typed = () => line.say(Buffer.from(bytes).toString("latin1"));
      const result = uboot.try("x", 1_000).then(
        (value) => value,
        (error: unknown) => error,
      );
      await passing(clock, 1_000);
      const outcome = await result;
      assert.ok(
        outcome instanceof ConsoleError || (typeof outcome === "object" && outcome !== null && "status" in outcome),
      );
    }),
    { numRuns: 50 },
  );
});

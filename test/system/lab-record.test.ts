/** Recording a board behind a pseudo terminal, through node-serialport: rates are set for real, and garble what the board says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBench } from "../../hil/bench/load.ts";
import { recordBoard } from "../../hil/bench/record.ts";
import { recordedFile } from "../../hil/bench/recorded-file.ts";
import { type LabClock, systemClock } from "../../hil/clock.ts";
import { openSerial } from "../../hil/console/transport/serial.ts";
import { OPENWRT, OPENWRT_SHELL } from "../hil/boot-logs.ts";
import { FakeBoard } from "../hil/fake-board.ts";
import { Pty } from "../hil/pty.ts";

/** The board and its recorder live so much faster than we do. */
const SPEED = 10;

/** OpenWrt's boot with a longer count-down: a busy computer needs time to see it. */
const SLOW_OPENWRT = OPENWRT.map(({ atMs, text }, index) => ({ atMs: index > 2 ? atMs + 9000 : atMs, text }));

function fastClock(): LabClock {
  const clock = systemClock();
  const startNs = clock.nowNs();
  return {
    nowNs: () => startNs + (clock.nowNs() - startNs) * BigInt(SPEED),
    after: (delayMs, run) => clock.after(delayMs / SPEED, run),
  };
}

test("a router on a serial port that nobody knows", { timeout: 60_000 }, async (context) => {
  const clock = fastClock();
  const pty = await Pty.open();
  // Asked once after each change: `stty` is a process, and the board talks fast.
  let heardAt = 0;
  const board = new FakeBoard(
    {
      log: SLOW_OPENWRT,
      baud: 57_600,
      stop: { key: "\x1b", prompt: "MT7622> ", from: 2, to: 3 },
      onEnter: OPENWRT_SHELL,
    },
    clock,
    (bytes) => pty.send(bytes),
    () => heardAt,
  );
  context.after(async () => {
    board.off();
    await pty.close();
  });
  pty.received = (bytes) => board.typed(bytes.toString("latin1"));
  const recording = await recordBoard({
    ...{ clock, ports: [pty.path], knowsPowerOn: true, tell: (line: string) => context.diagnostic(line) },
    openPort: async (path, baud) => {
      const port = await openSerial(path, { baud }, systemClock());
      heardAt = pty.baud;
      return {
        place: port.place,
        on: (event, listener) => port.on(event, listener),
        write: (text) => port.write(text),
        set: async (settings) => {
          await port.set(settings);
          heardAt = pty.baud;
        },
        close: () => port.close(),
      };
    },
    powerOff: () => Promise.resolve(board.off()),
    powerOn: () => Promise.resolve(board.on()),
  });
  const bench = parseBench(recordedFile(recording, { name: "found", power: undefined }), "found.yaml");
  assert.deepEqual(bench.console, { serial: pty.path, baud: 57_600, pace: "auto" });
  assert.deepEqual(bench.ladder, {
    bootloader: { uboot: { prompt: "MT7622> ", interrupt: "esc", autoboot: "Hit 'ESC' to stop autoboot" } },
    shell: { prompt: "root@OpenWrt:/# ", activate: "Please press Enter to activate this console" },
  });
  assert.deepEqual(
    recording.phases.map(({ name }) => name),
    ["first byte", "boot loader", "kernel", "user space", "ready"],
  );
});

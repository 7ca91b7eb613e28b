/** Recording boards that the test plays, on a clock that it moves. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { parseBench } from "../../hil/bench/load.ts";
import { TerminalPerson } from "../../hil/bench/person.ts";
import { type Recording, type RecordMeans, type RecordPort, recordBoard } from "../../hil/bench/record.ts";
import { recordMeans } from "../../hil/bench/record-command.ts";
import { recordedFile } from "../../hil/bench/recorded-file.ts";
import { Fault } from "../../hil/fault.ts";
import { CFE, CULVERT, DEBIAN_GRUB, DEBIAN_UBOOT, OPENWRT, OPENWRT_SHELL } from "./boot-logs.ts";
import { type BoardKind, FakeBoard } from "./fake-board.ts";
import { ManualClock } from "./fake-line.ts";

const ROUTER: BoardKind = {
  log: OPENWRT,
  baud: 57_600,
  stop: { key: "\x1b", prompt: "MT7622> ", from: 2, to: 3 },
  onEnter: OPENWRT_SHELL,
};

class FakePort implements RecordPort {
  readonly place: string;
  baud = 0;
  isOpen = true;
  typed: (text: string) => void = () => {};
  #listener: (bytes: Buffer) => void = () => {};

  constructor(place: string) {
    this.place = place;
  }
  on(_event: "data", listener: (bytes: Buffer) => void): void {
    this.#listener = listener;
  }
  say(bytes: Buffer): void {
    if (bytes.length > 0) this.#listener(bytes);
  }
  write(text: string): void {
    this.typed(text);
  }
  set({ baud }: { baud: number }): Promise<void> {
    this.baud = baud;
    return Promise.resolve();
  }
  close(): Promise<void> {
    this.isOpen = false;
    return Promise.resolve();
  }
}

/** A desk with two ports, and the board on the second. */
function desk(kind: BoardKind, rates?: readonly number[]) {
  const clock = new ManualClock();
  const ports = [new FakePort("/dev/ttyS0"), new FakePort("/dev/ttyUSB0")] as const;
  const board = new FakeBoard(
    kind,
    clock,
    (bytes) => ports[1].say(bytes),
    () => ports[1].baud,
  );
  ports[1].typed = (text) => board.typed(text);
  const told: string[] = [];
  const means: RecordMeans = {
    ...{ clock, ports: ports.map(({ place }) => place), rates, knowsPowerOn: true },
    openPort: (path, baud) => {
      const port = ports.find(({ place }) => place === path);
      assert.ok(port);
      port.baud = baud;
      return Promise.resolve(port);
    },
    powerOff: () => Promise.resolve(board.off()),
    // A switch that keeps the board off for three seconds first.
    powerOn: () => new Promise((resolve) => void clock.after(3000, () => resolve(board.on()))),
    tell: (line) => told.push(line),
  };
  return { clock, board, ports, means, told };
}

/** Lets time pass until the recording is over. */
async function finished<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  while (!isOver) {
    clock.advance(25);
    await new Promise(setImmediate);
  }
  return await over;
}

const record = async (kind: BoardKind, rates?: readonly number[]): Promise<Recording> => {
  const { clock, means, ports, board } = desk(kind, rates);
  const recording = await finished(clock, recordBoard(means));
  assert.ok(!board.isStopped, "it is left as it was found");
  assert.ok(ports.every((port) => !port.isOpen));
  return recording;
};

test("a router: its port, its rate, its boot loader and how to stop it, its shell, its times", async () => {
  const recording = await record(ROUTER);
  assert.equal(recording.port, "/dev/ttyUSB0");
  assert.equal(recording.baud, 57_600);
  assert.equal(recording.bootloader?.name, "U-Boot");
  assert.deepEqual(recording.stopped, { key: "esc", prompt: "MT7622> " });
  assert.equal(recording.greeting?.kind, "activate");
  assert.equal(recording.shellPrompt, "root@OpenWrt:/# ");
  const times = recording.phases.map(({ name, atMs }) => [name, Math.round(atMs / 100) / 10]);
  // The clock of the test moves by 25 ms.
  assert.deepEqual(times, [
    ["first byte", 0.1],
    ["boot loader", 0.4],
    ["kernel", 4.4],
    ["user space", 7.9],
    ["ready", 14.3],
  ]);
});

const OTHERS: readonly (readonly [string, BoardKind, (recording: Recording) => void])[] = [
  [
    "U-Boot that any key stops, and a login",
    { log: DEBIAN_UBOOT, baud: 115_200, stop: { key: " ", prompt: "=> ", from: 5, to: 7 } },
    ({ stopped, greeting, baud }) => {
      assert.equal(baud, 115_200);
      assert.deepEqual(stopped, { key: "space", prompt: "=> " });
      assert.deepEqual(greeting, { kind: "login", prompt: "login: " });
    },
  ],
  [
    "U-Boot that names no key it takes, and takes Ctrl-C",
    { log: DEBIAN_UBOOT, baud: 1_500_000, stop: { key: "\x03", prompt: "rk3399# ", from: 5, to: 7 } },
    ({ stopped, baud }) => {
      assert.equal(baud, 1_500_000);
      assert.deepEqual(stopped, { key: "ctrl-c", prompt: "rk3399# " });
    },
  ],
  [
    "U-Boot that cannot be stopped",
    { log: DEBIAN_UBOOT, baud: 9600 },
    ({ stopped, bootloader }) => {
      assert.equal(bootloader?.name, "U-Boot");
      assert.equal(stopped, undefined);
    },
  ],
  ["a PC with GRUB", { log: DEBIAN_GRUB, baud: 38_400 }, ({ bootloader }) => assert.equal(bootloader?.name, "GRUB")],
  ["this firmware", { log: CULVERT, baud: 115_200 }, ({ greeting }) => assert.deepEqual(greeting, { kind: "culvert" })],
  [
    "a board that shows its login only after Enter",
    {
      log: [...DEBIAN_UBOOT.slice(0, -1), { atMs: 9000, text: "[  9.0] random: crng init done\r\n" }],
      baud: 115_200,
      onEnter: "\r\npine64 login: ",
    },
    ({ greeting }) => assert.deepEqual(greeting, { kind: "login", prompt: "login: " }),
  ],
  [
    "a board that is silent after its boot loader",
    { log: CFE, baud: 115_200 },
    ({ greeting, bootloader }) => {
      assert.equal(greeting, undefined);
      assert.equal(bootloader?.name, "CFE");
    },
  ],
];
for (const [what, kind, check] of OTHERS) {
  test(`${what}: recorded, and its file is a valid bench`, async () => {
    const recording = await record(kind);
    check(recording);
    const text = recordedFile(recording, { name: "recorded", power: undefined });
    const bench = parseBench(text, "recorded.yaml");
    assert.deepEqual(bench.console, { serial: "/dev/ttyUSB0", baud: kind.baud, pace: "auto" });
    assert.ok(bench.power !== undefined && "manual" in bench.power);
  });
}

test("the file says what was seen, and keeps the switch as it was given", async () => {
  const text = recordedFile(await record(ROUTER), { name: "router-9", power: "shelly: http://10.0.0.7, channel: 1" });
  const bench = parseBench(text, "router-9.yaml");
  assert.deepEqual(bench.power, { shelly: "http://10.0.0.7", channel: 1, minOff: 3000 });
  assert.deepEqual(bench.ladder, {
    bootloader: { uboot: { prompt: "MT7622> ", interrupt: "esc", autoboot: "Hit 'ESC' to stop autoboot" } },
    shell: { prompt: "root@OpenWrt:/# ", activate: "Please press Enter to activate this console" },
  });
  assert.match(text, /in seconds after power-on:\n# +0\.1 {2}first byte\n/);
  assert.match(text, /# U-Boot 2022\.07-OpenWrt/);
});

test("a rate that is given is the only one that is tried", async () => {
  assert.equal((await record(ROUTER, [57_600])).baud, 57_600);
  await assert.rejects(record(ROUTER, [115_200]), (error: unknown) => {
    assert.ok(error instanceof Fault && error.faultClass === "bench");
    assert.match(error.message, /\/dev\/ttyUSB0 speaks, but no rate gives text; the best was 115200 baud with \d+ %/);
    return true;
  });
});

test("a board that says nothing: what to look at", async () => {
  await assert.rejects(
    record({ log: [], baud: 115_200 }),
    /no port said anything within 60 s after power came on \(\/dev\/ttyS0, \/dev\/ttyUSB0\): are RX and TX crossed/,
  );
});

test("without a switch a person is asked, and times count from the first byte", async () => {
  const { clock, means, board } = desk(ROUTER, [57_600]);
  const input = new PassThrough();
  const output = new PassThrough();
  const asked: string[] = [];
  output.on("data", (bytes: Buffer) => {
    const text = bytes.toString();
    asked.push(text.trim());
    // The person obeys: off at once, on three seconds after being told.
    if (text.includes(" OFF")) {
      board.off();
      input.write("\n");
    }
    if (text.includes(" ON")) clock.after(3000, () => board.on());
  });
  const person = new TerminalPerson(input, output);
  const bench = parseBench("name: r1\nconsole: { serial: /dev/ttyUSB0 }\n", "r1.yaml");
  const byHand = recordMeans(bench, means.ports, 57_600, person, clock);
  const recording = await finished(clock, recordBoard({ ...byHand, openPort: means.openPort }));
  person.close();
  assert.equal(recording.since, "the first byte");
  assert.equal(recording.phases[0]?.atMs, 0);
  assert.match(asked[0] ?? "", /Turn the power of r1 OFF, then press Enter:/);
  assert.match(recordedFile(recording, { name: "r1", power: undefined }), /in seconds after the first byte:/);
});

/** A board of a bench file on a line that the test plays: its rungs, logins, deaths and resets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBench } from "../../hil/bench/load.ts";
import { Fault } from "../../hil/fault.ts";
import { Board } from "../../hil/node/board.ts";
import { fakeConsole } from "./fake-line.ts";
import { FakeUBoot } from "./fake-uboot.ts";

const HEAD = "name: b\nconsole: { serial: /dev/ttyUSB9 }\n";

function bench(ladder: string) {
  const { line, clock, console, events } = fakeConsole("dut", { death: [] });
  const fake = new FakeUBoot(line);
  const power = {
    on: () => Promise.resolve(fake.powerOn()),
    off: () => Promise.resolve(fake.powerOff()),
    state: () => Promise.resolve("unknown" as const),
    close: () => Promise.resolve(),
  };
  const journal = { append: () => {} };
  const parsed = parseBench(`${HEAD}ladder: ${ladder}\n`, "b.yaml");
  const board = new Board({ name: "dut", bench: parsed, console, line, power, clock, journal });
  /** Answers what is typed once a system runs, word by word. */
  const answers = (table: Readonly<Record<string, string>>): void => {
    const receive = line.typed;
    line.typed = (text) => {
      const answer = fake.mode === "system" ? table[text] : undefined;
      if (answer === undefined) receive(text);
      else line.say(answer);
    };
  };
  return { board, fake, line, clock, events, answers };
}

const LOGIN = '{ bootloader: { uboot: {} }, login: { user: root, password: secret }, shell: { prompt: "# " } }';

test("from U-Boot through login and password to the shell", async () => {
  const { board, fake, answers } = bench(LOGIN);
  fake.system = "Starting kernel ...\r\nDebian 12 dut ttyS0\r\ndut login: ";
  answers({ "root\r": "root\r\nPassword: ", "secret\r": "\r\nroot@dut:~# " });
  await board.ladder.go("bootloader");
  await board.ladder.go("shell");
  assert.equal(board.ladder.state, "shell");
});

test("a user who needs no password gets the shell, and one who is refused is the bench's fault", async () => {
  const open = bench(LOGIN);
  open.fake.system = "Starting kernel ...\r\ndut login: ";
  open.answers({ "root\r": "root\r\n# " });
  await open.board.ladder.go("bootloader");
  await open.board.ladder.go("shell");

  const wrong = bench(LOGIN);
  wrong.fake.system = "Starting kernel ...\r\ndut login: ";
  wrong.answers({ "root\r": "\r\nPassword: ", "secret\r": "\r\nLogin incorrect\r\ndut login: " });
  await wrong.board.ladder.go("bootloader");
  await assert.rejects(wrong.board.ladder.go("shell"), (error: unknown) => {
    assert.ok(error instanceof Fault && error.faultClass === "bench");
    assert.match(error.message, /could not log in .*\n.*user root was refused/);
    return true;
  });
});

test("a system that waits for Enter gets it", async () => {
  const { board, fake, answers } = bench(
    '{ bootloader: { uboot: {} }, shell: { prompt: "root@OpenWrt:/# ", activate: "Please press Enter" } }',
  );
  fake.system = "Starting kernel ...\r\nPlease press Enter to activate this console.\r\n";
  answers({ "\r": "\r\nBusyBox v1.36\r\nroot@OpenWrt:/# " });
  await board.ladder.go("bootloader");
  await board.ladder.go("shell");
});

test("a panic ends the boot at once with its words, and the ladder stays broken until power is cycled", async () => {
  const { board, fake } = bench(LOGIN);
  fake.system = "Starting kernel ...\r\n[    1.0] Kernel panic - not syncing: VFS: no root\r\n";
  await board.ladder.go("bootloader");
  await assert.rejects(
    board.ladder.go("shell"),
    /could not reach the login[\s\S]*Kernel panic - not syncing: VFS: no root/,
  );
  await assert.rejects(board.ladder.go("bootloader"), /not tried again after its first failure[\s\S]*Kernel panic/);
  await board.ladder.powerCycle();
  await board.ladder.go("bootloader");
});

test("a board that resets itself while it boots is told as a death, not as a time that ran out", async () => {
  const { board, fake, line } = bench(LOGIN);
  fake.system = "Starting kernel ...\r\n";
  await board.ladder.go("bootloader");
  const waiting = assert.rejects(board.ladder.go("shell"), /the machine died: .*U-Boot 2023\.01/);
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  line.say("\r\nU-Boot 2023.01 (Jun 22 2026)\r\n");
  await waiting;
});

test("a reset in U-Boot while a command runs is a death; asking for the version is not", async () => {
  const { board, fake } = bench(LOGIN);
  fake.answer = (command) => {
    if (command.startsWith("version")) return { status: 0, output: "U-Boot 2023.01 (Jun 22 2026)\r\n" };
    return undefined;
  };
  await board.ladder.at("bootloader", async (uboot) => {
    assert.match(await uboot.version(), /^U-Boot 2023/);
  });
  await assert.rejects(
    board.ladder.at("bootloader", (uboot) => uboot.run("reset")),
    /`reset`: the machine died: DRAM:/,
  );
});

test("what a bench does not have is told with its name", async () => {
  const { board } = bench('{ shell: { prompt: "# " } }');
  await assert.rejects(
    board.ladder.go("bootloader"),
    /no way leads from unknown to bootloader; its ladder has started, kernel, shell/,
  );
});

/** What a board is, from what it printed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bootPhases,
  findBootloader,
  findGreeting,
  findPrompt,
  isText,
  SAMPLE_BYTES,
  type TimedText,
  textScore,
} from "../../hil/bench/detect.ts";
import { BAUD_RATES } from "../../hil/bench/schema.ts";
import { CFE, CULVERT, DEBIAN_GRUB, DEBIAN_UBOOT, OPENWRT, OPENWRT_SHELL, textOf } from "./boot-logs.ts";
import { throughUart } from "./uart.ts";

test("boot loaders, their version, what they print while they wait, and the key they name", () => {
  assert.deepEqual(findBootloader(DEBIAN_UBOOT), {
    ...{ name: "U-Boot", version: "2023.01+dfsg-2+deb12u1" },
    ...{ autoboot: "Hit any key to stop autoboot", key: "space" },
  });
  assert.deepEqual(findBootloader(OPENWRT), {
    ...{ name: "U-Boot", version: "2022.07-OpenWrt-r20134-5f15225c1e" },
    ...{ autoboot: "Hit 'ESC' to stop autoboot", key: "esc" },
  });
  assert.deepEqual(findBootloader(DEBIAN_GRUB), {
    ...{ name: "GRUB", version: "2.06-13+deb12u1", autoboot: undefined, key: undefined },
  });
  assert.deepEqual(findBootloader(CFE), {
    ...{ name: "CFE", version: "5.100.138.9", autoboot: "Press any key to stop auto run", key: "space" },
  });
  assert.equal(findBootloader(CULVERT), undefined);
  const ctrlC: TimedText[] = [
    { atMs: 1, text: "RedBoot(tm) bootstrap\r\n== Executing boot script in 3.000 seconds - enter ^C to abort\r\n" },
  ];
  assert.equal(findBootloader(ctrlC)?.key, "ctrl-c");
});

test("boot phases, in milliseconds after power-on", () => {
  const times = (log: readonly TimedText[]): (readonly [string, number])[] =>
    bootPhases(log).map(({ name, atMs }) => [name, atMs] as const);
  assert.deepEqual(times(DEBIAN_UBOOT), [
    ["first byte", 112],
    ["boot loader", 112],
    ["kernel", 4200],
    ["user space", 7544],
    ["ready", 19_870],
  ]);
  assert.deepEqual(times(OPENWRT), [
    ["first byte", 90],
    ["boot loader", 350],
    ["kernel", 4400],
    ["user space", 7900],
    ["ready", 14_300],
  ]);
  assert.deepEqual(times(DEBIAN_GRUB), [
    ["first byte", 2400],
    ["boot loader", 2400],
    ["kernel", 8200],
    ["user space", 10_100],
    ["ready", 16_000],
  ]);
  assert.deepEqual(times(CULVERT), [
    ["first byte", 5200],
    ["ready", 5200],
  ]);
  assert.deepEqual(times([]), []);
});

test("a phase is found wherever the text is cut", () => {
  for (let cut = 1; cut < 30; cut++) {
    const text = "U-Boot 2023.01 (x)\r\nStarting kernel ...\r\n";
    const log = [
      { atMs: 1, text: text.slice(0, cut) },
      { atMs: 2, text: text.slice(cut) },
    ];
    const kernel = bootPhases(log).find(({ name }) => name === "kernel");
    assert.equal(kernel?.atMs, cut > 20 ? 1 : 2, String(cut));
  }
});

test("how a board greets that has booted", () => {
  assert.deepEqual(findGreeting(textOf(DEBIAN_UBOOT)), { kind: "login", prompt: "login: " });
  assert.deepEqual(findGreeting(textOf(OPENWRT)), {
    ...{ kind: "activate", text: "Please press Enter to activate this console" },
  });
  assert.deepEqual(findGreeting(OPENWRT_SHELL), { kind: "shell", prompt: "root@OpenWrt:/# " });
  assert.deepEqual(findGreeting(textOf(CULVERT)), { kind: "culvert" });
  assert.deepEqual(findGreeting("\r\nculvert login: "), { kind: "culvert" });
  assert.deepEqual(findGreeting("pine64 login: \r\n[  20.1] random: crng init done\r\n"), {
    kind: "login",
    prompt: "login: ",
  });
  assert.equal(findGreeting("[    0.000000] Linux version 6.1.0\r\n"), undefined);
  assert.equal(findGreeting("Last login: yesterday from 10.0.0.1\r\n"), undefined);
});

test("prompts: the open line, when it looks like one", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["\r\nMT7622> ", "MT7622> "],
    ["stopped\r\n=> ", "=> "],
    ["\r\nroot@OpenWrt:/# ", "root@OpenWrt:/# "],
    ["\u001b[1;32muser@host\u001b[0m:~$ ", "user@host:~$ "],
    ["\r\n# ", "# "],
    ["CFE> \r\n", undefined],
    ["Loading: ################", undefined],
    ["Hit any key to stop autoboot:  2 ", undefined],
    ["", undefined],
  ];
  for (const [tail, prompt] of cases) assert.equal(findPrompt(tail), prompt, JSON.stringify(tail));
});

const RATES = BAUD_RATES.filter((rate) => rate >= 9600 && rate <= 1_500_000);
for (const [name, log] of Object.entries({ DEBIAN_UBOOT, OPENWRT, DEBIAN_GRUB })) {
  test(`${name}: of all rates, only the right one reads as text, from any window of a boot`, () => {
    const sent = Buffer.from(textOf(log).slice(0, 600), "latin1");
    for (const rate of RATES) {
      for (const read of RATES.filter((other) => other !== rate)) {
        const garbled = throughUart(sent, rate, read);
        for (let at = 0; at + SAMPLE_BYTES <= garbled.length; at += 19) {
          const window = garbled.subarray(at, at + SAMPLE_BYTES);
          assert.ok(!isText(window), `sent at ${rate}, read at ${read}: ${JSON.stringify(window.toString("latin1"))}`);
        }
      }
      for (const read of RATES) {
        const got = throughUart(sent, rate, read);
        if (rate === read) assert.ok(isText(got), `${rate}: ${textScore(got)}`);
        else
          assert.ok(
            !isText(got),
            `sent at ${rate}, read at ${read}: ${textScore(got)} ${JSON.stringify(got.toString("latin1").slice(0, 60))}`,
          );
      }
    }
  });
}

test("too little, one byte again and again, and zeros are no text", () => {
  assert.ok(!isText(Buffer.from("U-Boot")));
  assert.ok(!isText(Buffer.alloc(500, "U")));
  assert.ok(!isText(Buffer.alloc(500)));
  const text = Buffer.from(textOf(DEBIAN_UBOOT).slice(0, 200), "latin1");
  assert.ok(isText(text));
  const damaged = text.map((byte, index) => (index % 6 === 0 ? 0 : byte));
  assert.ok(!isText(Buffer.from(damaged)), String(textScore(Buffer.from(damaged))));
  assert.equal(textScore(Buffer.alloc(0)), 0);
});

/** Any bytes, each as one character. */
const bytes = fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.from(all).toString("latin1"));

test("whatever a board prints, nothing is thrown, and times stay in order", () => {
  const words = fc.constantFrom(
    "U-Boot 2023.01",
    "\r\n",
    "login: ",
    "# ",
    "> ",
    "Starting kernel",
    "\u001b[2J",
    "\b",
    "x",
    "Hit any key to stop autoboot",
  );
  const pieces = fc.array(fc.oneof(words, bytes), { maxLength: 30 });
  fc.assert(
    fc.property(pieces, (texts) => {
      const log = texts.map((text, index) => ({ atMs: index, text }));
      findBootloader(log);
      findGreeting(texts.join(""));
      findPrompt(texts.join(""));
      const phases = bootPhases(log).map(({ atMs }) => atMs);
      assert.deepEqual(
        phases,
        [...phases].sort((a, b) => a - b),
      );
    }),
  );
});

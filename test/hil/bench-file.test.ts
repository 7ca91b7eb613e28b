/** Bench files: what they may say, and how mistakes in them are told. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { BenchFileError, benchFolder, benchNames, loadBench, parseBench } from "../../hil/bench/load.ts";
import { benchJsonSchema } from "../../hil/bench/schema.ts";

test("the bench files of the project are valid", () => {
  const names = benchNames();
  for (const name of ["qemu-x86_64", "qemu-arm64", "qemu-mipsel", "qemu-arm64-uboot", "board-example"])
    assert.ok(names.includes(name), name);
  for (const name of names) loadBench(name);
});

test("bench.schema.json is what the schema says", () => {
  const stored = readFileSync(join(benchFolder, "bench.schema.json"), "utf8");
  const stale = "it is stale: culvert lab schema > hil/benches/bench.schema.json";
  assert.ok(stored === `${JSON.stringify(benchJsonSchema(), null, 2)}\n`, stale);
});

test("five lines describe a board, and defaults fill in the rest", () => {
  const bench = parseBench(
    `name: b1
console: { serial: /dev/ttyUSB0 }
power: { shelly: "http://10.0.0.7", minOff: 1.5s }
ladder: { bootloader: { uboot: { interrupt: { text: stop } } } }
flash: { ymodem: true }
`,
    "b1.yaml",
  );
  assert.deepEqual(bench, {
    name: "b1",
    fixtures: [],
    console: { serial: "/dev/ttyUSB0", baud: 115_200, pace: "auto" },
    power: { shelly: "http://10.0.0.7", channel: 0, minOff: 1500 },
    ladder: {
      bootloader: {
        uboot: { prompt: "=> ", interrupt: { text: "stop" }, autoboot: "Hit any key to stop autoboot" },
      },
    },
    flash: { ymodem: true, verify: "crc" },
    net: {},
  });
});

test("a machine in QEMU has QEMU's console and QEMU's power", () => {
  const bench = parseBench("name: q\nboard: x86_64\n", "q.yaml");
  assert.deepEqual(bench.console, { qemu: true, pace: "none" });
  assert.deepEqual(bench.power, { qemu: true, minOff: 0 });
});

test("durations are milliseconds", () => {
  const minOff = (text: string): number | undefined =>
    parseBench(`name: b\nconsole: { tcp: "h:1" }\npower: { manual: true, minOff: ${text} }\n`, "b").power?.minOff;
  assert.deepEqual(["3s", "500ms", "2min", "0.25s", "0s"].map(minOff), [3000, 500, 120_000, 250, 0]);
});

const HEAD = "name: b\nconsole: { serial: /dev/ttyUSB0 }\n";

/** The file, and each line of the error. */
const MISTAKES: readonly (readonly [what: string, file: string, problems: readonly (string | RegExp)[]])[] = [
  ["empty", "", ["b.yaml:1:1  this file is empty"]],
  ["not YAML", "name: [", [/^b\.yaml:1:\d+ {2}.*flow sequence/i]],
  ["a list", "- a\n", ["b.yaml:1:1  is a list; must be fields (name: value)"]],
  ["a duplicate key", "name: a\nname: b\n", ["b.yaml:2:1  this field is here for the second time; keep one"]],
  [
    "an unknown field, misspelt",
    `${HEAD}ladders: {}\n`,
    [/^b\.yaml:3:1 {2}ladders: there is no field 'ladders'; allowed: name, .*\(did you mean ladder\?\)$/],
  ],
  [
    "an unknown field inside",
    "name: b\nconsole:\n  serial: /dev/ttyUSB0\n  bauds: 9600\n",
    ["b.yaml:4:3  console.bauds: there is no field 'bauds'; allowed: serial, baud, pace (did you mean baud?)"],
  ],
  [
    "a rate nobody has",
    "name: b\nconsole: { serial: /dev/ttyUSB0, baud: 11520 }\n",
    [/^b\.yaml:2:34 {2}console\.baud: 11520 is no baud rate; allowed: 1200, .*115200/],
  ],
  ["no name", "console: { tcp: 'h:1' }\n", ["b.yaml:1:1  name: is missing; needed: text"]],
  [
    "neither board nor console",
    "name: b\n",
    [
      "b.yaml:1:1  says neither board (a machine in QEMU: arm64, mipsel, x86_64, arm64-uboot) nor console (how to reach a real one)",
    ],
  ],
  [
    "two drivers",
    `${HEAD}power: { shelly: "http://h", tasmota: "http://h" }\n`,
    [
      "b.yaml:3:1  power: says shelly and tasmota; exactly one of qemu, manual, command, shelly, tasmota, snmp, uhubctl, relay is allowed",
    ],
  ],
  [
    "a misspelt driver",
    `${HEAD}power: { shely: "http://h" }\n`,
    [/^b\.yaml:3:1 {2}power: says none of .*, not 'shely': .*\(did you mean shelly\?\)$/],
  ],
  ["a driver that is text", `${HEAD}power: shelly\n`, [/power: must be one of qemu, manual/]],
  [
    "a number of seconds",
    `${HEAD}power: { manual: true, minOff: 3 }\n`,
    ["b.yaml:3:24  power.minOff: is the number 3; must be text"],
  ],
  [
    "a duration without unit",
    `${HEAD}power: { manual: true, minOff: "3" }\n`,
    ["b.yaml:3:24  power.minOff: must be a duration such as 3s, 500ms or 2min"],
  ],
  [
    "a duration for a lifetime",
    `${HEAD}power: { manual: true, minOff: 99999min }\n`,
    ["b.yaml:3:24  power.minOff: must be at most 600s"],
  ],
  [
    "a key that is none",
    `${HEAD}ladder: { bootloader: { uboot: { interrupt: spce } } }\n`,
    [
      "b.yaml:3:34  ladder.bootloader.uboot.interrupt: 'spce' is no key; allowed: esc, space, enter, ctrl-c (did you mean space?), or { text: \"...\" }",
    ],
  ],
  [
    "shell and cli",
    `${HEAD}ladder: { shell: { prompt: "# " }, cli: culvert }\n`,
    ["b.yaml:3:36  ladder.cli: says shell and cli; a board ends in one of them"],
  ],
  [
    "a machine in QEMU on a serial port",
    `board: x86_64\n${HEAD}`,
    [
      "b.yaml:3:1  console: says how to reach a real board, and board says it is a machine in QEMU; one of them is wrong",
    ],
  ],
  [
    "QEMU, but which machine",
    "name: b\nconsole: { qemu: true }\n",
    ["b.yaml:2:1  console: says qemu, but not which machine; add board: arm64 or mipsel or x86_64 or arm64-uboot"],
  ],
  [
    "QEMU's power for a real board",
    `${HEAD}power: { qemu: true }\n`,
    ["b.yaml:3:1  power: qemu switches a machine in QEMU, and nothing else does"],
  ],
  [
    "no way to send an image",
    `${HEAD}flash: { verify: crc }\n`,
    ["b.yaml:3:1  flash: says no way to send an image; needed: tftp or ymodem (or both: tftp is tried first)"],
  ],
  [
    "a name of a list's entry",
    `name: b\nfixtures:\n  - pptp\n  - WAN port\n${HEAD.split("\n")[1]}\n`,
    ["b.yaml:4:5  fixtures.1: must be lower-case words with -, as in wan-port"],
  ],
  ["a quarantine for ever", `${HEAD}quarantine: { reason: r }\n`, [/b\.yaml:3:1 {2}quarantine\.until: is missing/]],
  ["a host that is an option of ssh's", `${HEAD}host: "ssh://-oProxyCommand=x"\n`, [/3:1 {2}host: must be ssh:\/\//]],
  [
    "several at once, in the order of the file",
    'name: "a b"\nboard: x86\nnet: { Wan: 7 }\n',
    [
      /^b\.yaml:1:1 {2}name: must be letters/,
      "b.yaml:2:1  board: 'x86' is not known; allowed: arm64, mipsel, x86_64, arm64-uboot",
      "b.yaml:3:8  net.Wan: must be the name of a NIC, as in wan",
    ],
  ],
];

function mistakesOf(text: string): string[] {
  try {
    parseBench(text, "b.yaml");
  } catch (error) {
    assert.ok(error instanceof BenchFileError, String(error));
    return error.message.split("\n");
  }
  return [];
}

for (const [what, file, problems] of MISTAKES) {
  test(`mistake: ${what}`, () => {
    const lines = mistakesOf(file);
    assert.equal(lines.length, problems.length, lines.join("\n"));
    for (const [index, wanted] of problems.entries()) {
      if (typeof wanted === "string") assert.equal(lines[index], wanted);
      else assert.match(lines[index] ?? "", wanted);
    }
  });
}

test("a file that is not there: what there is", () => {
  assert.throws(
    () => loadBench("qemu-x86"),
    /bench 'qemu-x86': there is no such file .*allowed: .*qemu-x86_64.* \(did you mean qemu-x86_64\?\)/,
  );
});

test("aliases that blow up are refused", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"]
    .map((key, index) => `${key}: &${key} [${`*${"abcdefgh"[index]},`.repeat(9).slice(0, -1)}]\n`)
    .join("")}`;
  assert.match(mistakesOf(bomb)[0] ?? "", /alias/i);
});

/** Any bytes, each as one character. */
const bytes = fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.from(all).toString("latin1"));

test("whatever a file holds, it is a bench or a list of problems with places in it", () => {
  const words = fc.constantFrom(
    ..."name: console: power: ladder: serial: qemu true { } [ ] , - & * ! | > \" ' # x 1 ~ %TAG --- ... \n \t".split(
      " ",
    ),
    " ",
    "\n",
  );
  const texts = fc.oneof(
    bytes,
    fc.array(words, { maxLength: 40 }).map((list) => list.join(" ")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      for (const line of mistakesOf(text)) {
        const place = /^b\.yaml:([1-9]\d*):([1-9]\d*) {2}./.exec(line);
        assert.ok(place !== null && Number(place[1]) <= text.split("\n").length, line);
      }
    }),
    { numRuns: 150 },
  );
});

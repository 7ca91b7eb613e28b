import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../../image/project.ts";

function culvert(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(projectRoot, "dist/hil/cli.js"), ...args], { encoding: "utf8" });
}

test("help, and no command at all, print what there is", () => {
  for (const args of [["help"], [], ["--help"]]) {
    const { status, stdout } = culvert(...args);
    assert.equal(status, 0);
    for (const word of ["lab list", "lab run", "emulate", "image", "CULVERT_ACCEL"])
      assert.ok(stdout.includes(word), word);
  }
});

test("lab list names every suite with its claims", () => {
  const { status, stdout } = culvert("lab", "list");
  assert.equal(status, 0);
  assert.match(stdout, /^smoke: .*Figure 13-1/m);
  assert.match(stdout, /^ {2}dial .*MS-CHAPv2/m);
});

const MISTAKES: readonly (readonly [string[], RegExp])[] = [
  [["lba"], /'lba' is not a command; there are lab, console, configure, flash, doctor, emulate, image, help/],
  [
    ["lab"],
    /'lab ' is not a command; there are lab list, run, matrix, prepare-windows, attach, replay, explain, report, leases, release, schema, record/,
  ],
  [["lab", "run", "--sute", "x"], /lab run: Unknown option '--sute'; it takes --suite, --filter, --report/],
  [["lab", "run", "--suite"], /lab run: .*--suite/],
  [["lab", "run", "--shard", "3/2"], /--shard 3\/2: give INDEX\/COUNT with INDEX from 1, such as 2\/4/],
  [["lab", "run", "--shard", "60/60"], /nothing is left for this shard; use fewer/],
  [["lab", "run", "--jobs", "many"], /--jobs many: give a whole number from 1 to 64/],
  [["lab", "run", "--jobs", "8", "--memory", "2048"], /--jobs 8: a lab takes up to 1344 MiB, so 2048 MiB hold 1/],
  [["lab", "run", "--durations", "/nosuch"], /--durations \/nosuch: .*give the results\.ndjson of an earlier run/],
  [["console"], /console needs a target: \/dev\/ttyUSB0, /],
  [["console", "/dev/ttyUSB0", "--baud", "fast"], /--baud fast: give a rate such as 115200/],
  [["console", "nosuch"], /bench 'nosuch': there is no such file/],
  [["configure", "x"], /configure needs --bench NAME/],
  [["configure", "/nosuch", "--bench", "qemu-x86_64"], /\/nosuch cannot be read/],
  [["lab", "attach"], /lab attach needs RUN\/SCENARIO/],
  [["lab", "attach", "smoke/nosuch"], /suite smoke has no scenario 'nosuch'; there are dial, /],
  [["lab", "attach", "smoke/dial", "--node", "x"], /--node x: suite smoke has device, mobile, office/],
  [["lab", "replay"], /lab replay needs a run/],
  [["lab", "replay", "/nosuch"], /\/nosuch is no run: it has no journal\.ndjson/],
  [["lab", "matrix", "--set", "nosuch"], /--set nosuch: there are pairwise, full, slice, mutations/],
  [["lab", "matrix", "--seed", "x"], /--seed x: give a whole number/],
  [
    ["lab", "matrix", "--filter", "pap,nosuch"],
    /no cell of set pairwise contains 'nosuch'; culvert lab matrix --set pairwise --list /,
  ],
  [["lab", "matrix", "--readme", "/nowhere"], /nowhere\/matrix\.json: .*give the folder of a `lab matrix` run/],
  [["lab", "run", "--suite", "nosuch"], /there is no suite 'nosuch'; there are smoke, /],
  [["lab", "explain"], /lab explain needs a run: lab explain RUN\.\.\./],
  [["lab", "report", "/nosuch"], /\/nosuch is no run: it has no journal\.ndjson/],
  [["lab", "run", "--filter", "nosuch"], /no scenario of suite smoke contains 'nosuch'; there are dial, /],
  [["lab", "run", "--filter", "dial,nosuch"], /no scenario of suite smoke contains 'nosuch'; there are dial, /],
  [["lab", "run", "--filter", ","], /no scenario of suite smoke contains ','; there are dial, /],
  [["lab", "list", "extra"], /lab list: .*extra.*; it takes --json/],
  [["doctor", "--fix"], /doctor: Unknown option '--fix'; it takes --repair, --json/],
  [["lab", "release"], /lab release: it takes the name of one bench; `culvert lab leases` lists those in use/],
  [["lab", "release", "no-such-bench"], /lab release: bench 'no-such-bench' is not in use; allowed: /],
  [["lab", "leases", "all"], /lab leases: 'all' is too much; it takes nothing/],
  [["lab", "record"], /lab record: it takes a name for the bench, or the path of the file to write/],
  [["lab", "record", "board-example"], /lab record: .*board-example\.yaml is there already; it is not overwritten/],
  [["lab", "record", "new one"], /lab record: name: must be letters/],
  [["lab", "record", "new", "--baud", "11520"], /lab record: console\.baud: 11520 is no baud rate/],
  [["lab", "record", "new", "--power", "shely: http://h"], /lab record: power: .*did you mean shelly/],
  [["lab", "record", "new", "--pots", "x"], /lab record: Unknown option '--pots'; it takes --port, --baud, --power/],
  [["lab", "schema", "x"], /lab schema: 'x' is too much; it takes nothing/],
  [["emulate", "--stat", "x"], /emulate: Unknown option '--stat'; it takes --state, --board, --firmware, --lan, --tap/],
  [["emulate", "--lan", "192.168.1.0/24"], /--lan 192\.168\.1\.0\/24: that is the address of the network/],
];
for (const [args, words] of MISTAKES) {
  test(`culvert ${args.join(" ")}: one helpful line, status 2`, () => {
    const { status, stdout, stderr } = culvert(...args);
    assert.equal(status, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^culvert: [^\n]+\n$/);
    assert.match(stderr, words);
  });
}

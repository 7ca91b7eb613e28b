/**
 * How long the app takes to start on the device in QEMU, with V8's code cache and without it, and `node -e 0` beside them:
 * all in one boot, by turns. What counts is the app's own share, beyond Node's start.
 *
 *     npx tsc && node dist/test/bench/app-start.js [ROUNDS] [BOARD] [clock]
 *
 * Seconds are counted instructions, 1 ns each, which a busy host does not change; with `clock` they are the host's. The machine comes
 * up in its failsafe shell, so that nothing else runs. A start ends with the app's first line: by then everything is configured. It
 * finds what it finds after a boot, whether it is the first one or not: settings, and no firewall of an app before it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "../../hil/clock.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { DEVICE_BOARD, deviceImage, ensureDataDisk } from "../../hil/node/device.ts";
import { Machine } from "../../hil/node/qemu/machine.ts";

const ROUNDS_WANTED = Number(process.argv[2] ?? 5);
const BOARD = process.argv[3] ?? DEVICE_BOARD;
const BY_CLOCK = process.argv[4] === "clock";
const PATIENCE = { withinMs: 900_000, reason: "the bench on the device" };
/** The bound. */
const AT_MOST = 0.6;

/**
 * Times are the kernel's, in nanoseconds (/proc/timer_list). The app reads a pipe that stays open: it waits there as it does at a
 * terminal. A start with the cache and one without differ in that file only.
 */
const SCRIPT = `stty -echo
export NODE_ENV=production PATH=/bin:/sbin HOME=/root
export CULVERT_DATA=/tmp/data CULVERT_RUN=/tmp/run
cache=/tmp/data/code-cache
eval "$(grep ^app= /usr/lib/culvert/run-app)"
mkfifo /tmp/in /tmp/out; exec 3<>/tmp/in 4<>/tmp/out
now() { { read -r line; read -r line; read -r now at time unit; } </proc/timer_list; }
app() {
  nft delete table inet culvert 2>/dev/null
  now; begun=$time
  node $app </tmp/in >/tmp/out 2>&1 &
  read -r line <&4; now
}
stop() { kill -9 $!; wait $! 2>/dev/null; }
mkdir /tmp/data
app
# busybox cannot wait for a file. It is complete once it has its name; until then it ends in .new.
until ls $cache 2>/dev/null | grep -qv '\\.new$'; do sleep 1; done
stop; echo SIZE $(stat -c %s $cache/*)
mv $cache /tmp/kept
ROUNDS=${ROUNDS_WANTED}
for round in $(seq $ROUNDS); do
  now; begun=$time; node -e 0; now; echo TIME node $begun $time
  rm -rf $cache; app; echo TIME without $begun $time; stop
  rm -rf $cache; cp -r /tmp/kept $cache; app; echo TIME with $begun $time; stop
done
echo BENCH OVER AFTER $((ROUNDS + 0)) ROUNDS
`;

interface Sample {
  readonly kind: string;
  readonly seconds: number;
}

async function measure(folder: string): Promise<{ samples: Sample[]; cacheBytes: number }> {
  const clock = systemClock();
  const image = await deviceImage({ board: BOARD }, (event) => {
    if (event.kind === "done") console.error(`${event.step}: ${event.text}`);
  });
  const dataDisk = join(folder, "data.disk");
  await ensureDataDisk(dataDisk);
  const spec = image.machine("device", dataDisk, []);
  if (!("append" in spec)) throw new Error(`${BOARD} does not boot its kernel directly`);
  const machines: Machine[] = [];
  const host = {
    accelerator: "tcg" as const,
    clock,
    socketFolder: folder,
    runFolder: folder,
    journal: new Journal(clock),
    instance: "bench",
    adopt: (started: Machine) => void machines.push(started),
  };
  try {
    const machine = await Machine.start(
      { ...spec, append: `${spec.append} culvert.failsafe`, countsInstructions: !BY_CLOCK },
      host,
    );
    await machine.go();
    await machine.console.expect({ shell: "# " }, { withinMs: 120_000, reason: "the failsafe shell" });
    // A line at a time, as a terminal's buffer holds 4096 bytes.
    machine.console.write("cat >/tmp/bench <<'END'\n");
    for (const line of SCRIPT.trim().split("\n")) machine.console.write(`${line}\n`);
    machine.console.write("END\nsh /tmp/bench\n");
    const { text } = await textUntil(machine, `BENCH OVER AFTER ${ROUNDS_WANTED} ROUNDS\r`);
    const samples = [...text.matchAll(/TIME (\w+) (\d+) (\d+)\r/g)].map(([, kind = "", begun, ended]) => ({
      kind,
      seconds: (Number(ended) - Number(begun)) / 1e9,
    }));
    return { samples, cacheBytes: Number(/SIZE (\d+)\r/.exec(text)?.[1]) };
  } finally {
    for (const machine of machines) await machine.close();
  }
}

async function textUntil(machine: Machine, end: string): Promise<{ text: string }> {
  let text = "";
  const untap = machine.console.tap((piece) => {
    text += piece;
  });
  try {
    await machine.console.expect({ end }, PATIENCE);
  } finally {
    untap();
  }
  return { text };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const folder = await mkdtemp(join(tmpdir(), "culvert-start-"));
try {
  const { samples, cacheBytes } = await measure(folder);
  const medianOf = (kind: string): number =>
    median(samples.filter((each) => each.kind === kind).map(({ seconds }) => seconds));
  const [node, without, withCache] = [medianOf("node"), medianOf("without"), medianOf("with")];
  for (const kind of ["node", "without", "with"]) {
    const all = samples.filter((each) => each.kind === kind).map(({ seconds }) => seconds.toFixed(3));
    console.log(`${kind.padEnd(8)} ${medianOf(kind).toFixed(3)} s   (${all.join(" ")})`);
  }
  const ratio = (withCache - node) / (without - node);
  console.log(
    `beyond node -e 0: ${(without - node).toFixed(3)} s without, ${(withCache - node).toFixed(3)} s with the cache of ` +
      `${Math.round(cacheBytes / 1000)} kB: ${ratio.toFixed(2)} of it (at most ${AT_MOST})`,
  );
  process.exitCode = ratio <= AT_MOST ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

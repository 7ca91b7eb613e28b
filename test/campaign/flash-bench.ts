/**
 * The product's flashable disk onto an arm64 board over its boot loader: `node dist/test/campaign/flash-bench.js`. `culvert flash
 * --bench` stops U-Boot on the serial port, sends the disk over TFTP and reads it back; the board then starts from it by U-Boot's EFI
 * loader, and a new device asks for its password. Prints times; status 1 when it fails. Root, for the board's network card.
 */
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { execa } from "execa";
import { systemClock } from "../../hil/clock.ts";
import { Console } from "../../hil/console/console.ts";
import { openSerial } from "../../hil/console/transport/serial.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { buildFlashable } from "../../image/flashable.ts";
import { projectRoot } from "../support/native.ts";
import { startPtyBoard } from "../support/pty-board.ts";

const MEDIUM_BYTES = 512 * 1024 * 1024;
const culvert = (args: readonly string[]) =>
  execa(process.execPath, [join(projectRoot(), "dist/hil/cli.js"), ...args], { all: true, reject: false });
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const since = (startedMs: number): string => `${((performance.now() - startedMs) / 1000).toFixed(0)} s`;

const folder = mkdtempSync(join(tmpdir(), "cv-bench-"));
const ends: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })];
try {
  const { disk: image } = await buildFlashable({ board: "arm64", locked: false, quick: true, onProgress: () => {} });
  const disk = join(folder, "disk");
  writeFileSync(disk, "");
  truncateSync(disk, MEDIUM_BYTES);
  const board = await startPtyBoard(folder, disk, (end) => ends.push(end));
  const bench = join(folder, "bench.yaml");
  writeFileSync(
    bench,
    `name: flash-${process.pid}
${board.bench}flash: { tftp: { nic: ${board.nic} } }
ladder:
  bootloader: { uboot: { prompt: "=> ", interrupt: space } }
`,
  );
  await execa("ip", ["address", "add", "198.51.100.1/24", "dev", board.nic]);
  const flashing = performance.now();
  const flashed = await culvert(["flash", image, "--bench", bench]);
  say(flashed.all);
  if (flashed.exitCode !== 0) throw new Error(`culvert flash ended with status ${flashed.exitCode}`);
  say(`${(statSync(image).size / 1e6).toFixed(0)} MB written and read back in ${since(flashing)}`);
  const clock = systemClock();
  const line = await openSerial(board.pty, { baud: 115_200 }, clock);
  ends.push(() => void line.destroy());
  const console = new Console("board", line, { clock, journal: new Journal(clock) });
  const starting = performance.now();
  for (const on of ["false", "true"]) await fetch(`${board.shelly.url}/rpc/Switch.Set?id=0&on=${on}`);
  await console.expect({ login: "New password: " }, { withinMs: 600_000, reason: "the flashed board to come up" });
  say(`switched on, the flashed board asks for its password after ${since(starting)}`);
} catch (error) {
  say(`FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
} finally {
  for (const end of ends.reverse()) end();
}

/**
 * 100 MB of console through line, Console, journal file and five patterns: seconds and the peak of the process's memory.
 *
 *     npx tsc && node dist/test/bench/console.js [MEGABYTES] [BYTES PER PIECE]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../../hil/clock.ts";
import { Console } from "../../hil/console/console.ts";
import { bounded } from "../../hil/console/pattern.ts";
import { Journal } from "../../hil/journal/journal.ts";

const megabytes = Number(process.argv[2] ?? 100);
const pieceBytes = Number(process.argv[3] ?? 4096);

const folder = mkdtempSync(join(tmpdir(), "culvert-bench-"));
const clock = systemClock();
const path = join(folder, "journal.ndjson");
const journal = new Journal(clock, path);
const line = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
const console_ = new Console("board", line, { clock, journal });

const sample = Array.from(
  { length: 20_000 },
  (_, at) => `[${String(at).padStart(5)}.${at % 1000}] usb 1-${at % 7}: new high-speed USB device number ${at}\r\n`,
).join("");
const log = Buffer.from(sample, "latin1");

const patterns = {
  login: "culvert login: ",
  prompt: bounded("^[\\w.-]{1,32}[>#] "),
  uboot: bounded("U-Boot (\\d{4})\\.\\d{2}[^\\n]{0,80}\\n"),
  shell: bounded("root@[\\w()]{1,32}:[^ \\n]{1,80}# "),
  done: "the end of the log",
};
const started = performance.now();
const asked = console_.expect(patterns, { withinMs: 3_600_000, reason: "the end" });
let peak = 0;
let sent = 0;
for (let at = 0; sent < megabytes * 1e6; sent += pieceBytes) {
  if (at + pieceBytes > log.length) at = 0;
  line.push(log.subarray(at, at + pieceBytes));
  at += pieceBytes;
  if (line.readableLength > 1024 * 1024) {
    await nextTurn();
    peak = Math.max(peak, process.memoryUsage.rss());
  }
}
line.push("\nthe end of the log\n");
const { pattern } = await asked;
journal.close();
const seconds = (performance.now() - started) / 1000;
console.log(
  `${megabytes} MB in pieces of ${pieceBytes} bytes, found ${pattern}: ${seconds.toFixed(1)} s, ` +
    `${(megabytes / seconds).toFixed(0)} MB/s, peak ${(peak / 1e6).toFixed(0)} MB, ` +
    `journal ${(statSync(path).size / 1e6).toFixed(0)} MB`,
);
rmSync(folder, { recursive: true });

/**
 * The soak of a console: `node dist/test/bench/soak.js [MEGABYTES] [SEED]`. 1080 MB are what a line of 3 Mbaud carries in an hour.
 * First a UART of this process, as fast as it goes, then 1 % of it through a pseudo terminal and node-serialport.
 */
import process from "node:process";
import { Duplex } from "node:stream";
import { openTransport } from "../../hil/console/transport/open.ts";
import { Pty } from "../hil/pty.ts";
import { soak } from "../support/soak.ts";

const bytes = Number(process.argv[2] ?? 1080) * 1_000_000;
const seed = Number(process.argv[3] ?? 1);

async function report(
  name: string,
  count: number,
  line: Duplex,
  send: (piece: Buffer) => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  const { sent, journaled, journaledBytes } = await soak({ seed, bytes: count, largestPiece: 8192 }, line, send);
  const seconds = (performance.now() - startedMs) / 1000;
  const verdict = sent === journaled ? "identical" : `DIFFERENT: ${sent} sent, ${journaled} journaled`;
  const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0);
  console.log(
    `${name}: ${count / 1e6} MB sent, ${journaledBytes / 1e6} MB journaled, ${verdict}; ` +
      `${seconds.toFixed(1)} s, peak ${peak} MB, seed ${seed}`,
  );
  if (sent !== journaled) process.exitCode = 1;
}

const uart = new Duplex({ read: () => {}, write: (_bytes, _encoding, done) => done() });
await report("UART", bytes, uart, (piece) => {
  uart.push(piece);
  return new Promise((resolve) => setImmediate(resolve));
});
const pty = await Pty.open();
const line = await openTransport({ serial: pty.path, baud: 3_000_000 });
await report("serial port", bytes / 100, line, (piece) => pty.sendAll(piece));
await line.close();
await pty.close();

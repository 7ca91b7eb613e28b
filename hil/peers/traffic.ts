/** Traffic between guests that proves a path: pings, and files whose checksum is taken at both ends. */
import type { Guest } from "../node/guest.ts";
import { check } from "../scenario.ts";

const PORT = 8000;
const FOLDER = "/tmp/www";
/** Connections that are tried at the same time. */
const ABREAST = 100;

export interface PingResult {
  readonly sent: number;
  readonly received: number;
}

export interface OfferedFile {
  readonly bytes: number;
  readonly sha256: string;
}

export interface FetchedFile extends OfferedFile {
  readonly seconds: number;
}

/**
 * Three pings; loss is a result, not an error. One by one: once busybox has had an answer, it gives the last one a second and
 * no more, whatever -W says, which a busy host may need.
 */
export async function ping(from: Guest, target: string): Promise<PingResult> {
  const { output } = await from.shell.try(`for n in 1 2 3; do ping -c 1 -W 5 ${target}; done`, 40_000);
  const counts = [...output.matchAll(/(\d+) packets transmitted, (\d+) packets received/g)];
  check(counts.length === 3, `${from.name}: ping ${target} could not run: ${output.trim()}`);
  const sum = (group: 1 | 2): number => counts.reduce((total, match) => total + Number(match[group]), 0);
  return { sent: sum(1), received: sum(2) };
}

/** Whether anybody answers one ping within two seconds: for addresses that should be silent. */
export async function isAnswered(from: Guest, target: string): Promise<boolean> {
  return (await from.shell.try(`ping -c 1 -W 2 ${target}`)).status === 0;
}

/** The TCP ports of `target` that take a connection, of those asked for. A port that says nothing within two seconds is closed. */
export async function openPorts(from: Guest, target: string, ports: readonly number[]): Promise<readonly number[]> {
  const open: number[] = [];
  for (let at = 0; at < ports.length; at += ABREAST) {
    const some = ports.slice(at, at + ABREAST).join(" ");
    const found = await from.shell.run(
      `for p in ${some}; do (nc -w 2 ${target} $p </dev/null >/dev/null 2>&1 && echo $p) & done; wait`,
      60_000,
    );
    open.push(
      ...found
        .split("\n")
        .filter((line) => /^\d+$/.test(line))
        .map(Number),
    );
  }
  return open.sort((a, b) => a - b);
}

/** Makes a file of random bytes and serves it on every address. The server runs until the guest ends. */
export async function offerFile(guest: Guest, bytes: number): Promise<OfferedFile> {
  await guest.shell.run(
    `mkdir -p ${FOLDER} && head -c ${bytes} /dev/urandom >${FOLDER}/file && (pidof httpd || httpd -p ${PORT} -h ${FOLDER})`,
    120_000,
  );
  return { bytes, sha256: await sha256(guest, `${FOLDER}/file`) };
}

/** Fetches the file that the guest at `from` offers. */
export async function fetchFile(guest: Guest, from: string): Promise<FetchedFile> {
  const started = Number(await guest.shell.run("cut -d' ' -f1 /proc/uptime"));
  await guest.shell.run(`timeout 300 wget -q -O /tmp/fetched http://${from}:${PORT}/file`, 600_000);
  const ended = Number(await guest.shell.run("cut -d' ' -f1 /proc/uptime"));
  const bytes = Number(await guest.shell.run("wc -c </tmp/fetched"));
  const sum = await sha256(guest, "/tmp/fetched");
  await guest.shell.run("rm /tmp/fetched");
  return { bytes, sha256: sum, seconds: ended - started };
}

async function sha256(guest: Guest, path: string): Promise<string> {
  return (await guest.shell.run(`sha256sum ${path} | cut -d' ' -f1`, 120_000)).trim();
}

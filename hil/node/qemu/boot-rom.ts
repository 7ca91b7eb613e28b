/**
 * A machine with a boot ROM, as a process that stands where QEMU would: it loads a slot of the disk, starts QEMU with the slot's
 * kernel, and does so again at each reset of the guest, as a board's ROM does. QEMU by itself would start the first kernel for ever.
 *
 * The lab holds two sockets of it, the serial line and the monitor, and sees one machine that lives through its resets.
 *
 *   node boot-rom.js DISK SERIAL MONITOR restarts|once PROGRAM ARGUMENTS...
 *
 * The sockets that PROGRAM's ARGUMENTS name are SERIAL.rom and MONITOR.rom.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { LockedTools } from "../../../image/locked-tool.ts";
import { type QemuEnd, spawnQemu } from "./process.ts";
import { isReset, Relay } from "./rom-relay.ts";
import { type LoadedSlot, loadSlot } from "./slot-loader.ts";

async function main([
  disk = "",
  serial = "",
  monitor = "",
  restarts = "",
  ...qemu
]: readonly string[]): Promise<number> {
  const tools = await LockedTools.open(false, () => {});
  const relay = new Relay({ serial: await connected(serial), monitor: await connected(monitor) });
  const folder = await mkdtemp(join(tmpdir(), "culvert-rom-"));
  try {
    for (;;) {
      const loaded = await loadSlot(disk, folder, tools);
      for (const note of loaded.notes) relay.say(`boot ROM: ${note}`);
      relay.say(`boot ROM: starting slot ${loaded.slot}${loaded.trial ? ", which is on trial" : ""}`);
      const { reason, exitCode, said } = await live(qemu, wordsOf(loaded), { serial, monitor }, relay);
      if (!isReset(reason) || restarts !== "restarts") {
        process.stdout.write(said);
        return exitCode ?? 1;
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

function wordsOf({ kernel, initrd, commandLine, slot, trial }: LoadedSlot): string[] {
  const words = `${commandLine} gpt culvert.slot=${slot}${trial ? " culvert.trial" : ""}`;
  return ["-kernel", kernel, "-initrd", initrd, "-append", words];
}

/** One QEMU, from its start to its end. */
async function live(
  [program = "", ...args]: readonly string[],
  boot: readonly string[],
  outer: { readonly serial: string; readonly monitor: string },
  relay: Relay,
): Promise<QemuEnd & { readonly reason: string | undefined }> {
  const [serial, monitor] = await Promise.all([accepted(`${outer.serial}.rom`), accepted(`${outer.monitor}.rom`)]);
  const running = spawnQemu([...args, "-no-reboot", ...boot], program);
  const connectedEnds = Promise.all([serial.socket, monitor.socket]);
  const first = await Promise.race([connectedEnds, running.ended.then(() => undefined)]);
  let reason: string | undefined;
  if (first !== undefined) {
    const [serialEnd, monitorEnd] = first;
    reason = await relay.attach({ serial: serialEnd, monitor: monitorEnd });
  }
  const end = await running.ended;
  serial.close();
  monitor.close();
  return { reason, ...end };
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, "connect");
  // The lab is gone, and this process with it.
  socket.on("error", () => process.exit(1));
  return socket;
}

async function accepted(path: string): Promise<{ socket: Promise<Socket>; close(): void }> {
  await rm(path, { force: true });
  const server = createServer();
  const socket = once(server, "connection").then(([end]: Socket[]) => {
    end?.on("error", () => {}); // QEMU is gone: its end says more
    return end as Socket;
  });
  server.listen(path);
  await once(server, "listening");
  return { socket, close: () => void server.close() };
}

process.exitCode = await main(process.argv.slice(2));
process.exit();

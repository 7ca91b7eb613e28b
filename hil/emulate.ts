/** `culvert emulate`: the image in QEMU with the user's terminal as its serial console. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { BOARDS } from "../image/boards/boards.ts";
import { systemClock } from "./clock.ts";
import { attach } from "./console/attach.ts";
import { Journal } from "./journal/journal.ts";
import { QemuPort } from "./net/port.ts";
import { DEVICE_BOARD, deviceImage, ensureDataDisk } from "./node/device.ts";
import { chooseAccelerator } from "./node/qemu/accelerator.ts";
import { Machine } from "./node/qemu/machine.ts";
import { ProgressPrinter } from "./report/progress.ts";
import { Paint } from "./report/terminal.ts";
import { Scope } from "./scope.ts";
import { UsageError } from "./usage-error.ts";

const NICS = ["wan", "lan"] as const;

/**
 * Returns when the user leaves, the input ends or the machine ends. `state` keeps the data disk; without it the device is
 * factory-new. Throws a UsageError for a board that does not exist.
 */
export async function emulate(state: string | undefined, board = DEVICE_BOARD): Promise<number> {
  const names = BOARDS.map(({ name }) => name);
  if (!names.includes(board)) throw new UsageError(`emulate: no board '${board}'; there is ${names.join(", ")}`);
  const scope = new Scope();
  const clock = systemClock();
  try {
    const printer = scope.own("progress", new ProgressPrinter(process.stdout, clock, new Paint(process.stdout.isTTY)));
    const image = await deviceImage(board, (event) => printer.print(event));
    const folder = await mkdtemp(join(tmpdir(), "culvert-"));
    scope.defer(folder, () => rm(folder, { recursive: true, force: true }));
    const stateFolder = state === undefined ? folder : resolve(state);
    await mkdir(stateFolder, { recursive: true });
    const dataDisk = join(stateFolder, "data.disk");
    await ensureDataDisk(dataDisk);
    const { accelerator } = await chooseAccelerator();
    // The NICs have a cable each that ends nowhere.
    for (const nic of NICS) await scope.own(nic, new QemuPort(nic)).listen(join(folder, nic));
    const nics = NICS.map((nic, index) => ({ socketPath: join(folder, nic), mac: `02:43:00:00:00:0${index}` }));
    const host = {
      accelerator,
      clock,
      socketFolder: folder,
      runFolder: folder,
      journal: new Journal(clock),
      instance: "emulate",
      adopt: (started: Machine) => void scope.own("device", started),
    };
    const machine = await Machine.start(image.machine("device", dataDisk, nics), host);
    printer.close();
    const kept = state === undefined ? "nothing is kept" : `its data stays in ${dataDisk}`;
    process.stdout.write(
      `culvert: this terminal is the device's serial console; Ctrl-] leaves it and ends the device, ${kept}\r\n`,
    );
    const left = attach(machine.console);
    await machine.go();
    await left;
    process.stdout.write("\r\nculvert: the device has ended\r\n");
    return 0;
  } finally {
    await scope.close();
  }
}

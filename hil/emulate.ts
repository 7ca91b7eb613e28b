/** `culvert emulate`: the image in QEMU with the user's terminal as its serial console. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { BOARDS } from "../image/boards/boards.ts";
import { systemClock } from "./clock.ts";
import { attach } from "./console/attach.ts";
import { DEFAULT_LAN, parseLan, tapNetwork, userNetwork } from "./emulate-network.ts";
import { Journal } from "./journal/journal.ts";
import { DEVICE_BOARD, deviceImage } from "./node/device.ts";
import { chooseAccelerator } from "./node/qemu/accelerator.ts";
import { firmwareNamed } from "./node/qemu/firmware.ts";
import { Machine } from "./node/qemu/machine.ts";
import { ProgressPrinter } from "./report/progress.ts";
import { Paint } from "./report/terminal.ts";
import { Scope } from "./scope.ts";
import { UsageError } from "./usage-error.ts";

export interface EmulateOptions {
  /** Keeps the data disk; without it the device is factory-new. */
  readonly state?: string | undefined;
  readonly board?: string | undefined;
  /** Boots the flashable disk by it, as a board does. */
  readonly firmware?: string | undefined;
  /** The device's address on its LAN, where SSH is looked for: `192.168.1.1/24`. */
  readonly lan?: string | undefined;
  /** Cables that lead to network interfaces of this computer. */
  readonly tap?: boolean | undefined;
}

/**
 * Returns when the user leaves, the input ends or the machine ends. Throws a UsageError for a board that does not exist or a
 * firmware that it has not, and a Fault when this computer cannot give the device its network.
 */
export async function emulate(options: EmulateOptions): Promise<number> {
  const { state, board = DEVICE_BOARD, firmware, lan: lanText, tap } = options;
  const named = BOARDS.find(({ name }) => name === board);
  if (named === undefined) {
    throw new UsageError(`emulate: no board '${board}'; there is ${BOARDS.map(({ name }) => name).join(", ")}`);
  }
  const choice = { board, firmware: firmwareNamed(named, firmware) };
  const lan = parseLan(lanText ?? DEFAULT_LAN);
  const network = tap === true ? await tapNetwork(lan) : await userNetwork(lan);
  const scope = new Scope();
  const clock = systemClock();
  try {
    const printer = scope.own("progress", new ProgressPrinter(process.stdout, clock, new Paint(process.stdout.isTTY)));
    const image = await deviceImage(choice, (event) => printer.print(event));
    const folder = await mkdtemp(join(tmpdir(), "culvert-"));
    scope.defer(folder, () => rm(folder, { recursive: true, force: true }));
    const stateFolder = state === undefined ? folder : resolve(state);
    await mkdir(stateFolder, { recursive: true });
    const disk = join(stateFolder, firmware === undefined ? "data.disk" : `${board}.disk`);
    await image.ensureDisk(disk);
    const { accelerator } = await chooseAccelerator();
    const host = {
      accelerator,
      clock,
      socketFolder: folder,
      runFolder: folder,
      journal: new Journal(clock),
      instance: "emulate",
      adopt: (started: Machine) => void scope.own("device", started),
    };
    const machine = await Machine.start(image.machine("device", disk, network.nics), host);
    await network.plug();
    printer.close();
    const kept = state === undefined ? "is gone when it ends; --state DIR keeps it" : `stays in ${disk}`;
    const lines = [
      "culvert: this terminal is the device's serial console; Ctrl-] leaves it and ends the device",
      ...network.lines,
      `DATA   ${kept}`,
    ];
    process.stdout.write(lines.map((line) => `${line}\r\n`).join(""));
    const left = attach(machine.console);
    await machine.go();
    await left;
    process.stdout.write("\r\nculvert: the device has ended\r\n");
    return 0;
  } finally {
    await scope.close();
  }
}

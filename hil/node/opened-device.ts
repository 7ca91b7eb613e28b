/**
 * A device with a hardware watchdog and root's shell on a second serial line, for scenarios in which the app is killed, stopped
 * and misled. The image is the product's own: what opens it lies in a second archive behind its initramfs, and is gone with it.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packInitramfs } from "../../image/pack.ts";
import { Tree } from "../../image/tree.ts";
import { FramedShell } from "../console/frame.ts";
import { Fault } from "../fault.ts";
import type { NodeDefinition } from "./definition.ts";
import { BULK_BYTES, type Device, device } from "./device.ts";
import { DeviceConsole } from "./device-console.ts";
import type { Machine } from "./qemu/machine.ts";

const LINE = "/dev/ttyS1";
/** Not interactive, as a shell is whose output is a pipe: no prompt and no echo between host and result. */
const INITTAB_LINE = `::respawn:sh -c 'stty -F ${LINE} -echo; sh -s <${LINE} 2>&1 | cat >${LINE}'`;

/** Takes the place of the image's /init, and runs it with one more command before it hands over to the root. */
const INIT = `#!/bin/sh
sed 's#^\\( *\\)exec switch_root#\\1. /open; exec switch_root#' /init >/opened-init
exec sh /opened-init
`;
const OPEN = `cat /root/etc/inittab >/inittab
cat /line >>/inittab
mount --bind /inittab /root/etc/inittab
`;

export class OpenedDevice implements Device {
  readonly console: DeviceConsole;
  readonly bulkBytes = BULK_BYTES.amd64;
  readonly #machine: Machine;
  #boots = 0;
  #shell: FramedShell | undefined;

  constructor(machine: Machine) {
    this.console = new DeviceConsole(machine.console);
    this.#machine = machine;
  }

  /** Root's shell, of the machine that runs now. */
  get shell(): FramedShell {
    const second = this.#machine.secondConsole;
    if (second === undefined) throw new Fault("harness", `${this.#machine.name} has no second line`);
    this.#shell ??= new FramedShell(second, `opened-${this.#machine.instance}-${this.#boots}`);
    return this.#shell;
  }

  /** Types at the console whatever reads there: the app may not. */
  type(text: string): void {
    this.#machine.console.write(text);
  }

  /** Waits until the console shows this. */
  async shows(pattern: string, withinMs: number): Promise<void> {
    await this.#machine.console.expect({ pattern }, { withinMs, reason: `the console to show \`${pattern}\`` });
  }

  /** Returns once a machine that was reset, by whomever, asks for a login again. */
  async awaitReboot(): Promise<void> {
    this.#boots++;
    this.#shell = undefined;
    await this.console.awaitLogin();
  }

  /** Resets the machine as a power switch does: nobody in it is told. */
  async cutPower(): Promise<void> {
    this.#machine.console.skip();
    await this.#machine.monitor.execute("system_reset");
    await this.awaitReboot();
  }
}

export function openedDevice(): NodeDefinition<OpenedDevice, "wan" | "lan"> {
  const closed = device();
  const { onBoard: _, ...parts } = closed;
  return {
    ...parts,
    what: `${closed.what}, opened for root, with a watchdog`,
    prepare: async (progress) => {
      const prepared = await closed.prepare(progress);
      if (prepared.kind !== "machine") throw new Fault("harness", "only a machine in QEMU can be opened");
      const tree = new Tree();
      tree.file("/opening-init", INIT, 0o755);
      tree.file("/open", OPEN);
      tree.file("/line", `${INITTAB_LINE}\n`);
      const archive = packInitramfs(tree, 0);
      const open = (machine: Machine): OpenedDevice => new OpenedDevice(machine);
      return {
        ...prepared,
        key: `${prepared.key} ${INIT}${OPEN}${INITTAB_LINE}`,
        spec: async (place) => {
          const spec = await prepared.spec(place);
          if ("firmware" in spec) throw new Fault("harness", "only a machine whose kernel QEMU loads can be opened");
          const initrd = join(place.runFolder, `${place.name}.initrd`);
          await writeFile(initrd, Buffer.concat([await readFile(spec.initrd), archive]));
          const append = `${spec.append} rdinit=/opening-init`;
          return { ...spec, initrd, append, watchdog: true, secondLine: true };
        },
        boot: async (machine) => {
          const opened = open(machine);
          await opened.console.awaitLogin();
          return opened;
        },
        attach: open,
      };
    },
  };
}

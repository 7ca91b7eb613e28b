/** The lab node that is a real Windows: booted at the first lab that wants it, kept and cleaned for the next ones. */
import type { NodeDefinition } from "../../node/definition.ts";
import { chooseAccelerator } from "../../node/qemu/accelerator.ts";
import {
  type ControlledMachine,
  firmwareVariables,
  LAB_MAC,
  startControlled,
  type WindowsImage,
  windowsArguments,
} from "./machine.ts";
import { type Credentials, reachWindows } from "./reach.ts";
import { RealWindows } from "./real-windows.ts";

export interface RealWindowsSettings {
  readonly image: WindowsImage;
  readonly credentials: Credentials;
  /** Of the lab's NIC, with prefix length. */
  readonly address: string;
  readonly gateway?: string;
}

/** A Windows that is installed and was switched off in order boots so quickly under KVM. */
const BOOT_WITHIN_MS = 300_000;
/** What an emulated computer needs more. */
const EMULATED = 8;

export function realWindows(settings: RealWindowsSettings): NodeDefinition<RealWindows, "eth0"> {
  const { image, credentials, address, gateway } = settings;
  let running: Promise<{ machine: ControlledMachine; windows: RealWindows }> | undefined;
  return {
    role: "peer",
    what: `Windows from ${image.path}`,
    nics: ["eth0"],
    memoryMib: 4096,
    prepare: async (progress) => {
      const { accelerator, because } = await chooseAccelerator();
      const patience = accelerator === "kvm" ? 1 : EMULATED;
      if (patience > 1)
        progress({
          kind: "note",
          text: `no KVM here (${because}): Windows is emulated, and its boot may take ${(BOOT_WITHIN_MS * EMULATED) / 60_000} minutes`,
        });
      return {
        kind: "board",
        start: async ({ name, clock, journal, runFolder }) => {
          running ??= (async () => {
            const variables = await firmwareVariables(image, runFolder);
            const machine = await startControlled({ name, clock, journal, folder: runFolder }, (spec) =>
              windowsArguments({ ...spec, image, accelerator, firmwareVariables: variables }),
            );
            journal.append({ kind: "power", node: name, to: "on", by: "QEMU" });
            try {
              const channel = await reachWindows(name, machine, credentials, clock, BOOT_WITHIN_MS * patience);
              progress({ kind: "note", text: `${name} answers by ${channel.how}` });
              const windows = new RealWindows({ name, channel, clock, patience });
              await windows.prepare(LAB_MAC, address, gateway);
              journal.append({ kind: "fact", name: "windows", value: `${windows.version}, by ${channel.how}` });
              return { machine, windows };
            } catch (error) {
              await machine.close();
              throw error;
            }
          })();
          const { machine, windows } = await running;
          await windows.clean();
          // The machine stays: what a lab ends is its call.
          return { node: windows, ports: { eth0: machine.labPort }, close: () => windows.clean() };
        },
        release: async () => {
          const { machine } = (await running?.catch(() => undefined)) ?? {};
          await machine?.close();
        },
      };
    },
  };
}

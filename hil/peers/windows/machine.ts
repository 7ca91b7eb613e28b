/**
 * A Windows in QEMU: its command line, started once and kept for all labs of a run, since its boot takes minutes. What it
 * writes goes to a temporary overlay; the image stays as it was.
 */
import { constants } from "node:fs";
import { access, copyFile, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LabClock } from "../../clock.ts";
import { Console } from "../../console/console.ts";
import { Fault } from "../../fault.ts";
import type { EventSink } from "../../journal/journal.ts";
import { QemuPort } from "../../net/port.ts";
import type { Accelerator } from "../../node/qemu/args.ts";
import { firstConnection } from "../../node/qemu/first-connection.ts";
import { spawnQemu } from "../../node/qemu/process.ts";
import { Scope } from "../../scope.ts";

export interface WindowsImage {
  /** A qcow2 or raw disk with an installed Windows 8 or later. */
  readonly path: string;
  readonly format: "qcow2" | "raw";
  /** What it was installed with. */
  readonly firmware: "bios" | "uefi";
}

/** Locally administered, like those of the lab's other machines. */
export const LAB_MAC = "02:43:00:00:f0:01";
const CONTROL_MAC = "02:43:00:00:f0:02";
const MEMORY_MIB = 4096;
const SSH_PORT = 22;

/** Unix sockets that QEMU connects to, and the host's port that leads to the guest's sshd. */
export interface ControlLines {
  /** Virtio port of the guest agent, which needs the vioserial driver. */
  readonly agent: string;
  /** COM2, for an agent with `--method isa-serial`, which needs none. */
  readonly agentSerial: string;
  readonly sshPort: number;
}

/** The control network is QEMU's own: it reaches nothing but this host, and only this host begins. */
export function controlArguments({ agent, agentSerial, sshPort }: ControlLines, nic: string): string[] {
  return [
    ...["-chardev", `socket,id=agent,path=${agent}`, "-device", "virtio-serial-pci"],
    ...["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
    ...["-chardev", `socket,id=agent2,path=${agentSerial}`, "-serial", "chardev:agent2"],
    ...["-netdev", `user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-:${SSH_PORT}`],
    ...["-device", `${nic},netdev=control,mac=${CONTROL_MAC}`],
  ];
}

export interface WindowsMachineSpec {
  readonly image: WindowsImage;
  readonly accelerator: Accelerator;
  readonly lines: ControlLines;
  readonly serial: string;
  readonly consoleLog: string;
  readonly monitor: string;
  readonly labNic: string;
  /** A copy of OVMF's variables; undefined with `bios`. */
  readonly firmwareVariables: string | undefined;
}

const OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const OVMF_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/** SATA and e1000e, for which Windows has drivers of its own. */
export function windowsArguments(spec: WindowsMachineSpec): string[] {
  const { image, accelerator, lines } = spec;
  const kvm = accelerator === "kvm";
  return [
    ...["-name", "windows", "-accel", kvm ? "kvm" : "tcg,tb-size=1024", "-machine", "q35,smm=off"],
    // Without these enlightenments Windows spends its time on timers.
    ...["-cpu", kvm ? "host,hv_relaxed,hv_spinlocks=0x1fff,hv_vapic,hv_time" : "max"],
    ...["-smp", "2", "-m", `${MEMORY_MIB}M`, "-rtc", "base=localtime"],
    ...[
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-vga",
      "std",
      "-device",
      "qemu-xhci",
      "-device",
      "usb-tablet",
    ],
    ...(spec.firmwareVariables === undefined
      ? []
      : [
          ...["-drive", `if=pflash,format=raw,readonly=on,file=${OVMF_CODE}`],
          ...["-drive", `if=pflash,format=raw,file=${spec.firmwareVariables}`],
        ]),
    // snapshot=on: QEMU's own overlay, gone with the machine.
    ...["-drive", `if=none,id=disk,file=${quoted(image.path)},format=${image.format},snapshot=on,discard=unmap`],
    ...["-device", "ide-hd,drive=disk,bus=ide.0,bootindex=1"],
    ...["-chardev", `socket,id=serial0,path=${spec.serial},logfile=${quoted(spec.consoleLog)},logappend=on`],
    ...["-serial", "chardev:serial0"],
    ...controlArguments(lines, "e1000e"),
    ...["-netdev", `stream,id=lab,server=off,addr.type=unix,addr.path=${spec.labNic}`],
    ...["-device", `e1000e,netdev=lab,mac=${LAB_MAC}`],
    ...["-qmp", `unix:${spec.monitor}`],
  ];
}

/** QEMU's options end values at commas. */
function quoted(path: string): string {
  return path.replaceAll(",", ",,");
}

/** A machine that runs, and the ends of its lines. */
export interface ControlledMachine {
  readonly console: Console;
  readonly agents: readonly Socket[];
  readonly sshPort: number;
  readonly labPort: QemuPort;
  /** Rejects with QEMU's last words. */
  readonly ended: Promise<never>;
  close(): Promise<void>;
}

export interface MachineSurroundings {
  readonly name: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
  /** For the raw console. */
  readonly folder: string;
}

/** Starts QEMU with what `argumentsFor` makes of the lines that wait for it. Throws a Fault of class `host` with QEMU's own words. */
export async function startControlled(
  { name, clock, journal, folder }: MachineSurroundings,
  argumentsFor: (spec: Omit<WindowsMachineSpec, "image" | "accelerator" | "firmwareVariables">) => string[],
): Promise<ControlledMachine> {
  const scope = new Scope();
  try {
    const sockets = await mkdtemp(join(tmpdir(), "culvert-win-"));
    scope.defer(sockets, () => rm(sockets, { recursive: true, force: true }));
    const [serial, agent, agentSerial] = await Promise.all(
      ["tty", "qga", "qga2"].map((line) => firstConnection(join(sockets, line), scope)),
    );
    if (serial === undefined || agent === undefined || agentSerial === undefined) throw new Error("no sockets");
    const monitor = await firstConnection(join(sockets, "qmp"), scope);
    const labPort = scope.own(`${name}.eth0`, new QemuPort(`${name}.eth0`));
    await labPort.listen(join(sockets, "eth0"));
    const sshPort = await freePort();
    const qemu = spawnQemu(
      argumentsFor({
        lines: { agent: agent.path, agentSerial: agentSerial.path, sshPort },
        serial: serial.path,
        consoleLog: join(folder, `${name}.console`),
        monitor: monitor.path,
        labNic: join(sockets, "eth0"),
      }),
    );
    scope.defer(`QEMU of ${name}`, async () => {
      qemu.kill("SIGKILL");
      await qemu.ended;
    });
    const ended = qemu.ended.then((end): never => {
      throw new Fault("host", `${name}: QEMU ended: ${end.said}`, { node: name });
    });
    ended.catch(() => {}); // whoever waits for something hears of it
    const connected = Promise.all([serial.socket, agent.socket, agentSerial.socket]);
    const [line, ...agents] = await Promise.race([connected, ended]);
    const console = new Console(name, line, { clock, journal });
    return { console, agents, sshPort, labPort, ended, close: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

/** Copies OVMF's variables for one machine. Throws a Fault of class `host` when OVMF is not installed. */
export async function firmwareVariables(image: WindowsImage, folder: string): Promise<string | undefined> {
  if (image.firmware === "bios") return undefined;
  try {
    await access(OVMF_CODE, constants.R_OK);
    const copy = join(folder, "windows-vars.fd");
    await copyFile(OVMF_VARIABLES, copy);
    return copy;
  } catch (cause) {
    const what = `${OVMF_CODE} is missing: install Debian's package ovmf, or give --firmware bios`;
    throw new Fault("host", what, { cause });
  }
}

/** A TCP port of the loopback interface that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Fault("host", "this computer gave no TCP port");
  return address.port;
}

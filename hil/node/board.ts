/**
 * Nodes that are boards: described by a bench file, reached over a console and a power switch, driven by a state ladder. A
 * board in QEMU (`board: arm64-uboot`) and one on a serial port have the same verbs, so a scenario runs on both.
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { TerminalPerson } from "../bench/person.ts";
import { reachBench } from "../bench/reach.ts";
import type { Bench } from "../bench/schema.ts";
import type { LabClock } from "../clock.ts";
import { Console } from "../console/console.ts";
import type { FramedShell } from "../console/frame.ts";
import type { PacerOptions } from "../console/pacer.ts";
import { Fault } from "../fault.ts";
import { type Delivery, Flash, type SlotContent, tftpDelivery, ymodemDelivery } from "../flash/flash.ts";
import { HostUdp, TftpServer } from "../flash/tftp.ts";
import type { FileOffer } from "../flash/tftp-host.ts";
import { sendYmodem } from "../flash/ymodem-line.ts";
import type { EventSink } from "../journal/journal.ts";
import { NicPort } from "../net/nic-port.ts";
import { type Port, QemuPort } from "../net/port.ts";
import { openPower } from "../power/open.ts";
import type { Power } from "../power/power.ts";
import { Scope } from "../scope.ts";
import type { BoardPlace, NodeDefinition, RunningBoard } from "./definition.ts";
import { DeviceConsole } from "./device-console.ts";
import { Ladder } from "./ladder.ts";
import { type ProcessorView, ProgressGuard } from "./progress-guard.ts";
import { checkFirmware } from "./qemu/firmware.ts";
import { Machine } from "./qemu/machine.ts";
import { deathStringsOf, keyOf, rungsOf, shellOf } from "./rungs.ts";
import { UBoot } from "./uboot.ts";
import { UBootLine } from "./uboot-line.ts";

/** A console that is silent for so long, with a processor that stands still, hangs. */
const SILENT_MS = 15_000;

export interface FlashSettings {
  /** A TFTP server on the board's network, and an address for the board there. */
  readonly server?: { readonly offer: FileOffer; readonly boardAddress: string } | undefined;
  readonly golden: readonly SlotContent[];
}

export class Board {
  readonly name: string;
  readonly console: Console;
  readonly ladder: Ladder<{ bootloader: UBoot; shell: FramedShell; cli: DeviceConsole }>;
  readonly #parts: BoardParts;

  constructor(parts: BoardParts) {
    const { name, console, bench, power, clock, journal } = parts;
    this.#parts = parts;
    this.name = name;
    this.console = console;
    const guard = new ProgressGuard(console, { clock, silentMs: SILENT_MS, processor: parts.processor });
    const loader = bench.ladder.bootloader?.uboot;
    const line =
      loader === undefined
        ? undefined
        : new UBootLine(console, {
            prompt: loader.prompt,
            autoboot: loader.autoboot,
            interrupt: keyOf(loader.interrupt),
            session: "u",
            lost: () => (this.ladder.state === "off" ? "its power was switched off" : undefined),
          });
    const uboot = (left: ConstructorParameters<typeof UBoot>[1]): UBoot => {
      if (line === undefined)
        throw new Fault("bench", `bench ${bench.name} says nothing of a boot loader`, { node: name });
      return new UBoot(line, left);
    };
    const deviceConsole = new DeviceConsole(console);
    let isPastLoader = false;
    this.ladder = new Ladder({
      node: name,
      clock,
      journal,
      transitions: rungsOf({
        ...{ name, console, guard, power, deviceConsole, ladder: bench.ladder, uboot: line },
        boot: () => uboot(() => {}).boot(),
      }),
      drivers: {
        bootloader: () => uboot((to, because) => this.ladder.moved(to, because)),
        shell: () => shellOf(console),
        cli: () => deviceConsole,
      },
      powerOff: power === undefined ? undefined : () => power.off(),
      onState: (to, phase, from) => {
        // Setting them forgets a death. One that came between two rungs must be told; only a reset mends it.
        const isReset = to === "off" || to === "started";
        if (isReset) isPastLoader = false;
        else if (phase === "reached") isPastLoader ||= to === "kernel" ? from === "bootloader" : to !== "bootloader";
        if (isReset || console.death === undefined) console.deathStrings = deathStringsOf(to, phase, isPastLoader);
      },
      state: parts.state,
    });
  }

  /** Takes the power away at once, whatever the board is doing. */
  async cutPower(): Promise<void> {
    await this.ladder.go("off");
  }

  /** Flashing by every way that there is: TFTP first, Y-modem if the bench has it. */
  flash({ server, golden }: FlashSettings): Flash {
    const { bench, journal, hostServer } = this.#parts;
    const deliveries: Delivery[] = [];
    if (server !== undefined) deliveries.push(tftpDelivery(server.offer, server.boardAddress));
    if (hostServer !== undefined) deliveries.push(tftpDelivery(hostServer.offer, hostServer.boardAddress));
    if (bench.flash?.ymodem === true) deliveries.push(this.ymodem());
    return new Flash({ ladder: this.ladder, journal, verify: bench.flash?.verify ?? "crc", deliveries, golden });
  }

  /** Y-modem over this board's console. */
  ymodem(): Delivery {
    const { console, line } = this.#parts;
    return ymodemDelivery((file) => sendYmodem(console, line, file));
  }
}

export interface BoardParts {
  readonly name: string;
  readonly bench: Bench;
  readonly console: Console;
  readonly line: Duplex;
  readonly power: Power | undefined;
  readonly clock: LabClock;
  readonly journal: EventSink;
  readonly processor?: ProcessorView | undefined;
  readonly hostServer?: FlashSettings["server"];
  readonly state?: "off" | "unknown";
}

/** The board that a bench describes. `nics` are the names that links may plug into. */
export function board<const Nic extends string>(bench: Bench, nics: readonly Nic[]): NodeDefinition<Board, Nic> {
  const isQemu = bench.board !== undefined;
  return {
    role: "device",
    what: isQemu ? `U-Boot on QEMU's arm64 virt (bench ${bench.name})` : `board of bench ${bench.name}`,
    nics,
    prepare: async () => {
      if (isQemu) await checkQemuBoard(bench);
      return {
        kind: "board",
        start: (place) => (isQemu ? startQemu(bench, nics, place) : startReal(bench, nics, place)),
      };
    },
  };
}

async function startReal<Nic extends string>(
  bench: Bench,
  nics: readonly Nic[],
  place: BoardPlace,
): Promise<RunningBoard<Board, Nic>> {
  const { name, clock, journal } = place;
  const scope = new Scope();
  try {
    const person = new TerminalPerson(process.stdin, process.stdout);
    const reached = await reachBench(bench, { node: name, why: "a run of the lab", clock, journal, person });
    scope.defer(`bench ${bench.name}`, () => reached.close());
    const console = new Console(name, reached.line, { clock, journal, pace: paceOf(bench), death: [] });
    const ports: Partial<Record<Nic, Port>> = {};
    for (const nic of nics) {
      const card = bench.net[nic];
      if (card !== undefined) ports[nic] = scope.own(card, await NicPort.open(`${name}.${nic}`, card));
    }
    const hostServer = bench.flash?.tftp === undefined ? undefined : hostTftp(bench.flash.tftp.nic, place, scope);
    const { line, power } = reached;
    const node = new Board({ name, bench, console, line, power, clock, journal, hostServer });
    return { node, ports, close: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

function paceOf({ console: { pace } }: Bench): PacerOptions | undefined {
  if (pace === "none") return undefined;
  return pace === "auto" ? {} : { chunkBytes: pace.chunk, largestChunkBytes: pace.chunk, gapMs: pace.gap };
}

/** This computer's own TFTP server, on the card that the board's cable ends in. The board gets the next address. */
function hostTftp(nic: string, { name, clock, journal }: BoardPlace, scope: Scope): FlashSettings["server"] {
  const address = networkInterfaces()[nic]?.find((each) => each.family === "IPv4")?.address;
  if (address === undefined) {
    throw new Fault("bench", `${name}: flash.tftp: interface ${nic} of this computer has no IPv4 address`, {
      node: name,
    });
  }
  let failure: Fault | undefined;
  const note = (text: string): void => journal.append({ kind: "note", node: name, text });
  const udp = new HostUdp(address, (fault) => {
    failure = fault;
    note(fault.message);
  });
  const server = scope.own("TFTP server", new TftpServer(udp, { clock, note }));
  const offer: FileOffer = {
    address,
    put: (file, data) => {
      if (failure !== undefined) throw failure;
      server.put(file, data);
    },
    remove: (file) => server.remove(file),
  };
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return { offer, boardAddress: [a, b, c, d < 254 ? d + 1 : d - 1].join(".") };
}

const QEMU_MEMORY_MIB = 512;
/** The medium that slots are on: U-Boot's `virtio 0`. */
const QEMU_DISK_BYTES = 256 * 1024 * 1024;

async function checkQemuBoard(bench: Bench): Promise<void> {
  if (bench.board !== "arm64-uboot") {
    throw new Fault("test", `bench ${bench.name}: board ${bench.board} starts no boot loader; there is arm64-uboot`);
  }
  await checkFirmware("arm64", "uboot");
}

async function startQemu<Nic extends string>(
  bench: Bench,
  nics: readonly Nic[],
  place: BoardPlace,
): Promise<RunningBoard<Board, Nic>> {
  const { name, clock, journal, runFolder } = place;
  const scope = new Scope();
  try {
    // Short, because paths of unix sockets end at 107 bytes.
    const socketFolder = await mkdtemp(join(tmpdir(), "culvert-board-"));
    scope.defer(socketFolder, () => rm(socketFolder, { recursive: true, force: true }));
    const disk = join(runFolder, `${name}.disk`);
    await blankDisk(disk);
    const ports: Partial<Record<Nic, Port>> = {};
    const nicSpecs: { socketPath: string; mac: string }[] = [];
    for (const [index, nic] of nics.entries()) {
      const port = scope.own(nic, new QemuPort(`${name}.${nic}`));
      const socketPath = join(socketFolder, nic);
      await port.listen(socketPath);
      ports[nic] = port;
      nicSpecs.push({ socketPath, mac: `02:43:01:00:00:${index.toString(16).padStart(2, "0")}` });
    }
    const machine = await Machine.start(
      {
        name,
        architecture: "arm64",
        firmware: "uboot",
        memoryMib: QEMU_MEMORY_MIB,
        disks: [{ path: disk, serial: "board-medium", readOnly: false }],
        nics: nicSpecs,
        restarts: true,
      },
      {
        ...{ accelerator: "tcg", clock, journal, instance: name, socketFolder, runFolder },
        adopt: (started) => void scope.own(name, started),
      },
    );
    const { console, line, monitor } = machine;
    const person = { tell: () => {}, ask: () => Promise.reject(new Error("nobody switches QEMU by hand")) };
    const power = scope.own(
      "power",
      openPower({ qemu: true, minOff: 0 }, { node: name, clock, journal, person, monitor }),
    );
    const node = new Board({
      ...{ name, bench, console, line, power, clock, journal },
      processor: processorOf(machine),
      state: "off", // it has never run
    });
    return { node, ports, close: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

function processorOf(machine: Machine): ProcessorView {
  let before = "";
  return {
    hasMoved: async () => {
      const { registers } = await machine.processor();
      const hasMoved = registers !== before;
      before = registers;
      return hasMoved;
    },
  };
}

async function blankDisk(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.truncate(QEMU_DISK_BYTES);
  } finally {
    await file.close();
  }
}

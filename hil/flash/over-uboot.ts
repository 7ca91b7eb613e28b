/** `culvert flash FILE.img --bench B`: a flashable disk onto a board's medium, over the boot loader on its serial line. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { loadBench } from "../bench/load.ts";
import type { Person } from "../bench/person.ts";
import { systemClock } from "../clock.ts";
import { Journal } from "../journal/journal.ts";
import { board } from "../node/board.ts";
import { Scope } from "../scope.ts";
import { UsageError } from "../usage-error.ts";
import type { BlockMedium } from "./slot.ts";
import { TransferLine } from "./transfer-line.ts";

export interface BoardFlash {
  readonly file: string;
  readonly bench: string;
  readonly medium: string | undefined;
  readonly person: Person;
}

/** `virtio 0`, `mmc 1`; undefined for anything else. */
export function parseMedium(text: string): BlockMedium | undefined {
  const [, name, device] = /^(virtio|mmc|usb|nvme|scsi) (\d{1,2})$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  return { interface: name as BlockMedium["interface"], device: Number(device) };
}

/** Throws a Fault that says what of bench, board or medium failed. */
export async function flashBoard({
  file,
  bench: name,
  medium: words = "virtio 0",
  person,
}: BoardFlash): Promise<number> {
  const medium = parseMedium(words);
  if (medium === undefined) throw new UsageError(`flash: '${words}' is no medium of U-Boot's: such as "mmc 1"`);
  const bench = loadBench(name);
  if (bench.ladder.bootloader === undefined)
    throw new UsageError(`flash: bench ${bench.name} says nothing of a boot loader: culvert lab record writes it down`);
  const image = await readFile(file);
  const scope = new Scope();
  try {
    const clock = systemClock();
    const runFolder = await mkdtemp(join(tmpdir(), "culvert-flash-"));
    scope.defer(runFolder, () => rm(runFolder, { recursive: true, force: true }));
    const prepared = await board(bench, []).prepare(() => {});
    if (prepared.kind !== "board") throw new UsageError(`flash: bench ${bench.name} is no board`);
    const running = await prepared.start({ name: bench.name, clock, journal: new Journal(clock), runFolder });
    scope.defer(bench.name, () => running.close());
    const line = new TransferLine(process.stderr, () => performance.now());
    person.tell(`${bench.name}: ${file} onto ${words}`);
    await running.node
      .flash({ golden: [] })
      .writeDisk(medium, image, (bytes) => line.show({ step: "writing", bytes, ofBytes: image.length }));
    person.tell(`${bench.name}: ${words} holds ${file}, read back and right`);
    return 0;
  } finally {
    await scope.close();
  }
}

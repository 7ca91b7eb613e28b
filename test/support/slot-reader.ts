/**
 * Starts what a medium holds again and again, as boot loader and device do together, until it comes to rest: the slots' own reader,
 * for media after power cuts. Every slot that is started must be whole.
 */
import assert from "node:assert/strict";
import type { Flash } from "../../appliance/ports.ts";
import {
  commit,
  ENVIRONMENT_BYTES,
  MIRROR_OFFSET,
  newestRecord,
  parseEnvironment,
  type SlotName,
  STATE_BYTES,
  TRIES,
  takeBack,
} from "../../appliance/update/boot-state.ts";
import { fatExtents } from "../../appliance/update/fat-file.ts";
import { parseTrailer, TRAILER_BYTES } from "../../appliance/update/image-format.ts";
import { firstWrongChunk, Slots } from "../../appliance/update/slots.ts";

/** What becomes of a slot on trial: it commits, it finds itself ill, or it never gets as far as looking. */
export type Health = "healthy" | "ill" | "dead";

export interface Rest {
  /** The slots that were started, in order. */
  readonly starts: readonly SlotName[];
  /** Why an update was taken back. */
  readonly reason: string;
}

export type StartableFlash = Omit<Flash, "booted"> & { booted: SlotName | undefined };

/** A wait for a restart, three tries and a repair, each followed by one start. */
const LONGEST = 8;

/** The slots of a medium that are whole, which no start changes. */
export async function wholeSlots(flash: Flash): Promise<ReadonlySet<SlotName>> {
  const whole = new Set<SlotName>();
  for (const slot of ["a", "b"] as const) {
    const partition = await flash.open(`slot-${slot}`);
    assert.ok(partition);
    const content = parseTrailer(await partition.read(partition.sizeBytes - TRAILER_BYTES, TRAILER_BYTES));
    if (content === undefined) continue;
    if ((await firstWrongChunk(partition, content.manifest)) === undefined) whole.add(slot);
  }
  return whole;
}

/** Throws an AssertionError that begins with `told` when anything but a whole slot is started, or nothing comes to rest. */
export async function startUntilRest(
  flash: StartableFlash,
  whole: ReadonlySet<SlotName>,
  health: Health,
  told = "",
): Promise<Rest> {
  const starts: SlotName[] = [];
  let tries = 0;
  while (starts.length < LONGEST) {
    const slot = await loaderStarts(flash);
    starts.push(slot);
    const so = `${told}: ${health}, started ${starts.join(" ")}`;
    assert.ok(whole.has(slot), `${so}: slot ${slot} is not whole`);
    const committed = newestRecord((await read(flash, "culvert-state", 0, STATE_BYTES)) ?? Buffer.alloc(0));
    assert.ok(committed, `${so}: no boot state is left`);
    if (slot !== committed.active && ++tries > TRIES) assert.fail(`${so}: an uncommitted slot had more than its tries`);
    if (slot !== committed.active && health === "dead") continue;
    flash.booted = slot;
    const slots = await Slots.open(flash);
    assert.ok(slots, `${so}: no slots`);
    const { situation, state } = slots;
    if (situation === "trial") {
      await slots.store(health === "ill" ? takeBack(state, "it is ill") : commit(state, slot, state.rollbackIndex));
      continue;
    }
    if (situation === "misled" || situation === "waiting") continue;
    assert.notEqual(situation, "fallen-back", `${so}: the active slot did not start`);
    assert.equal(state.active, slot, so);
    assert.equal(state.pending, undefined, so);
    return { starts, reason: state.lastReason };
  }
  assert.fail(`${told}: ${health}, started ${starts.join(" ")}, and still not at rest`);
}

/** What grub.cfg does. */
async function loaderStarts(flash: Flash): Promise<SlotName> {
  const partition = await flash.open("BOOT");
  assert.ok(partition);
  const [extent] = (await fatExtents(partition, ["GRUB", "GRUBENV"], ENVIRONMENT_BYTES)) ?? [];
  assert.ok(extent, "the boot loader's file system is broken");
  const bytes = await partition.read(extent.offset, ENVIRONMENT_BYTES);
  const block = parseEnvironment(bytes);
  if (block === undefined) {
    const mirror = await read(flash, "culvert-state", MIRROR_OFFSET, ENVIRONMENT_BYTES);
    return parseEnvironment(mirror ?? Buffer.alloc(0))?.active ?? "a";
  }
  if (block.pending === undefined || block.tries === 0) return block.active;
  const counted = bytes.toString("latin1").replace(/TRIES=./, `TRIES=${block.tries - 1}`);
  await partition.write(extent.offset, Buffer.from(counted, "latin1"));
  return block.pending;
}

async function read(flash: Flash, name: string, offset: number, length: number): Promise<Buffer | undefined> {
  return await (await flash.open(name))?.read(offset, length);
}

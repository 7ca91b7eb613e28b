/**
 * A slot: a run of blocks on the board's medium that holds one image, and before it a record of how long it is and what its
 * CRC is. The record is taken away before the first byte of the image is written and comes back after the image was read back
 * and found right, so a write that was cut short, at whatever moment, leaves a slot that says so.
 */
import { crc32 } from "node:zlib";
import { Fault } from "../fault.ts";
import { hex, type UBoot } from "../node/uboot.ts";

const BLOCK_BYTES = 512;
const MAGIC = "culvert-slot 1";
const TRANSFER_WITHIN_MS = 300_000;

/** A block device as U-Boot names it: `virtio 0`, `mmc 1`. */
export interface BlockMedium {
  readonly interface: "virtio" | "mmc" | "usb" | "nvme" | "scsi";
  readonly device: number;
}

export interface Slot {
  /** Letters, digits, `-`. */
  readonly name: string;
  readonly medium: BlockMedium;
  /** In blocks of 512 bytes. */
  readonly startBlock: number;
  readonly blocks: number;
}

/** What stands in a slot. `torn`: the image is not the one of the record, or there is none. */
export type SlotState =
  | { readonly kind: "sound"; readonly length: number; readonly crc: number }
  | { readonly kind: "torn"; readonly because: string };

export type Verify = "crc" | "sha256";

/** What goes over the wire and into memory: the record's block, then the image, padded to whole blocks. */
export function slotImage(slot: Slot, image: Buffer): Buffer {
  const record = Buffer.alloc(BLOCK_BYTES);
  record.write(`${MAGIC}\nlength ${image.length}\ncrc32 ${crc32(image).toString(16).padStart(8, "0")}\n`, "latin1");
  const whole = Buffer.concat([record, image, Buffer.alloc(-image.length & (BLOCK_BYTES - 1))]);
  if (image.length === 0) throw new Fault("test", `slot ${slot.name}: an empty image`);
  if (whole.length > slot.blocks * BLOCK_BYTES) {
    const room = (slot.blocks - 1) * BLOCK_BYTES;
    throw new Fault("test", `slot ${slot.name} has room for ${room} bytes, and the image has ${image.length}`);
  }
  return whole;
}

export interface WritePlan {
  readonly slot: Slot;
  readonly image: Buffer;
  /** Where `slotImage` already stands in memory. */
  readonly address: number;
  readonly verify: Verify;
  readonly sha256: string;
}

/** Writes what stands in memory into its slot and reads it back. Throws a device Fault when the medium does not hold it. */
export async function writeSlot(uboot: UBoot, { slot, image, address, verify, sha256 }: WritePlan): Promise<void> {
  const whole = Math.ceil(image.length / BLOCK_BYTES);
  // Behind the image in memory, so that what is read back cannot be what was written.
  const scratch = address + (whole + 2) * BLOCK_BYTES;
  await select(uboot, slot.medium);
  await uboot.run(`mw.b ${hex(scratch)} 0 ${hex(BLOCK_BYTES)}`);
  await transfer(uboot, "write", slot, scratch, 0, 1);
  await transfer(uboot, "write", slot, address + BLOCK_BYTES, 1, whole);
  await uboot.run(`mw.b ${hex(scratch)} 0 ${hex(whole * BLOCK_BYTES)}`);
  await transfer(uboot, "read", slot, scratch, 1, whole);
  const crc = await uboot.crc32(scratch, image.length);
  if (crc !== crc32(image)) throw mismatch(uboot, slot, `CRC-32 ${hex(crc)} in place of ${hex(crc32(image))}`);
  if (verify === "sha256") {
    const output = await uboot.run(`hash sha256 ${hex(scratch)} ${hex(image.length)}`);
    const sum = /==> ([0-9a-f]{64})\s*$/.exec(output)?.[1];
    if (sum !== sha256) throw mismatch(uboot, slot, `SHA-256 ${sum ?? "unreadable"} in place of ${sha256}`);
  }
  await transfer(uboot, "write", slot, address, 0, 1);
  const state = await slotState(uboot, slot, scratch);
  if (state.kind === "torn") throw mismatch(uboot, slot, state.because);
}

/** A run of blocks of a disk, and what goes there: bytes that already stand in memory, or zeros out of the board's own memory. */
export interface Piece {
  readonly startBlock: number;
  readonly blocks: number;
  /** Whole blocks; undefined: zeros. */
  readonly data: Buffer | undefined;
}

/** Blocks of zeros this long are not sent. */
const BLANK_BLOCKS = 2048;

/** A disk image in pieces of at most `mostBytes`, in order; each is all zeros or has something to send. */
export function piecesOf(image: Buffer, mostBytes: number): readonly Piece[] {
  const pieces: Piece[] = [];
  const total = Math.ceil(image.length / BLOCK_BYTES);
  const blank = Buffer.alloc(BLANK_BLOCKS * BLOCK_BYTES);
  const isBlank = (block: number): boolean => {
    const part = image.subarray(block * BLOCK_BYTES, (block + BLANK_BLOCKS) * BLOCK_BYTES);
    return part.equals(blank.subarray(0, part.length));
  };
  for (let block = 0; block < total; ) {
    const startBlock = block;
    const zeros = isBlank(block);
    do block = Math.min(block + BLANK_BLOCKS, total);
    while (block < total && isBlank(block) === zeros && (block - startBlock + BLANK_BLOCKS) * BLOCK_BYTES <= mostBytes);
    const blocks = block - startBlock;
    const bytes = image.subarray(startBlock * BLOCK_BYTES, block * BLOCK_BYTES);
    const data = zeros ? undefined : Buffer.concat([bytes, Buffer.alloc(blocks * BLOCK_BYTES - bytes.length)]);
    pieces.push({ startBlock, blocks, data });
  }
  return pieces;
}

/** Writes one piece, whose data stand in memory at `address`, and reads it back. Throws a device Fault when it is not there. */
export async function writePiece(uboot: UBoot, medium: BlockMedium, piece: Piece, address: number): Promise<void> {
  const { startBlock, blocks, data } = piece;
  const slot: Slot = { name: "disk", medium, startBlock, blocks };
  const length = blocks * BLOCK_BYTES;
  const scratch = address + length;
  await select(uboot, medium);
  if (data === undefined) await uboot.run(`mw.b ${hex(address)} 0 ${hex(length)}`);
  await transfer(uboot, "write", slot, address, 0, blocks);
  // Other than what was written, whichever that is.
  await uboot.run(`mw.b ${hex(scratch)} a5 ${hex(length)}`);
  await transfer(uboot, "read", slot, scratch, 0, blocks);
  const wanted = crc32(data ?? Buffer.alloc(length));
  const crc = await uboot.crc32(scratch, length);
  if (crc !== wanted)
    throw mismatch(uboot, slot, `CRC-32 ${hex(crc)} in place of ${hex(wanted)} from block ${startBlock} on`);
}

/** Reads the slot's image to `address` and compares it with its record. */
export async function slotState(uboot: UBoot, slot: Slot, address: number): Promise<SlotState> {
  await select(uboot, slot.medium);
  await transfer(uboot, "read", slot, address, 0, 1);
  const record = (await uboot.readMemory(address, 64)).toString("latin1");
  const [, lengthText, crcText] = /^culvert-slot 1\nlength (\d{1,10})\ncrc32 ([0-9a-f]{8})\n/.exec(record) ?? [];
  const length = Number(lengthText);
  if (lengthText === undefined || crcText === undefined) return { kind: "torn", because: "it has no record" };
  const blocks = Math.ceil(length / BLOCK_BYTES);
  if (length === 0 || blocks > slot.blocks - 1)
    return { kind: "torn", because: `its record has a length of ${length}` };
  await transfer(uboot, "read", slot, address, 1, blocks);
  const crc = await uboot.crc32(address, length);
  const wanted = Number.parseInt(crcText, 16);
  if (crc !== wanted) return { kind: "torn", because: `its image has CRC-32 ${hex(crc)}, its record says ${crcText}` };
  return { kind: "sound", length, crc };
}

/** Reads the slot's image to `address`, checked, to be started. Returns its length; throws a device Fault for a torn slot. */
export async function loadSlot(uboot: UBoot, slot: Slot, address: number): Promise<number> {
  const state = await slotState(uboot, slot, address);
  if (state.kind === "sound") return state.length;
  throw new Fault("device", `${uboot.node}: slot ${slot.name} cannot be started: ${state.because}`, {
    node: uboot.node,
  });
}

async function select(uboot: UBoot, medium: BlockMedium): Promise<void> {
  await uboot.run(`${medium.interface} dev ${medium.device}`);
}

async function transfer(
  uboot: UBoot,
  verb: "read" | "write",
  { name, medium, startBlock }: Slot,
  address: number,
  block: number,
  count: number,
): Promise<void> {
  const command = `${medium.interface} ${verb} ${hex(address)} ${hex(startBlock + block)} ${hex(count)}`;
  const output = await uboot.run(command, TRANSFER_WITHIN_MS);
  // Old versions end with status 0 after a part.
  if (!new RegExp(`${count} blocks ${verb === "read" ? "read" : "written"}: OK`).test(output)) {
    throw new Fault("device", `${uboot.node}: slot ${name}: \`${command}\` was not complete:\n${output.trim()}`, {
      node: uboot.node,
    });
  }
}

function mismatch(uboot: UBoot, slot: Slot, what: string): Fault {
  return new Fault("device", `${uboot.node}: slot ${slot.name} does not hold what was written: ${what}`, {
    node: uboot.node,
  });
}

/**
 * Which slot starts, and why: the boot state, kept twice. The state partition holds two records that are written in turn; the
 * boot loader's GRUB environment block holds what the loader itself must read and count. The records are the truth: a loader
 * environment that is torn, garbage or older than they are is written anew from them.
 *
 * An update arms a slot as pending; the loader starts a pending slot at most `TRIES` times, and the slot itself commits once it
 * finds itself healthy. Nothing here reads or writes: `slots.ts` does on the device, the image builder and the boot-ROM
 * stand-in of boards without GRUB do for themselves.
 */

import { crc32 } from "../wire/crc32.ts";
import { Reader, Writer } from "../wire/cursor.ts";

export type SlotName = "a" | "b";

/** How often a loader starts a pending slot before it goes back to the active one. */
export const TRIES = 3;

export interface BootState {
  /** Grows by one with every change of a record; the higher of two records holds. */
  readonly seq: number;
  /** The slot that is known to be good: never counted. */
  readonly active: SlotName;
  /** The slot that is on trial, or will be at the next start. */
  readonly pending: SlotName | undefined;
  /** 0..TRIES; of no meaning without a pending slot. */
  readonly triesLeft: number;
  /** Why the last update was taken back, as a sentence without its full stop; empty when it was not. */
  readonly lastReason: string;
  /** The highest rollback index ever committed: bundles below it are refused. */
  readonly rollbackIndex: number;
}

export function otherSlot(slot: SlotName): SlotName {
  return slot === "a" ? "b" : "a";
}

// The state partition: record 0, record 1, and a copy of the environment block, for a GRUB that cannot read its own file:
// `load_env --file ($disk,gpt3)16+2` (512-byte sectors).

export const RECORD_BYTES = 4096;
export const ENVIRONMENT_BYTES = 1024;
/** Of the copy of the environment block in the state partition. */
export const MIRROR_OFFSET = 2 * RECORD_BYTES;
/** How much of the state partition is used. */
export const STATE_BYTES = 3 * RECORD_BYTES;

const MAGIC = Buffer.from("CULVBOOT", "latin1");
const RECORD_VERSION = 1;
const NO_SLOT = 0xff;
const REASON_BYTES = 1024;

/** One record of `RECORD_BYTES`, CRC-32 over everything before it in its last four bytes. A longer reason is cut. */
export function emitRecord(state: BootState): Buffer {
  const reason = cutUtf8(state.lastReason, REASON_BYTES);
  const { bytes } = new Writer(RECORD_BYTES)
    .fixed(MAGIC, MAGIC.length)
    .u32(RECORD_VERSION)
    .u32(state.seq)
    .u8(slotByte(state.active))
    .u8(state.pending === undefined ? NO_SLOT : slotByte(state.pending))
    .u8(state.triesLeft)
    .u8(0)
    .u32(state.rollbackIndex)
    .u32(reason.length)
    .fixed(reason, reason.length);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, RECORD_BYTES - 4)), RECORD_BYTES - 4);
  return bytes;
}

/** Undefined for anything that is not a whole record of ours. */
export function parseRecord(bytes: Buffer): BootState | undefined {
  if (bytes.length < RECORD_BYTES) return undefined;
  if (crc32(bytes.subarray(0, RECORD_BYTES - 4)) !== bytes.readUInt32BE(RECORD_BYTES - 4)) return undefined;
  const r = new Reader(bytes.subarray(0, RECORD_BYTES - 4));
  const magic = r.view(MAGIC.length);
  const version = r.u32();
  const seq = r.u32();
  const active = slotOf(r.u8());
  const pendingByte = r.u8();
  const triesLeft = r.u8();
  r.u8();
  const rollbackIndex = r.u32();
  const lastReason = r.view(Math.min(r.u32(), REASON_BYTES)).toString("utf8");
  if (!magic.equals(MAGIC) || version !== RECORD_VERSION || active === undefined || triesLeft > TRIES) return undefined;
  const pending = slotOf(pendingByte);
  if (pending === undefined && pendingByte !== NO_SLOT) return undefined;
  if (pending === active) return undefined;
  return { seq, active, pending, triesLeft, lastReason, rollbackIndex };
}

/** The record in force of a state partition's beginning; undefined when neither is whole. */
export function newestRecord(partition: Buffer): BootState | undefined {
  const first = parseRecord(partition.subarray(0, RECORD_BYTES));
  const second = parseRecord(partition.subarray(RECORD_BYTES, 2 * RECORD_BYTES));
  if (first === undefined || second === undefined) return first ?? second;
  return second.seq > first.seq ? second : first;
}

/** Where a record goes: never over the one before it. */
export function recordOffset(state: BootState): number {
  return (state.seq & 1) * RECORD_BYTES;
}

/** The state of a device as it leaves the builder: slot a, nothing on trial. */
export function firstState(rollbackIndex: number): BootState {
  return { seq: 1, active: "a", pending: undefined, triesLeft: 0, lastReason: "", rollbackIndex };
}

/** The beginning of the state partition of a new device: `STATE_BYTES`. */
export function emitStatePartition(state: BootState): Buffer {
  const partition = Buffer.alloc(STATE_BYTES);
  emitRecord(state).copy(partition, recordOffset(state));
  emitEnvironment(state).copy(partition, MIRROR_OFFSET);
  return partition;
}

/** What the environment block says. */
export interface BootEnvironment {
  /** The record it was made from. */
  readonly seq: number;
  readonly active: SlotName;
  readonly pending: SlotName | undefined;
  /** Counted down by the loader. */
  readonly tries: number;
}

const ENVIRONMENT_HEADER = "# GRUB Environment Block\n";

/**
 * The GRUB environment block, `ENVIRONMENT_BYTES`: ACTIVE, PENDING, TRIES, SEQ (GNU GRUB manual,
 * "Environment block"). Everything lies in the first of its two sectors, and the second never changes: a power cut cannot
 * leave half of each.
 */
export function emitEnvironment({ active, pending, triesLeft, seq }: BootState): Buffer {
  const text = `${ENVIRONMENT_HEADER}ACTIVE=${active}\nPENDING=${pending ?? ""}\nTRIES=${triesLeft}\nSEQ=${seq}\n`;
  const bytes = Buffer.alloc(ENVIRONMENT_BYTES, "#");
  bytes.write(text, "latin1");
  return bytes;
}

/** Undefined for anything GRUB would not read, and for values that are none of ours. */
export function parseEnvironment(bytes: Buffer): BootEnvironment | undefined {
  if (bytes.length < ENVIRONMENT_BYTES) return undefined;
  const text = bytes.subarray(0, ENVIRONMENT_BYTES).toString("latin1");
  if (!text.startsWith(ENVIRONMENT_HEADER)) return undefined;
  const variables = new Map<string, string>();
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (!line.startsWith("#") && equals > 0) variables.set(line.slice(0, equals), line.slice(equals + 1));
  }
  const active = slotNamed(variables.get("ACTIVE"));
  const pendingWord = variables.get("PENDING") ?? "";
  const pending = slotNamed(pendingWord);
  const tries = variables.get("TRIES") ?? "";
  const seq = variables.get("SEQ") ?? "";
  if (active === undefined || (pending === undefined && pendingWord !== "")) return undefined;
  if (!/^[0-3]$/.test(tries) || !/^\d{1,10}$/.test(seq)) return undefined;
  return { seq: Number(seq), active, pending, tries: Number(tries) };
}

/** The other slot is about to be overwritten: from here on nothing may start it. */
export function disarm(state: BootState): BootState {
  return { ...state, seq: state.seq + 1, pending: undefined, triesLeft: 0 };
}

/** A slot that was written and found right is to be tried from the next start on. */
export function arm(state: BootState, slot: SlotName): BootState {
  return { ...state, seq: state.seq + 1, active: otherSlot(slot), pending: slot, triesLeft: TRIES, lastReason: "" };
}

/** The slot on trial is good: it is the active one, and nothing older than it is let in again. */
export function commit(state: BootState, slot: SlotName, rollbackIndex: number): BootState {
  return {
    seq: state.seq + 1,
    active: slot,
    pending: undefined,
    triesLeft: 0,
    lastReason: "",
    rollbackIndex: Math.max(state.rollbackIndex, rollbackIndex),
  };
}

/** The pending slot is not tried any more, and the device remembers why. */
export function takeBack(state: BootState, reason: string): BootState {
  return { ...disarm(state), lastReason: reason };
}

/**
 * What a loader does that works on the records themselves: which slot to start, and the state to store before it does.
 * GRUB does the same on the environment block, in grub.cfg.
 */
export function countStart(state: BootState): {
  readonly slot: SlotName;
  readonly trial: boolean;
  readonly state: BootState;
} {
  const { pending, triesLeft } = state;
  if (pending === undefined || triesLeft === 0) return { slot: state.active, trial: false, state };
  return { slot: pending, trial: true, state: { ...state, seq: state.seq + 1, triesLeft: triesLeft - 1 } };
}

export interface Observed {
  /** The beginning of the state partition. */
  readonly partition: Buffer;
  /** The loader's environment block; undefined on a board whose loader works on the records. */
  readonly environment: Buffer | undefined;
  /** The slot that runs. */
  readonly booted: SlotName;
  /** What the running slot's manifest says: the floor when no record is left. */
  readonly rollbackIndex: number;
}

/**
 * `normal`: the active slot runs. `waiting`: the active slot runs, and another is tried at the next start. `trial`: the pending
 * slot runs and is to be committed. `taken-back`: the pending slot had its tries. `fallen-back`: the active slot did not start.
 * `misled`: an environment older than the records started the wrong slot; once it is stored anew, a restart puts that right.
 */
export type Situation = "normal" | "waiting" | "trial" | "taken-back" | "fallen-back" | "misled";

export interface Settled {
  readonly situation: Situation;
  readonly state: BootState;
  /** The records do not say so yet. */
  readonly storeRecord: boolean;
  /** The environment block does not say so yet. */
  readonly storeEnvironment: boolean;
  /** What was found broken and is put right, one sentence each. */
  readonly findings: readonly string[];
}

/** What holds after a start, from whatever bytes a power cut left. The state it returns is the one to store. */
export function settle({ partition, environment, booted, rollbackIndex }: Observed): Settled {
  const findings: string[] = [];
  const record = newestRecord(partition);
  const block = environment === undefined ? undefined : parseEnvironment(environment);
  if (record === undefined) findings.push("the boot state was unreadable and is made anew");
  if (environment !== undefined && block === undefined)
    findings.push("the boot loader's environment was unreadable and is made anew");
  const base = record ?? fromEnvironment(block, booted, rollbackIndex);
  // Of an older record than ours, what the loader counted is not about this trial.
  const inStep = block !== undefined && block.seq === base.seq;
  const triesLeft = inStep ? Math.min(block.tries, base.triesLeft) : base.triesLeft;
  const { situation, state } = judge(base, booted, triesLeft, environment === undefined || inStep);
  const changed = state !== base;
  return {
    situation,
    state,
    storeRecord: record === undefined || changed,
    storeEnvironment: environment !== undefined && (!inStep || changed || !agrees(block, state)),
    findings,
  };
}

function judge(
  base: BootState,
  booted: SlotName,
  triesLeft: number,
  inStep: boolean,
): { situation: Situation; state: BootState } {
  const { active, pending } = base;
  if (pending === undefined) {
    const situation = booted === active ? "normal" : inStep ? "fallen-back" : "misled";
    return { situation, state: base };
  }
  if (booted === pending) return { situation: "trial", state: base };
  if (triesLeft === TRIES) return { situation: "waiting", state: base };
  const reason =
    triesLeft === 0
      ? `slot ${pending} was started ${TRIES} times and never got as far as its health check (it hung, panicked or lost power)`
      : `the boot loader could not load slot ${pending}`;
  return { situation: "taken-back", state: takeBack(base, reason) };
}

function fromEnvironment(block: BootEnvironment | undefined, booted: SlotName, rollbackIndex: number): BootState {
  if (block === undefined)
    return { seq: 1, active: booted, pending: undefined, triesLeft: 0, lastReason: "", rollbackIndex };
  const { seq, active, tries } = block;
  const pending = block.pending === active ? undefined : block.pending;
  return { seq, active, pending, triesLeft: pending === undefined ? 0 : tries, lastReason: "", rollbackIndex };
}

function agrees(block: BootEnvironment, { active, pending }: BootState): boolean {
  return block.active === active && block.pending === pending;
}

function slotByte(slot: SlotName): number {
  return slot === "a" ? 0 : 1;
}

function slotOf(byte: number): SlotName | undefined {
  return byte === 0 ? "a" : byte === 1 ? "b" : undefined;
}

function slotNamed(word: string | undefined): SlotName | undefined {
  return word === "a" || word === "b" ? word : undefined;
}

/** At most `limit` bytes of UTF-8, cut between characters. */
function cutUtf8(text: string, limit: number): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

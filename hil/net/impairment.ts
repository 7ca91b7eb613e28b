/** What a bad line does to frames: loss, copies, damage, delay, limited rate. The n-th frame's fate follows from the seed alone. */

/** Shares are of frames, 0 to 1. What is left out does not happen. */
export interface Impairment {
  readonly loss?: number;
  /** Frames that arrive twice. */
  readonly duplicate?: number;
  /** Frames in which one bit behind the Ethernet header is flipped. */
  readonly corrupt?: number;
  /** Frames that are held back by `reorderMs` while those behind them pass. */
  readonly reorder?: number;
  /** 20 unless given. */
  readonly reorderMs?: number;
  readonly delayMs?: number;
  /** At most so much more delay, evenly spread. It bunches frames up, but keeps their order. */
  readonly jitterMs?: number;
  /** Kilobits a second, Ethernet header included. */
  readonly rateKbps?: number;
  /** What may wait for the rate limit, in milliseconds of sending; more is lost. 500 unless given. */
  readonly queueMs?: number;
  /** Another seed, another luck. */
  readonly seed?: number;
}

const SHARES = ["loss", "duplicate", "corrupt", "reorder"] as const;
const AMOUNTS = ["reorderMs", "delayMs", "jitterMs", "queueMs"] as const;

/** Throws a RangeError that names the first value that no line can have. */
export function checkImpairment(impairment: Impairment): void {
  for (const name of SHARES) {
    const share = impairment[name] ?? 0;
    if (!(share >= 0 && share <= 1)) throw new RangeError(`${name} ${share}: give a share of frames from 0 to 1`);
  }
  for (const name of AMOUNTS) {
    const amount = impairment[name] ?? 0;
    if (!(amount >= 0 && amount < Infinity)) throw new RangeError(`${name} ${amount}: give milliseconds, 0 or more`);
  }
  const { rateKbps = 1, seed = 0 } = impairment;
  if (!(rateKbps > 0 && rateKbps < Infinity)) throw new RangeError(`rateKbps ${rateKbps}: give more than 0`);
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed ${seed}: give a whole number`);
}

/** For people: `impaired: loss 0.05, delayMs 200`. */
export function impairmentText(impairment: Impairment | undefined): string {
  const values = Object.entries(impairment ?? {}).filter(([, value]) => value !== undefined);
  return values.length === 0 ? "not impaired" : `impaired: ${values.map((pair) => pair.join(" ")).join(", ")}`;
}

export type FaultKind =
  | "lost"
  | "queue-full"
  | "corrupted"
  | "duplicated"
  | "reordered"
  | "delayed"
  | "cut"
  | "trapped";

/** Something that was done to a frame on purpose. */
export interface Fault {
  readonly kind: FaultKind;
  /** For the frame's comment in the capture. */
  readonly note: string;
}

/** One copy of a frame, and when it is due at the other side. */
export interface Passage {
  readonly frame: Buffer;
  readonly dueNs: bigint;
}

const ETHERNET_HEADER = 14;
const DEFAULT_REORDER_MS = 20;
const DEFAULT_QUEUE_MS = 500;

/** One direction of a line. It keeps the order of frames, except of those that are reordered on purpose. */
export class Lane {
  readonly #direction: number;
  #impairment: Impairment | undefined;
  /** Frames since the impairment began: their numbers decide their fates. */
  #frames = 0;
  #lastDueNs = 0n;
  #busyUntilNs = 0n;

  /** `direction` gives the lanes of a line different luck with the same seed. */
  constructor(direction: number) {
    this.#direction = direction;
  }

  /** Takes effect with the next frame; what is on its way stays so. The count of frames begins anew. */
  impair(impairment: Impairment | undefined): void {
    if (impairment !== undefined) checkImpairment(impairment);
    this.#impairment = impairment;
    this.#frames = 0;
    this.#busyUntilNs = 0n;
  }

  /** What becomes of a frame that enters now: its copies, none when it is lost, and what was done to it. */
  pass(frame: Buffer, nowNs: bigint): { readonly passages: readonly Passage[]; readonly faults: readonly Fault[] } {
    const impairment = this.#impairment;
    if (impairment === undefined) return { passages: [{ frame, dueNs: this.#inOrder(nowNs) }], faults: [] };
    const luck = new Luck(impairment.seed ?? 0, this.#direction, this.#frames++);
    if (luck.isBelow(impairment.loss, "loss")) return { passages: [], faults: [{ kind: "lost", note: "lost" }] };
    const sentNs = this.#send(frame, nowNs, impairment);
    if (sentNs === undefined)
      return { passages: [], faults: [{ kind: "queue-full", note: "lost: the queue is full" }] };

    const faults: Fault[] = [];
    let arriving = frame;
    if (luck.isBelow(impairment.corrupt, "corrupt") && frame.length > ETHERNET_HEADER) {
      const bit = Math.floor(luck.draw("bit") * (frame.length - ETHERNET_HEADER) * 8);
      arriving = flipBit(frame, ETHERNET_HEADER + (bit >>> 3), bit & 7);
      faults.push({ kind: "corrupted", note: `bit ${bit & 7} of byte ${ETHERNET_HEADER + (bit >>> 3)} flipped` });
    }
    const delayMs = (impairment.delayMs ?? 0) + (impairment.jitterMs ?? 0) * luck.draw("jitter");
    let dueNs = this.#inOrder(sentNs + nanoseconds(delayMs));
    if (dueNs > nowNs) faults.push({ kind: "delayed", note: `delayed by ${milliseconds(dueNs - nowNs)} ms` });
    if (luck.isBelow(impairment.reorder, "reorder")) {
      const heldMs = impairment.reorderMs ?? DEFAULT_REORDER_MS;
      dueNs += nanoseconds(heldMs);
      faults.push({ kind: "reordered", note: `held back by ${heldMs} ms` });
    }
    const passage: Passage = { frame: arriving, dueNs };
    if (!luck.isBelow(impairment.duplicate, "duplicate")) return { passages: [passage], faults };
    faults.push({ kind: "duplicated", note: "duplicated" });
    return { passages: [passage, passage], faults };
  }

  /** When the frame's last bit has left, or undefined when the queue before the line has no room for it. */
  #send(frame: Buffer, nowNs: bigint, { rateKbps, queueMs = DEFAULT_QUEUE_MS }: Impairment): bigint | undefined {
    if (rateKbps === undefined) return nowNs;
    const startNs = later(nowNs, this.#busyUntilNs);
    if (startNs - nowNs > nanoseconds(queueMs)) return undefined;
    this.#busyUntilNs = startNs + nanoseconds((frame.length * 8) / rateKbps);
    return this.#busyUntilNs;
  }

  #inOrder(dueNs: bigint): bigint {
    this.#lastDueNs = later(this.#lastDueNs, dueNs);
    return this.#lastDueNs;
  }
}

const PURPOSES = ["loss", "corrupt", "bit", "jitter", "reorder", "duplicate"] as const;
type Purpose = (typeof PURPOSES)[number];

/** The luck of one frame. Each purpose draws for itself, so that more delay does not change which frames are lost. */
class Luck {
  readonly #root: number;

  constructor(seed: number, direction: number, frame: number) {
    this.#root = mix(mix(mix(seed | 0) ^ direction) ^ frame);
  }
  /** 0 to 1, 1 excluded. */
  draw(purpose: Purpose): number {
    return mix(this.#root ^ (PURPOSES.indexOf(purpose) + 1)) / 0x1_0000_0000;
  }
  isBelow(share: number | undefined, purpose: Purpose): boolean {
    return share !== undefined && this.draw(purpose) < share;
  }
}

/** The finalizer of MurmurHash3 behind a step of the golden ratio: every bit of the input reaches every bit of the result. */
function mix(value: number): number {
  let x = (value + 0x9e37_79b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function flipBit(frame: Buffer, byte: number, bit: number): Buffer {
  const flipped = Buffer.from(frame);
  flipped.writeUInt8(flipped.readUInt8(byte) ^ (1 << bit), byte);
  return flipped;
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}

function milliseconds(ns: bigint): string {
  return (Number(ns) / 1e6).toFixed(1).replace(/\.0$/, "");
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

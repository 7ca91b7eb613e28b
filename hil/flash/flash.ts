/**
 * Brings images into a board over its boot loader: sent, compared in memory, written, read back, and only then valid. When that
 * fails the board is switched off and on and gets its golden images; if that fails too, the error says that hands are needed.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Fault } from "../fault.ts";
import type { EventSink } from "../journal/journal.ts";
import type { Ladder } from "../node/ladder.ts";
import { hex, type UBoot } from "../node/uboot.ts";
import {
  type BlockMedium,
  piecesOf,
  type Slot,
  slotImage,
  slotState,
  type Verify,
  writePiece,
  writeSlot,
} from "./slot.ts";
import type { FileOffer } from "./tftp-host.ts";
import type { YmodemFile } from "./ymodem.ts";

/** Twice as much must be free in the board's memory. */
const PIECE_BYTES = 16 * 1024 * 1024;
const BLOCK_BYTES = 512;

export interface SlotContent {
  readonly slot: Slot;
  readonly image: Buffer;
}

/** How a file gets into the board's memory. Failures are bench Faults: then the next way is tried. */
export interface Delivery {
  readonly what: string;
  load(uboot: UBoot, address: number, file: YmodemFile): Promise<void>;
}

/** The board gets `boardAddress`, a free address of the server's network, until the next reset. */
export function tftpDelivery(offer: FileOffer, boardAddress: string): Delivery {
  return {
    what: `TFTP from ${offer.address}`,
    load: async (uboot, address, { name, data }) => {
      await uboot.setEnv("ipaddr", boardAddress);
      await uboot.setEnv("serverip", offer.address);
      await uboot.setEnv("autoload", "no");
      offer.put(name, data);
      try {
        await uboot.tftpBoot(address, name);
      } finally {
        offer.remove(name);
      }
    },
  };
}

export function ymodemDelivery(send: (file: YmodemFile) => Promise<void>): Delivery {
  return {
    what: "Y-modem",
    load: async (uboot, address, file) => void (await uboot.loadY(address, () => send(file))),
  };
}

export interface FlashOptions {
  readonly ladder: Ladder<{ bootloader: UBoot }>;
  readonly journal: EventSink;
  readonly verify: Verify;
  /** The first that works is used. */
  readonly deliveries: readonly Delivery[];
  /** The variable of U-Boot's environment with an address above which memory is free; `loadaddr` unless given. */
  readonly memory?: string | undefined;
  /** Images known to boot: written when others cannot be. */
  readonly golden: readonly SlotContent[];
}

export class Flash {
  readonly #options: FlashOptions;

  constructor(options: FlashOptions) {
    this.#options = options;
  }

  /**
   * Writes all of them, one after the other. When one fails the golden images are put in their place and this throws the
   * Fault of the failure, which says so.
   */
  async write(contents: readonly SlotContent[]): Promise<void> {
    const { ladder } = this.#options;
    try {
      await ladder.at("bootloader", async (uboot) => {
        for (const content of contents) await this.#writeOne(uboot, content);
      });
    } catch (error) {
      throw await this.#afterFailure(error);
    }
  }

  /**
   * Writes a whole disk, as `culvert image build` makes it, onto the board's medium: what is blank comes out of the board's own
   * memory, everything else goes there piece by piece, and each piece is read back. A write that was cut short is begun anew.
   */
  async writeDisk(medium: BlockMedium, image: Buffer, onPiece: (bytes: number) => void = () => {}): Promise<void> {
    await this.#options.ladder.at("bootloader", async (uboot) => {
      const address = await this.#memory(uboot);
      for (const piece of piecesOf(image, PIECE_BYTES)) {
        const { startBlock, blocks, data } = piece;
        if (data !== undefined) await this.#deliver(uboot, address, { name: `disk-${startBlock}.bin`, data });
        await writePiece(uboot, medium, piece, address);
        onPiece((startBlock + blocks) * BLOCK_BYTES);
      }
    });
    this.#say(`disk: ${image.length} bytes written and read back`);
  }

  /** The slots of the golden images that hold no sound image. */
  async torn(slots: readonly Slot[]): Promise<{ slot: Slot; because: string }[]> {
    return await this.#options.ladder.at("bootloader", async (uboot) => {
      const address = await this.#memory(uboot);
      const torn: { slot: Slot; because: string }[] = [];
      for (const slot of slots) {
        const state = await slotState(uboot, slot, address);
        if (state.kind === "torn") torn.push({ slot, because: state.because });
      }
      return torn;
    });
  }

  /** Puts the golden image into every slot that is torn, and returns their names. */
  async recover(): Promise<string[]> {
    const { golden, ladder } = this.#options;
    const torn = await this.torn(golden.map(({ slot }) => slot));
    for (const { slot, because } of torn) this.#say(`slot ${slot.name} is torn: ${because}; it gets its golden image`);
    const wanted = golden.filter(({ slot }) => torn.some((each) => each.slot === slot));
    if (wanted.length > 0) {
      await ladder.at("bootloader", async (uboot) => {
        for (const content of wanted) await this.#writeOne(uboot, content);
      });
    }
    return wanted.map(({ slot }) => slot.name);
  }

  async #afterFailure(error: unknown): Promise<Fault> {
    const { ladder, golden } = this.#options;
    const { node } = ladder;
    const faultClass = error instanceof Fault ? error.faultClass : "device";
    const what = error instanceof Error ? error.message : String(error);
    const failed = (more: string, as = faultClass): Fault =>
      new Fault(as, `${node}: the flash failed: ${what}\n${more}`, { node, cause: error });
    if (golden.length === 0) return failed("There is no golden image: what is in the board now may not boot.");
    this.#say(`the flash failed; the golden image is put back: ${what.split("\n")[0]}`);
    try {
      await ladder.powerCycle();
      const restored = await this.recover();
      const slots = restored.length === 0 ? "no slot needed one" : `slots ${restored.join(", ")}`;
      return failed(`The board boots its golden image: ${slots}.`);
    } catch (second) {
      const because = second instanceof Error ? second.message : String(second);
      return failed(`THE BOARD NEEDS HANDS: its golden image could not be put back either: ${because}`, "bench");
    }
  }

  async #writeOne(uboot: UBoot, { slot, image }: SlotContent): Promise<void> {
    const data = slotImage(slot, image);
    const address = await this.#memory(uboot);
    await this.#deliver(uboot, address, { name: `${slot.name}.slot`, data });
    const sha256 = createHash("sha256").update(image).digest("hex");
    await writeSlot(uboot, { slot, image, address, verify: this.#options.verify, sha256 });
    this.#say(`slot ${slot.name}: ${image.length} bytes written and read back`);
  }

  async #deliver(uboot: UBoot, address: number, file: YmodemFile): Promise<void> {
    const refusals: string[] = [];
    for (const delivery of this.#options.deliveries) {
      this.#say(`${file.name}: ${file.data.length} bytes by ${delivery.what}`);
      try {
        await delivery.load(uboot, address, file);
        const crc = await uboot.crc32(address, file.data.length);
        if (crc === crc32(file.data)) return;
        refusals.push(`${delivery.what}: it arrived with CRC-32 ${hex(crc)} in place of ${hex(crc32(file.data))}`);
      } catch (error) {
        if (!(error instanceof Fault) || error.faultClass !== "bench") throw error;
        refusals.push(`${delivery.what}: ${error.message}`);
      }
      this.#say(`${file.name}: not ${refusals.at(-1)}`);
    }
    const { node } = this.#options.ladder;
    const ways = refusals.length === 0 ? "there is no way to send it" : refusals.join("\n");
    throw new Fault("bench", `${node}: ${file.name} did not get into the board's memory: ${ways}`, { node });
  }

  async #memory(uboot: UBoot): Promise<number> {
    return await uboot.address(this.#options.memory ?? "loadaddr");
  }

  #say(text: string): void {
    this.#options.journal.append({ kind: "note", node: this.#options.ladder.node, text: `flash: ${text}` });
  }
}

/** The pcapng file of one link: one interface per side, every frame, written in blocks of bounded size. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import {
  type Capture,
  emitInterface,
  emitPacket,
  emitSection,
  LINK_TYPE,
  parsePcapng,
} from "../../appliance/wire/pcapng.ts";
import type { LabClock } from "../clock.ts";

/** Synchronous writes of this size cost some 50 µs, keep memory bounded and lose little if the process is killed. */
const CHUNK_BYTES = 64 * 1024;

export class CaptureFile {
  readonly path: string;
  readonly #clock: LabClock;
  readonly #descriptor: number;
  #chunk: Buffer[] = [];
  #chunkBytes = 0;
  #frames = 0;

  /** `sides` are the ports' names, in the order of the link. */
  constructor(path: string, sides: readonly string[], clock: LabClock) {
    this.path = path;
    this.#clock = clock;
    this.#descriptor = openSync(path, "w");
    this.#add(emitSection("Culvert lab"));
    for (const name of sides) {
      this.#add(emitInterface({ name, linkType: LINK_TYPE.ethernet, description: `frames sent by ${name}` }));
    }
    this.#flush();
  }

  get frames(): number {
    return this.#frames;
  }

  /** `side` is the sender's index; `comment` says what was done to the frame, if anything. */
  record(side: number, frame: Buffer, comment?: string): void {
    this.#frames++;
    this.#add(
      emitPacket({
        interfaceIndex: side,
        timestampNs: this.#clock.nowNs(),
        bytes: frame,
        originalLength: frame.length,
        comment,
      }),
    );
    if (this.#chunkBytes >= CHUNK_BYTES) this.#flush();
  }

  /** Everything captured until now. */
  read(): Capture {
    this.#flush();
    const capture = parsePcapng(readFileSync(this.path));
    if (!capture.ok) throw new Error(`${this.path} cannot be read back: ${capture.fault}`);
    return capture.value;
  }

  close(): void {
    this.#flush();
    closeSync(this.#descriptor);
  }

  #add(block: Buffer): void {
    this.#chunk.push(block);
    this.#chunkBytes += block.length;
  }

  #flush(): void {
    if (this.#chunkBytes > 0) writeSync(this.#descriptor, Buffer.concat(this.#chunk));
    this.#chunk = [];
    this.#chunkBytes = 0;
  }
}

/** One Ethernet segment: a cable between two ports, a learning switch between more. Every frame is recorded where it enters. */
import type { CaptureFile } from "./capture-file.ts";
import type { Port } from "./port.ts";

export class Link {
  readonly name: string;
  readonly capture: CaptureFile;
  readonly #ports: readonly Port[];
  /** Where each sender's MAC address was last seen. */
  readonly #learned = new Map<string, Port>();
  #dropped = 0;

  /** The capture's sides are these ports, in this order. */
  constructor(name: string, ports: readonly Port[], capture: CaptureFile) {
    this.name = name;
    this.capture = capture;
    this.#ports = ports;
    for (const [side, port] of ports.entries()) port.onFrame((frame) => this.#carry(side, port, frame));
  }

  /** Frames that no port took because its node did not keep up. */
  get dropped(): number {
    return this.#dropped;
  }

  #carry(side: number, from: Port, frame: Buffer): void {
    if (frame.length < 14) return; // no Ethernet header
    const refused = this.#receivers(from, frame).filter((port) => !port.send(frame));
    this.#dropped += refused.length;
    const comment =
      refused.length === 0 ? undefined : `dropped: ${refused.map((port) => port.name).join(", ")} is full`;
    this.capture.record(side, frame, comment);
  }

  #receivers(from: Port, frame: Buffer): readonly Port[] {
    const others = this.#ports.filter((port) => port !== from);
    if (others.length === 1) return others;
    this.#learned.set(frame.toString("hex", 6, 12), from);
    const toGroup = (frame.readUInt8(0) & 1) === 1;
    const known = toGroup ? undefined : this.#learned.get(frame.toString("hex", 0, 6));
    if (known === undefined) return others;
    return known === from ? [] : [known];
  }
}

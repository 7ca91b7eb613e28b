/** Where a NIC plugs into the fabric. */
import { createServer, type Socket } from "node:net";
import { emitStreamFrame, StreamSplitter } from "./framing.ts";

/** One end of a link. Impairments and traps are the link's: only there can a frame's comment say what became of it. */
export interface Port {
  /** `node.nic`, as in the lab's definition. */
  readonly name: string;
  /** The one receiver of what the node sends. */
  onFrame(receive: (frame: Buffer) => void): void;
  /** Hands a frame to the node; false when it was dropped because the node does not keep up. */
  send(frame: Buffer): boolean;
}

/** Like a switch, a port that is not emptied drops: a stopped guest must not fill this process's memory. */
const QUEUE_BYTES = 4 * 1024 * 1024;

/** A QEMU NIC. QEMU connects to `socketPath` when its machine starts. */
export class QemuPort implements Port {
  readonly name: string;
  readonly #server = createServer((socket) => this.#plug(socket));
  #socket: Socket | undefined;
  #receive: (frame: Buffer) => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  async listen(socketPath: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(socketPath, resolve);
    });
  }

  onFrame(receive: (frame: Buffer) => void): void {
    this.#receive = receive;
  }

  send(frame: Buffer): boolean {
    const socket = this.#socket;
    if (socket === undefined || socket.writableLength > QUEUE_BYTES) return false;
    socket.write(emitStreamFrame(frame));
    return true;
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }

  #plug(socket: Socket): void {
    const splitter = new StreamSplitter();
    this.#socket = socket;
    socket.on("data", (piece: Buffer) => {
      for (const frame of splitter.push(piece)) this.#receive(frame);
    });
    socket.on("error", () => socket.destroy()); // the machine's own end is reported by its console
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }
}

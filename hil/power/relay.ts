/** LCTech's USB relays (CH340): four bytes a command, `A0 CHANNEL STATE SUM`, and no answer. */
import { once } from "node:events";
import type { SerialPortStream } from "@serialport/stream";
import type { PowerDriver, PowerState } from "./power.ts";

export class RelayPower implements PowerDriver {
  readonly what: string;
  readonly limitMs = 5000;
  readonly #path: string;
  readonly #baud: number;
  readonly #channel: number;
  #port: SerialPortStream | undefined;

  constructor(path: string, options: { readonly channel: number; readonly baud: number }) {
    this.#path = path;
    this.#baud = options.baud;
    this.#channel = options.channel;
    this.what = `relay ${options.channel} at ${path}`;
  }

  async on(): Promise<void> {
    await this.#send(1);
  }

  async off(): Promise<void> {
    await this.#send(0);
  }

  /** It cannot be asked. */
  state(): Promise<PowerState> {
    return Promise.resolve("unknown");
  }

  async close(): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    if (port?.isOpen !== true) return;
    const closed = once(port, "close");
    port.close();
    await closed;
  }

  async #send(state: 0 | 1): Promise<void> {
    const port = await this.#open();
    await new Promise<void>((resolve, reject) => {
      port.write(relayCommand(this.#channel, state));
      port.drain((error) => (error ? reject(error) : resolve()));
    });
  }

  /** Stays open: some of these boards let go of their relays when the port is closed and opened. */
  async #open(): Promise<SerialPortStream> {
    if (this.#port?.isOpen === true) return this.#port;
    const { SerialPortStream: Port } = await import("@serialport/stream");
    const { autoDetect } = await import("@serialport/bindings-cpp");
    const port = new Port({ binding: autoDetect(), path: this.#path, baudRate: this.#baud, autoOpen: false });
    await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
    // Pulled out while nobody switches: the next command tells, as the port is closed.
    port.on("error", () => {});
    port.resume();
    this.#port = port;
    return port;
  }
}

/** The last byte is the sum of the others. */
export function relayCommand(channel: number, state: 0 | 1): Buffer {
  return Buffer.from([0xa0, channel, state, (0xa0 + channel + state) & 0xff]);
}

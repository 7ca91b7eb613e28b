/** LCTech's USB relays (CH340): four bytes a command, `A0 CHANNEL STATE SUM`, and no answer. */
import { systemClock } from "../clock.ts";
import { openSerial } from "../console/transport/serial.ts";
import type { Transport } from "../console/transport/transport.ts";
import type { PowerDriver, PowerState } from "./power.ts";

export class RelayPower implements PowerDriver {
  readonly what: string;
  readonly limitMs = 5000;
  readonly #path: string;
  readonly #baud: number;
  readonly #channel: number;
  #port: Transport | undefined;

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
    await port?.close();
  }

  async #send(state: 0 | 1): Promise<void> {
    // It stays open: some of these boards let go of their relays when the port is closed and opened.
    if (this.#port === undefined || this.#port.destroyed) {
      this.#port = await openSerial(this.#path, { baud: this.#baud }, systemClock());
      this.#port.on("error", () => {}); // pulled out while nobody switches: the next order opens it again, or tells
      this.#port.resume();
    }
    const port = this.#port;
    await new Promise<void>((resolve, reject) => {
      port.write(relayCommand(this.#channel, state), (error) => (error ? reject(error) : resolve()));
    });
    await port.drained();
  }
}

/** The last byte is the sum of the others. */
export function relayCommand(channel: number, state: 0 | 1): Buffer {
  return Buffer.from([0xa0, channel, state, (0xa0 + channel + state) & 0xff]);
}

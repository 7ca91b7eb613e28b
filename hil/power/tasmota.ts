/** Plugs and relays with Tasmota: `/cm?cmnd=Power1 On`. User and password travel in the query, as Tasmota wants it. */
import { getJson } from "./http.ts";
import type { PowerDriver, PowerState } from "./power.ts";
import { type HttpAddress, httpAddress } from "./secret.ts";

export class TasmotaPower implements PowerDriver {
  readonly what: string;
  readonly limitMs = 10_000;
  readonly #address: HttpAddress;
  readonly #channel: number;

  constructor(url: string, channel: number) {
    this.#address = httpAddress(url);
    this.#channel = channel;
    this.what = `Tasmota at ${this.#address.host}, relay ${channel}`;
  }

  async on(signal: AbortSignal): Promise<void> {
    await this.#command(" On", signal);
  }

  async off(signal: AbortSignal): Promise<void> {
    await this.#command(" Off", signal);
  }

  async state(signal: AbortSignal): Promise<PowerState> {
    return await this.#command("", signal);
  }

  close(): void {}

  async #command(argument: string, signal: AbortSignal): Promise<PowerState> {
    const { user, password } = this.#address;
    const query = new URLSearchParams({
      ...(password === "" ? {} : { user: user === "" ? "admin" : user, password }),
      cmnd: `Power${this.#channel}${argument}`,
    });
    // Tasmota takes %20 for a space, and a plus for a plus.
    const path = `/cm?${query.toString().replaceAll("+", "%20")}`;
    const answer = await getJson({ ...this.#address, password: "" }, path, signal);
    // A device with one relay calls it POWER, whatever it was asked for.
    const state = answer[`POWER${this.#channel}`] ?? (this.#channel === 1 ? answer["POWER"] : undefined);
    if (state === "ON") return "on";
    if (state === "OFF") return "off";
    if (typeof answer["WARNING"] === "string") throw new Error("it refuses the user name or the password");
    throw new Error(`it has no relay ${this.#channel}: it answers ${JSON.stringify(answer).slice(0, 100)}`);
  }
}

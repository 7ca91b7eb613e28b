/** Shelly plugs and relays: Gen1 by `/relay/N`, Gen2 and later by RPC `Switch.Set`. Which it is, the device says at `/shelly`. */
import { getJson } from "./http.ts";
import type { PowerDriver, PowerState } from "./power.ts";
import { type HttpAddress, httpAddress } from "./secret.ts";

export class ShellyPower implements PowerDriver {
  readonly what: string;
  readonly limitMs = 10_000;
  readonly #address: HttpAddress;
  readonly #channel: number;
  #generation: number | undefined;

  constructor(url: string, channel: number) {
    const address = httpAddress(url);
    // Gen2 has one user, and no way to rename it.
    this.#address = address.user === "" ? { ...address, user: "admin" } : address;
    this.#channel = channel;
    this.what = `Shelly at ${address.host}, channel ${channel}`;
  }

  async on(signal: AbortSignal): Promise<void> {
    await this.#turn("on", signal);
  }

  async off(signal: AbortSignal): Promise<void> {
    await this.#turn("off", signal);
  }

  async state(signal: AbortSignal): Promise<PowerState> {
    const [path, field] = (await this.#isGen1(signal))
      ? [`/relay/${this.#channel}`, "ison"]
      : [`/rpc/Switch.GetStatus?id=${this.#channel}`, "output"];
    const isOn = (await getJson(this.#address, path, signal))[field];
    if (typeof isOn !== "boolean") throw new Error(`its answer to ${path} has no '${field}'`);
    return isOn ? "on" : "off";
  }

  close(): void {}

  async #turn(to: "on" | "off", signal: AbortSignal): Promise<void> {
    const path = (await this.#isGen1(signal))
      ? `/relay/${this.#channel}?turn=${to}`
      : `/rpc/Switch.Set?id=${this.#channel}&on=${to === "on"}`;
    await getJson(this.#address, path, signal);
  }

  async #isGen1(signal: AbortSignal): Promise<boolean> {
    if (this.#generation === undefined) {
      const about = await getJson(this.#address, "/shelly", signal);
      if (typeof about["mac"] !== "string") throw new Error("what answers there is no Shelly");
      this.#generation = typeof about["gen"] === "number" ? about["gen"] : 1;
    }
    return this.#generation === 1;
  }
}

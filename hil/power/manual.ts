/** The switch is a person: asked at the terminal to turn the board's power on or off. */
import type { Person } from "../bench/person.ts";
import type { PowerDriver, PowerState } from "./power.ts";

export class ManualPower implements PowerDriver {
  readonly what = "a person at the terminal";
  readonly limitMs = 600_000;
  readonly #person: Person;
  readonly #node: string;

  constructor(person: Person, node: string) {
    this.#person = person;
    this.#node = node;
  }

  async on(signal: AbortSignal): Promise<void> {
    await this.#person.ask(`Turn the power of ${this.#node} ON, then press Enter: `, signal);
  }

  async off(signal: AbortSignal): Promise<void> {
    await this.#person.ask(`Turn the power of ${this.#node} OFF, then press Enter: `, signal);
  }

  /** Asking a person what they have just said would tell nothing new. */
  state(): Promise<PowerState> {
    return Promise.resolve("unknown");
  }

  close(): void {}
}

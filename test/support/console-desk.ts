/** A person at the console of a device on the bench: types, and sees what a terminal shows. */
import assert from "node:assert/strict";
import { ConsoleSession } from "../../appliance/cli/session.ts";
import { BenchDevice } from "./bench-device.ts";
import { Inbox } from "./inbox.ts";

export const PASSWORD = "lab-Admin-1";

export class ConsoleDesk {
  readonly device: BenchDevice;
  readonly session: ConsoleSession;
  #text = "";
  #waiting: { text: string; seen: Inbox<true> } | undefined;

  constructor({ device = new BenchDevice(), terminal = true } = {}) {
    this.device = device;
    this.session = new ConsoleSession(device.appliance, {
      terminal,
      write: (text) => {
        this.#text += text;
        if (this.#waiting !== undefined && this.#text.includes(this.#waiting.text)) this.#waiting.seen.put(true);
      },
    });
    this.session.start();
  }

  /** Types, and returns what came back at once. */
  type(keys: string): string {
    this.#text = "";
    this.session.feed(Buffer.from(keys));
    return this.#text;
  }
  /** Everything since the last `type`. */
  get shown(): string {
    return this.#text;
  }
  /** Waits until this was shown: password checks take their time. */
  async until(text: string): Promise<string> {
    if (!this.#text.includes(text)) {
      this.#waiting = { text, seen: new Inbox() };
      await this.#waiting.seen.next();
      this.#waiting = undefined;
    }
    return this.#text;
  }
  /** Sets the first password; the prompt is there afterwards. */
  async firstLogin(): Promise<void> {
    this.type(`${PASSWORD}\r${PASSWORD}\r`);
    await this.until("> ");
  }
  /** Runs a command and returns the lines between it and the next prompt. */
  run(command: string): string[] {
    return this.type(`${command}\r`).split("\n").slice(1, -1);
  }
}

/** A console whose administrator has just set his password. */
export async function loggedIn(): Promise<ConsoleDesk> {
  const desk = new ConsoleDesk();
  await desk.firstLogin();
  return desk;
}

/** The same in configure mode, with these settings in the candidate. */
export async function configuring(...lines: readonly string[]): Promise<ConsoleDesk> {
  const desk = await loggedIn();
  desk.run("configure");
  for (const line of lines) assert.deepEqual(desk.run(`set ${line}`), [], line);
  return desk;
}

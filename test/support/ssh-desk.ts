/** The login shell of a device on the bench: a test is the person or program at its far end. */
import { BenchDevice } from "./bench-device.ts";
import type { FakeLocalClient } from "./fake-local.ts";
import { Inbox } from "./inbox.ts";

const LAN = "interfaces lan address 192.168.1.1/24";

/** A device on which SSH is on, with these settings too. */
export function sshDevice(...lines: readonly string[]): BenchDevice {
  return withSsh(new BenchDevice(), ...lines);
}

/** Switches SSH on. */
export function withSsh(device: BenchDevice, ...lines: readonly string[]): BenchDevice {
  const edit = device.appliance.beginEdit("a test");
  for (const line of [LAN, "system ssh enabled true", ...lines]) edit.set(line.split(" "));
  const committed = edit.commit();
  if (committed.result !== "committed") throw new Error(JSON.stringify(committed));
  return device;
}

export function frame(type: string, payload: Buffer | string = ""): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(3);
  header.write(type, 0, "latin1");
  header.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

export interface SshDeskOptions {
  readonly device?: BenchDevice;
  readonly from?: string;
  /** Undefined: a prompt. */
  readonly command?: string;
  /** Undefined: no terminal. */
  readonly size?: readonly [columns: number, lines: number];
}

export class SshDesk {
  readonly device: BenchDevice;
  readonly client: FakeLocalClient;
  readonly ended = new Inbox<number | "cut">();
  output = Buffer.alloc(0);
  error = "";
  /** What we may send and have not sent. */
  credit = 0;
  #rest = Buffer.alloc(0);
  #status: number | "cut" = "cut";

  constructor({ device = sshDevice(), from = "192.168.1.9", command, size }: SshDeskOptions = {}) {
    this.device = device;
    this.client = device.ssh.local.connect("/run/admin/terminal");
    this.client.onData = (bytes) => this.#take(bytes);
    this.client.onClose = () => this.ended.put(this.#status);
    this.client.send(frame("F", `${from} 50000 192.168.1.1 22`));
    if (command !== undefined) this.client.send(frame("C", command));
    if (size !== undefined) this.resize(...size);
    this.client.send(frame("G"));
  }

  get text(): string {
    return this.output.toString();
  }
  resize(columns: number, lines: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt16BE(columns, 0);
    payload.writeUInt16BE(lines, 2);
    this.client.send(frame("T", payload));
  }
  /** Types, and returns what came back at once. */
  type(keys: Buffer | string): string {
    this.output = Buffer.alloc(0);
    const bytes = Buffer.from(keys);
    this.credit -= bytes.length;
    this.client.send(frame("I", bytes));
    return this.text;
  }
  endInput(): void {
    this.client.send(frame("E"));
  }
  /** Runs a command at the prompt and returns the lines between it and the next prompt. */
  run(command: string): string[] {
    return this.type(`${command}\r`).split("\n").slice(1, -1);
  }
  /** The exit status, or that the connection ended without one. */
  status(): Promise<number | "cut"> {
    return this.ended.next();
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 3) {
      const length = this.#rest.readUInt16BE(1);
      if (this.#rest.length < 3 + length) break;
      const [type, payload] = [String.fromCharCode(this.#rest[0] ?? 0), this.#rest.subarray(3, 3 + length)];
      if (type === "O") this.output = Buffer.concat([this.output, payload]);
      else if (type === "D") this.error += payload.toString();
      else if (type === "R") this.credit += payload.readUInt32BE(0);
      else if (type === "X") this.#status = payload[0] ?? "cut";
      else throw new Error(`frame ${type}`);
      this.#rest = this.#rest.subarray(3 + length);
    }
  }
}

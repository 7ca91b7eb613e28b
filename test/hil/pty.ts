/** A pseudo terminal that a test holds the far end of: whoever opens `path` has a serial port with the test as its board. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

export class Pty {
  /** What a driver opens, as in /dev/pts/3. */
  readonly path: string;
  /** Called with every piece that the driver writes. */
  received: (bytes: Buffer) => void = () => {};
  readonly #script: ChildProcess;

  private constructor(path: string, script: ChildProcess) {
    this.path = path;
    this.#script = script;
    script.stdout?.on("data", (bytes: Buffer) => this.received(bytes));
  }

  /** `script` holds the master; a program that reads nothing keeps the slave open while no driver has it. */
  static async open(): Promise<Pty> {
    const hold = "stty raw -echo; tty; exec tail -f /dev/null";
    const script = spawn("script", ["-qfc", hold, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
    const [first] = (await once(script.stdout, "data")) as [Buffer];
    return new Pty(first.toString().trim(), script);
  }

  send(bytes: Buffer | string): void {
    this.#script.stdin?.write(bytes);
  }

  /** Resolves when the pseudo terminal has taken them. */
  async sendAll(bytes: Buffer): Promise<void> {
    if (this.#script.stdin?.write(bytes) === false) await once(this.#script.stdin, "drain");
  }

  /** The rate that the driver has set, in baud. */
  get baud(): number {
    return Number(execFileSync("stty", ["-F", this.path, "speed"], { encoding: "utf8" }));
  }

  async close(): Promise<void> {
    const ended = once(this.#script, "close");
    this.#script.kill("SIGKILL");
    await ended;
  }
}

/** Another machine: a network namespace of its own, joined to this one by a cable. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { after } from "node:test";

export class FarHost {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** `here`: the name of this end of the cable; the far end is `eth0`, up, with `address` if there is one. */
  static async join(here: string, address?: string): Promise<FarHost> {
    const holder = spawn("unshare", ["--net", "sh", "-c", "echo ready; exec sleep 300"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    after(() => holder.kill("SIGKILL"));
    if (holder.stdout !== null) await once(holder.stdout, "data");
    const far = new FarHost(holder);
    ip(`link add ${here} type veth peer name far-${here}`);
    ip(`link set far-${here} netns ${holder.pid} name eth0`);
    far.run("ip", "link", "set", "lo", "up");
    far.run("ip", "link", "set", "eth0", "up");
    if (address !== undefined) far.run("ip", "address", "add", address, "dev", "eth0");
    return far;
  }

  /** Runs a program there to its end; returns what it printed. */
  run(...command: readonly string[]): string {
    return execFileSync("nsenter", this.#inside(command), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  /** Whether it ends well. */
  succeeds(...command: readonly string[]): boolean {
    try {
      this.run(...command);
      return true;
    } catch {
      return false;
    }
  }

  /** Starts a program there that stays; returns once it has printed something. */
  async start(...command: readonly string[]): Promise<ChildProcess> {
    const child = spawn("nsenter", this.#inside(command), { stdio: ["ignore", "pipe", "inherit"] });
    after(() => child.kill("SIGKILL"));
    if (child.stdout !== null) await once(child.stdout, "data");
    return child;
  }

  /** A TCP server that tells everybody from which address he seems to come. */
  async tellAddresses(port: number): Promise<void> {
    const script = `require("net").createServer((s) => s.end(s.remoteAddress)).listen(${port}, "0.0.0.0", () => console.log("up"))`;
    await this.start(process.execPath, "-e", script);
  }

  /** What the server at this address tells; undefined when nobody answers within a second. */
  ask(address: string, port: number): string | undefined {
    const script = `const s = require("net").connect(${port}, "${address}"); s.setTimeout(1000, () => process.exit(1)); s.on("error", () => process.exit(1)); s.on("data", (d) => { console.log(String(d)); process.exit(0); })`;
    try {
      return this.run(process.execPath, "-e", script).trim();
    } catch {
      return undefined;
    }
  }

  #inside(command: readonly string[]): readonly string[] {
    return ["--target", String(this.#holder.pid), "--net", ...command];
  }
}

export function ip(words: string): string {
  return execFileSync("ip", words.split(" "), { encoding: "utf8" });
}

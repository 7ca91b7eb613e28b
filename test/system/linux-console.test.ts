/** The program itself on a terminal, as init starts it: the bundle for Node 18, its addon beside it, a data folder. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { APPLIANCE, compile } from "../../image/compile.ts";
import { hostCompiler } from "../../image/toolchain.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";

const PASSWORD = "lab-Admin-1";
const TIMEOUT = { timeout: 60_000 };

/** A program on a terminal: what it prints since the last prompt that was waited for. */
class Terminal {
  readonly #process: ChildProcessWithoutNullStreams;
  #text = "";
  #heard = (): void => {};

  constructor(t: TestContext, command: string, env: NodeJS.ProcessEnv) {
    // script(1) makes the terminal; it passes everything through.
    this.#process = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], { env });
    this.#process.stdout.on("data", (bytes: Buffer) => {
      this.#text += bytes.toString("latin1");
      this.#heard();
    });
    this.#process.on("exit", () => this.#heard());
    t.after(() => this.#process.kill("SIGKILL"));
  }
  type(keys: string): void {
    this.#process.stdin.write(keys);
  }
  /** Returns everything up to and with `end`, once it is there. */
  async until(end: string): Promise<string> {
    while (!this.#text.includes(end)) {
      if (this.#process.exitCode !== null) assert.fail(`the program ended:\n${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    const at = this.#text.indexOf(end) + end.length;
    const text = this.#text.slice(0, at);
    this.#text = this.#text.slice(at);
    return text;
  }
  /** Signals the program on the terminal, not script(1). */
  signal(name: NodeJS.Signals): void {
    const { pid } = this.#process;
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ");
    process.kill(Number(child), name);
  }
  /** Stops the program as init does; returns its exit status. */
  async terminate(): Promise<number | null> {
    const ended = once(this.#process, "exit");
    this.signal("SIGTERM");
    await ended;
    return this.#process.exitCode;
  }
}

/** An appliance folder as the image has it, and a data folder. */
async function install(t: TestContext): Promise<{ command: string; env: NodeJS.ProcessEnv; data: string }> {
  const folder = mkdtempSync(join(tmpdir(), "culvert-console-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const { bundle, addon } = await compile(APPLIANCE, await hostCompiler());
  writeFileSync(join(folder, "culvert.cjs"), bundle);
  writeFileSync(join(folder, "culvert.node"), addon ?? assert.fail("no addon"));
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const data = join(folder, "data");
  return {
    command: `exec ${process.execPath} ${join(folder, "culvert.cjs")}`,
    env: { ...env, CULVERT_DATA: data },
    data,
  };
}

await inNetworkNamespace(() => {
  execFileSync("ip", "link add eth0 type veth peer name far0".split(" "));
  execFileSync("ip", "link add eth1 type veth peer name far1".split(" "));
  for (const far of ["far0", "far1"]) execFileSync("ip", ["link", "set", far, "up"]);

  test(
    "from the first boot to a router that listens for calls, and all of it again after a restart",
    TIMEOUT,
    async (t) => {
      const { command, env, data } = await install(t);
      const first = new Terminal(t, command, env);
      await first.until("New password: ");
      first.type(`${PASSWORD}\r`);
      await first.until("Repeat password: ");
      first.type(`${PASSWORD}\r`);
      await first.until("culvert> ");
      first.type("configure\r");
      await first.until("culvert# ");
      for (const setting of [
        "interfaces wan address 203.0.113.1/24",
        "interfaces lan address 192.168.1.1/24",
        "vpn server enabled true",
        "vpn server pool start 192.168.1.200",
        "vpn server pool count 20",
        "vpn account alice password s3cret",
      ]) {
        first.type(`set ${setting}\r`);
        // The echo of what was typed, then the prompt: no error between.
        assert.equal(await first.until("culvert# "), `set ${setting}\r\nculvert# `);
      }
      first.type("commit\r");
      assert.match(await first.until("culvert# "), /PPTP is broken cryptography[\s\S]*Committed\.\r\n/);
      assert.match(
        execFileSync("ip", ["-4", "address"], { encoding: "utf8" }),
        /203\.0\.113\.1\/24[\s\S]*192\.168\.1\.1\/24/,
      );
      assert.match(execFileSync("ss", ["-ltn"], { encoding: "utf8" }), /0\.0\.0\.0:1723/);

      assert.equal(await first.terminate(), 0);
      assert.deepEqual(readdirSync(join(data, "config")).sort(), ["administrator", "config.1"]);
      execFileSync("ip", ["address", "flush", "dev", "eth1"]);

      const second = new Terminal(t, command, env);
      await second.until("culvert login: ");
      second.type(`admin\r${PASSWORD}\r`);
      await second.until("culvert> ");
      second.type("show interfaces\r");
      assert.match(await second.until("culvert> "), /eth1 +up +192\.168\.1\.1\/24/);
      // The cable is pulled: whoever plugs in the next one must log in.
      second.signal("SIGHUP");
      await second.until("culvert login: ");
      assert.equal(await second.terminate(), 0);
    },
  );

  test("on a pipe it works line by line, and the end of input is not the end of the router", TIMEOUT, async (t) => {
    const { command, env } = await install(t);
    const program = spawn("sh", ["-c", command], { env });
    t.after(() => program.kill("SIGKILL"));
    let text = "";
    const done = new Promise<void>((resolve) =>
      program.stdout.on("data", (bytes: Buffer) => {
        text += bytes.toString();
        if (/Culvert \d[\s\S]*> $/.test(text)) resolve();
      }),
    );
    program.stdin.end(`${PASSWORD}\n${PASSWORD}\nshow version\n`);
    await done;
    assert.ok(!text.includes("\r") && !text.includes(PASSWORD), text);
    assert.equal(program.exitCode, null);
    program.kill("SIGTERM");
    assert.deepEqual(await once(program, "exit"), [0, null]);
  });
});

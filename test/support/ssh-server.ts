/** A device on the bench behind a real dropbear, and OpenSSH's client for it. Needs root; run it in a network namespace. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { folderDisk } from "../../appliance/config/disk.ts";
import { kernelClock } from "../../appliance/linux/clock.ts";
import { localTransport } from "../../appliance/linux/local-transport.ts";
import { systemPrograms } from "../../appliance/linux/programs.ts";
import { loopTimers } from "../../appliance/linux/timers.ts";
import type { Programs } from "../../appliance/ports.ts";
import { SshService } from "../../appliance/service/ssh.ts";
import { compileHostPrograms } from "../../image/compile.ts";
import { BenchDevice } from "./bench-device.ts";
import type { TerminalCommand } from "./ssh-terminal.ts";

export const PASSWORD = "lab-Admin-1";
export const ADDRESS = "192.168.1.1";
const UID = 100;
/** Seen by dropbear in the place of the host's own. */
const SYSTEM_FILES = ["passwd", "group", "shells"] as const;

export interface Finished {
  readonly status: number | null;
  readonly output: Buffer;
  readonly error: string;
}

export class SshServer {
  readonly folder: string;
  readonly device: BenchDevice;
  readonly #service: SshService;

  private constructor(folder: string) {
    this.folder = folder;
    let made: SshService | undefined;
    this.device = new BenchDevice(undefined, undefined, undefined, (administrator, journal) => {
      made = new SshService({
        administrator,
        programs: this.#programs(),
        local: localTransport,
        random: { bytes: randomBytes },
        timers: loopTimers,
        clock: kernelClock,
        log: journal,
        disk: folderDisk(join(folder, "run")),
        folder: join(folder, "run"),
        home: join(folder, "home"),
        keys: folderDisk(join(folder, "home/.ssh"), "everybody"),
        hostKey: { disk: folderDisk(join(folder, "data")), folder: join(folder, "data") },
        passwordChecker: join(folder, "check-password.so"),
      });
      return made;
    });
    if (made === undefined) throw new Error("no service");
    this.#service = made;
  }

  /** SSH is on, with these settings besides. */
  static async start(...lines: readonly string[]): Promise<SshServer> {
    execFileSync("ip", ["address", "add", `${ADDRESS}/24`, "dev", "lo"]);
    const folder = mkdtempSync(join(tmpdir(), "culvert-ssh-"));
    chmodSync(folder, 0o755);
    // Copies: the account has no way into the folder of this checkout.
    for (const [name, path] of await compileHostPrograms()) {
      copyFileSync(path, join(folder, name));
      chmodSync(join(folder, name), 0o755);
    }
    mkdirSync(join(folder, "home"), { mode: 0o710 });
    execFileSync("chown", [`0:${UID}`, join(folder, "home")]);
    const shell = join(folder, "attach");
    writeFileSync(
      join(folder, "passwd"),
      `root:x:0:0::/root:/bin/sh\nadmin:x:${UID}:${UID}::${join(folder, "home")}:${shell}\n`,
    );
    writeFileSync(join(folder, "group"), `root:x:0:\ntty:x:5:\nadmin:x:${UID}:\n`);
    writeFileSync(join(folder, "shells"), `${shell}\n`);
    writeFileSync(join(folder, "askpass"), '#!/bin/sh\necho "$SSH_TEST_PASSWORD"\n', { mode: 0o755 });
    const server = new SshServer(folder);
    await server.device.appliance.administrator.setPassword(PASSWORD);
    server.commit("interfaces lan address 192.168.1.1/24", "system ssh enabled true", ...lines);
    await server.#listening();
    return server;
  }

  commit(...lines: readonly string[]): void {
    const edit = this.device.appliance.beginEdit("a test");
    for (const line of lines) {
      const words = line.split(" ");
      const refusal = words[0] === "delete" ? edit.delete(words.slice(1)) : edit.set(words);
      if (refusal !== undefined) throw new Error(`${line}: ${refusal.problem}`);
    }
    const committed = edit.commit();
    if (committed.result !== "committed" || committed.failures.length > 0) throw new Error(JSON.stringify(committed));
  }

  /** Makes a key pair; returns the path of the private one. The public one lies beside it. */
  key(name: string, ...type: readonly string[]): string {
    const file = join(this.folder, name);
    execFileSync("ssh-keygen", ["-q", "-N", "", "-C", `${name}@bench`, "-f", file, ...type]);
    return file;
  }

  /** `ssh` as admin: its options, and what to run there. */
  ssh(options: readonly string[], command: readonly string[], password = PASSWORD): ChildProcessWithoutNullStreams {
    return this.run("ssh", [...options, `admin@${ADDRESS}`, ...command], password);
  }
  /** A program of OpenSSH's; it cannot ask at a terminal. */
  run(name: string, arguments_: readonly string[], password = PASSWORD): ChildProcessWithoutNullStreams {
    const { program, words, env } = this.command(name, arguments_, password);
    return spawn(program, words, { env, detached: true });
  }
  command(program: string, words: readonly string[], password = PASSWORD): TerminalCommand {
    const settings = [
      "StrictHostKeyChecking=no",
      "UserKnownHostsFile=/dev/null",
      "LogLevel=ERROR",
      "ConnectTimeout=20",
    ];
    const options = [...settings, "NumberOfPasswordPrompts=1"].flatMap((setting) => ["-o", setting]);
    return {
      program,
      words: ["-F", "none", ...options, ...words],
      env: {
        ...process.env,
        SSH_AUTH_SOCK: "",
        SSH_ASKPASS: join(this.folder, "askpass"),
        SSH_ASKPASS_REQUIRE: "force",
        SSH_TEST_PASSWORD: password,
      },
    };
  }

  /** Kills what is left, and forgets the folder. */
  close(): void {
    this.#service.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Dropbear in a mount namespace of its own, where the account exists. */
  #programs(): Programs {
    const binds = SYSTEM_FILES.map((name) => `mount --bind ${join(this.folder, name)} /etc/${name}`).join(" && ");
    return {
      run: (command, input) => systemPrograms.run(command, input),
      start: ({ program, arguments: words }, events) => {
        const script = `${binds} && exec "$0" "$@"`;
        const wrapped = { program: "unshare", arguments: ["--mount", "sh", "-c", script, program, ...words] };
        return systemPrograms.start(wrapped, events);
      },
    };
  }

  async #listening(): Promise<void> {
    for (;;) {
      const socket = connect({ host: ADDRESS, port: 22 });
      const isUp = await once(socket, "connect").then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isUp) return;
    }
  }
}

/** Sends this input and waits for the end. */
export async function finish(client: ChildProcessWithoutNullStreams, input?: Buffer | string): Promise<Finished> {
  const output: Buffer[] = [];
  const error: Buffer[] = [];
  client.stdout.on("data", (bytes: Buffer) => output.push(bytes));
  client.stderr.on("data", (bytes: Buffer) => error.push(bytes));
  client.stdin.on("error", () => {});
  client.stdin.end(input);
  const [status] = (await once(client, "close")) as [number | null];
  return { status, output: Buffer.concat(output), error: Buffer.concat(error).toString() };
}

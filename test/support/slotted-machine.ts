/**
 * A board in QEMU that starts from a flashable disk by its own firmware and boot loader, as an administrator has it: a serial console,
 * and SSH over the LAN. `cutPower` is what it says.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { execa } from "execa";
import { systemClock } from "../../hil/clock.ts";
import { bounded } from "../../hil/console/pattern.ts";
import { Journal } from "../../hil/journal/journal.ts";
import type { DeviceImage } from "../../hil/node/device.ts";
import { DeviceConsole } from "../../hil/node/device-console.ts";
import { chooseAccelerator } from "../../hil/node/qemu/accelerator.ts";
import { Machine } from "../../hil/node/qemu/machine.ts";
import { Scope } from "../../hil/scope.ts";
import { projectRoot } from "./native.ts";

const PASSWORD = "lab-Admin-1";
const LAN = "192.168.1";
/** GRUB unpacks kernel and initramfs on an emulated processor; a firmware that is ill starts four times. */
const UP = { withinMs: 1_800_000, reason: "the device to come up" };
const SOON = { withinMs: 120_000, reason: "the device's answer" };
const PROMPT = bounded("\\nculvert> ");

export interface SlottedMachineOptions {
  /** What the disk is of. */
  readonly image: DeviceImage;
  readonly disk: string;
  /** Gets every write to the disk, in order (QEMU's blklogwrites). */
  readonly writeLog?: string;
  /** A file with an OpenSSH private key. */
  readonly sshKey: string;
}

export async function makeSshKey(folder: string): Promise<string> {
  const file = join(folder, "key");
  rmSync(file, { force: true }); // of an earlier run: ssh-keygen would ask
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  return file;
}

/** A TCP port of this computer that nobody had a moment ago. */
async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

export class SlottedMachine {
  readonly #machine: Machine;
  readonly #console: DeviceConsole;
  readonly #port: number;
  readonly #sshKey: string;
  readonly #scope: Scope;

  private constructor(machine: Machine, port: number, sshKey: string, scope: Scope) {
    this.#machine = machine;
    this.#console = new DeviceConsole(machine.console);
    this.#port = port;
    this.#sshKey = sshKey;
    this.#scope = scope;
  }

  /** The folder with its raw console stays, for whoever wonders. */
  static async start({ image, disk, writeLog, sshKey }: SlottedMachineOptions): Promise<SlottedMachine> {
    const port = await freePort();
    const forwarding = `hostfwd=tcp:127.0.0.1:${port}-${LAN}.1:22`;
    const spec = image.machine("device", disk, [
      { mac: "52:54:00:00:00:01", user: ["restrict=on"] },
      { mac: "52:54:00:00:00:02", user: [`net=${LAN}.0/24`, `host=${LAN}.2`, "restrict=on", forwarding] },
    ]);
    const disks = spec.disks.map((each) =>
      each.path === disk && writeLog !== undefined ? { ...each, writeLog } : each,
    );
    const clock = systemClock();
    const folder = mkdtempSync(join(tmpdir(), "cv-slots-"));
    const scope = new Scope();
    const machine = await Machine.start(
      { ...spec, disks },
      {
        ...{ clock, journal: new Journal(clock), instance: "slots", socketFolder: folder, runFolder: folder },
        accelerator: (await chooseAccelerator()).accelerator,
        adopt: (started) => void scope.own("the device", started),
      },
    );
    await machine.go();
    return new SlottedMachine(machine, port, sshKey, scope);
  }

  /** The first login of a new device: password, LAN address, SSH with our key, a PPTP server. */
  async setUp(): Promise<void> {
    await this.#machine.console.expect({ isNew: "New password: " }, UP);
    this.#machine.console.write(`${PASSWORD}\r`);
    await this.#machine.console.expect({ repeat: "Repeat password: " }, SOON);
    this.#machine.console.write(`${PASSWORD}\r`);
    await this.#machine.console.expect({ PROMPT }, SOON);
    const publicKey = execFileSync("ssh-keygen", ["-y", "-f", this.#sshKey], { encoding: "utf8" }).trim();
    const settings = [
      `interfaces lan address ${LAN}.1/24`,
      "system ssh enabled true",
      `system ssh key lab public-key ${publicKey.split(" ").slice(0, 2).join(" ")}`,
      "vpn server enabled true",
      `vpn server pool start ${LAN}.200`,
      "vpn server pool count 20",
    ];
    await this.run("terminal length 0");
    await this.#console.configure(settings.map((line) => `set ${line}`));
  }

  /** Waits for a device that was set up to start, and logs in on its serial console. */
  async logIn(): Promise<void> {
    const { console } = this.#machine;
    await console.expect({ login: "login: " }, UP);
    console.write("admin\r");
    await console.expect({ password: "Password: " }, SOON);
    console.write(`${PASSWORD}\r`);
    await console.expect({ PROMPT }, SOON);
    await this.run("terminal length 0");
  }

  /** What the logged-in administrator is told of both slots. */
  async slots(): Promise<string> {
    for (;;) {
      const said = await this.run("update");
      if (!said.includes("still being read")) return said;
    }
  }

  /** Logs in where that is not the case: an update has restarted the device. */
  async enter(): Promise<void> {
    await this.#console.enter("admin", PASSWORD);
  }

  /** A command on the serial console; returns what it printed. */
  async run(command: string): Promise<string> {
    return await this.#console.run(command, SOON.withinMs);
  }

  /** Gives these lines and commits them; returns what the device said to that. */
  async commit(lines: readonly string[]): Promise<string> {
    await this.run("configure");
    await this.#console.load("merge", lines);
    return await this.run("commit");
  }

  /** Switches it off as an administrator does: all that was written is on the disk. */
  async powerOff(): Promise<void> {
    await this.enter();
    this.#machine.console.write("poweroff\r");
    await this.#machine.console.expect({ off: "reboot: Power down" }, SOON);
    await this.cutPower();
  }

  get #sshOptions(): readonly string[] {
    return [
      `IdentityFile=${this.#sshKey}`,
      ...[
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
      ],
    ];
  }

  /** A command over SSH: what it said, and its exit status. */
  async ssh(command: string): Promise<{ readonly said: string; readonly status: number | undefined }> {
    const words = this.#sshOptions.flatMap((option) => ["-o", option]);
    const place = ["-p", String(this.#port), "admin@127.0.0.1"];
    const done = await execa("ssh", [...words, "-o", "ConnectTimeout=20", ...place, command], {
      all: true,
      reject: false,
    });
    return { said: done.all, status: done.exitCode };
  }

  /** `culvert flash BUNDLE --device`, as a person runs it. */
  async flash(bundle: string): Promise<{ readonly said: string; readonly status: number | undefined }> {
    const cli = join(projectRoot(), "dist/hil/cli.js");
    const device = `ssh://admin@127.0.0.1:${this.#port}`;
    const args = [cli, "flash", bundle, "--device", device, "--ssh-options", this.#sshOptions.join(",")];
    const done = await execa(process.execPath, args, { all: true, reject: false });
    return { said: done.all, status: done.exitCode };
  }

  async cutPower(): Promise<void> {
    await this.#scope.close();
  }
}

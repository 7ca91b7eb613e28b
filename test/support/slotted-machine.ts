/**
 * A PC in QEMU that starts from a flashable disk by its own BIOS and GRUB, as an administrator has it: a serial console, and SSH
 * over the LAN. `cutPower` is what it says.
 */
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { execa } from "execa";
import { projectRoot } from "./native.ts";
import { QemuConsole } from "./qemu-console.ts";

const PASSWORD = "lab-Admin-1";
const LAN = "192.168.1";
/** GRUB unpacks kernel and initramfs on an emulated processor; a firmware that is ill starts four times. */
const PATIENCE_MS = 1_200_000;

export interface SlottedMachineOptions {
  readonly disk: string;
  /** Gets every write to the disk, in order (QEMU's blklogwrites). */
  readonly writeLog?: string;
  /** A file with an OpenSSH private key. */
  readonly sshKey: string;
  readonly firmware: "bios" | "uefi";
}

export async function makeSshKey(folder: string): Promise<string> {
  const file = join(folder, "key");
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

const OVMF = ["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd"];

export class SlottedMachine {
  readonly console: QemuConsole;
  readonly port: number;
  readonly #options: SlottedMachineOptions;

  private constructor(options: SlottedMachineOptions, port: number) {
    this.#options = options;
    this.port = port;
    const { disk, writeLog } = options;
    const file = (filename: string) => ({ driver: "file", filename });
    const node =
      writeLog === undefined
        ? { driver: "raw", file: file(disk) }
        : { driver: "blklogwrites", file: file(disk), log: file(writeLog) };
    this.console = new QemuConsole(
      "qemu-system-x86_64",
      [
        ...["-accel", "tcg,tb-size=256", "-M", "q35", "-cpu", "max", "-m", "512", "-device", "virtio-rng-pci"],
        ...(options.firmware === "uefi" ? OVMF : []),
        ...["-blockdev", JSON.stringify({ ...node, "node-name": "disk" }), "-device", "virtio-blk-pci,drive=disk"],
        ...["-netdev", "user,id=wan,restrict=on", "-device", "virtio-net-pci,netdev=wan,romfile="],
        ...[
          "-netdev",
          `user,id=lan,net=${LAN}.0/24,host=${LAN}.2,restrict=on,hostfwd=tcp:127.0.0.1:${port}-${LAN}.1:22`,
        ],
        ...["-device", "virtio-net-pci,netdev=lan,romfile="],
      ],
      PATIENCE_MS,
    );
  }

  static async start(options: SlottedMachineOptions): Promise<SlottedMachine> {
    return new SlottedMachine(options, await freePort());
  }

  /** The first login of a new device: password, LAN address, SSH with our key, a PPTP server, and what else is given. */
  async setUp(...lines: readonly string[]): Promise<void> {
    const { console } = this;
    await console.expect(/New password: /);
    console.write(`${PASSWORD}\r`);
    await console.expect(/Repeat password: /);
    console.write(`${PASSWORD}\r`);
    await console.expect(/culvert> /);
    const publicKey = execFileSync("ssh-keygen", ["-y", "-f", this.#options.sshKey], { encoding: "utf8" }).trim();
    const settings = [
      `interfaces lan address ${LAN}.1/24`,
      "system ssh enabled true",
      `system ssh key lab public-key ${publicKey.split(" ").slice(0, 2).join(" ")}`,
      "vpn server enabled true",
      `vpn server pool start ${LAN}.200`,
      "vpn server pool count 20",
      ...lines,
    ];
    await this.run("configure", /culvert# /);
    for (const line of settings) await this.run(`set ${line}`, /culvert# /);
    const said = await this.run("commit", /culvert# /);
    if (!said.includes("Committed")) throw new Error(`not committed: ${said}`);
    await this.run("exit", /culvert> /);
  }

  /** Logs in on the serial console of a device that was set up; returns the greeting. */
  async logIn(): Promise<string> {
    const { console } = this;
    const from = await console.expect(/login: $/);
    console.write("admin\r");
    const asked = await console.expect(/Password: /, from);
    console.write(`${PASSWORD}\r`);
    const end = await console.expect(/culvert> /, asked);
    return console.seen.slice(asked, end);
  }

  /** Types a command on the serial console; returns everything until `prompt`. */
  async run(command: string, prompt = /culvert> /): Promise<string> {
    const from = this.console.seen.length;
    this.console.write(`${command}\r`);
    const echoed = await this.console.expect(/\n/, from);
    const end = await this.console.expect(prompt, echoed);
    return this.console.seen.slice(echoed, end);
  }

  get #sshOptions(): readonly string[] {
    return [
      `IdentityFile=${this.#options.sshKey}`,
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
    const place = ["-p", String(this.port), "admin@127.0.0.1"];
    const done = await execa("ssh", [...words, "-o", "ConnectTimeout=10", ...place, command], {
      all: true,
      reject: false,
    });
    return { said: done.all, status: done.exitCode };
  }

  /** `culvert flash BUNDLE --device`, as a person runs it. */
  async flash(bundle: string): Promise<{ readonly said: string; readonly status: number | undefined }> {
    const cli = join(projectRoot(), "dist/hil/cli.js");
    const device = `ssh://admin@127.0.0.1:${this.port}`;
    const args = [cli, "flash", bundle, "--device", device, "--ssh-options", this.#sshOptions.join(",")];
    const done = await execa(process.execPath, args, { all: true, reject: false });
    return { said: done.all, status: done.exitCode };
  }

  async cutPower(): Promise<void> {
    this.console.kill();
    await this.console.stopped();
  }
}

/** `culvert lab prepare-windows`: a disc that installs Windows unattended, with keys of its own, and what to type next. */
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { execa } from "execa";
import { workFolder } from "../../../image/project.ts";
import { Fault } from "../../fault.ts";
import { UsageError } from "../../usage-error.ts";
import { DEFAULT_USER } from "./options.ts";
import { setupScript, unattendXml } from "./unattend.ts";

export interface PrepareOptions {
  readonly output?: string;
  /** The contents of the virtio-win disc: drivers, and the guest agent's MSI. */
  readonly virtio?: string;
  readonly user?: string;
  readonly "product-key"?: string;
}

const COMPUTER = "CULVERT-LAB";
/** What of virtio-win the lab's machine can use: the agent's port. Disks and network cards are ones that Windows knows. */
const DRIVERS = ["vioserial", "guest-agent"];

/** Writes the disc and its key, tells what to type next. Returns the exit status. */
export async function prepareWindows(options: PrepareOptions): Promise<number> {
  const { user = DEFAULT_USER, "product-key": productKey } = options;
  if (!/^[\w-]{1,20}$/.test(user)) throw new UsageError(`--user ${user}: give up to 20 letters, digits, - and _`);
  if (productKey !== undefined && !/^([A-Z0-9]{5}-){4}[A-Z0-9]{5}$/.test(productKey))
    throw new UsageError(`--product-key ${productKey}: give five groups of five letters and digits`);
  if (options.virtio !== undefined && !(existsSync(options.virtio) && statSync(options.virtio).isDirectory()))
    throw new UsageError(`--virtio ${options.virtio}: give a folder with the contents of virtio-win.iso`);
  const output = resolve(options.output ?? join(workFolder, "windows"));
  mkdirSync(output, { recursive: true });
  const keyFile = join(output, "ssh-key");
  if (!existsSync(keyFile))
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "culvert-lab", "-f", keyFile]);
  const password = passwordOf(output);
  const disc = join(output, "disc");
  rmSync(disc, { recursive: true, force: true });
  mkdirSync(join(disc, "culvert/virtio"), { recursive: true });
  const publicKey = readFileSync(`${keyFile}.pub`, "utf8").trim();
  const settings = { user, password, productKey, publicKey, computerName: COMPUTER };
  writeFileSync(join(disc, "Autounattend.xml"), unattendXml(settings).replaceAll("\n", "\r\n"));
  writeFileSync(join(disc, "culvert/setup.ps1"), `\uFEFF${setupScript(settings)}`.replaceAll("\n", "\r\n"));
  const found = DRIVERS.filter((name) => options.virtio !== undefined && existsSync(join(options.virtio, name)));
  for (const name of found)
    cpSync(join(options.virtio ?? "", name), join(disc, "culvert/virtio", name), { recursive: true });
  const iso = join(output, "culvert-windows.iso");
  await makeIso(disc, iso);
  console.log(nextSteps(output, { user, hasAgent: found.includes("guest-agent") }));
  return 0;
}

/** Kept beside the disc: it opens nothing but a lab's machine. */
function passwordOf(output: string): string {
  const file = join(output, "password");
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(9).toString("base64url")}aA1\n`, { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}

/** With the tool that is there: both are Debian's. */
async function makeIso(folder: string, iso: string): Promise<void> {
  const args = ["-quiet", "-J", "-r", "-V", "CULVERT", "-o", iso, folder];
  for (const command of [["xorriso", "-as", "mkisofs"], ["genisoimage"]]) {
    const [program = "", ...first] = command;
    const made = await execa(program, [...first, ...args], { reject: false, all: true });
    if (made.exitCode === 0) return;
    if (made.exitCode !== undefined) throw new Fault("host", `${program} failed: ${made.all}`);
  }
  throw new Fault("host", "neither xorriso nor genisoimage is installed: apt install xorriso");
}

function nextSteps(output: string, { user, hasAgent }: { user: string; hasAgent: boolean }): string {
  const at = (name: string): string => join(relative(process.cwd(), output) || ".", name);
  const agent = hasAgent
    ? "the guest agent is on the disc"
    : "without --virtio the disc has no guest agent: the lab will need ssh, for which Windows fetches its OpenSSH from the Internet";
  return `made ${at("culvert-windows.iso")}; ${agent}

1. Install, once, with a Windows disc of yours (it takes 15 to 40 minutes, asks nothing and switches itself off):
   qemu-img create -f qcow2 ${at("win.qcow2")} 64G
   cp /usr/share/OVMF/OVMF_VARS_4M.fd ${at("vars.fd")}
   qemu-system-x86_64 -accel kvm -machine q35 -cpu host -smp 2 -m 4096 -rtc base=localtime \\
     -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \\
     -drive if=pflash,format=raw,file=${at("vars.fd")} \\
     -drive if=none,id=disk,file=${at("win.qcow2")} -device ide-hd,drive=disk,bus=ide.0 \\
     -drive media=cdrom,file=WINDOWS.iso -drive media=cdrom,file=${at("culvert-windows.iso")} \\
     -device virtio-serial-pci -nic user,model=e1000e
   When "Press any key to boot from CD" appears, press one.
2. Run the lab:
   CULVERT_WINDOWS_PASSWORD=$(cat ${at("password")}) culvert lab run --peer windows \\
     --image ${at("win.qcow2")} --ssh-key ${at("ssh-key")} --windows-user ${user}`;
}

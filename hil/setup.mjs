/** Makes a fresh Debian or Ubuntu machine ready: npm packages and Debian packages. Plain JavaScript without dependencies, as it runs before they exist. */
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const OLDEST_NODE = [20, 19];

/**
 * What must be on the machine, by a program or file that shows it, and the Debian package that brings it.
 * @type {readonly { package: string, shows: string, for: "run" | "tests" }[]}
 */
export const NEEDED = [
  { package: "qemu-system-x86", shows: "qemu-system-x86_64", for: "run" },
  { package: "squashfs-tools", shows: "mksquashfs", for: "run" },
  { package: "kmod", shows: "depmod", for: "run" },
  { package: "xz-utils", shows: "xz", for: "run" },
  { package: "gcc", shows: "gcc", for: "run" },
  { package: "gcc-aarch64-linux-gnu", shows: "aarch64-linux-gnu-gcc", for: "tests" },
  { package: "gcc-mipsel-linux-gnu", shows: "mipsel-linux-gnu-gcc", for: "tests" },
  { package: "qemu-system-mips", shows: "qemu-system-mipsel", for: "tests" },
  { package: "libc6-dev", shows: "/usr/include/stdio.h", for: "run" },
  { package: "util-linux", shows: "setpriv", for: "run" },
  { package: "debian-archive-keyring", shows: "/usr/share/keyrings/debian-archive-keyring.gpg", for: "run" },
  { package: "tshark", shows: "tshark", for: "tests" },
  { package: "qemu-system-arm", shows: "qemu-system-aarch64", for: "tests" },
  { package: "u-boot-qemu", shows: "/usr/lib/u-boot/qemu_arm64/u-boot.bin", for: "tests" },
  { package: "u-boot-tools", shows: "dumpimage", for: "tests" },
  { package: "gdisk", shows: "sgdisk", for: "tests" },
  { package: "dosfstools", shows: "fsck.fat", for: "tests" },
  { package: "lrzsz", shows: "rb", for: "tests" },
  { package: "openssl", shows: "openssl", for: "tests" },
  { package: "mtools", shows: "mcopy", for: "tests" },
  { package: "cpio", shows: "cpio", for: "tests" },
  { package: "ser2net", shows: "ser2net", for: "tests" },
  { package: "chromium", shows: "chromium", for: "tests" },
  { package: "iproute2", shows: "ip", for: "tests" },
  { package: "iputils-ping", shows: "ping", for: "tests" },
  { package: "udhcpc", shows: "udhcpc", for: "tests" },
  { package: "dnsmasq-base", shows: "dnsmasq", for: "tests" },
  { package: "nftables", shows: "nft", for: "tests" },
  { package: "snmpd", shows: "snmpd", for: "tests" },
  { package: "freeradius", shows: "freeradius", for: "tests" },
  { package: "freeradius-utils", shows: "radclient", for: "tests" },
  { package: "qemu-utils", shows: "qemu-io", for: "tests" },
  { package: "e2fsprogs", shows: "debugfs", for: "tests" },
  { package: "openssh-server", shows: "sshd", for: "tests" },
  { package: "xorriso", shows: "xorriso", for: "tests" },
  { package: "openssh-client", shows: "ssh", for: "tests" },
  { package: "python3-scapy", shows: "/usr/bin/scapy", for: "tests" },
  { package: "nmap", shows: "nmap", for: "tests" },
  { package: "dropbear-bin", shows: "dropbear", for: "tests" },
];

/** One line that says why this Node cannot be used, or undefined. */
export function nodeProblem(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldMajor, oldMinor] = OLDEST_NODE;
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return undefined;
  return `Node.js ${version} is too old: Culvert needs ${OLDEST_NODE.join(".")} or later (https://nodejs.org, or Debian's package nodejs of a newer release)`;
}

/** The packages whose sign is absent. `has` answers for one program name or absolute path. */
export function missingPackages(withTests, has = isThere) {
  return NEEDED.filter((need) => (withTests || need.for === "run") && !has(need.shows)).map((need) => need.package);
}

/**
 * What to do about missing Debian packages: nothing, run apt-get (`prefix` before it), or tell the user in one line.
 * @param {{ missing: readonly string[], hasApt: boolean, isRoot: boolean, sudoWorks: boolean }} machine
 */
export function planPackages({ missing, hasApt, isRoot, sudoWorks }) {
  if (missing.length === 0) return { kind: "nothing" };
  const names = missing.join(" ");
  if (!hasApt) {
    return {
      kind: "tell",
      line: `this is not Debian or Ubuntu (no apt-get); install what these Debian packages hold, then try again: ${names}`,
    };
  }
  if (isRoot) return { kind: "install", prefix: [] };
  if (sudoWorks) return { kind: "install", prefix: ["sudo", "-n"] };
  return {
    kind: "tell",
    line: `Debian packages are missing; run this once, then try again: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${names}`,
  };
}

/** Whether `npm install` must run: times in ms of package-lock.json and of what npm left in node_modules (undefined: nothing). */
export function npmInstallNeeded(lockTime, installedTime) {
  return installedTime === undefined || installedTime < lockTime;
}

/** Does all of the above. Resolves to the process's exit status: 0, 1 when an installation failed, 2 when the user must act. */
export async function setUp({ withTests }) {
  const problem = nodeProblem(process.versions.node);
  if (problem !== undefined) return fail(problem, 2);

  const missing = missingPackages(withTests, isThere);
  const plan = planPackages({
    missing,
    hasApt: missing.length === 0 || isThere("apt-get"),
    isRoot: process.getuid?.() === 0,
    sudoWorks: missing.length > 0 && process.getuid?.() !== 0 && (await run(["sudo", "-n", "true"])).ok,
  });
  if (plan.kind === "tell") return fail(plan.line, 2);
  if (plan.kind === "install") {
    console.error(`setup: installing Debian packages, this takes a minute or two: ${missing.join(" ")}`);
    const install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...missing];
    for (const command of [["apt-get", "update", "-qq"], install]) {
      const apt = [...plan.prefix, "env", "DEBIAN_FRONTEND=noninteractive", ...command];
      const done = await run(apt);
      if (!done.ok) return fail(`\`${apt.join(" ")}\` failed:\n${done.output}`, 1);
    }
  }

  const lock = timeOf(join(ROOT, "package-lock.json"));
  if (lock === undefined) return fail("package-lock.json is missing: this checkout is not complete", 2);
  if (npmInstallNeeded(lock, timeOf(join(ROOT, "node_modules/.package-lock.json")))) {
    console.error("setup: installing npm packages");
    // Not `npm ci`: npm 11 refuses a lock that was written where a registry lacks the optional packages of other platforms.
    // The lock's versions and checksums hold here too, and --no-save leaves the lock as it is.
    const done = await run(["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
    if (!done.ok) return fail(`\`npm install\` failed:\n${done.output}`, 1);
  }
  return 0;
}

function fail(line, status) {
  console.error(`setup: ${line}`);
  return status;
}

/** A silent installation says that it still runs, and is ended when it must be stuck. */
const INSTALLING = { noteEveryMs: 30_000, limitMs: 20 * 60_000 };

/**
 * Runs a command that reads nothing from the terminal and keeps the first and the last lines of its output for an error.
 * @param {readonly string[]} command
 */
export function run([program, ...args], { noteEveryMs, limitMs } = INSTALLING) {
  return new Promise((resolve) => {
    let output = "";
    let stuck = false;
    const startedMs = performance.now();
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    const note = setInterval(() => {
      const seconds = Math.round((performance.now() - startedMs) / 1000);
      console.error(`setup: \`${program}\` is still at work after ${seconds} s`);
    }, noteEveryMs);
    const limit = setTimeout(() => {
      stuck = true;
      child.kill();
    }, limitMs);
    const end = (ok) => {
      clearInterval(note);
      clearTimeout(limit);
      if (stuck)
        output = `${output.trimEnd()}\nended after ${limitMs / 1000} s: look at the network, or at the settings of the registry`;
      resolve({ ok, output: shorten(output) });
    };
    child.on("error", (error) => {
      output += error.message;
      end(false);
    });
    child.on("close", (status) => end(status === 0));
  });
}

function shorten(output) {
  const lines = output.trim().split("\n");
  // npm says what is wrong first and prints its manual after that; apt-get says it last.
  return (lines.length <= 20 ? lines : [...lines.slice(0, 8), "...", ...lines.slice(-11)]).join("\n");
}

function isThere(sign) {
  if (sign.startsWith("/")) return existsSync(sign);
  // Debian keeps system programs off a user's PATH.
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"].filter((folder) => folder !== "");
  return folders.some((folder) => isExecutable(join(folder, sign)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function timeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  const unknown = process.argv.slice(2).find((word) => word !== "--tests");
  process.exitCode =
    unknown === undefined
      ? await setUp({ withTests: process.argv.includes("--tests") })
      : fail(`'${unknown}' is not known; usage: node hil/setup.mjs [--tests]`, 2);
}

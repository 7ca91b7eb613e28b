/** The machine as the kernel describes it in /proc and /sys. */
import { readFileSync } from "node:fs";
import type { Machine, Watchdog } from "../ports.ts";

const WATCHDOG_FOLDER = "/sys/class/watchdog/watchdog0";
/** WDIOF_CARDRESET of linux/watchdog.h: the last reset was the watchdog's. */
const CARD_RESET = 0x20;

export function kernelMachine(): Machine {
  return {
    bootId: read("/proc/sys/kernel/random/boot_id") ?? "",
    uptimeMs: () => Number(read("/proc/uptime")?.split(" ")[0] ?? 0) * 1000,
    memory: () => parseMemory(read("/proc/meminfo") ?? ""),
    watchdog: () => readWatchdog(WATCHDOG_FOLDER),
  };
}

/** The text of /proc/meminfo; what is not in it counts as 0. */
export function parseMemory(text: string): ReturnType<Machine["memory"]> {
  const bytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  return { totalBytes: bytes("MemTotal"), availableBytes: bytes("MemAvailable") };
}

/** `folder`: the attributes of one watchdog; undefined when it is not there. */
export function readWatchdog(folder: string): Watchdog | undefined {
  const name = read(`${folder}/identity`);
  if (name === undefined) return undefined;
  const timeoutS = Number(read(`${folder}/timeout`) ?? 0);
  // The kernel prints it as a plain number, some drivers with 0x.
  const causedReset = (Number(read(`${folder}/bootstatus`) ?? 0) & CARD_RESET) !== 0;
  return { name, timeoutS, causedReset };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

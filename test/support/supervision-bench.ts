/** What supervises an app in memory: a machine that tests start again, and the app's lives on it. */
import type { Disk } from "../../appliance/config/disk.ts";
import type { Machine, Watchdog } from "../../appliance/ports.ts";
import type { Journal } from "../../appliance/service/journal.ts";
import { type Lives, Supervision } from "../../appliance/service/supervision.ts";
import { FakeDisk } from "./fake-disk.ts";

export class FakeMachine implements Machine {
  bootId = "boot-1";
  upMs = 0;
  dog: Watchdog | undefined;

  uptimeMs(): number {
    return this.upMs;
  }
  memory(): ReturnType<Machine["memory"]> {
    return { totalBytes: 512_000_000, availableBytes: 300_000_000 };
  }
  watchdog(): Watchdog | undefined {
    return this.dog;
  }
}

export const FIRST_LIFE: Lives = { restarts: 0, lastEnd: undefined };

export function supervisionOf(
  journal: Journal,
  wallClock: () => Date,
  {
    disk = new FakeDisk(),
    machine = new FakeMachine(),
    lives = FIRST_LIFE,
  }: { disk?: Disk; machine?: Machine; lives?: Lives } = {},
): Supervision {
  return new Supervision({ disk, machine, journal, wallClock, version: "1.2.3", lives });
}

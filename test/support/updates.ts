/** The update service of a device on a medium in memory, healthy in every way. */
import type { Clock, Log, Net, Power, Timers } from "../../appliance/ports.ts";
import { Updates } from "../../appliance/service/updates.ts";
import { FakeDisk } from "./fake-disk.ts";
import { FakeFlash } from "./fake-flash.ts";

interface Surroundings {
  readonly net: Net;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly power: Power;
  readonly log: Log;
}

/** Not started out of a slot unless `flash` says so. */
export function updatesOn(surroundings: Surroundings, flash: FakeFlash = slotless()): Updates {
  return new Updates({
    ...surroundings,
    flash,
    board: "x86_64",
    complaints: () => Promise.resolve([]),
    disk: new FakeDisk(),
    runDisk: new FakeDisk(),
  });
}

/** Of a system that was not started out of a slot. */
export function slotless(): FakeFlash {
  const flash = new FakeFlash(Buffer.alloc(0));
  flash.booted = undefined;
  return flash;
}

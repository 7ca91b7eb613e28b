/** The remote login over fakes: programs, sockets and files are in memory. */
import type { Clock, Timers } from "../../appliance/ports.ts";
import type { Administrator } from "../../appliance/service/administrator.ts";
import type { Journal } from "../../appliance/service/journal.ts";
import { SshService } from "../../appliance/service/ssh.ts";
import { FakeDisk } from "./fake-disk.ts";
import { FakeLocal } from "./fake-local.ts";
import type { FakePrograms } from "./fake-programs.ts";

export interface SshBenchParts {
  readonly administrator: Administrator;
  readonly programs: FakePrograms;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly journal: Journal;
}

export class SshBench {
  readonly local = new FakeLocal();
  readonly authorizedKeys = new FakeDisk();
  readonly hostKeys = new FakeDisk();
  readonly service: SshService;

  constructor({ administrator, programs, clock, timers, journal }: SshBenchParts) {
    this.service = new SshService({
      administrator,
      programs,
      local: this.local,
      random: { bytes: (length) => Buffer.alloc(length, 7) },
      timers,
      clock,
      log: journal,
      disk: new FakeDisk(),
      folder: "/run/culvert",
      home: "/run/admin",
      keys: this.authorizedKeys,
      hostKey: { disk: this.hostKeys, folder: "/data/ssh" },
      passwordChecker: "/check-password.so",
    });
  }
}

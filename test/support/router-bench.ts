/** A router over fakes: its kernel, programs, sockets and files are in memory. */
import type { Clock, Timers, WallClock } from "../../appliance/ports.ts";
import type { Journal } from "../../appliance/service/journal.ts";
import { Network } from "../../appliance/service/network.ts";
import { Router } from "../../appliance/service/router.ts";
import { FakeDisk } from "./fake-disk.ts";
import type { FakeNet } from "./fake-net.ts";
import { FakePrograms } from "./fake-programs.ts";
import { FakeSend, FakeUdp } from "./fake-send.ts";

export interface RouterBenchParts {
  readonly net: FakeNet;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly wallClock: WallClock;
  readonly journal: Journal;
}

export class RouterBench {
  readonly programs = new FakePrograms();
  readonly udp = new FakeUdp();
  readonly tcp = new FakeSend();
  /** What daemons are told. */
  readonly volatile = new FakeDisk();
  readonly leases = new FakeDisk();
  readonly router: Router;

  constructor(parts: RouterBenchParts) {
    this.router = new Router({
      ...parts,
      log: parts.journal,
      network: new Network(parts.net, parts.journal),
      programs: this.programs,
      random: { bytes: (length) => Buffer.alloc(length, 7) },
      udp: this.udp,
      tcp: this.tcp,
      disk: this.volatile,
      folder: "/run/culvert",
      leaseScript: "/report-lease",
      leases: { disk: this.leases, folder: "/data/dhcp" },
    });
  }
}

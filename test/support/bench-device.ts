/** A whole appliance over fakes: disk, kernel and clock in memory, tunnels that only remember what they were told. */

import { startRemote } from "../../appliance/cli/remote.ts";
import type { VpnSettings } from "../../appliance/config/settings.ts";
import { ConfigStore } from "../../appliance/config/store.ts";
import type { Power, SystemError } from "../../appliance/ports.ts";
import type { RadiusStatus } from "../../appliance/radius/client.ts";
import { Administrator } from "../../appliance/service/administrator.ts";
import { Appliance, type Vpn } from "../../appliance/service/appliance.ts";
import { describeFirmware } from "../../appliance/service/firmware.ts";
import { Journal } from "../../appliance/service/journal.ts";
import { Ports } from "../../appliance/service/ports.ts";
import type { SshService } from "../../appliance/service/ssh.ts";
import { Tracer } from "../../appliance/service/trace.ts";
import type { ClientStatus } from "../../appliance/service/vpn.ts";
import type { SessionStatus } from "../../appliance/tunnel/status.ts";
import { FakeDisk } from "./fake-disk.ts";
import type { FakeFlash } from "./fake-flash.ts";
import { FakeNet } from "./fake-net.ts";
import { ManualClock } from "./manual-clock.ts";
import { RouterBench } from "./router-bench.ts";
import { SshBench } from "./ssh-bench.ts";
import { supervisionOf } from "./supervision-bench.ts";
import { slotless, updatesOn } from "./updates.ts";

export class RecordingVpn implements Vpn {
  readonly applied: VpnSettings[] = [];
  live: SessionStatus[] = [];
  configured: ClientStatus[] = [];
  radiusStatus: RadiusStatus = { servers: [], waiting: 0, lost: 0 };
  readonly dialed: string[] = [];
  closed = false;
  /** What the kernel refuses from now on. */
  refusal: SystemError | undefined;

  apply(settings: VpnSettings): void {
    if (this.refusal !== undefined) throw this.refusal;
    this.applied.push(settings);
  }
  sessions(): readonly SessionStatus[] {
    return this.live;
  }
  clients(): readonly ClientStatus[] {
    return this.configured;
  }
  radius(): RadiusStatus {
    return this.radiusStatus;
  }
  dial(name: string): boolean {
    this.dialed.push(name);
    return this.configured.some((client) => client.name === name);
  }
  hangUp(id: number): boolean {
    const before = this.live.length;
    this.live = this.live.filter((session) => session.id !== id);
    return this.live.length < before || this.configured.some((client) => client.id === id);
  }
  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

export class BenchDevice {
  readonly disk: FakeDisk;
  readonly net = new FakeNet("eth0", "eth1");
  readonly clock = new ManualClock();
  readonly vpn = new RecordingVpn();
  readonly bench: RouterBench;
  readonly ssh: SshBench;
  /** How far the time of day is ahead of the clock that tests move. */
  timeOfDayMs = Date.UTC(2026, 10, 22, 10);
  readonly powered: string[] = [];
  readonly tracer: Tracer;
  readonly appliance: Appliance;

  /** Boots from this disk; `before` prepares the fakes; `ssh` is the remote login in the place of the fake one. */
  constructor(
    disk: FakeDisk = new FakeDisk(),
    before: (bench: RouterBench) => void = () => {},
    flash: FakeFlash = slotless(),
    ssh?: (administrator: Administrator, journal: Journal) => SshService,
  ) {
    this.disk = disk;
    const wallClock = (): Date => new Date(this.timeOfDayMs + this.clock.now());
    const journal = new Journal(wallClock);
    this.tracer = new Tracer(wallClock);
    const wall = {
      nowMs: () => wallClock().getTime(),
      setMs: (time: number) => {
        this.timeOfDayMs = time - this.clock.now();
      },
    };
    this.bench = new RouterBench({ net: this.net, clock: this.clock, timers: this.clock, wallClock: wall, journal });
    before(this.bench);
    const power: Power = {
      reboot: () => this.powered.push("reboot"),
      powerOff: () => this.powered.push("off"),
    };
    const administrator = new Administrator(disk, this.clock, { bytes: (length) => Buffer.alloc(length, 7) });
    const { programs } = this.bench;
    this.ssh = new SshBench({ administrator, programs, clock: this.clock, timers: this.clock, journal });
    this.appliance = new Appliance({
      store: new ConfigStore(disk),
      administrator,
      ssh: ssh?.(administrator, journal) ?? this.ssh.service,
      router: this.bench.router,
      vpn: this.vpn,
      ports: new Ports({ net: this.net, cards: () => [], messages: () => [], table: undefined, log: journal }),
      net: this.net,
      tracer: this.tracer,
      journal,
      power,
      clock: this.clock,
      timers: this.clock,
      wallClock,
      supervision: supervisionOf(journal, wallClock),
      firmware: describeFirmware({ kernel: "6.1.0-56-amd64", node: "v18.20.4", record: undefined }),
      updates: updatesOn({ net: this.net, clock: this.clock, timers: this.clock, power, log: journal }, flash),
    });
    startRemote(this.appliance, this.clock);
    this.appliance.start();
  }

  logText(): string {
    return this.appliance
      .lastLog(1000)
      .map(({ level, area, text }) => `${level} ${area}: ${text}`)
      .join("\n");
  }
}

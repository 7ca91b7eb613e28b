/** The VPN service of a whole device on networks in memory, with a clock that the test moves. */
import { type Clock, type DatagramTransport, Millis, type Timers } from "../../appliance/ports.ts";
import { VpnService } from "../../appliance/service/vpn.ts";
import type { Account, ClientSettings, ServerSettings } from "../../appliance/tunnel/settings.ts";
import type { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { CLIENT_SETTINGS } from "./dialer.ts";
import { FakeControlNet } from "./fake-control.ts";
import { FakeDatagramNet } from "./fake-datagrams.ts";
import { FakeGreNet } from "./fake-gre.ts";
import { FakeNet } from "./fake-net.ts";
import { NO_RADIUS } from "./radius-server.ts";
import { ALICE, SERVER_SETTINGS } from "./scripted-caller.ts";
import { SeededRandom } from "./seeded-random.ts";

const OFF = { ...SERVER_SETTINGS, enabled: false };

/** Time stands still until the test lets it go. */
export class Alarm implements Timers {
  now = 0;
  #set: { readonly at: number; readonly run: () => void }[] = [];

  after(delayMs: number, run: () => void): { cancel(): void } {
    const entry = { at: this.now + delayMs, run };
    this.#set.push(entry);
    return {
      cancel: () => {
        this.#set = this.#set.filter((other) => other !== entry);
      },
    };
  }
  get armed(): number {
    return this.#set.length;
  }
  async advance(milliseconds: number): Promise<void> {
    const until = this.now + milliseconds;
    for (;;) {
      await quiet();
      const [next] = this.#set.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#set = this.#set.filter((other) => other !== next);
      this.now = next.at;
      next.run();
    }
    this.now = until;
  }
}
/** Everything that travels in microtasks has arrived. */
export const quiet = () => new Promise((resolve) => setImmediate(resolve));

export const wires = () => ({ gre: new FakeGreNet(), control: new FakeControlNet(), udp: new FakeDatagramNet() });

/** What devices of one test share; real UDP needs the real `time`. */
interface Wires extends Omit<ReturnType<typeof wires>, "udp"> {
  readonly udp: { host(address: Ipv4): DatagramTransport };
  readonly time?: { readonly clock: Clock; readonly timers: Timers };
}

export class Device {
  readonly alarm = new Alarm();
  readonly net: FakeNet;
  readonly log: string[] = [];
  readonly vpn: VpnService;

  constructor(address: Ipv4, { gre, control, udp, time }: Wires, ...taken: readonly string[]) {
    this.net = new FakeNet("wan", ...taken);
    this.net.setUp("wan", true);
    this.net.addAddress("wan", { address, length: 24 });
    this.net.setDefaultGateway((address + 100) as Ipv4);
    this.net.changes.length = 0;
    this.vpn = new VpnService({
      clock: time?.clock ?? { now: () => Millis(this.alarm.now) },
      random: new SeededRandom(address),
      timers: time?.timers ?? this.alarm,
      net: this.net,
      gre: gre.host(address),
      control: control.host(address),
      datagrams: udp.host(address),
      log: { write: (level, _area, text) => this.log.push(`${level} ${text}`) },
    });
  }
  serve(settings: Partial<ServerSettings> = {}, accounts: readonly Account[] = [ALICE], radius = NO_RADIUS): this {
    this.vpn.apply({ server: { ...SERVER_SETTINGS, ...settings }, accounts, clients: [], radius });
    return this;
  }
  /** A client of `SERVER`. */
  call(settings: Partial<ClientSettings> = {}): this {
    this.vpn.apply({ server: OFF, accounts: [], clients: [{ ...CLIENT_SETTINGS, ...settings }], radius: NO_RADIUS });
    this.vpn.dial("office");
    return this;
  }
  get tunnels(): string[] {
    return this.net.interfaces().flatMap(({ name, mac }) => (mac === undefined ? [name] : []));
  }
  get states(): string[] {
    return this.vpn.sessions().map(({ state }) => state);
  }
}

/** Time passes for both. */
export async function advance(milliseconds: number, ...devices: readonly Device[]): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 50) for (const { alarm } of devices) await alarm.advance(50);
}

/** The VPN service and the system: what it does when the kernel, the port or the peer does not play along. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlSocket, Millis, type Timers } from "../../appliance/ports.ts";
import { VpnService } from "../../appliance/service/vpn.ts";
import type { ClientSettings, ServerSettings } from "../../appliance/tunnel/settings.ts";
import type { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { CLIENT, CLIENT_SETTINGS, SERVER } from "../support/dialer.ts";
import { FakeControlNet } from "../support/fake-control.ts";
import { FakeGreNet } from "../support/fake-gre.ts";
import { FakeNet } from "../support/fake-net.ts";
import { ip } from "../support/link-end.ts";
import { ALICE, SERVER_SETTINGS } from "../support/scripted-caller.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const OFF = { ...SERVER_SETTINGS, enabled: false };

/** Time stands still until the test lets it go. */
class Alarm implements Timers {
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
const quiet = () => new Promise((resolve) => setImmediate(resolve));

const wires = () => ({ gre: new FakeGreNet(), control: new FakeControlNet() });

class Device {
  readonly alarm = new Alarm();
  readonly net: FakeNet;
  readonly log: string[] = [];
  readonly vpn: VpnService;

  constructor(address: Ipv4, { gre, control }: ReturnType<typeof wires>, ...taken: readonly string[]) {
    this.net = new FakeNet("wan", ...taken);
    this.net.setUp("wan", true);
    this.net.addAddress("wan", { address, length: 24 });
    this.net.setDefaultGateway((address + 100) as Ipv4);
    this.net.changes.length = 0;
    this.vpn = new VpnService({
      clock: { now: () => Millis(this.alarm.now) },
      random: new SeededRandom(address),
      timers: this.alarm,
      net: this.net,
      gre: gre.host(address),
      control: control.host(address),
      log: { write: (level, _area, text) => this.log.push(`${level} ${text}`) },
    });
  }
  serve(settings: Partial<ServerSettings> = {}): this {
    this.vpn.apply({ server: { ...SERVER_SETTINGS, ...settings }, accounts: [ALICE], clients: [] });
    return this;
  }
  /** A client of `SERVER`. */
  call(settings: Partial<ClientSettings> = {}): this {
    this.vpn.apply({ server: OFF, accounts: [], clients: [{ ...CLIENT_SETTINGS, ...settings }] });
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
async function advance(milliseconds: number, ...devices: readonly Device[]): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 50) for (const { alarm } of devices) await alarm.advance(50);
}

async function connected() {
  const between = wires();
  const server = new Device(SERVER, between).serve();
  const client = new Device(CLIENT, between).call();
  await advance(1000, server, client);
  assert.deepEqual([server.states, client.states], [["connected"], ["connected"]], client.log.join("\n"));
  return { server, client };
}

test("a connection has an interface on both sides and a host route on the client's; hanging up takes all of it away", async () => {
  const { server, client } = await connected();
  assert.deepEqual([server.tunnels, client.tunnels], [["pptp0"], ["pptp0"]]);
  assert.ok(client.net.changes.some((change) => change.startsWith("route 203.0.113.1/32 by ")));
  assert.ok(client.vpn.hangUp(client.vpn.sessions()[0]?.id ?? 0));
  await advance(1000, server, client);
  assert.deepEqual([server.tunnels, client.tunnels, server.states, client.states], [[], [], [], []]);
  assert.equal(client.net.changes.at(-1), "remove the route to 203.0.113.1/32");
  assert.equal(client.vpn.hangUp(7), false);
  assert.equal(client.vpn.dial("nobody"), false);
});

test("a client whose kernel refuses the interface hangs up, says so, and leaves neither host route nor session", async () => {
  const between = wires();
  const server = new Device(SERVER, between).serve();
  const client = new Device(CLIENT, between, "pptp0").call();
  await advance(5000, server, client);
  assert.ok(client.log.some((line) => /^error cannot make the tunnel interface: .*pptp0: EBUSY/.test(line)));
  assert.deepEqual([server.states, client.states, server.tunnels, client.tunnels], [[], [], [], []]);
  const routes = client.net.changes.filter((change) => change.includes("203.0.113.1/32"));
  assert.equal(routes.length, 2, routes.join());
  assert.match(routes[1] ?? "", /^remove/);
});

test("a server whose kernel refuses the interface hangs up, and the peer is told", async () => {
  const between = wires();
  const server = new Device(SERVER, between, "pptp0").serve({ pool: { start: ip("192.168.1.200"), count: 1 } });
  const client = new Device(CLIENT, between).call();
  await advance(5000, server, client);
  assert.ok(server.log.some((line) => line.startsWith("error cannot make the tunnel interface")));
  assert.deepEqual([server.states, client.states, client.tunnels], [[], [], []]);
  client.vpn.dial("office");
  await advance(5000, server, client);
  const refused = server.log.filter((line) => line.startsWith("error cannot make"));
  assert.equal(refused.length, 2, "the only address of the pool had come back");
});

test("close says goodbye to both sides' peers and gives everything back, without waiting for a clock", async () => {
  for (const closing of ["server", "client"] as const) {
    const pair = await connected();
    const [near, far] = closing === "server" ? [pair.server, pair.client] : [pair.client, pair.server];
    await near.vpn.close();
    await quiet();
    assert.deepEqual([near.tunnels, far.tunnels, far.states], [[], [], []], closing);
    assert.equal(near.alarm.armed, 0, "no timer is left");
  }
});

/** A TCP connection to `SERVER` that says what a caller says and never listens. */
function silentCaller(between: ReturnType<typeof wires>): { socket: ControlSocket | undefined; ended: number } {
  const caller: { socket: ControlSocket | undefined; ended: number } = { socket: undefined, ended: 0 };
  between.control.host(CLIENT).connect(
    SERVER,
    1723,
    (socket) => {
      caller.socket = socket;
      return { data: () => {}, closed: () => caller.ended++ };
    },
    (error) => assert.fail(error.message),
  );
  return caller;
}

test("close returns after three seconds when the peers are silent", async () => {
  const between = wires();
  const server = new Device(SERVER, between).serve();
  const caller = silentCaller(between);
  await quiet();
  caller.socket?.write(Buffer.concat([WINDOWS_CONTROL.startRequest, WINDOWS_CONTROL.callRequest]));
  await quiet();
  assert.deepEqual(server.states, ["connecting"]);
  let closed = false;
  const done = server.vpn.close().then(() => {
    closed = true;
  });
  await server.alarm.advance(2900);
  assert.equal(closed, false);
  await server.alarm.advance(100);
  await done;
  await quiet();
  assert.equal(caller.ended, 1);
  assert.equal(server.alarm.armed, 0);
});

test("a server that is switched off no longer listens, and listens again when it is switched on", async () => {
  const between = wires();
  const server = new Device(SERVER, between).serve().serve({ enabled: false });
  const client = new Device(CLIENT, between).call();
  await advance(100, server, client);
  assert.match(client.vpn.clients()[0]?.lastFailure ?? "", /ECONNREFUSED.*808/);
  server.serve();
  client.vpn.dial("office");
  await advance(1000, server, client);
  assert.deepEqual(client.states, ["connected"]);
  server.serve({ enabled: false });
  await advance(1000, server, client);
  assert.deepEqual([server.states, client.states, server.tunnels, client.tunnels], [[], [], [], []]);
});

test("a port that is taken is logged, and tried again with the next change", async () => {
  const between = wires();
  const other = between.control.host(SERVER).listen(1723, () => undefined, assert.fail);
  const server = new Device(SERVER, between).serve();
  await quiet();
  assert.match(server.log.join(), /^error cannot listen on TCP port 1723: .*EADDRINUSE/);
  other.close();
  server.serve();
  const client = new Device(CLIENT, between).call();
  await advance(1000, server, client);
  assert.deepEqual(client.states, ["connected"]);
});

test("a connection that the server refuses is dropped without a word", async () => {
  const between = wires();
  new Device(SERVER, between).serve();
  const callers = Array.from({ length: 17 }, () => silentCaller(between));
  await quiet();
  assert.deepEqual(
    callers.map(({ ended }) => ended),
    [...Array(16).fill(0), 1],
  );
});

test("one timer stands at the earliest deadline, however many sessions there are", async () => {
  const { server, client } = await connected();
  assert.deepEqual([server.alarm.armed, client.alarm.armed], [1, 1]);
});

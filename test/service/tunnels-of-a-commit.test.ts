/** What a commit does to tunnels that are up: whole devices, from the configuration to the network of `test/netsim`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigStore } from "../../appliance/config/store.ts";
import { Millis } from "../../appliance/ports.ts";
import { Administrator } from "../../appliance/service/administrator.ts";
import { Appliance, type SessionView } from "../../appliance/service/appliance.ts";
import { describeFirmware } from "../../appliance/service/firmware.ts";
import { Journal } from "../../appliance/service/journal.ts";
import { Ports } from "../../appliance/service/ports.ts";
import { Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { Host, World } from "../netsim/world.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { FakeNet } from "../support/fake-net.ts";
import { RouterBench } from "../support/router-bench.ts";
import { SshBench } from "../support/ssh-bench.ts";
import { supervisionOf } from "../support/supervision-bench.ts";
import { updatesOn } from "../support/updates.ts";

/** A device with this WAN address on the network of `world`. */
class Device {
  readonly host: Host;
  readonly appliance: Appliance;

  constructor(world: World, address: string) {
    this.host = new Host(world, parseIpv4(address) ?? assert.fail());
    const wallClock = (): Date => new Date(world.now);
    const clock = { now: () => Millis(world.now) };
    const disk = new FakeDisk();
    const journal = new Journal(wallClock);
    const net = new FakeNet("eth0", "eth1");
    const timers = { after: () => assert.fail("nothing here is on trial") };
    const wall = { nowMs: () => world.now, setMs: () => assert.fail("nobody asked for the time") };
    const administrator = new Administrator(disk, clock, world.random);
    const { router, programs } = new RouterBench({ net, clock, timers, wallClock: wall, journal });
    const power = { reboot: () => assert.fail("rebooted"), powerOff: () => assert.fail("switched off") };
    this.appliance = new Appliance({
      store: new ConfigStore(disk),
      administrator,
      router,
      ssh: new SshBench({ administrator, programs, clock, timers, journal }).service,
      vpn: this.host.vpn,
      ports: new Ports({ net, cards: () => [], messages: () => [], table: undefined, log: journal }),
      net,
      tracer: this.host.tracer,
      journal,
      power,
      clock,
      timers,
      wallClock,
      supervision: supervisionOf(journal, wallClock),
      firmware: describeFirmware({ kernel: "6.1.0-56-amd64", node: "v18.20.4", record: undefined }),
      updates: updatesOn({ net, clock, timers, power, log: journal }),
    });
    this.appliance.start();
    this.commit(`interfaces wan address ${address}/24`);
  }

  /** Lines as typed behind `set`, or whole with `delete`. */
  commit(...lines: readonly string[]): void {
    const edit = this.appliance.beginEdit("a test");
    for (const line of lines) {
      const words = line.split(" ");
      const refusal = words[0] === "delete" ? edit.delete(words.slice(1)) : edit.set(words);
      assert.equal(refusal, undefined, line);
    }
    const committed = edit.commit();
    assert.equal(committed.result, "committed", JSON.stringify(committed));
  }

  /** By the client's name, or else the user. */
  tunnel(name: string): SessionView | undefined {
    return this.appliance.sessions().find((session) => (session.name ?? session.user) === name);
  }
}

const SERVER = (third: number): readonly string[] => [
  `interfaces lan address 10.${third}.0.1/24`,
  "vpn server enabled true",
  `vpn server pool start 10.${third}.0.100`,
  "vpn server pool count 10",
  "vpn account alice password s3cret",
  "vpn account bob password s3cret",
];
const client = (name: string, server: string, user: string, route: string): readonly string[] => [
  `vpn client ${name} server ${server}`,
  `vpn client ${name} user ${user}`,
  `vpn client ${name} password s3cret`,
  `vpn client ${name} route ${route}`,
];

/** A branch office with one client in each of two head offices, both connected. */
function offices() {
  const world = new World(1);
  const [munich, berlin] = [new Device(world, "203.0.113.1"), new Device(world, "203.0.114.1")];
  munich.commit(...SERVER(1));
  berlin.commit(...SERVER(2));
  const branch = new Device(world, "198.51.100.7");
  branch.commit(
    ...client("munich", "203.0.113.1", "alice", "10.1.0.0/24"),
    ...client("berlin", "203.0.114.1", "bob", "10.2.0.0/24"),
  );
  const settled = (): boolean =>
    ["munich", "berlin"].every((name) => branch.tunnel(name)?.state === "connected") &&
    [...munich.appliance.sessions(), ...berlin.appliance.sessions()].every(({ state }) => state === "connected");
  assert.ok(world.run(60_000, settled), branch.host.log.join("\n"));
  return { world, munich, berlin, branch, settled };
}

/** What a session would lose if it were interrupted. */
const identity = (session: SessionView | undefined) => [session?.id, session?.interfaceName, session?.state];

test("configured clients connect, encrypted, with their routes", () => {
  const { branch, munich } = offices();
  const { encryption, peer, role, user } = branch.tunnel("munich") ?? assert.fail();
  assert.deepEqual([role, user, peer, encryption], ["client", "alice", "203.0.113.1", "MPPE-128 stateless"]);
  assert.equal(branch.host.routes.get(Ipv4(0x0a010000)), branch.tunnel("munich")?.interfaceName);
  assert.equal(munich.tunnel("alice")?.address, "10.1.0.100");
});

test("a commit that changes one client leaves the other running", () => {
  const { world, branch, settled } = offices();
  const number = branch.tunnel("munich")?.id;
  const berlin = identity(branch.tunnel("berlin"));
  world.run(world.now + 10_000);
  branch.commit("vpn client munich mtu 1300");
  assert.deepEqual(identity(branch.tunnel("berlin")), berlin);
  assert.ok(world.run(world.now + 60_000, settled));
  assert.equal(branch.tunnel("munich")?.id, number, "it keeps its number");
  assert.deepEqual(branch.host.up.map(({ settings }) => settings.mtu).sort(), [1300, 1400]);
  const [again, unharmed] = [branch.tunnel("munich"), branch.tunnel("berlin")];
  assert.ok((unharmed?.connectedForMs ?? 0) > (again?.connectedForMs ?? 0) + 9_000, "it was not redialed");
});

test("an account with a route is LAN-to-LAN: its networks are behind its tunnel while the call lasts", () => {
  const { world, branch, munich, settled } = offices();
  const network = Ipv4(0x0a090000);
  assert.equal(munich.host.routes.get(network), undefined);
  const bob = identity(branch.tunnel("berlin"));
  munich.commit("vpn account alice route 10.9.0.0/16");
  assert.ok(
    world.run(world.now + 60_000, () => munich.host.routes.has(network) && settled()),
    branch.host.log.join("\n"),
  );
  assert.equal(munich.host.routes.get(network), munich.tunnel("alice")?.interfaceName);
  assert.deepEqual(identity(branch.tunnel("berlin")), bob, "the other tunnel is not touched");
});

test("a disabled client hangs up and is no more; the other and the server are not touched", () => {
  const { world, branch, munich } = offices();
  const berlin = identity(branch.tunnel("berlin"));
  branch.commit("vpn client munich enabled false");
  world.run(world.now + 60_000);
  assert.equal(branch.tunnel("munich"), undefined);
  assert.equal(munich.tunnel("alice"), undefined);
  assert.deepEqual(identity(branch.tunnel("berlin")), berlin);
  assert.equal(branch.appliance.dial("munich"), undefined);
});

test("a commit that concerns no tunnel interrupts none", () => {
  const { world, branch, munich } = offices();
  const before = branch.appliance.sessions().map(identity);
  branch.commit("system name branch", "interfaces wan gateway 198.51.100.1");
  munich.commit("vpn account carol password s3cret", "vpn server dns 10.1.0.1");
  world.run(world.now + 60_000);
  assert.deepEqual(branch.appliance.sessions().map(identity), before);
});

test("an account's new password ends its session alone", () => {
  const { world, branch, munich } = offices();
  branch.commit("delete vpn client berlin", ...client("second", "203.0.113.1", "bob", "10.3.0.0/24"));
  assert.ok(world.run(world.now + 60_000, () => branch.tunnel("second")?.state === "connected"));
  const alice = identity(munich.tunnel("alice"));
  munich.commit("vpn account bob password changed");
  assert.ok(world.run(world.now + 60_000, () => branch.tunnel("second")?.lastFailure !== undefined));
  assert.match(branch.tunnel("second")?.lastFailure ?? "", /authentication|password/);
  assert.deepEqual(identity(munich.tunnel("alice")), alice);
  assert.deepEqual(
    munich.appliance.sessions().map(({ user, state }) => [user, state]),
    [["alice", "connected"]],
  );
});

test("vpn hangup holds an always client down, vpn dial brings it back", () => {
  const { world, branch, munich } = offices();
  const { id } = branch.tunnel("munich") ?? assert.fail();
  assert.equal(branch.appliance.hangUp(id), true);
  world.run(world.now + 600_000);
  const { state, peer, user, stage } = branch.tunnel("munich") ?? assert.fail();
  assert.deepEqual([state, peer, user, stage], ["listening", "203.0.113.1", "alice", undefined]);
  assert.equal(munich.tunnel("alice"), undefined);
  assert.equal(branch.appliance.dial("munich"), "listening");
  assert.ok(world.run(world.now + 60_000, () => branch.tunnel("munich")?.state === "connected"));
  assert.equal(branch.appliance.dial("munich"), "connected");
});

test("dial on demand waits for a packet and hangs up when idle", () => {
  const { world, branch } = offices();
  branch.commit("vpn client munich dial on-demand", "vpn client munich idle-timeout 30");
  world.run(world.now + 60_000);
  assert.equal(branch.tunnel("munich")?.state, "listening");
  const placeholder = branch.host.up.find(({ name }) => name === branch.host.routes.get(Ipv4(0x0a010000)));
  placeholder?.inject(Buffer.alloc(20));
  assert.ok(world.run(world.now + 10_000, () => branch.tunnel("munich")?.state === "connected"));
  assert.ok(world.run(world.now + 40_000, () => branch.tunnel("munich")?.state === "listening"));
});

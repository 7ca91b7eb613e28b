/** Configurations of other firmwares: older ones are brought here and stay for their own firmware, newer ones are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Migration, migrate, SCHEMAS, type Schemas } from "../../appliance/config/migrate.ts";
import { SCHEMA_VERSION } from "../../appliance/config/schema.ts";
import { ConfigStore } from "../../appliance/config/store.ts";
import { BenchDevice } from "../support/bench-device.ts";
import { configOf } from "../support/config-text.ts";
import { FakeDisk } from "../support/fake-disk.ts";

const TIME = "2026-11-25T10:00:00.000Z";

/** A later schema: the MTU was stored in bytes less a header of 40 up to version 1, and had another name in version 2. */
const withoutHeader: Migration = {
  to: 2,
  migrate: (values) =>
    new Map(
      [...values].map(([path, value]) => [
        path.replace(/mtu$/, "size"),
        path.endsWith("mtu") ? Number(value) + 40 : value,
      ]),
    ),
};
const renamed: Migration = {
  to: 3,
  migrate: (values) => new Map([...values].map(([path, value]) => [path.replace(/size$/, "mtu"), value])),
};
const LATER: Schemas = { version: 3, migrations: [renamed, withoutHeader] };

const mtus = (store: ConfigStore): unknown[] => store.generations.map(({ config }) => config.get("vpn server mtu"));
function opened(disk: FakeDisk, schemas?: Schemas): { store: ConfigStore; findings: readonly string[] } {
  const store = new ConfigStore(disk, schemas);
  return { store, findings: store.load().findings };
}
/** Commits of an older firmware. */
function stored(...values: readonly number[]): FakeDisk {
  const disk = new FakeDisk();
  const { store } = opened(disk);
  for (const value of values) store.commit(configOf(`vpn server mtu ${value}`, "system name old"), TIME);
  return disk;
}

test("the firmware's own table has every step from the first schema to its own", () => {
  for (let to = 2; to <= SCHEMA_VERSION; to++)
    assert.equal(SCHEMAS.migrations.filter((each) => each.to === to).length, 1, `to ${to}`);
  assert.equal(SCHEMAS.migrations.length, SCHEMA_VERSION - 1);
});

test("values pass through each step in order, whatever the order of the table", () => {
  assert.deepEqual(migrate(new Map([["vpn server mtu", 1300]]), 1, LATER), {
    ok: true,
    values: new Map([["vpn server mtu", 1340]]),
  });
  assert.deepEqual(migrate(new Map([["vpn server size", 1300]]), 2, LATER), {
    ok: true,
    values: new Map([["vpn server mtu", 1300]]),
  });
  const own = new Map([["vpn server mtu", 1300]]);
  assert.deepEqual(migrate(own, 3, LATER), { ok: true, values: own });
});

test("what no row of steps leads to is refused", () => {
  assert.deepEqual(migrate(new Map(), 4, LATER), {
    ok: false,
    problem: "it was stored by a newer firmware, with schema 4; this one knows 3",
  });
  for (const from of [0, -7]) {
    const refused = migrate(new Map(), from, LATER);
    assert.equal(refused.ok, false);
  }
  assert.equal(migrate(new Map(), 1, { version: 3, migrations: [renamed] }).ok, false);
});

test("an older firmware's configuration holds after an update, and its file stays as it was", () => {
  const disk = stored(1300, 1310);
  const before = disk.list().map((name) => [name, disk.read(name)?.toString()]);
  const { store, findings } = opened(disk, LATER);
  assert.deepEqual(findings, []);
  assert.deepEqual(mtus(store), [1350, 1340], "rollback goes back over the update");
  assert.equal(store.generations[0]?.config.get("system name"), "old");
  assert.deepEqual(
    disk.list().map((name) => [name, disk.read(name)?.toString()]),
    before,
  );
});

test("the older firmware, back in charge, finds its newest one, says what it passed over, and goes on", () => {
  const disk = stored(1300, 1310);
  opened(disk, LATER).store.commit(configOf("vpn server mtu 1400"), TIME);
  const { store, findings } = opened(disk);
  assert.deepEqual(findings, [
    "configuration 3 was passed over: it was stored by a newer firmware, with schema 3; this one knows 1",
    "configuration 2 is in force",
  ]);
  assert.deepEqual(mtus(store), [1310, 1300]);
  assert.equal(store.commit(configOf("vpn server mtu 1320"), TIME).number, 4);
  // And after the next update that one is the newest.
  assert.deepEqual(mtus(opened(disk, LATER).store), [1360, 1400, 1350, 1340]);
});

test("however often the newer firmware commits, the older one's newest stays", () => {
  const disk = stored(1300, 1310);
  for (let time = 0; time < 3; time++) {
    const { store } = opened(disk, LATER);
    for (let i = 0; i < 15; i++) store.commit(configOf(`vpn server mtu ${1400 + i}`), TIME);
    assert.equal(store.generations.length, time === 0 ? 17 : 21);
  }
  assert.equal(disk.list().length, 22, "21 of its own and one of the older firmware");
  assert.equal(opened(disk, LATER).store.generations.length, 21);
  assert.deepEqual(mtus(opened(disk).store), [1310]);
});

test("a factory reset forgets the older firmware's too", () => {
  const disk = stored(1300);
  const { store } = opened(disk, LATER);
  store.clear();
  for (let i = 0; i < 30; i++) store.commit(configOf("vpn server mtu 1400"), TIME);
  assert.equal(disk.list().length, 21);
});

test("the device tells on its console and in its log what a newer firmware left", () => {
  const disk = stored(1300);
  opened(disk, LATER).store.commit(configOf("vpn server mtu 1400"), TIME);
  const device = new BenchDevice(disk);
  assert.equal(device.appliance.running.get("vpn server mtu"), 1300);
  assert.match(device.logText(), /error config: configuration 2 was passed over: it was stored by a newer firmware/);
  assert.match(device.appliance.notices.join("\n"), /configuration 2 was passed over.*\nconfiguration 1 is in force/);
});

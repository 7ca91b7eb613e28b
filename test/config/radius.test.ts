/** RADIUS servers and policies of accounts in the configuration: what arrives, what is refused, what is hidden. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toLines } from "../../appliance/config/diff.ts";
import { vpnSettings } from "../../appliance/config/settings.ts";
import { validate } from "../../appliance/config/validate.ts";
import { configOf, OFFICE } from "../support/config-text.ts";
import { ip } from "../support/link-end.ts";

const ONE = ["vpn radius server one address 10.0.0.11", "vpn radius server one secret xyzzy5461"];
const problemsOf = (...lines: readonly string[]) =>
  validate(configOf(...OFFICE, ...lines)).map(({ path, problem }) => `${path}: ${problem}`);

test("defaults: our own accounts, no servers, three tries from 2 s on, nobody may disconnect", () => {
  const { server, radius } = vpnSettings(configOf(...OFFICE, "system name edge"));
  assert.deepEqual([server.accountSources, server.accounting], [["local"], { interimMs: undefined }]);
  assert.deepEqual(radius, {
    servers: [],
    timeoutMs: 2000,
    tries: 3,
    deadTimeMs: 120_000,
    nasIdentifier: "edge",
    nasAddress: undefined,
    dynamicPort: undefined,
  });
});

test("every setting arrives; the lowest priority is asked first", () => {
  const { server, radius, accounts } = vpnSettings(
    configOf(
      ...OFFICE,
      ...ONE,
      "vpn radius server two address 10.0.0.12",
      "vpn radius server two secret other",
      "vpn radius server two priority 1",
      "vpn radius server two authentication-port 1645",
      "vpn radius server two accounting-port 1646",
      "vpn radius server two message-authenticator optional",
      "vpn radius timeout 3",
      "vpn radius tries 2",
      "vpn radius dead-time 60",
      "vpn radius nas-identifier gate",
      "vpn radius nas-address 192.168.1.1",
      "vpn radius interim-interval 300",
      "vpn radius disconnect-messages true",
      "vpn radius disconnect-port 1700",
      "vpn server accounts local radius",
      "vpn account alice one-session replace",
      "vpn account alice session-timeout 3600",
      "vpn account alice rate-limit upload 2000",
    ),
  );
  assert.deepEqual(server.accountSources, ["local", "radius"]);
  assert.deepEqual(server.accounting, { interimMs: 300_000 });
  assert.deepEqual(
    radius.servers.map(({ name }) => name),
    ["two", "one"],
  );
  assert.deepEqual(radius.servers[0], {
    name: "two",
    address: ip("10.0.0.12"),
    authenticationPort: 1645,
    accountingPort: 1646,
    secret: "other",
    requireMessageAuthenticator: false,
  });
  assert.equal(radius.servers[1]?.requireMessageAuthenticator, true);
  const { servers: _servers, ...rest } = radius;
  assert.deepEqual(rest, {
    timeoutMs: 3000,
    tries: 2,
    deadTimeMs: 60_000,
    nasIdentifier: "gate",
    nasAddress: ip("192.168.1.1"),
    dynamicPort: 1700,
  });
  const alice = accounts.find(({ user }) => user === "alice");
  assert.deepEqual(
    [alice?.oneSession, alice?.sessionTimeoutMs, alice?.rateLimit],
    ["replace", 3_600_000, { upload: 2_000_000, download: undefined }],
  );
});

test("accounting false tells nobody", () =>
  assert.equal(vpnSettings(configOf(...OFFICE, ...ONE, "vpn radius accounting false")).server.accounting, undefined));

test("a server needs address and secret, ports of its own, and a place that no other has", () => {
  assert.deepEqual(problemsOf("vpn radius server one priority 1"), [
    "vpn radius server one address: the RADIUS server needs it",
    "vpn radius server one secret: the RADIUS server needs it",
  ]);
  assert.deepEqual(problemsOf(...ONE, "vpn radius server one accounting-port 1812"), [
    "vpn radius server one accounting-port: 1812 is the authentication port too",
  ]);
  const twin = ONE.map((line) => line.replace("one", "two"));
  assert.equal(problemsOf(...ONE, ...twin).length, 2);
  assert.deepEqual(
    problemsOf(
      ...ONE,
      ...twin,
      "vpn radius server two authentication-port 1",
      "vpn radius server two accounting-port 2",
    ),
    [],
  );
  assert.deepEqual(problemsOf("vpn server accounts radius"), [
    "vpn radius server: RADIUS is to be asked about callers, and no server is there",
  ]);
  assert.deepEqual(problemsOf("vpn server accounts radius", ...ONE), []);
});

test("show hides the secret", () => {
  const lines = toLines(configOf(...ONE), "hide");
  assert.ok(lines.includes("set vpn radius server one secret ********"));
  assert.doesNotMatch(lines.join("\n"), /xyzzy/);
});

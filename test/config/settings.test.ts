import assert from "node:assert/strict";
import { test } from "node:test";
import { vpnSettings } from "../../appliance/config/settings.ts";
import { CULVERT_CLIENT } from "../../appliance/pptp/quirks.ts";
import { DEFAULT_REDIAL } from "../../appliance/tunnel/virtual-interface.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { BRANCH, configOf, OFFICE } from "../support/config-text.ts";

const MUNICH = {
  name: "munich",
  server: Ipv4(0xc6336409),
  user: "OFFICE\\branch",
  password: "s3cret",
  newPassword: undefined,
  authentication: ["mschap-v2"],
  encryption: { use: "required", strengths: [128], allowStateful: false, preferStateful: false, mppc: false },
  mtu: 1400,
  routes: [{ address: Ipv4(0x0a010000), length: 16 }],
  nat: false,
  dial: { mode: "always", idleMs: undefined, ...DEFAULT_REDIAL },
  profile: CULVERT_CLIENT,
} as const;

test("a client has safe defaults", () => {
  assert.deepEqual(vpnSettings(configOf(...BRANCH)).clients, [MUNICH]);
});

test("every setting of a client arrives", () => {
  const { clients } = vpnSettings(
    configOf(
      ...BRANCH,
      "vpn client munich new-password n3w",
      "vpn client munich authentication mschap-v1 pap",
      "vpn client munich encryption optional",
      "vpn client munich strengths 56 40",
      "vpn client munich mppe-mode prefer-stateful",
      "vpn client munich compression mppc",
      "vpn client munich mtu 1300",
      "vpn client munich dial on-demand",
      "vpn client munich idle-timeout 90",
      "vpn client munich route 10.2.0.0/16 0.0.0.0/1",
      "vpn client munich nat true",
      "vpn client munich ipv6 link-local",
      "routes static 10.3.0.0/16 via tunnel munich",
    ),
  );
  assert.deepEqual(clients, [
    {
      ...MUNICH,
      newPassword: "n3w",
      authentication: ["mschap-v1", "pap"],
      encryption: { use: "optional", strengths: [56, 40], allowStateful: true, preferStateful: true, mppc: true },
      mtu: 1300,
      routes: [
        { address: Ipv4(0x0a020000), length: 16 },
        { address: Ipv4(0), length: 1 },
        { address: Ipv4(0x0a030000), length: 16 },
      ],
      nat: true,
      dial: { mode: "on-demand", idleMs: 90_000, ...DEFAULT_REDIAL },
      profile: { ...CULVERT_CLIENT, ipv6: true },
    },
  ]);
});

test("a client that is off is left out", () => {
  const twins = BRANCH.map((line) => line.replace("munich", "berlin"));
  const { clients } = vpnSettings(configOf(...BRANCH, ...twins, "vpn client berlin enabled false"));
  assert.deepEqual(
    clients.map(({ name }) => name),
    ["munich"],
  );
});

test("the server's MPPE mode, callback and IPv6", () => {
  const plain = vpnSettings(configOf(...OFFICE)).server;
  assert.deepEqual([plain.callback, plain.ipv6], ["refuse", "refuse"]);
  const { server } = vpnSettings(
    configOf(
      ...OFFICE,
      "vpn server mppe-mode allow-stateful",
      "vpn server callback cbcp",
      "vpn server ipv6 link-local",
    ),
  );
  assert.deepEqual([server.callback, server.ipv6], ["cbcp", "link-local"]);
  assert.deepEqual([server.encryption.allowStateful, server.encryption.preferStateful], [true, false]);
  assert.deepEqual(plain.encryption, { ...server.encryption, allowStateful: false });
});

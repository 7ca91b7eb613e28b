/** Whole stacks against each other on a simulated network. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EncryptionPolicy } from "../../appliance/ppp/ccp.ts";
import type { AuthMethod } from "../../appliance/ppp/lcp.ts";
import type { ClientSettings, ServerSettings } from "../../appliance/tunnel/settings.ts";
import { DEFAULT_REDIAL } from "../../appliance/tunnel/virtual-interface.ts";
import { Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { Host, type Impairment, PERFECT, World } from "./world.ts";

const ip = (text: string): Ipv4 => parseIpv4(text) ?? Ipv4(0);
const SERVER = ip("203.0.113.1");
const CLIENT = ip("198.51.100.7");
const REQUIRED: EncryptionPolicy = { use: "required", strengths: [128], allowStateful: false, preferStateful: false };

function serverSettings(authentication: readonly AuthMethod[], encryption: EncryptionPolicy): ServerSettings {
  return {
    enabled: true,
    localAddress: ip("192.168.1.1"),
    pool: { start: ip("192.168.1.200"), count: 4 },
    dns: [ip("192.168.1.1")],
    wins: [],
    mtu: 1400,
    authentication,
    encryption,
  };
}

function clientSettings(authentication: readonly AuthMethod[], encryption: EncryptionPolicy): ClientSettings {
  return {
    name: "office",
    server: SERVER,
    user: "alice",
    password: "s3cret",
    newPassword: undefined,
    authentication,
    encryption,
    mtu: 1400,
    dial: { mode: "manual", idleMs: undefined, ...DEFAULT_REDIAL },
  };
}

/** A UDP packet whose payload is its number, so that whatever comes out can be told from garbage. */
function numbered(source: Ipv4, destination: Ipv4, number: number, length: number): Buffer {
  const packet = Buffer.alloc(length);
  packet.writeUInt16BE(0x4500, 0);
  packet.writeUInt16BE(length, 2);
  packet.writeUInt16BE(0x4011, 8);
  packet.writeUInt32BE(source, 12);
  packet.writeUInt32BE(destination, 16);
  for (let at = 28; at + 4 <= length; at += 4) packet.writeUInt32BE(number, at);
  return packet;
}

interface Pair {
  readonly world: World;
  readonly server: Host;
  readonly client: Host;
}

function pair(
  seed: number,
  impairment: Impairment,
  authentication: readonly AuthMethod[],
  encryption: EncryptionPolicy,
): Pair {
  const world = new World(seed, impairment);
  const server = new Host(world, SERVER);
  const client = new Host(world, CLIENT);
  const accounts = [{ user: "alice", password: "s3cret", enabled: true, address: undefined }];
  server.vpn.apply({ server: serverSettings(authentication, encryption), accounts, clients: [] });
  const off = { ...serverSettings(authentication, encryption), enabled: false };
  client.vpn.apply({ server: off, accounts: [], clients: [clientSettings(authentication, encryption)] });
  return { world, server, client };
}

const isUp = ({ server, client }: Pair) => server.up.length === 1 && client.up.length === 1;

test("a client dials, packets pass both ways, and hanging up leaves nothing", () => {
  const both = pair(1, PERFECT, ["mschap-v2"], REQUIRED);
  const { world, server, client } = both;
  client.vpn.dial("office");
  assert.ok(
    world.run(10_000, () => isUp(both)),
    [...client.log, ...server.log].join("\n"),
  );
  const [near] = client.up;
  const [far] = server.up;
  assert.equal(near?.settings.local, ip("192.168.1.200"));
  assert.equal(far?.settings.remote, ip("192.168.1.200"));
  for (let n = 0; n < 500; n++) {
    near?.inject(numbered(ip("192.168.1.200"), ip("192.168.1.10"), n, 1400));
    far?.inject(numbered(ip("192.168.1.10"), ip("192.168.1.200"), n, 600));
  }
  world.run(world.now + 1000);
  assert.equal(far?.received.length, 500);
  assert.equal(near?.received.length, 500);
  assert.ok(
    far?.received.every((packet, n) => packet.equals(numbered(ip("192.168.1.200"), ip("192.168.1.10"), n, 1400))),
  );
  assert.equal(server.vpn.sessions()[0]?.encryption, "MPPE-128 stateless");

  const [session] = client.vpn.sessions();
  assert.ok(client.vpn.hangUp(session?.id ?? 0));
  world.run(world.now + 20_000);
  assert.deepEqual([server.up, client.up, server.vpn.sessions(), client.vpn.sessions()], [[], [], [], []]);
  client.vpn.dial("office");
  assert.ok(
    world.run(world.now + 10_000, () => isUp(both)),
    "dials again",
  );
});

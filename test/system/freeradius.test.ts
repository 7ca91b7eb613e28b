/**
 * Our server against a real FreeRADIUS: it authenticates callers of ours, makes the MPPE keys that their packets are
 * encrypted with, writes the accounting, and ends and changes sessions. Callers and GRE are in memory; UDP is real.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kernelClock } from "../../appliance/linux/clock.ts";
import { datagramTransport } from "../../appliance/linux/datagram-transport.ts";
import { loopTimers } from "../../appliance/linux/timers.ts";
import type { RadiusSettings } from "../../appliance/radius/settings.ts";
import type { ClientSettings, ServerSettings } from "../../appliance/tunnel/settings.ts";
import { Device, wires } from "../support/device.ts";
import { CLIENT, SERVER } from "../support/dialer.ts";
import { FREERADIUS_SECRET, FreeRadius, freePorts, radclient } from "../support/freeradius.ts";
import { ipv4Packet } from "../support/ip-packet.ts";
import { ip } from "../support/link-end.ts";
import { RADIUS, RADIUS_ONE } from "../support/radius-server.ts";
import { ALICE, SERVER_SETTINGS } from "../support/scripted-caller.ts";

const USERS = `
bob	Cleartext-Password := "b0b"
	Framed-IP-Address = 10.1.2.3,
	Framed-Route = "10.9.0.0/16 0.0.0.0 1",
	Class = 0x00ff10,
	Reply-Message = "welcome"

carol	Cleartext-Password := "grüße, c@rol"
	Framed-IP-Address = 255.255.255.254,
	Session-Timeout = 1
`;
const LIMIT_MS = 5000;
const TIMEOUT = { timeout: 30_000 };

let server: FreeRadius;
before(async () => {
  server = await FreeRadius.start(USERS);
});
after(() => server.stop());

/** Waits for something that happens in the real world. */
async function until(what: string, holds: () => boolean, log: () => string): Promise<void> {
  for (const began = performance.now(); !holds(); await new Promise((resolve) => setTimeout(resolve, 5)))
    if (performance.now() - began > LIMIT_MS) assert.fail(`${what}: not within ${LIMIT_MS} ms\n${log()}`);
}

/** Our server and one caller on a network in memory, which ask the real one. */
async function scene(
  t: { after(run: () => Promise<void>): void },
  client: Partial<ClientSettings>,
  settings: Partial<ServerSettings> = {},
  secret = FREERADIUS_SECRET,
) {
  const [dynamicPort] = await freePorts();
  const { authenticationPort, accountingPort } = server;
  const address = ip("127.0.0.1");
  const radius: RadiusSettings = {
    ...RADIUS,
    servers: [{ ...RADIUS_ONE, address, authenticationPort, accountingPort, secret }],
    timeoutMs: 500,
    tries: 2,
    dynamicPort,
  };
  const time = { clock: kernelClock, timers: loopTimers };
  const between = { ...wires(), udp: { host: () => datagramTransport }, time };
  const asks = { accountSources: ["radius"], accounting: { interimMs: undefined } } as const;
  const device = new Device(SERVER, between).serve({ ...asks, ...settings }, [ALICE], radius);
  const caller = new Device(CLIENT, between).call({ ...client, ...settings });
  t.after(async () => {
    await caller.vpn.close();
    await device.vpn.close();
  });
  const log = (): string => [...device.log, ...caller.log, server.output.slice(-2000)].join("\n");
  return { device, caller, dynamicPort, log };
}

for (const [method, use] of [
  ["mschap-v2", "required"],
  ["mschap-v1", "required"],
  ["chap-md5", "none"],
  ["pap", "none"],
] as const)
  test(
    `${method}, encryption ${use}: FreeRADIUS lets bob in, and packets pass both ways with its keys`,
    TIMEOUT,
    async (t) => {
      const protection = { authentication: [method], encryption: { ...SERVER_SETTINGS.encryption, use } };
      const { device, caller, log } = await scene(t, { user: "bob", password: "b0b" }, protection);
      const isConnected = () => device.states[0] === "connected" && caller.states[0] === "connected";
      await until("connected", isConnected, log);
      const [session] = device.vpn.sessions();
      assert.deepEqual(
        [session?.address, session?.encryption],
        [ip("10.1.2.3"), use === "none" ? "none" : "MPPE-128 stateless"],
      );
      const [near, far] = [device.net.tun("pptp0"), caller.net.tun("pptp0")];
      near?.deliver(ipv4Packet(200, 1));
      far?.deliver(ipv4Packet(300, 2));
      await until("packets", () => near?.written.length === 1 && far?.written.length === 1, log);
      assert.deepEqual([near?.written, far?.written], [[ipv4Packet(300, 2)], [ipv4Packet(200, 1)]]);
      assert.equal(device.net.nextHopTo(ip("10.9.8.7"))?.interfaceName, "pptp0");
    },
  );

test("a wrong password: FreeRADIUS refuses, the caller learns 691, nothing is accounted", TIMEOUT, async (t) => {
  const { device, log } = await scene(t, { user: "bob", password: "wrong" });
  await until("refused", () => device.log.some((line) => line.includes("Windows shows error 691")), log);
  assert.deepEqual(
    device.vpn.radius().servers.map(({ rejects, distrusted }) => [rejects, distrusted]),
    [[1, 0]],
  );
});

test("a wrong secret: no answer of FreeRADIUS counts, and the log says what to compare", TIMEOUT, async (t) => {
  const { device, log } = await scene(t, { user: "bob", password: "b0b" }, {}, "another");
  await until("hung up", () => device.log.some((line) => /no RADIUS server answered.*shared secret/.test(line)), log);
  assert.equal(device.vpn.radius().servers[0]?.accepts, 0);
});

test(
  "accounting: FreeRADIUS writes Start and Stop of one session, with the traffic and Class as it gave it",
  TIMEOUT,
  async (t) => {
    const before = server.detail.length;
    const { device, caller, log } = await scene(t, { user: "bob", password: "b0b" });
    await until("connected", () => device.states[0] === "connected", log);
    caller.net.tun("pptp0")?.deliver(ipv4Packet(300, 2));
    await until("a packet", () => device.net.tun("pptp0")?.written.length === 1, log);
    caller.vpn.hangUp(caller.vpn.sessions()[0]?.id ?? 0);
    const id = /Acct-Session-Id = "(\w{16})"/;
    const ours = () => server.detail.slice(before).filter((record) => record.includes('User-Name = "bob"'));
    await until("two records", () => ours().length === 2, log);
    const [start = "", stop = ""] = ours();
    assert.equal(id.exec(start)?.[1], id.exec(stop)?.[1]);
    for (const text of [
      "Acct-Status-Type = Start",
      "Framed-IP-Address = 10.1.2.3",
      'Calling-Station-Id = "198.51.100.7"',
      "Class = 0x00ff10",
    ])
      assert.ok(start.includes(text), `${text} in\n${start}`);
    for (const text of [
      "Acct-Status-Type = Stop",
      "Acct-Input-Octets = 300",
      "Acct-Input-Packets = 1",
      "Acct-Output-Octets = 0",
      "Acct-Terminate-Cause = User-Request",
      "Acct-Authentic = RADIUS",
      "Class = 0x00ff10",
    ])
      assert.ok(stop.includes(text), `${text} in\n${stop}`);
  },
);

test(
  "Session-Timeout of FreeRADIUS ends the session; 255.255.255.254 was an address of the pool",
  TIMEOUT,
  async (t) => {
    const { device, log } = await scene(t, { user: "carol", password: "grüße, c@rol" });
    await until("connected", () => device.states[0] === "connected", log);
    assert.equal(device.vpn.sessions()[0]?.address, ip("192.168.1.200"));
    await until("ended", () => device.log.some((line) => line.includes("the session lasted as long as it may")), log);
  },
);

test(
  "radclient: CoA-Request for nobody is refused with its cause, Disconnect-Request ends the session",
  TIMEOUT,
  async (t) => {
    const { device, dynamicPort, log } = await scene(t, { user: "bob", password: "b0b" });
    await until("connected", () => device.states[0] === "connected", log);
    const refused = await radclient(dynamicPort, "coa", 'User-Name = "nobody", Session-Timeout = 60\n');
    assert.match(refused, /CoA-NAK/);
    assert.match(refused, /Error-Cause = Session-Context-Not-Found/);
    assert.match(await radclient(dynamicPort, "coa", 'User-Name = "bob", Session-Timeout = 600\n'), /CoA-ACK/);
    assert.match(await radclient(dynamicPort, "disconnect", "Framed-IP-Address = 10.1.2.3\n"), /Disconnect-ACK/);
    await until("ended", () => device.log.some((line) => line.includes("a RADIUS server ended the session")), log);
  },
);

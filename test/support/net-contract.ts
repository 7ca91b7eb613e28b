/** What every Net must do: the fake and the kernel alike. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type Net, type NetInterface, SystemError } from "../../appliance/ports.ts";
import { formatIpv4, type Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { Inbox } from "./inbox.ts";
import { emitUdp, udpText } from "./udp-packet.ts";

const TIMEOUT = { timeout: 10_000 };
const address = (text: string): Ipv4 => parseIpv4(text) ?? assert.fail(`not an address: ${text}`);

/** A machine with one Ethernet interface `eth0`, down and without address. */
export interface NetBench {
  readonly net: Net;
  /** A program on the machine sends this text by UDP to the far end of the tunnel. */
  send(tunName: string, from: Ipv4, to: Ipv4, text: string): Promise<void> | void;
  /** The next text that a program on the machine receives at UDP port 4711 of this address. */
  received(tunName: string, at: Ipv4): Promise<{ next(): Promise<string>; close(): void }>;
}

export function netContract(name: string, make: () => NetBench): void {
  const eth0 = (net: Net): NetInterface =>
    net.interfaces().find((each) => each.name === "eth0") ?? assert.fail("eth0 is gone");
  const prefix = (text: string, length: number) => ({ address: address(text), length });

  test(`${name}: an Ethernet interface is seen with its MAC address, and can be switched on and off`, () => {
    const { net } = make();
    assert.equal(eth0(net).up, false);
    assert.match(eth0(net).mac ?? "", /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assert.equal(eth0(net).mtu, 1500);
    net.setUp("eth0", true);
    assert.equal(eth0(net).up, true);
    net.setUp("eth0", false);
    assert.equal(eth0(net).up, false);
  });

  test(`${name}: addresses are added and removed, twice without harm`, () => {
    const { net } = make();
    net.addAddress("eth0", prefix("192.168.7.1", 24));
    net.addAddress("eth0", prefix("192.168.7.1", 24));
    net.addAddress("eth0", prefix("10.9.8.7", 30));
    assert.deepEqual(eth0(net).addresses, [prefix("192.168.7.1", 24), prefix("10.9.8.7", 30)]);
    net.removeAddress("eth0", prefix("192.168.7.1", 24));
    net.removeAddress("eth0", prefix("192.168.7.1", 24));
    assert.deepEqual(eth0(net).addresses, [prefix("10.9.8.7", 30)]);
    net.removeAddress("eth0", prefix("10.9.8.7", 30));
  });

  test(`${name}: a bridge is made of its interfaces, once and again, and taken away, twice without harm`, () => {
    const { net } = make();
    net.setBridge("lan", ["eth0"]);
    net.setBridge("lan", ["eth0"]);
    const bridge = net.interfaces().find((each) => each.name === "lan");
    assert.equal(bridge?.mac, eth0(net).mac);
    assert.equal(eth0(net).up, true);
    assert.throws(() => net.setBridge("lan", ["eth0", "absent"]), {
      operation: "bridge lan of eth0, absent",
      errno: "ENODEV",
    });
    net.setBridge("lan", undefined);
    net.setBridge("lan", undefined);
    assert.equal(
      net.interfaces().some((each) => each.name === "lan"),
      false,
    );
    net.setUp("eth0", false);
  });

  test(`${name}: routes are looked up, added, replaced and removed`, () => {
    const { net } = make();
    net.setUp("eth0", true);
    net.addAddress("eth0", prefix("198.51.100.2", 24));
    assert.deepEqual(net.nextHopTo(address("198.51.100.9")), { interfaceName: "eth0", gateway: undefined });
    assert.equal(net.nextHopTo(address("192.0.2.77")), undefined);
    net.setDefaultGateway(address("198.51.100.1"));
    const byDefault = { interfaceName: "eth0", gateway: address("198.51.100.1") };
    assert.deepEqual(net.nextHopTo(address("192.0.2.77")), byDefault);
    const other = { interfaceName: "eth0", gateway: address("198.51.100.3") };
    net.addRoute(prefix("192.0.2.0", 24), byDefault);
    net.addRoute(prefix("192.0.2.99", 24), other); // the same network: replaced, host bits ignored
    assert.deepEqual(net.nextHopTo(address("192.0.2.77")), other);
    net.addRoute(prefix("192.0.2.77", 32), byDefault);
    assert.deepEqual(net.nextHopTo(address("192.0.2.77")), byDefault);
    for (const [text, length, gateway] of [
      ["0.0.0.0", 0, "198.51.100.1"],
      ["192.0.2.0", 24, "198.51.100.3"],
      ["192.0.2.77", 32, "198.51.100.1"],
      ["198.51.100.0", 24, undefined],
    ] as const)
      assert.deepEqual(
        net.routes().filter(({ destination }) => isDeepStrictEqual(destination, prefix(text, length))),
        [
          {
            destination: prefix(text, length),
            by: { interfaceName: "eth0", gateway: gateway === undefined ? undefined : address(gateway) },
          },
        ],
      );
    net.removeRoute(prefix("192.0.2.77", 32));
    net.removeRoute(prefix("192.0.2.77", 32));
    net.removeRoute(prefix("192.0.2.0", 24));
    assert.deepEqual(net.nextHopTo(address("192.0.2.77")), byDefault);
    net.setDefaultGateway(undefined);
  });

  test(`${name}: the default gateway is set, replaced and removed`, () => {
    const { net } = make();
    net.setUp("eth0", true);
    net.addAddress("eth0", prefix("198.51.100.2", 24));
    assert.equal(net.defaultGateway(), undefined);
    net.setDefaultGateway(address("198.51.100.1"));
    assert.equal(net.defaultGateway(), address("198.51.100.1"));
    net.setDefaultGateway(address("198.51.100.254"));
    assert.equal(net.defaultGateway(), address("198.51.100.254"));
    net.setDefaultGateway(undefined);
    assert.equal(net.defaultGateway(), undefined, "replaced, not added");
    net.setDefaultGateway(undefined);
    net.removeAddress("eth0", prefix("198.51.100.2", 24));
    net.setUp("eth0", false);
  });

  test(`${name}: a refusal names the operation and the reason`, () => {
    const { net } = make();
    const refusal = (operation: string, errno: string) => (error: unknown) =>
      error instanceof SystemError && error.operation === operation && error.errno === errno;
    assert.throws(() => net.setUp("eth9", true), refusal("set eth9 up", "ENODEV"));
    assert.throws(() => net.addAddress("eth9", prefix("10.0.0.1", 8)), refusal("add 10.0.0.1/8 to eth9", "ENODEV"));
    assert.throws(
      () => net.setDefaultGateway(address("203.0.113.9")),
      refusal("set the default route to 203.0.113.9", "ENETUNREACH"),
    );
  });

  test(`${name}: a tunnel carries packets both ways and is gone after close`, TIMEOUT, async (t) => {
    const bench = make();
    const [local, remote] = [address("10.77.0.1"), address("10.77.0.2")];
    const fromKernel = new Inbox<{ text: string; headroom: number; to: string }>();
    const tun = bench.net.openTun({ name: "tunnel0", local, remote, mtu: 1400 }, () =>
      tun.receive((slot, start, end) => {
        const packet = slot.subarray(start, end);
        const text = udpText(packet);
        // The kernel may have its own things to say on a new interface.
        if (text !== undefined) fromKernel.put({ text, headroom: start, to: formatIpv4(destination(packet)) });
      }),
    );
    t.after(() => tun.close());
    const seen = bench.net.interfaces().find((each) => each.name === "tunnel0");
    assert.deepEqual(
      { up: seen?.up, mtu: seen?.mtu, mac: seen?.mac, addresses: seen?.addresses },
      { up: true, mtu: 1400, mac: undefined, addresses: [{ address: local, length: 32 }] },
    );

    for (const text of ["first", "second"]) await bench.send("tunnel0", local, remote, text);
    for (const text of ["first", "second"]) {
      const packet = await fromKernel.next();
      assert.equal(packet.text, text);
      assert.equal(packet.to, "10.77.0.2");
      assert.ok(packet.headroom >= 24, `${packet.headroom} bytes of headroom hold no GRE, PPP and MPPE header`);
    }

    const program = await bench.received("tunnel0", local);
    t.after(() => program.close());
    const arriving = { source: remote, destination: local, sourcePort: 9, destinationPort: 4711 };
    tun.write(Buffer.from([0x45]));
    tun.write(emitUdp({ ...arriving, payload: Buffer.from("inwards") }));
    assert.equal(await program.next(), "inwards");

    tun.close();
    tun.close();
    tun.write(emitUdp({ ...arriving, payload: Buffer.from("too late") }));
    tun.receive(() => assert.fail("a closed tunnel receives nothing"));
    assert.ok(!bench.net.interfaces().some((each) => each.name === "tunnel0"));
  });
}

function destination(packet: Buffer): Ipv4 {
  return packet.readUInt32BE(16) as Ipv4;
}

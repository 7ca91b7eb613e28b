import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { emitIcmp } from "../../hil/net/ip/icmp.ts";
import { emitIpv4Packet, IpProtocol, type Ipv4Packet, parseIpv4Packet } from "../../hil/net/ip/packet.ts";
import { Reassembler } from "../../hil/net/ip/reassembly.ts";
import { natBox } from "../../hil/net/services/nat-box.ts";
import { router } from "../../hil/net/services/router.ts";
import { serviceHost } from "../../hil/net/services/service-host.ts";
import { ManualClock } from "./fake-line.ts";
import { type ServiceBench, serviceBench } from "./service-bench.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each));

const TEMPLATE: Ipv4Packet = {
  source: Ipv4(0x0a00_0001),
  destination: Ipv4(0x0a00_0002),
  protocol: IpProtocol.udp,
  ttl: 64,
  typeOfService: 0,
  identification: 7,
  dontFragment: false,
  moreFragments: false,
  fragmentOffset: 0,
  options: Buffer.alloc(0),
  payload: Buffer.alloc(0),
};

test("no frame makes a service throw: noise, and sound frames with noise in them", async () => {
  const dhcp = { from: "10.0.0.50", to: "10.0.0.60" };
  const benches: ServiceBench<unknown, string>[] = [
    await serviceBench(router({ nics: { in: "10.0.0.1/24", out: "10.0.1.1/24" } })),
    await serviceBench(
      natBox({ inside: "10.0.0.1/24", outside: "10.0.1.1/24", dhcp, dns: { "a.example": "10.0.1.9" } }),
    ),
    await serviceBench(serviceHost({ address: "10.0.0.1/24", dhcp, dns: {} })),
  ] as ServiceBench<unknown, string>[];
  const stations = ["in", "inside", "eth0"].map((nic, index) => ({
    nic,
    station: (benches[index] ?? assert.fail()).station(nic, "10.0.0.2"),
  }));
  fc.assert(
    fc.property(bytes(120), fc.nat(60), fc.constantFrom("arp", "icmp", "udp", "fragment"), (noise, at, kind) => {
      for (const [index, bench] of benches.entries()) {
        const { nic, station } = stations[index] ?? assert.fail();
        const toService = Buffer.from([2, 0x43, 0, 0, 1, 0]);
        const packet =
          kind === "icmp"
            ? station.packet("10.0.1.9", IpProtocol.icmp, emitIcmp({ type: 3, code: 4, rest: 0, data: noise }))
            : kind === "udp"
              ? station.udpPacket(at % 2 === 0 ? "10.0.0.1" : "10.0.1.9", [68, at % 3 === 0 ? 53 : 67], noise)
              : station.packet("10.0.0.1", at, noise, { moreFragments: at % 2 === 0, fragmentOffset: at * 8 });
        const type = Buffer.from(kind === "arp" ? [8, 6] : [8, 0]);
        const body = kind === "arp" ? Buffer.from("0001080006040001024300000200", "hex") : emitIpv4Packet(packet);
        const frame = Buffer.concat([toService, station.mac, type, body, noise.subarray(0, at % 20)]);
        bench.throwIn(nic, Buffer.from(frame));
        noise.subarray(0, 3).copy(frame, at);
        bench.throwIn(nic, frame);
        bench.throwIn(nic, noise);
        station.take();
        bench.frames(nic).length = 0;
      }
    }),
    { numRuns: 200 },
  );
  for (const bench of benches) {
    bench.clock.advance(40_000);
    assert.doesNotThrow(() => JSON.stringify(bench.service.save()));
    bench.service.close();
  }
});

test("packets come back as they were emitted, and parsing is total", () => {
  const packet = fc.record(
    {
      source: fc.nat({ max: 0xffff_ffff }).map(Ipv4),
      destination: fc.nat({ max: 0xffff_ffff }).map(Ipv4),
      protocol: fc.nat({ max: 255 }),
      ttl: fc.nat({ max: 255 }),
      typeOfService: fc.nat({ max: 255 }),
      identification: fc.nat({ max: 0xffff }),
      dontFragment: fc.boolean(),
      moreFragments: fc.boolean(),
      fragmentOffset: fc.nat({ max: 0x1fff }).map((words) => words * 8),
      options: fc.nat({ max: 10 }).map((words) => Buffer.alloc(words * 4, 1)),
      payload: bytes(100),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(packet, bytes(30), (each, padding) => {
      const emitted = emitIpv4Packet(each);
      assert.deepEqual(parseIpv4Packet(Buffer.concat([emitted, padding])), { ok: true, value: each });
      parseIpv4Packet(padding);
    }),
  );
});

test("fragments of a packet become whole in any order, and never twice", () => {
  fc.assert(
    fc.property(bytes(200), fc.integer({ min: 1, max: 6 }), fc.infiniteStream(fc.nat()), (payload, words, luck) => {
      const reassembler = new Reassembler(new ManualClock());
      const whole = parseIpv4Packet(emitIpv4Packet({ ...TEMPLATE, payload }));
      assert.ok(whole.ok);
      const size = words * 8;
      const pieces = Array.from({ length: Math.ceil(payload.length / size) }, (_, index) => ({
        ...whole.value,
        payload: payload.subarray(index * size, (index + 1) * size),
        fragmentOffset: index * size,
        moreFragments: (index + 1) * size < payload.length,
      }));
      const shuffled = pieces
        .map((piece) => ({ piece, key: luck.next().value as number }))
        .sort((a, b) => a.key - b.key)
        .map(({ piece }) => piece);
      const results = shuffled.map((piece) => reassembler.add(piece)).filter((result) => result !== undefined);
      assert.deepEqual(results, payload.length === 0 ? [] : [whole.value]);
    }),
  );
});

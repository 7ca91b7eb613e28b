import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatIpv4, Ipv4 } from "../../appliance/wire/ipv4.ts";
import { ipv4Of } from "../../hil/net/ip/cidr.ts";
import { parseUdp } from "../../hil/net/ip/udp.ts";
import {
  addressBytes,
  addressOption,
  classlessRouteBytes,
  type DhcpMessage,
  DhcpOption,
  DhcpType,
  emitDhcp,
  parseDhcp,
} from "../../hil/net/services/dhcp-message.ts";
import type { DhcpSettings } from "../../hil/net/services/dhcp-server.ts";
import { serviceHost } from "../../hil/net/services/service-host.ts";
import { type Station, serviceBench } from "./service-bench.ts";

const POOL: DhcpSettings = { from: "192.168.1.100", to: "192.168.1.102", dns: ["192.168.1.1"], domain: "lab.example" };
const NOBODY = Ipv4(0);

async function network(settings: Partial<DhcpSettings> = {}) {
  const bench = await serviceBench(serviceHost({ address: "192.168.1.1/24", dhcp: { ...POOL, ...settings } }));
  return { ...bench, dhcp: bench.node.dhcp ?? assert.fail(), client: () => bench.station("eth0", "0.0.0.0") };
}

interface Ask {
  readonly options?: readonly (readonly [number, Buffer])[];
  readonly clientAddress?: string;
  readonly wantsBroadcast?: boolean;
}

function send(client: Station, type: number, { options = [], clientAddress, wantsBroadcast = false }: Ask = {}): void {
  const message: DhcpMessage = {
    isRequest: true,
    transaction: 0x1234_5678,
    seconds: 3,
    wantsBroadcast,
    clientAddress: clientAddress === undefined ? NOBODY : ipv4Of(clientAddress),
    yourAddress: NOBODY,
    relayAddress: NOBODY,
    mac: client.mac,
    options: new Map([[DhcpOption.messageType, Buffer.from([type])], ...options]),
  };
  client.address = message.clientAddress;
  client.udp("255.255.255.255", [68, 67], emitDhcp(message));
}

/** The answer that a client got, and to which address it was sent. */
function answer(
  client: Station,
): { type: number | undefined; address: string; to: string; message: DhcpMessage } | undefined {
  const packets = client.take();
  if (packets.length === 0) return undefined;
  const [packet = assert.fail()] = packets;
  const udp = parseUdp(packet);
  assert.ok(udp.ok && udp.value.sourcePort === 67 && udp.value.destinationPort === 68);
  const parsed = parseDhcp(udp.value.payload);
  assert.ok(parsed.ok && !parsed.value.isRequest && parsed.value.transaction === 0x1234_5678);
  const message = parsed.value;
  const type = message.options.get(DhcpOption.messageType)?.[0];
  return { type, address: formatIpv4(message.yourAddress), to: formatIpv4(packet.destination), message };
}

const requested = (address: string) => [DhcpOption.requestedAddress, addressBytes(ipv4Of(address))] as const;
const serverId = (address: string) => [DhcpOption.serverId, addressBytes(ipv4Of(address))] as const;

function lease(client: Station): string {
  send(client, DhcpType.discover);
  const offer = answer(client) ?? assert.fail("no offer");
  send(client, DhcpType.request, { options: [requested(offer.address), serverId("192.168.1.1")] });
  const ack = answer(client) ?? assert.fail("no ack");
  assert.equal(ack.type, DhcpType.ack);
  return ack.address;
}

test("DISCOVER, OFFER, REQUEST, ACK: an address with mask, router, DNS, domain and times", async () => {
  const { client, dhcp, notes } = await network({ leaseSeconds: 800 });
  const host = client();
  send(host, DhcpType.discover);
  const offer = answer(host) ?? assert.fail();
  assert.deepEqual([offer.type, offer.address, offer.to], [DhcpType.offer, "192.168.1.100", "192.168.1.100"]);
  assert.deepEqual(
    [...offer.message.options].map(([code, value]) => `${code}=${value.toString("hex")}`),
    [
      "53=02",
      "54=c0a80101",
      "51=00000320",
      "58=00000190",
      "59=000002bc",
      "1=ffffff00",
      "3=c0a80101",
      "6=c0a80101",
      `15=${Buffer.from("lab.example").toString("hex")}`,
    ],
  );
  assert.equal(dhcp.addressOf("02:43:00:00:02:00"), undefined, "an offer is no lease");
  send(host, DhcpType.request, { options: [requested("192.168.1.100"), serverId("192.168.1.1")] });
  assert.equal(answer(host)?.type, DhcpType.ack);
  assert.equal(dhcp.addressOf("02:43:00:00:02:00"), "192.168.1.100");
  assert.deepEqual(notes(), ["DHCP: 192.168.1.100 is leased to 02:43:00:00:02:00"]);
});

test("a client gets what it asks for and nothing else, but always the mask: RFC 2131 §4.3.1", async () => {
  const { client } = await network();
  const host = client();
  send(host, DhcpType.discover, { options: [[DhcpOption.parameters, Buffer.from([1, 6])]] });
  const codes = [...(answer(host)?.message.options.keys() ?? [])];
  assert.deepEqual(codes, [53, 54, 51, 58, 59, 1, 6]);
});

test("classless routes are options 121 and 249, as RFC 3442 prints them", async () => {
  const routes = [
    { to: "10.0.0.0/8", via: "192.168.1.2" },
    { to: "10.17.0.0/16", via: "192.168.1.3" },
    { to: "10.27.129.0/24", via: "192.168.1.4" },
    { to: "0.0.0.0/0", via: "192.168.1.5" },
  ];
  const { client } = await network({ routes });
  const host = client();
  send(host, DhcpType.discover, { options: [[DhcpOption.parameters, Buffer.from([121, 249])]] });
  const options = answer(host)?.message.options;
  const expected = "080ac0a80102" + "100a11c0a80103" + "180a1b81c0a80104" + "00c0a80105";
  assert.deepEqual([options?.get(121)?.toString("hex"), options?.get(249)?.toString("hex")], [expected, expected]);
});

test("the pool is given away once, and what is given back or expired is given again", async () => {
  const { client, clock } = await network();
  const [a, b, c, d] = [client(), client(), client(), client()];
  assert.deepEqual([a, b, c].map(lease), ["192.168.1.100", "192.168.1.101", "192.168.1.102"]);
  send(d, DhcpType.discover);
  assert.equal(answer(d), undefined);
  send(b, DhcpType.release, { clientAddress: "192.168.1.101", options: [serverId("192.168.1.1")] });
  assert.equal(lease(d), "192.168.1.101");
  clock.advance(3_599_000);
  send(b, DhcpType.discover);
  assert.equal(answer(b), undefined);
  clock.advance(1_000);
  assert.equal(lease(b), "192.168.1.100");
});

test("a client that comes again has its address again; one that remembers another's is refused", async () => {
  const { client } = await network();
  const [a, b] = [client(), client()];
  assert.equal(lease(a), lease(a));
  send(b, DhcpType.request, { options: [requested("192.168.1.100")] });
  const nak = answer(b) ?? assert.fail();
  assert.deepEqual([nak.type, nak.address, nak.to], [DhcpType.nak, "0.0.0.0", "255.255.255.255"]);
  send(b, DhcpType.request, { options: [requested("10.9.9.9")] });
  assert.equal(answer(b)?.type, DhcpType.nak, "it is of another network");
});

test("renewal goes to the client's address and lasts anew", async () => {
  const { client, clock, dhcp } = await network();
  const host = client();
  const address = lease(host);
  clock.advance(3_000_000);
  send(host, DhcpType.request, { clientAddress: address });
  const ack = answer(host);
  assert.deepEqual([ack?.type, ack?.address, ack?.to], [DhcpType.ack, address, address]);
  clock.advance(3_000_000);
  assert.equal(dhcp.leases.length, 1);
});

test("an offer that another server won is free again at once; one that nobody takes is free after a minute", async () => {
  const { client, clock, dhcp } = await network();
  const [a, b] = [client(), client()];
  send(a, DhcpType.discover);
  send(a, DhcpType.request, { options: [requested("192.168.1.77"), serverId("192.168.1.77")] });
  assert.deepEqual([answer(a)?.type, dhcp.leases], [DhcpType.offer, []]);
  send(b, DhcpType.discover);
  assert.equal(dhcp.leases.length, 1);
  clock.advance(60_000);
  assert.deepEqual(dhcp.leases, []);
});

test("a broadcast flag is heeded, INFORM gets parameters without a lease, a declined address is left alone", async () => {
  const { client } = await network();
  const [a, b] = [client(), client()];
  send(a, DhcpType.discover, { wantsBroadcast: true });
  assert.equal(answer(a)?.to, "255.255.255.255");
  b.take(); // hears what is for all
  send(a, DhcpType.inform, { clientAddress: "192.168.1.50" });
  const ack = answer(a);
  assert.deepEqual([ack?.type, ack?.address, ack?.to], [DhcpType.ack, "0.0.0.0", "192.168.1.50"]);
  assert.deepEqual([ack?.message.options.has(51), ack?.message.options.has(3)], [false, true]);
  const address = lease(b);
  send(b, DhcpType.decline, { options: [requested(address), serverId("192.168.1.1")] });
  assert.notEqual(lease(b), address);
});

test("a reservation is given to its MAC address alone", async () => {
  const { client } = await network({ reservations: { "02:43:00:00:02:01": "192.168.1.100" } });
  const [a, b] = [client(), client()];
  assert.deepEqual([lease(a), lease(b)], ["192.168.1.101", "192.168.1.100"]);
});

test("a silent server answers nothing, and leases live on after a snapshot with the rest of their time", async () => {
  const before = await network();
  const host = before.client();
  before.dhcp.isSilent = true;
  send(host, DhcpType.discover);
  assert.equal(answer(host), undefined);
  before.dhcp.isSilent = false;
  const address = lease(host);
  before.clock.advance(3_000_000);
  const saved = JSON.parse(JSON.stringify(before.service.save())) as unknown;
  const after = await network();
  after.clock.advance(9_999_000);
  after.service.restore(saved);
  assert.equal(after.dhcp.addressOf("02:43:00:00:02:00"), address);
  after.clock.advance(600_000);
  assert.deepEqual(after.dhcp.leases, []);
});

test("a pool outside the network is refused when it is written", () => {
  const settings = { address: "192.168.1.1/24", dhcp: { from: "192.168.2.1", to: "192.168.2.9" } };
  assert.throws(() => serviceHost(settings), /192\.168\.2\.1 to 192\.168\.2\.9 is no range of the network of eth0/);
});

test("messages come back as they were emitted, options longer than 255 bytes too: RFC 3396", () => {
  const address = fc.nat({ max: 0xffff_ffff }).map(Ipv4);
  const option = fc.tuple(
    fc.integer({ min: 1, max: 254 }),
    fc.uint8Array({ maxLength: 600 }).map((each) => Buffer.from(each)),
  );
  const fields = {
    isRequest: fc.boolean(),
    transaction: fc.nat({ max: 0xffff_ffff }),
    seconds: fc.nat({ max: 0xffff }),
    wantsBroadcast: fc.boolean(),
    clientAddress: address,
    yourAddress: address,
    relayAddress: address,
    mac: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((each) => Buffer.from(each)),
    options: fc.array(option, { maxLength: 8 }).map((list) => new Map(list)),
  };
  const message: fc.Arbitrary<DhcpMessage> = fc.record(fields, { noNullPrototype: true });
  fc.assert(fc.property(message, (each) => assert.deepEqual(parseDhcp(emitDhcp(each)), { ok: true, value: each })));
});

test("no bytes make the server throw", async () => {
  const { client, dhcp } = await network();
  const host = client();
  const good = emitDhcp({
    isRequest: true,
    transaction: 1,
    seconds: 0,
    wantsBroadcast: false,
    clientAddress: NOBODY,
    yourAddress: NOBODY,
    relayAddress: NOBODY,
    mac: host.mac,
    options: new Map([[DhcpOption.messageType, Buffer.from([DhcpType.request])]]),
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(300), (noise, at) => {
      const bytes = Buffer.from(good);
      Buffer.from(noise).copy(bytes, at);
      host.udp("255.255.255.255", [68, 67], at % 7 === 0 ? Buffer.from(noise) : bytes);
      host.got.length = 0;
    }),
  );
  assert.ok(dhcp.leases.length <= 3);
  assert.equal(classlessRouteBytes([]).length, 0);
  assert.equal(addressOption({ ...(parseDhcp(good) as { value: DhcpMessage }).value }, 50), undefined);
});

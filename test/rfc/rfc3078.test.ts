import assert from "node:assert/strict";
import { test } from "node:test";
import { MppeSessionKey, type MppeStrength } from "../../appliance/crypto/mppe-keys.ts";
import { MPPE_HEADER_BYTES, MppeReceiver, MppeSender } from "../../appliance/ppp/mppe.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

// What a server sends with after the exchange of RFC 2759 §9.2, and a PPP frame: protocol, then an IPv4 ICMP echo.
const START_KEY = hex("8b7cdc149b993a1ba118cb153f56dccb");
const FRAME = hex("0021 4500001c00000000400166cc0a0000010a000002 0800f7ff00000000");

// By coherency count. Checked against Linux's ppp_mppe (128 and 40 bit) and an independent implementation (all).
const STREAMS: readonly {
  strength: MppeStrength;
  stateless: boolean;
  packets: Readonly<Record<number, string>>;
}[] = [
  {
    strength: 128,
    stateless: true,
    packets: {
      0: "90007058132be07358bad366c92419989fba69f132d345f7bc34fada9d52d783",
      1: "9001353ca429a62dee5c42dd5b96eb5efa4200b23f711d5964aed151df5a9d26",
      2: "9002ccd975db31a5cb5fd449e512942307cca878b542b6603caeae4258b2cc37",
      255: "90ff4860918ecd7895d86f43676f99c258e0ad5dcde546e14bf65b3703657804",
      256: "9100cfe3e95b7c8c52917ba5fb3d6122631d2d5adbcf055a687e113919bed595",
    },
  },
  {
    strength: 128,
    stateless: false,
    packets: {
      0: "1000f5c0b563ff19e111019a7ddaf90ee8b8df6a3aba0d244762427ce9cc7dac",
      1: "10018777509d41929493d989ebf8baf5f9c207900537a9017dacfdc77925a1b9",
      2: "10024be4133e0840605727e5459161fa0d6ef35db862b93b52f6bfcde4cf62c8",
      255: "90ff7058132be07358bad366c92419989fba69f132d345f7bc34fada9d52d783",
      256: "11004a6c17ed9fcec23d8d26b5fdb08f8c4fccddd496c41c8f69f2dc8dc46b08",
    },
  },
  {
    strength: 56,
    stateless: true,
    packets: {
      0: "900068dab65ba56787590f82a514dc485fa5ff6037aeca98518129613bc22605",
      1: "9001b23cb706b0abaab569ac1ec2e1f66e464ad3083bc3b9cb7b1219fd2be1dd",
    },
  },
  {
    strength: 56,
    stateless: false,
    packets: {
      0: "10004b545e47da35e8db31dd70dcd6abb97b39a2993ecc21011feef008cdac4e",
      255: "90ff68dab65ba56787590f82a514dc485fa5ff6037aeca98518129613bc22605",
    },
  },
  {
    strength: 40,
    stateless: true,
    packets: {
      0: "90009edc946694f2408f375e9d4432441b4517e20f10d1f05c4bd621c0d938ae",
      1: "9001f2031b6c4de591fabb5e7ff269f97e55bb66bda692c4e3b4ef5307d20157",
      256: "9100b508e3e7fd0827a3770d9de6008b463acaa8337b321abb5b3b26c1e7d711",
    },
  },
  {
    strength: 40,
    stateless: false,
    packets: {
      0: "1000e6d501e55e2966a51bb67ffc55747c38f907f0a5e24579cf4b20e74423e9",
      255: "90ff9edc946694f2408f375e9d4432441b4517e20f10d1f05c4bd621c0d938ae",
    },
  },
];

for (const { strength, stateless, packets } of STREAMS) {
  const section = stateless ? "§7.1" : "§7.2";
  const mode = `${strength}-bit ${stateless ? "stateless" : "stateful"}`;
  const settings = { startKey: START_KEY.subarray(0, strength === 128 ? 16 : 8), strength, stateless };
  const last = Math.max(...Object.keys(packets).map(Number));

  test(`RFC 3078 ${section} ${mode}: what we send`, () => {
    const sender = new MppeSender(settings);
    for (let count = 0; count <= last; count++) {
      const buffer = Buffer.concat([Buffer.alloc(4), FRAME]);
      const start = sender.encrypt(buffer, 4, buffer.length);
      assert.equal(start, 2);
      const expected = packets[count];
      if (expected !== undefined) assert.equal(buffer.toString("hex", start), expected, `packet ${count}`);
    }
  });

  test(`RFC 3078 ${section} ${mode}: what we read`, () => {
    const sender = new MppeSender(settings);
    const receiver = new MppeReceiver({ ...settings, rekeyOnFlush: false });
    for (let count = 0; count <= last; count++) {
      const buffer = Buffer.concat([Buffer.alloc(MPPE_HEADER_BYTES), FRAME]);
      sender.encrypt(buffer, MPPE_HEADER_BYTES, buffer.length);
      const known = packets[count];
      const packet = known === undefined ? buffer : hex(known);
      assert.equal(receiver.decrypt(packet, 0, packet.length), undefined);
      assert.deepEqual(packet.subarray(MPPE_HEADER_BYTES), FRAME, `packet ${count}`);
    }
  });
}

test("RFC 3078 §7.3 the key change: the first packet of the 128-bit stateless stream", () => {
  const key = new MppeSessionKey(START_KEY, 128);
  key.change();
  key.initialize();
  const bytes = Buffer.from(FRAME);
  key.crypt(bytes, 0, bytes.length);
  assert.equal(bytes.toString("hex"), "7058132be07358bad366c92419989fba69f132d345f7bc34fada9d52d783");
});

// The first encrypted packets of pptpd 1.4.0 and pptp-linux 1.10, both over Linux 6.1: IPv6 router solicitations.
const GOLDEN = [
  {
    who: "the client",
    startKey: "55c3b7e11f439bf0eb4ee0b028cf152e",
    packet: "9000e0e3b7a35ba4c48ec336c0dd623b101a1d31c6f9f75389292f1db3db9f2c4d327d162fee7bbc665600bc22ffcb9c7660db8a",
  },
  {
    who: "the server",
    startKey: "9d03fb01012b01ea5b42a45259bb3504",
    packet: "900073c1bdfac9e7b432f5b0f7be31c68055f6428b9baf3e81f59b09606d3709e44ccae29ff2d3318a24a9e54453bfa79f21c70e",
  },
] as const;

for (const { who, startKey, packet } of GOLDEN)
  test(`RFC 3078 §8.1 the first packet of ${who} in a session between pptpd and pptp-linux`, () => {
    const bytes = hex(packet);
    const receiver = new MppeReceiver({
      startKey: hex(startKey),
      strength: 128,
      stateless: true,
      rekeyOnFlush: false,
    });
    assert.equal(receiver.decrypt(bytes, 0, bytes.length), undefined);
    const plain = bytes.subarray(MPPE_HEADER_BYTES);
    assert.deepEqual(plain.subarray(0, 10), hex("0057 60000000 0008 3aff"));
    assert.deepEqual(plain.subarray(26, 42), hex("ff02 0000 0000 0000 0000 0000 0000 0002"), "to all routers");
    assert.equal(plain.readUInt16BE(42), 0x8500, "router solicitation");
  });

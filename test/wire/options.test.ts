/** The Configuration Options of LCP, IPCP, IPV6CP, CCP and CBCP: meaning and bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emitNoCallback, parseCallbackTypes } from "../../appliance/wire/cbcp.ts";
import { type CcpOption, emitCcpOption, MppeBit, parseCcpOption } from "../../appliance/wire/ccp-option.ts";
import { emitOptions, parseOptions, type RawOption } from "../../appliance/wire/cp-packet.ts";
import { emitIpcpOption, type IpcpOption, parseIpcpOption } from "../../appliance/wire/ipcp-option.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { emitIpv6cpOption, type Ipv6cpOption, parseIpv6cpOption } from "../../appliance/wire/ipv6cp-option.ts";
import { emitLcpOption, type LcpOption, parseLcpOption } from "../../appliance/wire/lcp-option.ts";
import { octets, PLAIN, u8, u16, u32 } from "../support/arbitrary.ts";
import { hex } from "../support/hex.ts";

/** Raw options that `parse` knows nothing about. */
function unknown(known: readonly number[]) {
  const type = u8.filter((value) => !known.includes(value));
  return fc.record({ kind: fc.constant("unknown" as const), type, data: octets(40) }, PLAIN);
}
const constant = <T>(kind: T) => ({ kind: fc.constant(kind) });
const lcpOptions: fc.Arbitrary<LcpOption> = fc.oneof(
  fc.record({ ...constant("mru" as const), mru: u16 }, PLAIN),
  fc.record({ ...constant("accm" as const), map: u32 }, PLAIN),
  fc.record({ ...constant("authentication" as const), protocol: u16, data: octets(4) }, PLAIN),
  fc.record({ ...constant("magic" as const), magic: u32 }, PLAIN),
  fc.record(constant("pfc" as const), PLAIN),
  fc.record(constant("acfc" as const), PLAIN),
  fc.record({ ...constant("callback" as const), operation: u8, message: octets(20) }, PLAIN),
  fc.record({ ...constant("mrru" as const), mrru: u16 }, PLAIN),
  fc.record({ ...constant("endpoint" as const), class: u8, address: octets(20) }, PLAIN),
  unknown([1, 2, 3, 5, 7, 8, 13, 17, 19]),
);
const addressKinds = ["address", "primary-dns", "primary-nbns", "secondary-dns", "secondary-nbns"] as const;
const ipcpOptions: fc.Arbitrary<IpcpOption> = fc.oneof(
  fc.record({ kind: fc.constantFrom(...addressKinds), address: u32.map(Ipv4) }, PLAIN),
  fc.record({ ...constant("compression" as const), protocol: u16, data: octets(4) }, PLAIN),
  unknown([2, 3, 129, 130, 131, 132]),
);
const ipv6cpOptions: fc.Arbitrary<Ipv6cpOption> = fc.oneof(
  fc.record({ ...constant("interface-identifier" as const), identifier: octets(8, 8) }, PLAIN),
  unknown([1]),
);
const ccpOptions: fc.Arbitrary<CcpOption> = fc.oneof(
  fc.record({ ...constant("mppe" as const), bits: u32 }, PLAIN),
  unknown([18]),
);

function roundTrips<T>(options: fc.Arbitrary<T>, parse: (raw: RawOption) => T, emit: (option: T) => RawOption): void {
  fc.assert(
    fc.property(options, (option) => {
      const list = parseOptions(emitOptions([emit(option)]));
      assert.ok(list.ok);
      assert.deepEqual(list.value.map(parse), [option]);
    }),
  );
}
test("LCP: parse(emit(x)) = x for every option", () => roundTrips(lcpOptions, parseLcpOption, emitLcpOption));
test("IPCP: parse(emit(x)) = x for every option", () => roundTrips(ipcpOptions, parseIpcpOption, emitIpcpOption));
test("IPV6CP: parse(emit(x)) = x for every option", () =>
  roundTrips(ipv6cpOptions, parseIpv6cpOption, emitIpv6cpOption));
test("CCP: parse(emit(x)) = x for every option", () => roundTrips(ccpOptions, parseCcpOption, emitCcpOption));

/** One golden list per protocol, option by option. */
function golden<T>(
  wire: Buffer,
  parse: (raw: RawOption) => T,
  emit: (option: T) => RawOption,
  want: readonly T[],
): void {
  const list = parseOptions(wire);
  assert.ok(list.ok);
  assert.deepEqual(list.value.map(parse), want);
  assert.deepEqual(emitOptions(want.map(emit)), wire);
}
test("LCP: what RRAS asks for first", () =>
  golden(
    hex("01040578 0304c227 050670ed20e6 0702 0802 0d0306 1104064e 131701f3198e8764b2429f8d09ef637b516ea700000000"),
    parseLcpOption,
    emitLcpOption,
    [
      { kind: "mru", mru: 1400 },
      { kind: "authentication", protocol: 0xc227, data: hex("") },
      { kind: "magic", magic: 0x70ed20e6 },
      { kind: "pfc" },
      { kind: "acfc" },
      { kind: "callback", operation: 6, message: hex("") },
      { kind: "mrru", mrru: 1614 },
      { kind: "endpoint", class: 1, address: hex("f3198e8764b2429f8d09ef637b516ea700000000") },
    ],
  ));
test("LCP: the algorithms of CHAP, and PAP", () =>
  golden(hex("0305c22305 0305c22380 0305c22381 0304c023"), parseLcpOption, emitLcpOption, [
    { kind: "authentication", protocol: 0xc223, data: hex("05") },
    { kind: "authentication", protocol: 0xc223, data: hex("80") },
    { kind: "authentication", protocol: 0xc223, data: hex("81") },
    { kind: "authentication", protocol: 0xc023, data: hex("") },
  ]));
test("LCP: pptp-linux sends an ACCM of zero", () =>
  golden(hex("020600000000"), parseLcpOption, emitLcpOption, [{ kind: "accm", map: 0 }]));
test("IPCP: what a Windows client asks for, in its order", () =>
  golden(
    hex("030600000000 810600000000 820600000000 830600000000 840600000000"),
    parseIpcpOption,
    emitIpcpOption,
    (["address", "primary-dns", "primary-nbns", "secondary-dns", "secondary-nbns"] as const).map((kind) => ({
      kind,
      address: Ipv4(0),
    })),
  ));
test("IPCP: Van Jacobson compression as Poptop offers it", () =>
  golden(hex("0206002d0f01"), parseIpcpOption, emitIpcpOption, [
    { kind: "compression", protocol: 0x002d, data: hex("0f01") },
  ]));
test("IPV6CP: a Windows 7 client's interface identifier", () =>
  golden(hex("010afcd3335cf10e5c31"), parseIpv6cpOption, emitIpv6cpOption, [
    { kind: "interface-identifier", identifier: hex("fcd3335cf10e5c31") },
  ]));
test("CCP: what Windows clients and servers ask for", () =>
  golden(hex("120601000040 1206010000e1 120601000041"), parseCcpOption, emitCcpOption, [
    { kind: "mppe", bits: MppeBit.stateless | MppeBit.strength128 },
    {
      kind: "mppe",
      bits: MppeBit.stateless | MppeBit.strength128 | MppeBit.strength56 | MppeBit.strength40 | MppeBit.mppc,
    },
    { kind: "mppe", bits: MppeBit.stateless | MppeBit.strength128 | MppeBit.mppc },
  ]));

for (const [name, parse, wire] of [
  ["an MRU of one byte", parseLcpOption, "010305"],
  ["a magic number of two bytes", parseLcpOption, "05041234"],
  ["an authentication protocol of one byte", parseLcpOption, "0303c2"],
  ["a callback without operation", parseLcpOption, "0d02"],
  ["PFC with data", parseLcpOption, "070301"],
  ["an address of three bytes", parseIpcpOption, "0305c0a801"],
  ["an interface identifier of seven bytes", parseIpv6cpOption, "010900112233445566"],
  ["MPPE bits of five bytes", parseCcpOption, "12070100004000"],
] as const)
  test(`survives as bytes, for a Configure-Reject must echo it: ${name}`, () => {
    const list = parseOptions(hex(wire));
    assert.ok(list.ok && list.value[0] !== undefined);
    const [raw] = list.value;
    const option: { readonly kind: string } = parse(raw);
    assert.deepEqual(option, { kind: "unknown", ...raw });
  });

test("CBCP: no callback, as RRAS offers it", () => {
  assert.deepEqual(emitNoCallback(), hex("0102"));
  assert.deepEqual(parseCallbackTypes(hex("0102")), { ok: true, value: [1] });
  assert.deepEqual(parseCallbackTypes(hex("0102 0204000a")), { ok: true, value: [1, 2] });
  assert.deepEqual(parseCallbackTypes(hex("")), { ok: false, fault: "short" });
  assert.equal(parseCallbackTypes(hex("0100")).ok, false);
});

/** The Windows profiles on the wire, version by version: facts of the captures and logs, so that they hold without the captures too. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MppeBit } from "../../appliance/wire/ccp-option.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { encryptionPolicy, profileOf, type WindowsVersion } from "../../hil/peers/windows/versions.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { Dialer, Line } from "../support/dialer.ts";

const dialer = (version: WindowsVersion): Dialer => new Dialer({ profile: profileOf(version, "PC-4") });
const REQUIRED = { use: "required", strengths: [128], allowStateful: false, preferStateful: false } as const;

for (const [version, vendor, build, callId, mru] of [
  ["windows-2000", "Microsoft Windows NT", 2195, 0, ""],
  ["windows-xp", "Microsoft Windows NT", 2600, 0, "01040578"],
  ["windows-7", "Microsoft", 0, undefined, "01040578"],
  ["windows-10", "Microsoft", 0, undefined, "01040578"],
] as const)
  test(`windows.md §1, §4 ${version}: how it introduces itself, and its first LCP request`, () => {
    const line = dialer(version).called();
    const [start, call] = line.controls;
    assert.ok(start?.type === "start-control-connection-request");
    assert.equal(start.vendorName, vendor);
    assert.equal(start.firmwareRevision, build);
    assert.ok(call?.type === "outgoing-call-request");
    assert.equal(call.subaddress.subarray(0, 16).equals(Buffer.alloc(16)), callId === 0, "a GUID since Vista");
    const multilink = version === "windows-2000" ? "1104064e1317 01.{32}0000000c".replace(" ", "") : "";
    assert.match(line.frames[0] ?? "", new RegExp(`^ff03c0210100.{4}${mru}0506.{8}070208020d0306${multilink}$`));
  });

test("windows.md §13 call ids and serial numbers: 0 and arbitrary before Vista, random and from 1 since", () => {
  assert.equal(profileOf("windows-2000", "A").firstCallId, 0);
  assert.equal(profileOf("windows-2000", "A").firstSerial, "random");
  assert.equal(profileOf("windows-11", "A").firstCallId, "random");
  const [, call] = dialer("windows-11").called().controls;
  assert.ok(call?.type === "outgoing-call-request");
  assert.equal(call.callSerialNumber, 1);
});

test("windows.md §4 start race: deaf on GRE until it has settled, then Set-Link-Info before LCP", () => {
  const line = dialer("windows-10").connected().receive(WINDOWS_CONTROL.startReply, WINDOWS_CONTROL.callReply);
  const request = "0104057805060000000107020802";
  line.packet(Protocol.lcp, 1, 9, request);
  assert.deepEqual(line.frames, []);
  assert.equal(line.controls.at(-1)?.type, "outgoing-call-request");
  line.settle();
  assert.equal(line.controls.at(-1)?.type, "set-link-info");
  assert.equal(line.frames.length, 1, "its own request, and no answer to what it did not hear");
  line.packet(Protocol.lcp, 1, 10, request);
  assert.equal(line.frames.length, 2);
});

test("windows.md §4 Identification: messages and computer's name by version", () => {
  for (const [version, texts] of [
    ["windows-2000", ["MSRASV5.00", "MSRAS-1-PC-4"]],
    ["windows-xp", ["MSRASV5.10", "MSRAS-0-PC-4"]],
    ["windows-10", ["MSRASV5.20", "MSRAS-0-PC-4"]],
  ] as const) {
    const line = new Line({ profile: profileOf(version, "PC-4") }).connect();
    const said = line.transcript.flatMap((each) => /^C gre (?:ff03)?c0210c.{14}(.*)$/.exec(each)?.[1] ?? []);
    assert.deepEqual(
      said.slice(0, 2).map((hex) => Buffer.from(hex, "hex").toString("latin1")),
      texts,
    );
    assert.equal(said.length, version === "windows-10" ? 3 : 2, "the GUID since Vista");
  }
});

/** The bits of a side's CCP Configure-Requests. */
function asked(line: Line, side: "C" | "S"): string[] {
  return line.transcript.flatMap(
    (each) => new RegExp(`^${side} gre (?:ff03)?80fd01.{6}1206(.{8})$`).exec(each)?.[1] ?? [],
  );
}

for (const [version, level, bits] of [
  ["windows-xp", "Required", ["010000e1", "01000040"]],
  ["windows-2000", "Optional", ["010000e1", "01000040"]],
  ["windows-xp", "Maximum", ["01000041", "01000040"]],
  ["windows-7", "Required", ["01000040"]],
  ["windows-10", "Maximum", ["01000040"]],
  ["windows-10", "Optional", ["01000000", "01000040"]],
] as const)
  test(`windows.md §7 CCP of ${version}, ${level}: asks ${bits.join(", then ")}, and comes up encrypted`, () => {
    const encryption = encryptionPolicy(version, level);
    const line = new Line({ profile: profileOf(version, "PC"), encryption }, { encryption: REQUIRED }).connect();
    assert.deepEqual(asked(line, "C"), bits);
    assert.equal(line.dialer.client.status()?.state, "connected");
    assert.equal(line.dialer.count("encrypt"), 1);
  });

test("windows.md §7 CCP without encryption: Protocol-Reject 80fd, and IPCP goes on where the server lets it", () => {
  const encryption = encryptionPolicy("windows-10", "NoEncryption");
  const optional = { ...REQUIRED, use: "optional" } as const;
  const line = new Line({ profile: profileOf("windows-10", "PC"), encryption }, { encryption: optional }).connect();
  assert.ok(line.transcript.some((said) => /^C gre (ff03)?c02108.{6}80fd/.test(said)));
  assert.deepEqual(asked(line, "C"), []);
  assert.equal(line.dialer.client.status()?.state, "connected");
});

test("windows.md §7 CCP, optional: bits that name no key are acknowledged by nobody who encrypts; acknowledged, nothing is encrypted", () => {
  const encryption = encryptionPolicy("windows-10", "Optional");
  assert.equal(encryption.firstBits, MppeBit.stateless);
  const line = new Line(
    { profile: profileOf("windows-10", "PC"), encryption },
    { encryption: { ...REQUIRED, use: "none" } },
  );
  line.connect();
  assert.equal(line.dialer.client.status()?.state, "connected");
  assert.equal(line.dialer.count("encrypt"), 0);
});

test("windows.md §4 Terminate-Request: after E=691 it carries 691, magic number and trailer before it", () => {
  const line = new Line({ profile: profileOf("windows-10", "PC"), password: "wrong" }).connect();
  const goodbye = line.transcript.find((said) => /^C gre ff03c02105/.test(said));
  assert.match(goodbye ?? "", /003ccd74000002b3$/);
  assert.equal(line.dialer.client.lastEnd?.failure.reason, "auth-refused");
});

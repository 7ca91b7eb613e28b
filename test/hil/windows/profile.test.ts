/** The Windows profile's own parts: versions and levels, first packets against the capture's bytes, connections as they are typed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ipv4, parseIpv4 } from "../../../appliance/wire/ipv4.ts";
import { parseConnection } from "../../../hil/peers/windows/connection.ts";
import { firstTalk } from "../../../hil/peers/windows/first-packets.ts";
import { windowsChoice } from "../../../hil/peers/windows/options.ts";
import { setupScript, unattendXml } from "../../../hil/peers/windows/unattend.ts";
import {
  authMethods,
  type ENCRYPTION_LEVELS,
  encryptionPolicy,
  profileOf,
  WINDOWS_VERSIONS,
} from "../../../hil/peers/windows/versions.ts";

const ADDRESS = parseIpv4("192.168.43.111") ?? Ipv4(0);

/** Frames 315 to 319 of Windows 7's capture, decrypted: IGMPv3 report, DHCPINFORM (its zeros left out), three names. */
const CAPTURED = [
  "4600002800000000010258a2c0a82b6fe0000016940400002200f9010000000104000000e00000fc",
  /^450001480001000080114d8dc0a82b6fffffffff00440043013409f701080000ca42978006000000c0a82b6f0{440}638253633501083d110053542a563c178542945b04a4954fa5140c0f57494e2d325252425553374e3947453c084d53465420352e303706062c2b01f90fff0000$/,
  "450000600002000080114e74c0a82b6fffffffff00890089004c73379c3f29100001000000000001204648454a454f434e4443464346434543464646444448454f444a4548454643410000200001c00c00200001000493e000060000c0a82b6f",
  "450000600003000080114e73c0a82b6fffffffff00890089004c73389c4029100001000000000001204648454a454f434e4443464346434543464646444448454f444a4548454641410000200001c00c00200001000493e000060000c0a82b6f",
  "450000600004000080114e72c0a82b6fffffffff00890089004c183e9c412910000100000000000120464845504643454c4548464345504646464143414341434143414341434141410000200001c00c00200001000493e000068000c0a82b6f",
];

test("windows.md §9: the first packets on the tunnel are those of Windows 7, byte for byte and at its times", () => {
  const luck = {
    transaction: 0xca429780,
    dhcpClientId: Buffer.from("53542a563c178542945b04a4954fa514", "hex"),
    nameTransaction: 0x9c3f,
  };
  const talk = firstTalk("windows-7", "WIN-2RRBUS7N9GE", ADDRESS, luck);
  assert.deepEqual(
    talk.map(({ afterMs }) => afterMs),
    [26, 66, 87, 94, 94, 4_066],
  );
  for (const [index, wanted] of CAPTURED.entries()) {
    const hex = talk[index]?.packet.toString("hex") ?? "";
    if (typeof wanted === "string") assert.equal(hex, wanted);
    else assert.match(hex, wanted);
  }
  assert.equal(talk[5]?.packet[28 + 8], 10, "the repetition says ten seconds");
});

test("windows.md §9: Windows 2000 asks its DHCP server six seconds later, and for less", () => {
  const luck = { transaction: 1, dhcpClientId: Buffer.alloc(16), nameTransaction: 1 };
  const [inform, ...others] = firstTalk("windows-2000", "PC-4", ADDRESS, luck);
  assert.deepEqual(others, []);
  assert.equal(inform?.afterMs, 6_000);
  assert.match(inform?.packet.toString("hex") ?? "", /3d0708534500000000.*3704062c2b0fff/);
});

test("windows.md §7: what each encryption level asks for first", () => {
  const bits = (version: (typeof WINDOWS_VERSIONS)[number], level: (typeof ENCRYPTION_LEVELS)[number]) => {
    const { use, strengths, firstBits } = encryptionPolicy(version, level);
    return `${use} ${strengths.join("/")} ${firstBits?.toString(16).padStart(8, "0") ?? "-"}`;
  };
  assert.equal(bits("windows-10", "Optional"), "optional 128 01000000");
  assert.equal(bits("windows-10", "Required"), "required 128 -");
  assert.equal(bits("windows-7", "Maximum"), "required 128 -");
  assert.equal(bits("windows-10", "NoEncryption"), "none 128 -");
  assert.equal(bits("windows-xp", "Required"), "required 128/56/40 010000e1");
  assert.equal(bits("windows-2000", "Maximum"), "required 128 -");
});

test("MS-CHAPv1 ended with Vista, and the best method goes first", () => {
  assert.deepEqual(authMethods("windows-10", ["Pap", "MSChap", "MSChapv2"]), ["mschap-v2", "pap"]);
  assert.deepEqual(authMethods("windows-xp", ["Pap", "MSChap"]), ["mschap-v1", "pap"]);
});

test("every version has a profile of its own name that carries the computer's", () => {
  for (const version of WINDOWS_VERSIONS) {
    const profile = profileOf(version, "PC");
    assert.equal(profile.name, version);
    assert.equal(profile.computerName, "PC");
  }
});

test("a connection is set by Add-VpnConnection's words; mistakes are told in one line, and any words are read", () => {
  const good = parseConnection([
    "server=203.0.113.1",
    "encryption=Optional",
    "authentication=Pap,MSChapv2",
    "route=10.0.0.0/8",
  ]);
  assert.ok(typeof good !== "string");
  assert.deepEqual(good.authentication, ["MSChapv2", "Pap"]);
  assert.equal(good.usesDefaultGateway, false);
  for (const [words, problem] of [
    [["server=x"], /^server=x: give an IPv4 address$/],
    [[], /^server=ADDRESS is missing$/],
    [["encryption=Strong"], /^encryption=Strong: give one of NoEncryption,/],
    [["authentication=Eap"], /^authentication=Eap: give MSChapv2,/],
    [["route=10.0.0.0"], /^route=10\.0\.0\.0: give a network such as/],
    [["colour=red"], /^colour=red: give server=VALUE/],
  ] as const) {
    const said = parseConnection(words);
    assert.ok(typeof said === "string");
    assert.match(said, problem);
  }
  fc.assert(fc.property(fc.array(fc.string({ unit: "binary" })), (words) => void parseConnection(words)));
});

test("the command line's mistakes about a real Windows, one line each", () => {
  for (const [options, problem] of [
    [{ image: "x" }, /^--image is for --peer windows$/],
    [{ peer: "linux" }, /^--peer linux: the one peer to choose is windows$/],
    [{ peer: "windows" }, /^--peer windows: give --image FILE/],
    [{ peer: "windows", image: "/nowhere" }, /^--image \/nowhere: ENOENT$/],
    [{ peer: "windows", image: import.meta.filename ?? "" }, /neither a qcow2 image nor a disk with a boot record$/],
    [{ peer: "windows", image: "x", firmware: "efi" }, /^--firmware efi: give uefi or bios$/],
  ] as const)
    assert.throws(() => windowsChoice(options, {}), { name: "UsageError", message: problem });
  assert.equal(windowsChoice({}, {}), undefined);
});

test("the answer file is well-formed whatever the password is; the script keeps its key whole", () => {
  const settings = {
    user: "lab",
    password: `<&>"'x`,
    productKey: undefined,
    publicKey: "ssh-ed25519 AAAA it's",
    computerName: "PC",
  };
  const file = unattendXml(settings);
  assert.match(file, /<Value>&lt;&amp;&gt;"'x<\/Value>/);
  assert.doesNotMatch(file, /ProductKey/);
  const opened: string[] = [];
  for (const [, close, name = "", end] of file.replace(/<\?.*?\?>/, "").matchAll(/<(\/?)([\w-]+)[^>]*?(\/?)>/g)) {
    if (close === "/") assert.equal(opened.pop(), name);
    else if (end !== "/") opened.push(name);
  }
  assert.deepEqual(opened, []);
  assert.match(setupScript(settings), /Set-Content \$keys 'ssh-ed25519 AAAA it''s'/);
});

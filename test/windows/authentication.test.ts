/** windows.md §5 and §6: authentication and callback, as Windows clients do them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WINDOWS_7 } from "../../appliance/pptp/windows-profiles.ts";
import { emitChangePasswordV2, parseMsChapFailure } from "../../appliance/wire/chap.ts";
import { emitCpPacket } from "../../appliance/wire/cp-packet.ts";
import { Protocol } from "../../appliance/wire/ppp-frame.ts";
import { Dialer, Line } from "../support/dialer.ts";
import { hex } from "../support/hex.ts";
import { ALICE, Desk, WINDOWS_LCP } from "../support/scripted-caller.ts";

const PROVEN = "S=";

test("windows.md §5: the default method asked for is MS-CHAPv2, c22381", () => {
  const request = new Desk().caller().call().ask(Protocol.lcp, WINDOWS_LCP).said()[0];
  assert.match(request?.data.toString("hex") ?? "", /0305c22381/);
});

test("windows.md §5 Challenge: 16 bytes and a name", () => {
  const challenge = new Desk()
    .caller()
    .lcp()
    .said()
    .find(({ protocol }) => protocol === Protocol.chap);
  assert.equal(challenge?.data[0], 16);
  assert.ok((challenge?.data.length ?? 0) > 17);
});

test("windows.md §5 Response of our client: 49 bytes, 8 zero, flags 0, the name as typed, identifier of the Challenge", () => {
  const dialer = new Dialer({ profile: WINDOWS_7, user: "OFFICE\\alice" }).called();
  dialer.packet(Protocol.lcp, 2, 0, dialer.frames[0]?.slice(16) ?? "");
  dialer.packet(Protocol.lcp, 1, 1, "0305c22381 050612345678 0702 0802");
  dialer.packet(Protocol.chap, 1, 7, `10 ${"5a".repeat(16)} ${Buffer.from("any name").toString("hex")}`);
  const response = hex(dialer.frames.at(-1) ?? "");
  assert.equal(response.toString("hex", 0, 4), "c2230207");
  const value = response.subarray(7);
  assert.equal(response[6], 49);
  assert.deepEqual(value.subarray(16, 24), Buffer.alloc(8));
  assert.equal(value[48], 0);
  assert.equal(value.toString("latin1", 49), "OFFICE\\alice");
});

test("windows.md §5 DOMAIN\\user: the name carries it, the hash goes over the bare user, both ends", () => {
  assert.equal(new Desk().caller().lcp().respond("OFFICE\\alice", "s3cret", "alice").code, 3);
  const line = new Line({ profile: WINDOWS_7, user: "OFFICE\\alice" }).connect();
  assert.equal(line.dialer.client.status()?.state, "connected");
});

test("windows.md §5 user name: bytes of any code page", () => {
  const desk = new Desk({}, [{ ...ALICE, user: "björn" }]);
  const ansi = Buffer.from("björn", "latin1");
  assert.equal(desk.caller().lcp().respond(ansi, "s3cret", ansi).code, 3);
});

test("windows.md §5 Success: S= and forty upper-case hexadecimal digits, alone", () => {
  const success = new Desk().caller().lcp().respond();
  assert.match(success.data.toString(), /^S=[0-9A-F]{40}$/);
});

test("windows.md §5 Success with a text behind it is accepted; a wrong or missing S= ends the session with 778", () => {
  for (const [change, connects] of [
    [(text: string) => `${text} M=Access granted`, true],
    [(text: string) => text.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")), false],
    [() => "M=Welcome", false],
  ] as const) {
    const line = new Line({ profile: WINDOWS_7 });
    const frame = line.dialer.frame.bind(line.dialer);
    line.dialer.frame = (protocol, payload) => {
      const text = payload.toString("latin1", 4);
      if (protocol !== Protocol.chap || !text.startsWith(PROVEN)) return frame(protocol, payload);
      const [code = 0, identifier = 0] = payload;
      return frame(protocol, emitCpPacket({ code, identifier, data: Buffer.from(change(text)) }));
    };
    line.connect();
    assert.equal(line.dialer.client.status()?.state === "connected", connects);
    if (!connects) assert.match(line.dialer.client.lastFailure ?? "", /did not prove that it knows the password.*778/);
  }
});

test("windows.md §5 Failure: E=691 R=0, C of exactly 32 hexadecimal digits, V=3", () => {
  const failure = new Desk().caller().lcp().respond("alice", "wrong");
  assert.match(failure.data.toString(), /^E=691 R=0 C=[0-9A-F]{32} V=3 M=/);
});

for (const [code, retry] of [
  [646, 0],
  [647, 0],
  [648, 0],
  [649, 0],
  [691, 0],
  [691, 1],
  [709, 0],
] as const)
  test(`windows.md §5 Failure: E=${code} R=${retry} of a server reaches the person as ${code}`, () => {
    const dialer = new Dialer({ profile: WINDOWS_7 }).called();
    dialer.packet(Protocol.lcp, 2, 0, dialer.frames[0]?.slice(16) ?? "");
    dialer.packet(Protocol.lcp, 1, 1, "0305c22381 050612345678 0702 0802");
    dialer.packet(Protocol.chap, 1, 7, `10 ${"5a".repeat(16)}`);
    const text = `E=${code} R=${retry} C=${"0".repeat(32)} V=3 M=no`;
    dialer.packet(Protocol.chap, 4, 7, Buffer.from(text).toString("hex"));
    dialer.packet(Protocol.lcp, 6, 0, "").advance(10_000);
    assert.match(dialer.client.lastFailure ?? "", new RegExp(`a Windows client would show error ${code}`));
  });

test("windows.md §5 Failure of pppd, V=0 and lower case, is understood: 691", () => {
  const parsed = parseMsChapFailure(Buffer.from(`E=691 R=1 C=${"ab".repeat(16)} V=0 M=Access denied`));
  assert.ok(parsed.ok);
  assert.equal(parsed.value.errorCode, 691);
});

test("windows.md §5 expired password: Change-Password is code 7, one identifier above the Failure's, 586 bytes", () => {
  const dialer = new Dialer({ profile: WINDOWS_7, newPassword: "n3w" }).called();
  dialer.packet(Protocol.lcp, 2, 0, dialer.frames[0]?.slice(16) ?? "");
  dialer.packet(Protocol.lcp, 1, 1, "0305c22381 050612345678 0702 0802");
  dialer.packet(Protocol.chap, 1, 7, `10 ${"5a".repeat(16)}`);
  dialer.packet(Protocol.chap, 4, 7, Buffer.from(`E=648 R=0 C=${"0".repeat(32)} V=3`).toString("hex"));
  const change = dialer.frames.at(-1) ?? "";
  assert.equal(change.slice(0, 12), "c2230708024a");
  assert.equal(hex(change).length - 2, 586);
  const zero = { encryptedPassword: Buffer.alloc(516), encryptedHash: Buffer.alloc(16) };
  assert.equal(
    emitChangePasswordV2({ ...zero, peerChallenge: Buffer.alloc(16), ntResponse: Buffer.alloc(24) }).length,
    582,
  );
});

test("windows.md §5 EAP: a client that insists on it is told the method, and the session ends in the log", () => {
  const desk = new Desk();
  const caller = desk.caller().call().ask(Protocol.lcp, WINDOWS_LCP);
  for (let again = 0; again < 4 && caller.session; again++) caller.answer(Protocol.lcp, 3, "0304c227");
  const last = caller.said().at(-1);
  assert.deepEqual([last?.protocol, last?.code], [Protocol.lcp, 5]);
  caller.packet(Protocol.lcp, 6, last?.identifier ?? 0, "");
  assert.match(
    desk.told.at(-1) ?? "",
    /refuses every authentication method this device allows; Windows shows error 734/,
  );
});

// --- §6 CBCP ---------------------------------------------------------------------------------------------------------

const withCallback = (desk: Desk) => {
  const caller = desk.caller().lcp(`${WINDOWS_LCP} 0d0306`);
  caller.respond();
  return caller;
};

test("windows.md §6 CBCP: a server that acknowledged callback offers no callback and nothing else, then the NCPs start", () => {
  const caller = withCallback(new Desk({ callback: "cbcp" }));
  const offer = caller.said().at(-1);
  assert.deepEqual([offer?.protocol, offer?.code, offer?.data.toString("hex")], [Protocol.cbcp, 1, "0102"]);
  caller.packet(Protocol.cbcp, 2, offer?.identifier ?? 0, "0102");
  const [acknowledgment, ...rest] = caller.said();
  assert.deepEqual(
    [acknowledgment?.protocol, acknowledgment?.code, acknowledgment?.identifier, acknowledgment?.data.toString("hex")],
    [Protocol.cbcp, 3, offer?.identifier, "0102"],
  );
  assert.deepEqual(
    rest.map(({ protocol, code }) => [protocol, code]),
    [
      [Protocol.ccp, 1],
      [Protocol.ipcp, 1],
    ],
  );
  caller.ccp().ipcp();
  assert.equal(caller.session?.state, "connected");
});

test("windows.md §6 CBCP: repeated every 2 s, ten times, then the session ends", () => {
  const desk = new Desk({ callback: "cbcp" });
  const caller = withCallback(desk);
  caller.said();
  desk.advance(18_000);
  assert.equal(caller.said().filter(({ protocol }) => protocol === Protocol.cbcp).length, 9);
  desk.advance(2000);
  assert.equal(caller.said().at(-1)?.code, 5);
});

test("windows.md §6 CBCP: without the option the phase does not exist", () => {
  const caller = new Desk({ callback: "cbcp" }).caller().authenticated();
  assert.ok(!caller.said().some(({ protocol }) => protocol === Protocol.cbcp));
});

test("windows.md §6 CBCP: the Windows 7 profile answers 0102 with the request's identifier", () => {
  const line = new Line({ profile: WINDOWS_7 }, { callback: "cbcp" }).connect();
  const cbcp = line.transcript.filter((said) => said.includes("gre c029"));
  assert.equal(cbcp.length, 3);
  assert.match(cbcp.map((said) => said.replace(" gre c029", " ")).join(), /^S 01(..)(00060102),C 02\1\2,S 03\1\2$/);
  assert.equal(line.dialer.client.status()?.state, "connected");
});

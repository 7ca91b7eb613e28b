import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { codeText, GENERAL_ERROR, OUTGOING_CALL_RESULT } from "../../appliance/wire/control-code.ts";
import {
  type ControlMessage,
  controlMessageBytes,
  controlMessageLength,
  emitControlMessage,
  LONGEST_CONTROL_MESSAGE,
  parseControlMessage,
} from "../../appliance/wire/control-message.ts";
import { WINDOWS_CONTROL } from "../support/codecs.ts";
import { CONTROL_MESSAGES } from "../support/control-messages.ts";
import { hex } from "../support/hex.ts";

for (const [type, messages] of CONTROL_MESSAGES)
  test(`parse(emit(x)) = x for every ${type}`, () =>
    fc.assert(
      fc.property(messages, (value) => {
        const bytes = emitControlMessage(value);
        assert.equal(bytes.length, controlMessageBytes(value.type));
        assert.ok(bytes.length <= LONGEST_CONTROL_MESSAGE);
        assert.deepEqual(controlMessageLength(bytes), { ok: true, value: bytes.length });
        assert.deepEqual(parseControlMessage(bytes), { ok: true, value });
      }),
    ));

test("a Windows 7 client's Start-Control-Connection-Request", () => {
  const value: ControlMessage = {
    type: "start-control-connection-request",
    protocolVersion: 0x0100,
    framingCapabilities: 1,
    bearerCapabilities: 1,
    maximumChannels: 0,
    firmwareRevision: 0,
    hostName: "",
    vendorName: "Microsoft",
  };
  assert.deepEqual(parseControlMessage(WINDOWS_CONTROL.startRequest), { ok: true, value });
  assert.deepEqual(emitControlMessage(value), WINDOWS_CONTROL.startRequest);
});
test("a Windows 7 client's Outgoing-Call-Request, correlation GUID and all", () => {
  const value: ControlMessage = {
    type: "outgoing-call-request",
    callId: 40265,
    callSerialNumber: 19,
    minimumBps: 300,
    maximumBps: 100_000_000,
    bearerType: 3,
    framingType: 3,
    packetRecvWindowSize: 64,
    packetProcessingDelay: 0,
    phoneNumberLength: 0,
    phoneNumber: "",
    subaddress: Buffer.concat([hex("96157121fdb78f47b5d0be36d2e97e50"), Buffer.alloc(48)]),
  };
  assert.deepEqual(parseControlMessage(WINDOWS_CONTROL.callRequest), { ok: true, value });
  assert.deepEqual(emitControlMessage(value), WINDOWS_CONTROL.callRequest);
});
test("RRAS and Windows 7 messages come out as they went in", () => {
  for (const wire of Object.values(WINDOWS_CONTROL)) {
    const parsed = parseControlMessage(wire);
    assert.ok(parsed.ok);
    assert.deepEqual(emitControlMessage(parsed.value), wire);
  }
});
test("pptp-linux fills its text fields with whole words, Poptop answers them", () => {
  const request = hex(`009c00011a2b3c4d000100000100000000000003 00000003 ffff 0001 6c6f63616c ${"00".repeat(59)}
    63616e616e69616e ${"00".repeat(56)}`);
  const parsed = parseControlMessage(request);
  assert.ok(parsed.ok && parsed.value.type === "start-control-connection-request");
  assert.deepEqual([parsed.value.hostName, parsed.value.vendorName], ["local", "cananian"]);
  assert.equal(parsed.value.maximumChannels, 0xffff);
});
test("a Reserved1 that is not zero is ignored: RRAS leaves the client's port there", () => {
  const wire = hex("001800011a2b3c4d000f0000 9d49 a196 00000000 ffffffff");
  const value = { type: "set-link-info", peersCallId: 0x9d49, sendAccm: 0, receiveAccm: 0xffffffff };
  assert.deepEqual(parseControlMessage(wire), { ok: true, value });
});
test("a text without NUL fills its field; a longer one is cut", () => {
  const base = parseControlMessage(WINDOWS_CONTROL.startRequest);
  assert.ok(base.ok && base.value.type === "start-control-connection-request");
  const parsed = parseControlMessage(emitControlMessage({ ...base.value, hostName: "h".repeat(70) }));
  assert.ok(parsed.ok && parsed.value.type === "start-control-connection-request");
  assert.deepEqual([parsed.value.hostName, parsed.value.vendorName], ["h".repeat(64), "Microsoft"]);
});

for (const [what, wire, fault] of [
  ["another magic cookie", "001000011a2b3c4e 0003 0000 01000000", "bad-magic"],
  ["a management message", "001000021a2b3c4d 0003 0000 01000000", "bad-value"],
  ["message type 0", "001000011a2b3c4d 0000 0000 01000000", "bad-value"],
  ["message type 16", "001000011a2b3c4d 0010 0000 01000000", "bad-value"],
  ["a length shorter than its type needs", "000c00011a2b3c4d 0003 0000", "bad-length"],
  ["a length that is not the bytes'", "001100011a2b3c4d 0003 0000 01000000", "bad-length"],
  ["less than a header", "000800011a2b3c4d", "short"],
] as const)
  test(`refused: ${what}`, () => assert.deepEqual(parseControlMessage(hex(wire)), { ok: false, fault }));

test("longer than its type needs does no harm", () => {
  const value = { type: "stop-control-connection-request", reason: 1 };
  assert.deepEqual(parseControlMessage(hex("001400011a2b3c4d 0003 0000 01000000 00000000")), { ok: true, value });
});
test("the length of a message that is still coming in", () => {
  assert.equal(controlMessageLength(hex("00")), undefined);
  assert.deepEqual(controlMessageLength(hex("0010")), { ok: true, value: 16 });
  assert.deepEqual(controlMessageLength(hex("000b")), { ok: false, fault: "bad-length" });
  assert.deepEqual(controlMessageLength(hex("00dd")), { ok: false, fault: "bad-length" });
  assert.deepEqual(controlMessageLength(hex("00dc")), { ok: true, value: 220 });
  assert.deepEqual(controlMessageLength(hex("001000011a2b3c00")), { ok: false, fault: "bad-magic" });
});
test("a code reads as its name and its number", () => {
  assert.match(codeText(GENERAL_ERROR, 4), /^no resource.* \(4\)$/);
  assert.match(codeText(OUTGOING_CALL_RESULT, 7), /prohibited \(7\)$/);
  assert.equal(codeText(OUTGOING_CALL_RESULT, 77), "undefined code (77)");
});

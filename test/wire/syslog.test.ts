import assert from "node:assert/strict";
import { test } from "node:test";
import { emitSyslog, frameSyslog } from "../../appliance/wire/syslog.ts";

const MESSAGE = {
  facility: "local0",
  severity: "warning",
  time: "2026-11-25T14:00:00.123Z",
  hostName: "office",
  application: "culvert",
  messageId: "pptp",
  text: "alice: wrong password",
} as const;

test("RFC 5424 §6 and §6.2.1: priority, version, time, host, application, message id, no data, text after a BOM", () => {
  assert.equal(
    emitSyslog(MESSAGE).toString(),
    "<132>1 2026-11-25T14:00:00.123Z office culvert - pptp - \ufeffalice: wrong password",
  );
});

test("RFC 5424 §6.2: fields have no blanks, and are `-` when nothing is left", () => {
  const text = emitSyslog({ ...MESSAGE, hostName: "my office", messageId: " \u00e9" }).toString();
  assert.match(text, /Z myoffice culvert - - - /);
});

test("RFC 5424 §6.1: no more than 2048 bytes, and no half character", () => {
  for (let pad = 0; pad < 4; pad++) {
    const bytes = emitSyslog({ ...MESSAGE, text: "x".repeat(pad) + "\u20ac".repeat(2000) });
    assert.ok(bytes.length <= 2048 && bytes.length > 2044);
    assert.doesNotMatch(bytes.toString(), /\ufffd/);
  }
});

test("RFC 6587 §3.4.1: the length in bytes goes before", () => {
  assert.equal(frameSyslog(Buffer.from("\u20ac")).toString(), "3 \u20ac");
});

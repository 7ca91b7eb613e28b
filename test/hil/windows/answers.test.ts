/** What Windows prints, read: rasdial's words, RasClient's events, the tunnel's status; and what the profile prints, read by the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { diagnose, type SessionFailure } from "../../../appliance/tunnel/diagnosis.ts";
import { predictRasError, rasErrorText } from "../../../hil/peers/windows/ras-errors.ts";
import { guidText, parseRasEvents, rasEvent } from "../../../hil/peers/windows/ras-events.ts";
import { connectionsText, dialedText, parseRasdial } from "../../../hil/peers/windows/rasdial.ts";
import { parseStatus } from "../../../hil/peers/windows/real-windows.ts";

test("rasdial's output: success, an error in English, an error in another language, an exit code alone", () => {
  assert.deepEqual(parseRasdial(dialedText("lab", 0, 1), 0), { code: 0, text: "" });
  assert.deepEqual(parseRasdial(dialedText("lab", 691, 1), undefined), {
    code: 691,
    text: rasErrorText(691).replace(/^.* - /, ""),
  });
  const german =
    "Verbindung mit lab wird hergestellt...\r\n\r\nRAS-Fehler 806 - Die VPN-Verbindung wurde nicht hergestellt.\r\n";
  assert.deepEqual(parseRasdial(german, 806), { code: 806, text: "Die VPN-Verbindung wurde nicht hergestellt." });
  assert.deepEqual(parseRasdial("etwas\r\n", 623), { code: 623, text: "etwas" });
  assert.equal(parseRasdial(connectionsText([]), 0).code, 0);
});

test("events: one alone, several, others among them, none; code and correlation id are found", () => {
  const failed =
    "CoId={96157121-FDB7-8F47-B5D0-BE36D2E97E50}: The user A\\b dialed a connection named lab which has failed. The error code returned on failure is 691.";
  assert.deepEqual(parseRasEvents(JSON.stringify({ Id: 20227, Message: failed })), [
    { id: 20227, code: 691, correlationId: "96157121-FDB7-8F47-B5D0-BE36D2E97E50", message: failed },
  ]);
  const several = [{ Id: 20221, Message: "CoId={x}" }, { Id: 1000, Message: "other" }, { Id: 20222 }, null, "x"];
  assert.deepEqual(
    parseRasEvents(`\uFEFF${JSON.stringify(several)}`).map(({ id }) => id),
    [20221],
  );
  assert.deepEqual(parseRasEvents(""), []);
  assert.deepEqual(parseRasEvents("null"), []);
  assert.equal(rasEvent(20225, "connected with address 10.0.0.1").code, undefined, "only 20226 and 20227 name a code");
});

test("the correlation id is the Outgoing-Call-Request's subaddress, as a GUID is written", () => {
  assert.equal(
    guidText(Buffer.from("96157121fdb78f47b5d0be36d2e97e50", "hex")),
    "21711596-B7FD-478F-B5D0-BE36D2E97E50",
  );
  assert.equal(guidText(Buffer.alloc(0)), "");
});

test("any text is read without a throw", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.option(fc.integer(), { nil: undefined }),
      fc.jsonValue(),
      (text, code, json) => {
        assert.ok(Number.isInteger(parseRasdial(text, code).code));
        parseRasEvents(text);
        parseRasEvents(JSON.stringify(json));
        parseStatus(json);
      },
    ),
  );
});

test("the tunnel's status: lists of one come bare, empty ones as null, and no tunnel is null", () => {
  assert.deepEqual(parseStatus({ address: "10.0.0.2", mtu: 1400, dns: "10.0.0.1", routes: null }), {
    localAddress: "10.0.0.2",
    mtu: 1400,
    dns: ["10.0.0.1"],
    routes: [],
  });
  assert.equal(parseStatus(null), undefined);
});

test("predicted codes are those of the device's own table; Windows XP shows older ones", () => {
  const cases: [SessionFailure, Parameters<typeof predictRasError>[1], number, number][] = [
    [{ reason: "lcp-no-response" }, "call-established", 806, 721],
    [{ reason: "auth-refused", errorCode: 691, message: "" }, "lcp-opened", 691, 691],
    [{ reason: "auth-refused", errorCode: 647, message: "" }, "lcp-opened", 647, 647],
    [{ reason: "server-not-authentic" }, "lcp-opened", 778, 778],
    [{ reason: "terminated-by-peer", windowsError: undefined, message: "" }, "authenticated", 734, 734],
    [{ reason: "encryption-refused" }, "authenticated", 742, 742],
    [{ reason: "no-common-strength" }, "authenticated", 741, 741],
    [{ reason: "unreachable", text: "ECONNREFUSED" }, "started", 808, 678],
    [{ reason: "unreachable", text: "no answer" }, "started", 809, 678],
    [{ reason: "unreachable", text: "ENETUNREACH" }, "started", 769, 769],
    [{ reason: "administrative" }, "network-up", 631, 631],
  ];
  for (const [failure, stage, now, before] of cases) {
    const words = `${failure.reason} after ${stage}`;
    assert.equal(predictRasError(failure, stage, "windows-10").code, now, words);
    assert.equal(predictRasError(failure, stage, "windows-xp").code, before, `${words}, XP`);
    if (failure.reason !== "administrative")
      assert.equal(diagnose(failure, stage, "client").windowsError, now, `${words}: the device says the same`);
  }
});

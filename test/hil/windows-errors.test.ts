/** Suite `windows-errors` against the table of codes, and how it reads the device's log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import type { SessionFailure } from "../../appliance/tunnel/diagnosis.ts";
import type { Effect } from "../../appliance/tunnel/effect.ts";
import { ServerLog } from "../../appliance/tunnel/server-log.ts";
import { WINDOWS_ERRORS } from "../../appliance/tunnel/windows-error.ts";
import { parseFailures } from "../../hil/scenarios/device-log.ts";
import { windowsErrorsSuite } from "../../hil/scenarios/windows-errors.ts";

for (const { code, name } of WINDOWS_ERRORS)
  test(`${code} ${name} is provoked, or the list says why it cannot be`, () => {
    const scenarios = windowsErrorsSuite.scenarios.filter((each) => each.name.startsWith(`${code}-`));
    assert.ok(scenarios.length > 0);
    for (const { claim, impossible } of scenarios) {
      assert.match(claim, new RegExp(`\\b${code}\\b`));
      assert.ok(impossible === undefined || impossible.length > 10, `no reason: ${impossible}`);
    }
    assert.equal(new Set(scenarios.map(({ impossible }) => impossible === undefined)).size, 1, "both at once");
  });

function logged(failure: SessionFailure): string {
  const effects: Effect[] = [];
  new ServerLog((effect) => effects.push(effect)).report("alice", failure, "lcp-opened", true, Millis(0));
  return effects.map((effect) => (effect.type === "log" ? effect.text : "")).join("\n");
}

test("the lab reads the very lines that the device writes", () => {
  const log = [
    logged({ reason: "auth-refused", errorCode: 691, message: "" }),
    logged({ reason: "lcp-no-response" }),
    logged({ reason: "administrative" }),
  ].join("\n");
  const read = parseFailures(log).map(({ stage, code, codeBefore }) => ({ stage, code, codeBefore }));
  assert.deepEqual(read, [
    { stage: "lcp-opened", code: 691, codeBefore: undefined },
    { stage: "lcp-opened", code: 806, codeBefore: 721 },
  ]);
});

test("a client's line is read too, and one without a code", () => {
  const [client, none] = parseFailures(
    "client head: failed after stage tcp-connected: no; a Windows client would show error 808; check\nx: failed after stage started: odd",
  );
  assert.deepEqual([client?.code, none?.code, none?.stage], [808, undefined, "started"]);
});

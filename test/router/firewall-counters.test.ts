import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseFirewallCounters } from "../../appliance/router/firewall-counters.ts";

test("of anything but nft's JSON there are no rules, and nothing is thrown", () => {
  for (const text of [
    "",
    "null",
    "[]",
    '{"nftables":1}',
    '{"nftables":[null,{"rule":{}},{"rule":{"chain":"a","comment":"b","expr":[null]}}]}',
  ])
    assert.deepEqual(parseFirewallCounters(text), []);
  fc.assert(fc.property(fc.json(), (text) => Array.isArray(parseFirewallCounters(text))));
});

/** show vpn radius: a row per server that fits on a terminal, and below it what was not as it should be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { radiusLines } from "../../appliance/cli/output.ts";

const QUIET = { repeated: 0, unanswered: 0, distrusted: 0, late: 0 };
const BUSY = { requests: 10_000_000, accepts: 999_999, rejects: 999_999, accounted: 10_000_000 };

test("servers with their state and counters", () =>
  assert.deepEqual(
    radiusLines({
      servers: [
        {
          name: "one",
          address: "10.0.0.11",
          state: "answers",
          requests: 12,
          accepts: 3,
          rejects: 1,
          accounted: 8,
          ...QUIET,
        },
        {
          name: "two",
          address: "10.0.0.12",
          state: "silent",
          ...QUIET,
          requests: 3,
          accepts: 0,
          rejects: 0,
          accounted: 0,
          repeated: 6,
          distrusted: 2,
        },
      ],
      waiting: 4,
      lost: 0,
    }),
    [
      "Server  Address    State    Requests  Accepts  Rejects  Accounted",
      "one     10.0.0.11  answers  12        3        1        8",
      "two     10.0.0.12  silent   3         0        0        0",
      "    6 repeated, 2 distrusted",
      "Accounting records: 4 not confirmed yet, 0 lost",
    ],
  ));

test("no servers, and the longest of everything in 80 columns", () => {
  assert.deepEqual(radiusLines({ servers: [], waiting: 0, lost: 0 }), ["No RADIUS servers."]);
  const longest = { name: "x".repeat(31), address: "255.255.255.255", state: "unknown", ...BUSY, ...QUIET } as const;
  for (const line of radiusLines({ servers: [longest], waiting: 1000, lost: 123_456 }))
    assert.ok(line.length <= 80, `${line.length}: ${line}`);
});

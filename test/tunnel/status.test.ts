import assert from "node:assert/strict";
import { test } from "node:test";
import { encryptionName } from "../../appliance/tunnel/status.ts";

test("one name for both directions where they agree, each with its own where they differ", () => {
  const stateless = { strength: 128, stateless: true } as const;
  const stateful = { strength: 40, stateless: false } as const;
  assert.equal(encryptionName(stateless, stateless), "MPPE-128 stateless");
  assert.equal(encryptionName(stateful, stateful), "MPPE-40 stateful");
  assert.equal(encryptionName(stateful, stateless), "MPPE-40 stateful in / MPPE-128 stateless out");
});

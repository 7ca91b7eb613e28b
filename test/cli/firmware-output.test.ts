/** `show version`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { firmwareLines } from "../../appliance/cli/firmware-output.ts";
import { WIDTH } from "../../appliance/cli/output.ts";
import type { Firmware } from "../../appliance/service/firmware.ts";

const FIRMWARE: Firmware = {
  version: "0.1.0",
  kernel: "6.1.0-56-amd64",
  node: "v18.20.4",
  build: {
    format: 1,
    board: "x86_64",
    version: "0.1.0",
    commit: "0123456789abcdef0123456789abcdef01234567-dirty",
    inputs: "ab".repeat(32),
    unlocked: false,
    epoch: Date.parse("2026-11-25T15:06:18Z") / 1000,
    kernel: "6.1.0-56-amd64",
    tools: {},
    sha256: {},
  },
};

test("an image says what it was built of", () => {
  assert.deepEqual(firmwareLines(FIRMWARE, undefined), [
    "Culvert 0.1.0",
    "  board     x86_64",
    "  commit    0123456789abcdef0123456789abcdef01234567 and changes to it",
    "  inputs    abababababababababababababababab",
    "  dated     2026-11-25",
    "  kernel    6.1.0-56-amd64",
    "  Node.js   18.20.4",
  ]);
  for (const line of firmwareLines(FIRMWARE, undefined)) assert.ok(line.length < WIDTH, line);
});

test("outside an image it says what it knows", () => {
  assert.deepEqual(firmwareLines({ ...FIRMWARE, build: undefined }, undefined), [
    "Culvert 0.1.0",
    "  kernel    6.1.0-56-amd64",
    "  Node.js   18.20.4",
  ]);
});

test("what a person should know is told below", () => {
  const { build } = FIRMWARE;
  assert.ok(build);
  const lines = firmwareLines(
    {
      ...FIRMWARE,
      kernel: "6.1.0-99-amd64",
      build: { ...build, unlocked: true, commit: undefined },
    },
    undefined,
  );
  assert.ok(lines.includes("  commit    not built from git"));
  assert.match(lines.join("\n"), /built for kernel 6\.1\.0-56-amd64/);
  assert.equal(lines.at(-1), "Not all packages are the locked ones.");
  for (const line of lines) assert.ok(line.length < WIDTH, line);
});

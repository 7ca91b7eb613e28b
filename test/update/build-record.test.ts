/** The build record: what the builder writes the device reads, and no text whatever stops it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeFirmware } from "../../appliance/service/firmware.ts";
import { type BuildRecord, emitBuildRecord, parseBuildRecord } from "../../appliance/update/build-record.ts";

const RECORD: BuildRecord = {
  format: 1,
  board: "x86_64",
  version: "0.1.0",
  commit: "0123456789abcdef0123456789abcdef01234567-dirty",
  inputs: "ab".repeat(32),
  unlocked: false,
  epoch: 1_764_000_000,
  kernel: "6.1.0-56-amd64",
  tools: { mksquashfs: "mksquashfs version 4.5.1 (2022/03/17)" },
  sha256: { "culvert.cjs": "cd".repeat(32) },
};

test("a record is read as it was written, without a commit too", () => {
  assert.deepEqual(parseBuildRecord(emitBuildRecord(RECORD)), RECORD);
  const { commit: _, ...bare } = RECORD;
  assert.deepEqual(parseBuildRecord(emitBuildRecord({ ...bare, commit: undefined })), { ...bare, commit: undefined });
});

const WRONG: readonly [string, unknown][] = [
  ["another format", { ...RECORD, format: 2 }],
  ["no board", { ...RECORD, board: undefined }],
  ["an inputs hash that is none", { ...RECORD, inputs: "abc" }],
  ["a date that is no number", { ...RECORD, epoch: "today" }],
  ["a version that would move the cursor", { ...RECORD, version: "1\u001b[2J" }],
  ["a tool without a version", { ...RECORD, tools: { gcc: 12 } }],
  ["hashes as a list", { ...RECORD, sha256: [] }],
  ["nothing", null],
];
for (const [what, value] of WRONG) {
  test(`refused: ${what}`, () => assert.equal(parseBuildRecord(JSON.stringify(value)), undefined));
}

test("never throws, and says only what can be printed", () => {
  const field = fc.oneof(fc.jsonValue(), fc.string());
  const damaged = fc
    .dictionary(fc.constantFrom(...Object.keys(RECORD)), field)
    .map((fields) => ({ ...RECORD, ...fields }));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        damaged.map((each) => JSON.stringify(each)),
      ),
      (text) => {
        const { build } = describeFirmware({ kernel: "6", node: "v18", record: text });
        if (build !== undefined) assert.match(`${build.board}${build.version}${build.kernel}`, /^[\x20-\x7e]+$/);
      },
    ),
  );
});

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { emitReference } from "../../appliance/cli/reference.ts";
import { projectRoot } from "../support/native.ts";

test("the command line reference is what the command line is", () => {
  const file = join(projectRoot(), "appliance/cli/REFERENCE.md");
  const { UPDATE_GOLDEN } = process.env;
  if (UPDATE_GOLDEN === "1") writeFileSync(file, emitReference());
  assert.equal(readFileSync(file, "utf8"), emitReference(), "UPDATE_GOLDEN=1 writes it anew");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemPrograms } from "../../appliance/linux/programs.ts";
import { FakePrograms } from "../support/fake-programs.ts";
import { programsContract } from "../support/programs-contract.ts";

const sh = (script: string): readonly string[] => ["sh", "-c", script];

programsContract("system", {
  programs: systemPrograms,
  says: sh("echo one; echo two"),
  fails: sh("echo no >&2; exit 3"),
  stays: sh("echo here; exec sleep 60"),
});

const fake = new FakePrograms();
fake.behaviours.set("says", { lines: ["one", "two"], ends: "well" });
fake.behaviours.set("fails", { lines: ["no"], ends: "status 3" });
fake.behaviours.set("stays", { lines: ["here"], ends: "when stopped" });
fake.behaviours.set("no-such-program", { lines: [], ends: "ENOENT" });
programsContract("fake", { programs: fake, says: ["says"], fails: ["fails"], stays: ["stays"] });

test("input reaches the program", () => {
  assert.equal(systemPrograms.run({ program: "cat", arguments: [] }, "text"), "text");
});

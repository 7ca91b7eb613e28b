import assert from "node:assert/strict";
import { test } from "node:test";
import { CraftedGre } from "../../hil/net/crafted-gre.ts";
import { ManualClock } from "./fake-line.ts";

test("without its optional package, crafted GRE says how to install it", async () => {
  await assert.rejects(
    CraftedGre.open(new ManualClock(), () => Promise.reject(new Error("Cannot find package 'raw-socket'"))),
    { faultClass: "bench", message: /optional package raw-socket: npm install --no-save raw-socket$/ },
  );
});

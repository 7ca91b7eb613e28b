import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "../../appliance/service/journal.ts";

test("the newest lines are kept in order, with their time", () => {
  let time = 0;
  const journal = new Journal(() => new Date(time));
  for (time = 0; time < 2500; time++) journal.write("info", "test", `line ${time}`);
  const all = journal.last(5000);
  assert.equal(all.length, 1000);
  assert.equal(all[0]?.text, "line 1500");
  assert.equal(all[0]?.time.getTime(), 1500);
  assert.deepEqual(
    journal.last(2).map(({ text }) => text),
    ["line 2498", "line 2499"],
  );
  assert.deepEqual(journal.last(0), []);
});

test("what a peer says cannot move the cursor, make lines of its own, or fill the memory", () => {
  const journal = new Journal(() => new Date(0));
  journal.write("warning", "pptp", "user \x1b[2Jroot\r\nfaked line\x9b");
  journal.write("warning", "pptp", "x".repeat(100_000));
  const [first, second] = journal.last(2);
  assert.equal(first?.text, "user ?[2Jroot??faked line?");
  assert.ok((second?.text.length ?? 0) < 500);
});

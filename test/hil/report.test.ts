/** Reports of runs that were played without machines: what the journal and the captures say, each report says. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { emitExplanation, explain } from "../../hil/report/explain.ts";
import { emitHtml } from "../../hil/report/html.ts";
import { emitJunit, escapeXml } from "../../hil/report/junit.ts";
import { emitResults } from "../../hil/report/ndjson.ts";
import { readReport } from "../../hil/report/run-fold.ts";
import { countVerdicts, type RunReport } from "../../hil/report/run-report.ts";
import { emitSummary, Paint } from "../../hil/report/terminal.ts";
import { reportFolders } from "../../hil/report/write.ts";
import { type Play, playRun } from "./played-run.ts";

const root = mkdtempSync(join(tmpdir(), "culvert-report-"));
after(() => rmSync(root, { recursive: true }));

function played(play: Play): RunReport {
  const folder = mkdtempSync(join(root, "run-"));
  playRun(folder, play);
  return readReport(folder);
}
const counts = (report: RunReport) => Object.entries(countVerdicts(report)).filter(([, count]) => count > 0);

test("a run that passed: scenarios, steps, nodes and links as they were", () => {
  const report = played({ outcome: "pass", data: 30 });
  assert.deepEqual(counts(report), [["pass", 2]]);
  assert.deepEqual(
    report.scenarios.map(({ name, steps }) => [name, steps.map((step) => step.name)]),
    [
      ["booted", ["boot every node"]],
      ["dial", ["the mobile user reaches the device", "the mobile user dials"]],
    ],
  );
  assert.deepEqual(
    report.nodes.map(({ node, role }) => [node, role]),
    [
      ["mobile", "peer"],
      ["device", "device"],
    ],
  );
  assert.equal(report.links[0]?.link, "internet");
  assert.ok((report.links[0]?.frames ?? 0) > 30);
  assert.equal(explain(report).headline, "nothing failed: 2 passed");
});

test("a run that failed: the first cause is found on the wire, before the step that noticed it", () => {
  const report = played({ outcome: "fail" });
  assert.deepEqual(counts(report), [
    ["pass", 1],
    ["fail", 1],
    ["blocked", 1],
  ]);
  const explanation = explain(report);
  assert.equal(explanation.headline, "dial failed at: the mobile user dials");
  assert.equal(explanation.faultClass, "peer");
  assert.match(explanation.whose, /a fault of a peer of the device, at mobile/);
  assert.match(explanation.omens[0]?.text ?? "", /took CHAP Success id 1/);
  const text = emitExplanation(explanation, report.startedNs);
  assert.match(text, /out of the ordinary before that, the first first:\n.*CHAP success/);
  assert.match(text, /run it again: +culvert lab run --suite played --filter dial/);
});

test("a run that was killed: what had begun is interrupted, and its reports can be made all the same", async () => {
  const report = played({ outcome: "killed" });
  assert.deepEqual(counts(report), [
    ["pass", 1],
    ["interrupted", 1],
  ]);
  assert.equal(explain(report).headline, "dial was interrupted in: the mobile user dials");
  const journal = join(report.folder, "journal.ndjson");
  writeFileSync(journal, readFileSync(journal, "utf8").slice(0, -7));
  await reportFolders([report.folder], report.folder);
  assert.match(readFileSync(join(report.folder, "junit.xml"), "utf8"), /<error message=".*type="interrupted"/);
});

test("JUnit: a case per scenario, the failed step as the failure, what did not run skipped with its reason", () => {
  const xml = emitJunit(played({ outcome: "fail" }));
  assert.match(xml, /<testsuites tests="3" failures="1" errors="0" skipped="1"/);
  assert.match(xml, /<failure message="failed at: the mobile user dials" type="peer">mobile: pppd ended/);
  assert.match(xml, /<skipped message="needs dial, which did not pass"\/>/);
  assert.match(xml, /\[\[ATTACHMENT\|report\.html\]\]/);
});

test("JUnit: no text can break out of its place or hold what XML forbids", () =>
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapeXml(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters XML 1.0 forbids
      assert.doesNotMatch(escaped, /[<>"\x00-\x08\x0b\x0c\x0e-\x1f]|&(?!amp;|lt;|gt;|quot;)/);
    }),
  ));

test("NDJSON: one line a scenario, for programs", () => {
  const lines = emitResults(played({ outcome: "fail" }))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ suite, scenario, verdict }) => [suite, scenario, verdict]),
    [
      ["played", "booted", "pass"],
      ["played", "dial", "fail"],
      ["played", "traffic", "blocked"],
    ],
  );
  assert.equal(lines[1]?.["faultClass"], "peer");
});

test("the terminal's summary: a row each, the cause below, and where the report is", () => {
  const report = played({ outcome: "fail" });
  const text = emitSummary(report, "runs/1", new Paint(false));
  assert.match(text, /^ {2}FAIL +dial /m);
  assert.match(text, /^ {2}not run +traffic .*needs dial, which did not pass$/m);
  assert.match(text, /^report: +runs\/1\/report\.html$/m);
  assert.match(text, /^lab: 1 passed, 1 failed, 1 not run/m);
  assert.match(text, /CHAP success/);
});

test("HTML: one file that loads nothing, whose head names the cause; no text of a run can become markup", () => {
  const html = emitHtml(played({ outcome: "fail" }));
  assert.doesNotMatch(html, /<(?:script|link|img|iframe)[^>]*\s(?:src|href)=|@import|url\(\s*["']?http/);
  assert.match(html, /dial failed at: the mobile user dials/);
  assert.match(html, /A &lt;mobile&gt; user dials &amp; talks/);
  assert.doesNotMatch(html, /A <mobile> user/);
});

test("HTML: a long run stays small: frames are summed up, long consoles end with the name of their file", () => {
  const html = emitHtml(played({ outcome: "pass", data: 4_000, bootLines: 20_000 }));
  assert.ok(html.length < 8_000_000, `${html.length} bytes`);
  assert.match(html, /device\.log/);
});

test("several runs are one: an index page, one JUnit file, one list of results", async () => {
  const [good, bad] = [played({ outcome: "pass", suite: "a" }), played({ outcome: "fail", suite: "b" })];
  const into = mkdtempSync(join(root, "merged-"));
  const merged = await reportFolders([bad.folder, good.folder], into);
  assert.deepEqual(
    Object.entries(merged.counts).filter(([, count]) => count > 0),
    [
      ["pass", 3],
      ["fail", 1],
      ["blocked", 1],
    ],
  );
  assert.match(readFileSync(join(into, "index.html"), "utf8"), /1 of 5 scenarios failed, in 1 of 2 runs/);
  assert.match(readFileSync(join(into, "junit.xml"), "utf8"), /<testsuites tests="5" failures="1"/);
  assert.equal(readFileSync(join(into, "results.ndjson"), "utf8").trimEnd().split("\n").length, 5);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emitHtml } from "../../hil/report/html.ts";
import { emitJunit, escapeXml } from "../../hil/report/junit.ts";
import { countVerdicts, type RunReport } from "../../hil/report/run-report.ts";
import { emitSummary, Paint } from "../../hil/report/terminal.ts";

const second = 1_000_000_000n;
const start = 1_700_000_000n * second;
const REPORT: RunReport = {
  suite: "smoke",
  title: "A <device> & its peers",
  startedNs: start,
  endedNs: start + 10n * second,
  accelerator: "tcg (it ran the canary)",
  scenarios: [
    {
      name: "dial",
      claim: "it dials",
      verdict: "pass",
      because: undefined,
      steps: [{ name: "press dial", startedNs: start + second, endedNs: start + 3n * second, failure: undefined }],
    },
    {
      name: "traffic",
      claim: "bytes pass",
      verdict: "fail",
      because: undefined,
      steps: [
        { name: "ping", startedNs: start + 3n * second, endedNs: start + 4n * second, failure: undefined },
        {
          name: 'fetch "file"',
          startedNs: start + 4n * second,
          endedNs: start + 9n * second,
          failure: "0 of 3 <arrived>\n\x1b",
        },
      ],
    },
    { name: "hang-up", claim: "it ends", verdict: "blocked", because: "needs traffic, which did not pass", steps: [] },
    { name: "eap", claim: "it proves", verdict: "impossible", because: "no peer speaks it", steps: [] },
  ],
  captures: [{ link: "wan", file: "wan.pcapng", frames: 12, dropped: 1 }],
  consoles: [{ node: "device", lines: [{ atNs: start + second, kind: "received", text: "<login>" }] }],
};

test("verdicts are counted", () => {
  assert.deepEqual(countVerdicts(REPORT), { pass: 1, fail: 1, blocked: 1, impossible: 1, flaky: 0, quarantined: 0 });
});

test("JUnit: a case per scenario, the failed step as the failure, the ones that did not run skipped with their reason", () => {
  const counts = 'tests="4" failures="1" errors="0" skipped="2"';
  assert.equal(
    emitJunit(REPORT),
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites ${counts} time="10.000">
  <testsuite name="smoke" ${counts} time="10.000" timestamp="2023-11-14T22:13:20.000Z">
    <testcase classname="smoke" name="dial" time="2.000"/>
    <testcase classname="smoke" name="traffic" time="6.000">
      <failure message="failed at: fetch &quot;file&quot;">0 of 3 &lt;arrived&gt;\n\ufffd</failure>
    </testcase>
    <testcase classname="smoke" name="hang-up" time="0.000">
      <skipped message="needs traffic, which did not pass"/>
    </testcase>
    <testcase classname="smoke" name="eap" time="0.000">
      <skipped message="no peer speaks it"/>
    </testcase>
  </testsuite>
</testsuites>
`,
  );
});

test("JUnit: no text can break out of its place or hold what XML forbids", () =>
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapeXml(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters XML 1.0 forbids
      assert.doesNotMatch(escaped, /[<>"\x00-\x08\x0b\x0c\x0e-\x1f]|&(?!amp;|lt;|gt;|quot;)/);
    }),
  ));

test("HTML: one file that loads nothing, with the failed scenario open, its step marked and every text escaped", () => {
  const html = emitHtml(REPORT);
  assert.doesNotMatch(html, /\ssrc=|https?:|@import|url\(/);
  assert.match(html, /<header class="fail">/);
  assert.match(html, /<details class="scenario fail" open>/);
  assert.match(html, /<li class="fail"><a class="step" data-at="4.0"/);
  assert.match(html, /<pre class="failure">0 of 3 &lt;arrived&gt;/);
  assert.match(html, /needs traffic, which did not pass/);
  assert.match(html, /<b>1<\/b> not run, <b>1<\/b> impossible here/);
  assert.match(html, /<a href="wan.pcapng">/);
  assert.match(html, /<time>1.0<\/time>&lt;login&gt;/);
  assert.doesNotMatch(html, /<device>|<login>|<arrived>/);
});

test("HTML: a bar lies where its step lay in the run", () => {
  assert.match(
    emitHtml(REPORT),
    /fetch &quot;file&quot;<\/span><span class="bar"><i style="left:40.00%;width:50.00%">/,
  );
});

test("HTML: all passed is green", () => {
  const passed = {
    ...REPORT,
    scenarios: REPORT.scenarios.filter(({ verdict }) => ["pass", "impossible"].includes(verdict)),
  };
  assert.match(emitHtml(passed), /<header class="pass">/);
});

test("terminal: a table, the failed step by name with its reason, the files, and counts in the last line", () => {
  assert.equal(
    emitSummary(REPORT, "runs/x", new Paint(false)),
    `
A <device> & its peers
  pass     dial        2.0 s  it dials
  FAIL     traffic     6.0 s  bytes pass
  not run  hang-up            needs traffic, which did not pass
  -        eap                no peer speaks it

traffic failed at: fetch "file"
    0 of 3 <arrived>
    \x1b

report:   runs/x/report.html
captures: wan 12 frames, in runs/x
lab: 1 passed, 1 failed, 1 not run, 1 impossible here in 10.0 s`,
  );
});

/** What a run's reports say, each made of played runs: a real journal, link, trap and capture. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { emitExplanation, explain } from "../../hil/report/explain.ts";
import { emitHtml } from "../../hil/report/html.ts";
import { emitJunit, escapeXml } from "../../hil/report/junit.ts";
import { type ResultLine, resultLines } from "../../hil/report/ndjson.ts";
import type { PageData } from "../../hil/report/page/data.ts";
import { readReport } from "../../hil/report/run-fold.ts";
import type { RunReport } from "../../hil/report/run-report.ts";
import { emitSummary, Paint } from "../../hil/report/terminal.ts";
import { reportFolders, writeReports } from "../../hil/report/write.ts";
import { type Play, playRun } from "./played-run.ts";

const root = mkdtempSync(join(tmpdir(), "culvert-report-"));
after(() => rmSync(root, { recursive: true, force: true }));

function played(name: string, play: Play): RunReport {
  const folder = join(root, name);
  if (!existsSync(folder)) playRun(folder, play);
  return readReport(folder);
}
const failed = (): RunReport => played("failed", { outcome: "fail" });
const passed = (): RunReport => played("passed", { outcome: "pass", data: 30 });
const killed = (): RunReport => played("killed", { outcome: "killed" });

test("JUnit: properties, the failed step as the failure, what did not run skipped with its reason", () => {
  const counts = 'tests="3" failures="1" errors="0" skipped="1"';
  assert.equal(
    emitJunit(failed()),
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites ${counts} time="44.666">
  <testsuite name="played" ${counts} time="44.666" timestamp="1970-01-01T00:00:01.000Z">
    <properties>
      <property name="accelerator" value="tcg (it ran the canary)"/>
      <property name="command" value="lab run --suite played"/>
      <property name="node.mobile" value="pptp-linux 1.10 and pppd 2.4.9"/>
      <property name="node.device" value="the x86_64 image"/>
    </properties>
    <testcase classname="played" name="booted" time="1.840">
      <properties>
        <property name="verdict" value="pass"/>
        <property name="claim" value="every node boots"/>
      </properties>
      <system-out>[[ATTACHMENT|report.html]]
[[ATTACHMENT|internet.pcapng]]
[[ATTACHMENT|mobile.log]]
[[ATTACHMENT|device.log]]</system-out>
    </testcase>
    <testcase classname="played" name="dial" time="42.326">
      <properties>
        <property name="verdict" value="fail"/>
        <property name="claim" value="a mobile user dials in"/>
      </properties>
      <failure message="failed at: the mobile user dials" type="peer">mobile: pppd ended before the call was up
  sought:  &quot;local  IP address&quot;
  console: silent for 30.0 s; its last lines:
  | LCP terminated by peer
  | Modem hangup</failure>
      <system-out>[[ATTACHMENT|report.html]]
[[ATTACHMENT|internet.pcapng]]
[[ATTACHMENT|mobile.log]]
[[ATTACHMENT|device.log]]</system-out>
    </testcase>
    <testcase classname="played" name="traffic" time="0.000">
      <properties>
        <property name="verdict" value="blocked"/>
        <property name="claim" value="traffic passes"/>
      </properties>
      <skipped message="needs dial, which did not pass"/>
    </testcase>
  </testsuite>
</testsuites>
`,
  );
});

test("JUnit: a flaky scenario passed and has its earlier failure, an interrupted one is an error", () => {
  const report = failed();
  const dial = report.scenarios.find(({ name }) => name === "dial");
  const [attempt] = dial?.attempts ?? [];
  assert.ok(dial && attempt);
  const second = { ...attempt, number: 2, steps: [] };
  const flaky = { ...dial, verdict: "flaky" as const, attempts: [attempt, second], steps: [] };
  const xml = emitJunit({ ...report, scenarios: [flaky] });
  assert.match(xml, /tests="1" failures="0" errors="0" skipped="0"/);
  assert.match(xml, /<flakyFailure message="attempt 1 failed at: the mobile user dials" type="peer">/);
  assert.match(xml, /name="attempts" value="2"/);
  const cut = emitJunit(killed());
  assert.match(cut, /tests="2" failures="0" errors="1" skipped="0"/);
  assert.match(cut, /<error message="the run ended before it did" type="interrupted"\/>/);
});

test("JUnit: no text can break out of its place or hold what XML forbids", () =>
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapeXml(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters XML 1.0 forbids
      assert.doesNotMatch(escaped, /[<>"\x00-\x08\x0b\x0c\x0e-\x1f]|&(?!amp;|lt;|gt;|quot;)/);
    }),
  ));

test("NDJSON: a line per scenario with every field", () => {
  const [booted, dial, traffic] = resultLines(failed());
  assert.deepEqual(dial, {
    version: 1,
    suite: "played",
    scenario: "dial",
    verdict: "fail",
    claim: "a mobile user dials in",
    because: null,
    attempts: 1,
    started: "1970-01-01T00:00:03.340Z",
    durationMs: 42_326,
    failedStep: "the mobile user dials",
    faultClass: "peer",
    node: "mobile",
    message: "mobile: pppd ended before the call was up",
    folder: join(root, "failed"),
  } satisfies ResultLine);
  assert.equal(booted?.failedStep, null);
  assert.deepEqual([traffic?.attempts, traffic?.started, traffic?.durationMs], [0, null, null]);
});

test("explain: a lost frame is the first cause, by rule and packet, not what came of it", () => {
  const report = failed();
  const explanation = explain(report);
  assert.equal(
    emitExplanation(explanation, report.startedNs),
    `dial failed at: the mobile user dials
  a fault of a peer of the device, at mobile
    mobile: pppd ended before the call was up
      sought:  "local  IP address"
      console: silent for 30.0 s; its last lines:
      | LCP terminated by peer
      | Modem hangup
  likely cause, and what else was out of the ordinary before that:
    2.430 s  internet: the trap "drop every CHAP success, from device" took CHAP Success id 1: S=0123456789ABCDEF M=Welcome from device (4 times)
   44.666 s  it was noticed
  run it again:   culvert lab run --suite played --filter dial
  this, as text:  culvert lab explain ${join(root, "failed")}`,
  );
});

test("explain: what a scenario that passed shows too is no cause", () => {
  const report = failed();
  const [booted, ...others] = report.scenarios;
  const [attempt] = booted?.attempts ?? [];
  assert.ok(booted && attempt && booted.verdict === "pass");
  const oops = "BUG: a driver talks too much";
  const said = (atNs: bigint): RunReport["nodes"] =>
    report.nodes.map((node) =>
      node.node === "device"
        ? {
            ...node,
            lines: [
              { atNs, kind: "received", text: oops },
              { atNs: report.endedNs - 1n, kind: "received", text: oops },
            ],
          }
        : node,
    );
  const texts = (atNs: bigint): string[] =>
    explain({ ...report, nodes: said(atNs), scenarios: [booted, ...others] }).omens.map(({ text }) => text);
  assert.ok(!texts(attempt.startedNs + 1n).some((text) => text.includes(oops)));
  assert.ok(texts(attempt.endedNs + 1_000_000n).some((text) => text.includes(oops)));
});

test("explain: a machine that goes off alone is told; a lab that is taken down is not", () => {
  const report = failed();
  const dial = report.scenarios.find(({ name }) => name === "dial");
  const atNs = (dial?.steps[1]?.startedNs ?? 0n) + 5_000_000_000n;
  const off = { atNs, to: "off", by: "QEMU" } as const;
  const on = { atNs: report.startedNs, to: "on", by: "QEMU" } as const;
  const withPower = (...which: string[]): string[] =>
    explain({
      ...report,
      nodes: report.nodes.map((node) => ({ ...node, power: which.includes(node.node) ? [on, off] : [on] })),
    }).omens.map(({ text }) => text);
  assert.ok(withPower("device").includes("switched off by QEMU"));
  assert.ok(!withPower("device", "mobile").includes("switched off by QEMU"));
});

test("explain: a killed run says where it ended, a good one that nothing failed", () => {
  const cut = explain(killed());
  assert.equal(cut.verdict, "interrupted");
  assert.equal(cut.headline, "dial was interrupted in: the mobile user dials");
  assert.match(cut.omens[0]?.text ?? "", /took CHAP Success/);
  const good = explain(passed());
  assert.deepEqual([good.verdict, good.headline, good.omens], ["pass", "nothing failed: 2 passed", []]);
});

test("terminal: a table, the first cause, the files, and counts in the last line", () => {
  const text = emitSummary(failed(), "runs/x", new Paint(false));
  assert.match(text, /^\nA <mobile> user dials & talks\n {2}pass {5}booted {6}1\.8 s {2}every node boots\n/);
  assert.match(text, /\n {2}FAIL {5}dial {7}42\.3 s {2}a mobile user dials in\n {2}not run {2}traffic {12}needs dial/);
  assert.match(text, /\ndial failed at: the mobile user dials\n/);
  assert.match(text, /\nreport: {3}runs\/x\/report\.html\ncaptures: internet 19 frames, in runs\/x\n/);
  assert.match(text, /\nlab: 1 passed, 1 failed, 1 not run in 44\.7 s$/);
});

function pageData(html: string): PageData {
  return JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)?.[1] ?? "") as PageData;
}

test("HTML: one file that loads nothing, whose head names the cause, with every text escaped", () => {
  const html = emitHtml(failed());
  assert.doesNotMatch(html.replace(/<script>.*<\/script>/s, ""), /\ssrc=|https?:|@import|url\(/);
  assert.match(html, /<header class="head fail">/);
  assert.match(html, /<h1>dial failed at: the mobile user dials<\/h1>/);
  assert.match(
    html,
    /class="trap first">.*the trap &quot;drop every CHAP success, from device&quot; took CHAP Success/,
  );
  assert.match(html, /<code>culvert lab run --suite played --filter dial<\/code>/);
  assert.match(html, /<title>failed: A &lt;mobile&gt; user dials &amp; talks<\/title>/);
  assert.doesNotMatch(html, /<mobile>/);
});

test("HTML: the sequence diagram has every packet of the call, and data between them as one burst", () => {
  const { rows, links, nodes } = pageData(emitHtml(passed()));
  const labels = rows.map(({ label }) => label);
  for (const label of [
    "Start-Control-Connection-Request",
    "LCP Configure-Request id 1: auth MS-CHAPv2",
    "CHAP Challenge id 1: culvert",
    "CCP Configure-Request id 1: mppe stateless 128-bit (0x01000040)",
    "IPCP Configure-Ack id 1: address 192.168.1.100",
  ]) {
    assert.ok(labels.includes(label), `${label} in ${labels.join("\n")}`);
  }
  const burst = rows.find(({ flows }) => flows !== undefined);
  assert.equal(burst?.label, "30 MPPE from mobile, 30 GRE acks from device");
  assert.deepEqual(
    burst.fields?.find(([name]) => name.trim() === "GRE sequence"),
    ["  GRE sequence", "5 to 34"],
  );
  const request = rows.find(({ label }) => label.startsWith("CCP Configure-Request"));
  assert.equal(nodes[request?.source ?? -1]?.name, "mobile");
  assert.equal(request?.hex?.length, (request?.bytes ?? 0) * 2);
  assert.ok(request?.fields?.some(([name, value]) => name === "mppe" && value.includes("128-bit")));
  assert.equal(
    links[0]?.frames,
    rows.reduce((sum, { flows }) => sum + (flows?.reduce((all, { frames }) => all + frames, 0) ?? 1), 0),
  );
});

test("HTML: of a console that talks too much, the beginning and the end are there, and how much is not", () => {
  const { nodes } = pageData(emitHtml(played("talkative", { outcome: "pass", bootLines: 12_000 })));
  const device = nodes.find(({ name }) => name === "device");
  assert.ok((device?.left.count ?? 0) > 1000);
  assert.equal((device?.lines.length ?? 0) + (device?.left.count ?? 0), 12_002);
  assert.match(device?.lines[0]?.[2] ?? "", /^Linux version/);
  assert.equal(device?.lines.at(-1)?.[2], "culvert login: ");
});

test("HTML: a run whose captures are gone says so and shows the rest", () => {
  const report = played("bare", { outcome: "fail" });
  rmSync(join(root, "bare", "internet.pcapng"));
  const { links, nodes } = pageData(emitHtml(report));
  assert.match(links[0]?.problem ?? "", /the capture cannot be read: ENOENT/);
  assert.ok(nodes.some(({ lines }) => lines.length > 0));
});

test("all reports of a run lie in its folder; several runs get one index, one JUnit and one NDJSON", async () => {
  await writeReports(failed());
  for (const file of ["report.html", "junit.xml", "results.ndjson", "device.log", "mobile.log"]) {
    assert.ok(existsSync(join(root, "failed", file)), file);
  }
  passed();
  const into = join(root, "all");
  const { counts } = await reportFolders([join(root, "passed"), join(root, "failed")], into);
  assert.deepEqual([counts.pass, counts.fail, counts.blocked], [3, 1, 1]);
  const index = readFileSync(join(into, "index.html"), "utf8");
  assert.match(index, /<h1>1 of 5 scenarios failed, in 1 of 2 runs<\/h1>/);
  assert.match(
    index,
    /<a href="\.\.\/failed\/report\.html#scenario=dial">played: dial<\/a> failed at: the mobile user/,
  );
  assert.match(index, /<a href="\.\.\/passed\/report\.html">/);
  const junit = readFileSync(join(into, "junit.xml"), "utf8");
  assert.match(junit, /<testsuites tests="5" failures="1" errors="0" skipped="1"/);
  assert.equal(junit.match(/<testsuite /g)?.length, 2);
  const lines = readFileSync(join(into, "results.ndjson"), "utf8").trimEnd().split("\n");
  const scenarios = lines.map((line) => JSON.parse(line) as ResultLine);
  assert.equal(scenarios.filter(({ folder }) => folder === join(root, "failed")).length, 3);
  assert.equal(scenarios.length, 5);
});

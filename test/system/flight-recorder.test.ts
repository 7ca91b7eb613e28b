/** The flight recorder as a person uses it, in headless Chromium: it opens from the disk, loads nothing, and everything is one click away. */
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { reportFolders } from "../../hil/report/write.ts";
import { playRun } from "../hil/played-run.ts";
import { temporaryFolder } from "./lab-run.ts";

const root = temporaryFolder();
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];

let browser: Browser;
before(async () => {
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS, ...QUIET] });
});
after(() => browser.close());

interface Opened {
  readonly page: Page;
  readonly errors: string[];
  readonly requests: string[];
}

async function open(play: Parameters<typeof playRun>[1], hash = ""): Promise<Opened> {
  const folder = mkdtempSync(join(root, "run-"));
  playRun(folder, play);
  await reportFolders([folder], folder);
  const page = await browser.newPage({ viewport: { width: 1400, height: 950 } });
  const errors: string[] = [];
  const requests: string[] = [];
  page.on("pageerror", (error) => void errors.push(String(error)));
  page.on("console", (message) => void (message.type() === "error" && errors.push(message.text())));
  page.on("request", (request) => void requests.push(request.url()));
  await page.goto(`${pathToFileURL(join(folder, "report.html")).href}${hash}`);
  await page.waitForSelector(".row");
  return { page, errors, requests };
}

test("a failed run names its cause at the top, without a click", async () => {
  const { page, errors, requests } = await open({ outcome: "fail" });
  const head = (await page.textContent("header.head")) ?? "";
  assert.match(head, /failed/i);
  assert.match(head, /dial failed at: the mobile user dials/);
  assert.match(head, /a fault of a peer of the device, at mobile/);
  assert.match(head, /took CHAP Success id 1/);
  assert.match(head, /culvert lab run --suite played --filter dial/);
  assert.deepEqual(errors, []);
  assert.equal(requests.length, 1, requests.join("\n"));
  await page.close();
});

test("a click on a packet shows its fields, and every console at that instant", async () => {
  const { page, errors } = await open({ outcome: "fail" });
  await page.click(".row:has-text('Outgoing-Call-Request')");
  assert.match((await page.textContent(".detail")) ?? "", /Outgoing-Call-Request/);
  const now = await page.$$eval(".console .now", (lines) => lines.map((line) => line.textContent));
  assert.equal(now.length, 2, "one line of each console");
  assert.match(now.join("\n"), /pptp 203\.0\.113\.1|Using interface/);
  assert.match(await page.evaluate("location.hash"), /t=\d/);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a click on a console line takes the diagram there; a link with a time does the same", async () => {
  const { page } = await open({ outcome: "fail" });
  await page.click(".console[data-node=mobile] [data-line]:has-text('LCP terminated')");
  const hash = String(await page.evaluate("location.hash"));
  assert.match(hash, /t=1\d/);
  await page.close();
  const again = await open({ outcome: "fail" }, hash);
  const now = await again.page.$$eval(".console[data-node=mobile] .now", (lines) =>
    lines.map((line) => line.textContent),
  );
  assert.match(now.join(""), /LCP terminated/);
  await again.page.close();
});

test("zooming in leaves fewer rows in sight, and the whole run is one key away", async () => {
  const { page } = await open({ outcome: "pass", data: 200 });
  const rows = async (): Promise<number> => Number(/\d+/.exec((await page.textContent(".seq-head .hint")) ?? "")?.[0]);
  const all = await rows();
  await page.focus("canvas");
  for (let time = 0; time < 8; time++) await page.keyboard.press("+");
  assert.ok((await rows()) < all, `${await rows()} of ${all} rows`);
  await page.keyboard.press("0");
  assert.equal(await rows(), all);
  await page.close();
});

test("filters take protocols and nodes away and bring them back", async () => {
  const { page, errors } = await open({ outcome: "pass", data: 20 });
  const shown = (word: string): Promise<number> => page.locator(`.row:has-text("${word}")`).count();
  assert.ok((await shown("Start-Control")) > 0);
  await page.click(".chip:has-text('PPTP')");
  assert.equal(await shown("Start-Control"), 0);
  await page.click("button:has-text('show all')");
  assert.ok((await shown("Start-Control")) > 0);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a word is found in the consoles", async () => {
  const { page } = await open({ outcome: "fail" });
  await page.fill("input[type=search], .filters input", "Modem");
  await page.keyboard.press("Enter");
  assert.match((await page.textContent(".console[data-node=mobile]")) ?? "", /1 found/);
  await page.close();
});

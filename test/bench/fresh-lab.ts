/**
 * How long a fresh lab takes: two busybox guests, and the lab of Figure 13-1 with its device configured, each restored
 * again and again, to the first ping that passes from end to end. `node dist/test/bench/fresh-lab.js [times]`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { elapsedMs, systemClock } from "../../hil/clock.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { type AnyNodes, defineLab, type Lab, type LabDefinition } from "../../hil/lab.ts";
import { LabHost } from "../../hil/lab-host.ts";
import { lanHost } from "../../hil/peers/lan-host.ts";
import { headOffice, headOfficeConfigured, OFFICE } from "../../hil/scenarios/head-office.ts";

const times = Number(process.argv[2] ?? 20);
const clock = systemClock();
const folder = mkdtempSync(join(tmpdir(), "culvert-bench-"));

const twoGuests = defineLab({
  nodes: {
    left: lanHost({ address: "10.9.0.1/24", gateway: "10.9.0.2" }),
    right: lanHost({ address: "10.9.0.2/24", gateway: "10.9.0.1" }),
  },
  links: { lan: ["left.eth0", "right.eth0"] },
});

/** Milliseconds of each restore, to the end of `use`. */
async function measure<N extends AnyNodes, L extends string>(
  name: string,
  lab: LabDefinition<N, L>,
  prepare: (lab: Lab<N, L>) => Promise<void>,
  use: (lab: Lab<N, L>) => Promise<void>,
): Promise<number[]> {
  const runFolder = mkdtempSync(join(folder, "run-"));
  const journal = new Journal(clock, join(runFolder, "journal.ndjson"));
  const host = new LabHost(lab, { runFolder, clock, journal, progress: () => {} });
  try {
    const bootNs = clock.nowNs();
    await prepare(await host.boot());
    const bootMs = elapsedMs(bootNs, clock.nowNs());
    const saved = mkdtempSync(join(folder, "saved-"));
    const saveNs = clock.nowNs();
    await host.save(saved);
    console.log(`${name}: boot ${bootMs.toFixed(0)} ms, save ${elapsedMs(saveNs, clock.nowNs()).toFixed(0)} ms`);
    const took: number[] = [];
    for (let time = 0; time < times; time++) {
      const startedNs = clock.nowNs();
      await use(await host.restore(saved, "run"));
      took.push(elapsedMs(startedNs, clock.nowNs()));
    }
    return took;
  } finally {
    await host.down();
    journal.close();
  }
}

function report(name: string, took: readonly number[]): number {
  const sorted = [...took].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  console.log(`${name}: p50 ${at(0.5).toFixed(0)} ms, p95 ${at(0.95).toFixed(0)} ms of ${took.length}`);
  return at(0.95);
}

try {
  const small = await measure(
    "two guests",
    twoGuests,
    () => Promise.resolve(),
    async ({ node }) => void (await node.left.ping("10.9.0.2")),
  );
  const large = await measure(
    "Figure 13-1",
    headOffice,
    async (lab) => await headOfficeConfigured.run(lab, async (_name, work) => await work()),
    async ({ node }) => {
      await node.device.console.run("show vpn");
      await node.office.ping("192.168.1.1");
      await node.mobile.ping("203.0.113.1");
    },
  );
  const ratio = report("Figure 13-1", large) / report("two guests", small);
  console.log(`Figure 13-1 (${OFFICE}) against two guests, p95: ${ratio.toFixed(2)} times`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

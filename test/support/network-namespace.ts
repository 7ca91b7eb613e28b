/** Runs a test file a second time inside a fresh network namespace, where it may set up what it likes. */
import { execFileSync, spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";

const MARK = "CULVERT_TEST_NAMESPACE";

/** Inside, `define` registers the tests, which report to the runner as the outer file's own. Needs root. */
export async function inNetworkNamespace(define: () => void | Promise<void>): Promise<void> {
  if (process.env[MARK] !== undefined) {
    execFileSync("ip", ["link", "set", "lo", "up"]);
    await define();
    return;
  }
  if (process.getuid?.() !== 0) {
    test("in a network namespace", { skip: "needs root" }, () => {});
    return;
  }
  const inside = spawnSync("unshare", ["--net", process.execPath, ...process.argv.slice(1)], {
    stdio: "inherit",
    // An open handle after a failed test must not hold up the whole run.
    timeout: 120_000,
    env: { ...process.env, [MARK]: "1" },
  });
  process.exitCode = inside.status ?? 1;
}

/** The command line under everything that can be typed: it answers, and changes nothing but what is committed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleSession } from "../../appliance/cli/session.ts";
import type { Edit } from "../../appliance/service/edit.ts";
import { BenchDevice } from "../support/bench-device.ts";
import { BRANCH, OFFICE } from "../support/config-text.ts";
import { quiet } from "../support/device.ts";
import { campaignOf } from "../support/fuzzing.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { typed } from "../support/typist.ts";

/** Sittings at one device. */
const SITTINGS = 20;
/** What one packet of keys may take and may say: far beyond anything that is right. */
const LONGEST_ANSWER_MS = 5000;
const LONGEST_ANSWER = 4_000_000;
const LONGEST_SETTLING = 200;
/** Those that speak until they end. */
const PROGRAMS = ["ping", "traceroute"];
/** Characters of the answer that are looked at. */
const KEPT = 400;

/** A device with a configuration, and on it somebody else who is in the midst of a change. */
class Place {
  readonly device = new BenchDevice(undefined, ({ programs }) => {
    programs.behaviours.set("nft", { lines: ['{"nftables": []}'], ends: "well" });
    for (const name of PROGRAMS) programs.behaviours.set(name, { lines: ["an answer"], ends: "when stopped" });
  });
  readonly other: Edit;
  /** Commits that succeeded. */
  commits = 0;

  constructor() {
    const { appliance } = this.device;
    const first = appliance.beginEdit("the test");
    for (const line of [...OFFICE, ...BRANCH]) assert.equal(first.set(line.split(" ")), undefined);
    assert.equal(first.commit().result, "committed");
    this.other = appliance.beginEdit("somebody else");
    this.other.set("vpn account carol password not-committed".split(" "));
    const beginEdit = appliance.beginEdit.bind(appliance);
    appliance.beginEdit = (who) => this.#watched(beginEdit(who));
  }

  /** A commit is the only thing that may change what runs. */
  #watched(edit: Edit): Edit {
    const commit = edit.commit.bind(edit);
    edit.commit = (trialMinutes) => {
      const before = this.device.appliance.running;
      const wanted = edit.candidate;
      const committed = commit(trialMinutes);
      const { running } = this.device.appliance;
      if (committed.result === "committed" || committed.result === "on-trial") {
        this.commits++;
        assert.equal(running, wanted, "what was shown is what runs");
        assert.deepEqual(edit.problems(), []);
      } else assert.equal(running, before, `${committed.result}, and something else runs`);
      return committed;
    };
    return edit;
  }
}

/** One login, from the prompt to the prompt. */
async function sit(place: Place, random: SeededRandom): Promise<void> {
  const { appliance } = place.device;
  let shown = "";
  let said = 0;
  let hasEnded = false;
  const terminal = random.chance(0.8);
  const session = new ConsoleSession(appliance, {
    terminal,
    write: (text) => {
      said += text.length;
      shown = text.length < KEPT ? shown.slice(text.length - KEPT) + text : text.slice(-KEPT);
    },
    remote: { from: "192.0.2.1", ended: () => (hasEnded = true) },
  });
  session.start();
  const other = place.other.candidate;
  // Who never types a `c`, and completes nothing, cannot commit.
  const isHarmless = random.chance(0.3);
  const before = { running: appliance.running, commits: place.commits };
  if (random.chance(0.6)) session.feed(Buffer.from("configure\r"));
  for (const packet of typed(random, appliance.running)) {
    const { running } = appliance;
    const { commits } = place;
    said = 0;
    const startedMs = performance.now();
    session.feed(
      isHarmless ? Buffer.from(packet.map((byte) => ([0x43, 0x63, 9].includes(byte) ? 0x78 : byte))) : packet,
    );
    if (random.chance(0.02)) session.resize(random.below(300), random.below(100));
    const tookMs = performance.now() - startedMs;
    if (tookMs > LONGEST_ANSWER_MS) assert.fail(`${tookMs} ms for ${packet.toString("hex")}`);
    if (said > LONGEST_ANSWER) assert.fail(`${said} characters for ${packet.toString("hex")}`);
    if (place.commits === commits)
      assert.equal(appliance.running, running, "something else runs, and nobody committed");
    if (random.chance(0.2)) await quiet();
  }
  if (isHarmless) {
    assert.equal(appliance.running, before.running, "something else runs, and nobody can have committed");
    assert.equal(place.commits, before.commits);
  }
  assert.equal(place.other.candidate, other, "the candidate of somebody else has changed");
  // Sometimes it is left in the midst of anything.
  if (random.chance(0.1)) {
    random.pick([() => session.endOfInput(), () => session.expire(10), () => {}])();
    session.hangUp();
    return;
  }
  for (let turn = 0; !hasEnded && !isPrompt(shown); turn++) {
    assert.ok(turn < LONGEST_SETTLING, `the prompt did not come back: ${JSON.stringify(shown.slice(-200))}`);
    await quiet();
    // Without a terminal nothing stops what speaks: it ends by itself, as ping and traceroute do.
    if (!terminal) for (const name of PROGRAMS) place.device.bench.programs.running(name)?.end();
    if (session.listening) session.feed(Buffer.from("\x03q\x03"));
  }
  session.hangUp();
}

function isPrompt(shown: string): boolean {
  return /(?:^|\n)[\w.-]+[>#] $/.test(shown);
}

test("sittings of every kind", async (t) => {
  let sittings = 0;
  await campaignOf(t, 30_000, async (random) => {
    let place = new Place();
    for (let sitting = 0; sitting < SITTINGS; sitting++, sittings++) {
      await sit(place, random);
      assert.equal(place.device.appliance.logins.views().length, 0, "everybody is logged out");
      // A device that restarts, perhaps as a new one, is another device.
      if (place.device.powered.length > 0) place = new Place();
    }
  });
  t.diagnostic(`${sittings} sittings`);
});

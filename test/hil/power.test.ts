/** What all power switches have in common, on a switch and a clock that the test moves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../hil/fault.ts";
import type { EventBody } from "../../hil/journal/event.ts";
import { type PowerDriver, type PowerState, SwitchedPower } from "../../hil/power/power.ts";
import { expandSecrets, httpAddress, redact } from "../../hil/power/secret.ts";
import { ManualClock } from "./fake-line.ts";

class FakeSwitch implements PowerDriver {
  readonly what = "switch";
  readonly limitMs = 1000;
  readonly orders: string[] = [];
  relay: PowerState = "on";
  /** Orders reach the relay. */
  works = true;
  answers = true;
  refuses: Error | undefined;
  asked = 0;
  aborted = 0;

  on(signal: AbortSignal): Promise<void> {
    return this.#order("on", signal);
  }
  off(signal: AbortSignal): Promise<void> {
    return this.#order("off", signal);
  }
  state(): Promise<PowerState> {
    this.asked++;
    return Promise.resolve(this.relay);
  }
  close(): void {
    this.orders.push("close");
  }
  #order(to: "on" | "off", signal: AbortSignal): Promise<void> {
    this.orders.push(to);
    signal.addEventListener("abort", () => this.aborted++);
    if (this.refuses !== undefined) return Promise.reject(this.refuses);
    if (!this.answers) return new Promise(() => {});
    if (this.works && this.relay !== "unknown") this.relay = to;
    return Promise.resolve();
  }
}

function bench(minOffMs = 3000) {
  const driver = new FakeSwitch();
  const clock = new ManualClock();
  const events: EventBody[] = [];
  const power = new SwitchedPower(
    driver,
    { minOffMs },
    { node: "dut", clock, journal: { append: (event) => events.push(event) } },
  );
  /** Lets everything happen that needs no time, then moves on. */
  const pass = async (ms: number): Promise<void> => {
    await new Promise(setImmediate);
    clock.advance(ms);
    await new Promise(setImmediate);
  };
  return { driver, clock, events, power, pass };
}

const reference = (name: string): string => `\${env:${name}}`;

/** The failure as text, once it is there. */
function failure(promise: Promise<unknown>): { text: string | undefined } {
  const seen: { text: string | undefined } = { text: undefined };
  promise.then(
    () => {
      seen.text = "no failure";
    },
    (error: unknown) => {
      assert.ok(error instanceof Fault, String(error));
      assert.equal(error.faultClass, "bench");
      seen.text = error.message;
    },
  );
  return seen;
}

test("on after off waits until the board was without power for long enough, to the millisecond", async () => {
  const { driver, power, pass } = bench(3000);
  await power.off();
  await pass(1000);
  let isOn = false;
  const on = power.on().then(() => {
    isOn = true;
  });
  await pass(1999);
  assert.deepEqual([driver.orders, isOn], [["off"], false]);
  await pass(1);
  await on;
  assert.deepEqual(driver.orders, ["off", "on"]);
});

test("a board that is found without power may just have lost it: the wait begins when it is seen", async () => {
  const { driver, power, pass } = bench(3000);
  driver.relay = "off";
  const on = power.on();
  await pass(2999);
  assert.deepEqual(driver.orders, []);
  await pass(1);
  await on;
});

test("a second off does not begin the wait again", async () => {
  const { power, pass } = bench(3000);
  await power.off();
  await pass(2000);
  await power.off();
  const on = power.on();
  await pass(1000);
  await on;
});

test("what is done is in the journal, after it was done", async () => {
  const { power, events, pass } = bench(0);
  await power.off();
  await power.on();
  await pass(0);
  assert.deepEqual(events, [
    { kind: "power", node: "dut", to: "off", by: "switch" },
    { kind: "power", node: "dut", to: "on", by: "switch" },
  ]);
});

test("a switch that takes the order and does nothing is dead", async () => {
  const { driver, power, events, pass } = bench();
  driver.works = false;
  const seen = failure(power.off());
  for (let waited = 0; waited < 1000; waited += 250) await pass(250);
  assert.match(seen.text ?? "", /^dut: switch: dead power switch: .*switch off.* still says on after 1\.0 s/);
  assert.deepEqual(events, []);
});

test("a relay that is slow to follow is asked again", async () => {
  const { driver, power, pass } = bench();
  driver.works = false;
  const off = power.off();
  await pass(250);
  driver.relay = "off";
  await pass(250);
  await off;
  assert.equal(driver.asked, 3);
});

test("a switch that cannot be asked is believed", async () => {
  const { driver, power } = bench();
  driver.relay = "unknown";
  await power.off();
  assert.equal(await power.state(), "unknown");
});

test("a switch that does not answer: a time limit, and the operation is taken back", async () => {
  const { driver, power, pass } = bench();
  driver.answers = false;
  const seen = failure(power.off());
  await pass(999);
  assert.equal(seen.text, undefined);
  await pass(1);
  assert.equal(seen.text, "dut: switch: cannot switch off: no answer within 1 s");
  assert.equal(driver.aborted, 1);
});

test("a refusal is told in the switch's words, without the secrets in them", async () => {
  const { driver, power } = bench();
  expandSecrets(reference("PDU_PASSWORD"), { PDU_PASSWORD: "hunter22" });
  driver.refuses = new Error("GET http://admin:other@10.0.0.7/relay?password=hunter22: 500");
  const seen = failure(power.off());
  await new Promise(setImmediate);
  assert.equal(seen.text, "dut: switch: cannot switch off: GET http://admin:***@10.0.0.7/relay?password=***: 500");
});

test("operations take turns, and one that fails does not stop the next", async () => {
  const { driver, power, pass } = bench(0);
  driver.answers = false;
  const seen = failure(power.off());
  const on = power.on();
  await pass(0);
  assert.deepEqual(driver.orders, ["off"]);
  driver.answers = true;
  await pass(1000);
  await on;
  assert.match(seen.text ?? "", /no answer/);
  assert.deepEqual(driver.orders, ["off", "on"]);
});

test("closing ends what waits, leaves the power as it is, and nothing is switched after it", async () => {
  const { driver, power, pass } = bench();
  await power.off();
  const seen = failure(power.on());
  await pass(10);
  await power.close();
  assert.match(seen.text ?? "", /the power switch was closed/);
  await assert.rejects(power.on(), /the power switch was closed/);
  assert.deepEqual(driver.orders, ["off", "close"]);
});

test("a secret that is not set is named", () => {
  assert.throws(
    () => expandSecrets(`x${reference("NO_SUCH")}`, {}),
    /needs the environment variable NO_SUCH, and it is not set/,
  );
});

test("an address keeps its credentials apart, whatever characters they have", () => {
  const address = httpAddress(`http://admin:${reference("A_KEY")}@10.0.0.7:8080/`, { A_KEY: "p@ss/wörd:%41" });
  assert.deepEqual(address, {
    base: "http://10.0.0.7:8080",
    host: "10.0.0.7:8080",
    user: "admin",
    password: "p@ss/wörd:%41",
  });
  assert.equal(redact(`a p@ss/wörd:%41 ${encodeURIComponent("p@ss/wörd:%41")}`), "a *** ***");
  assert.equal(httpAddress("http://u:50%25%@h/x").password, "50%25%");
});

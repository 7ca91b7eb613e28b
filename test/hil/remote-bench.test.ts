/** A bench on another computer: both ends of the conversation, without ssh between them. */
import assert from "node:assert/strict";
import { type Duplex, PassThrough } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { emitFrame, FrameError, FrameKind, FrameReader, GREETING } from "../../hil/bench/frames.ts";
import { benchNames, loadBench, parseBench } from "../../hil/bench/load.ts";
import { checkQuarantine } from "../../hil/bench/reach.ts";
import { type Helper, RemoteBench, sshArguments } from "../../hil/bench/remote.ts";
import { serveBench } from "../../hil/bench/serve.ts";
import { benchText, secretNames } from "../../hil/bench/text.ts";
import { Fault } from "../../hil/fault.ts";
import type { EventBody } from "../../hil/journal/event.ts";
import type { Power, PowerState } from "../../hil/power/power.ts";
import { FakeLine, ManualClock } from "./fake-line.ts";

const BENCH = parseBench(
  `name: far
console: { serial: /dev/ttyUSB0, pace: { chunk: 16, gap: 5ms } }
power: { command: { on: "true", off: "true" }, minOff: 1500ms }
host: ssh://lab@rack-2:2222
`,
  "far.yaml",
);

/** What the far computer has, and what was done to it. */
function farComputer() {
  const clock = new ManualClock();
  const line = new FakeLine();
  const lost = new AbortController();
  const done: string[] = [];
  let relay: PowerState = "on";
  const power: Power = {
    on: () => {
      relay = "on";
      done.push("on");
      return Promise.resolve();
    },
    off: () => {
      if (relay === "off") return Promise.reject(new Fault("bench", "far: it is stuck"));
      relay = "off";
      return Promise.resolve();
    },
    state: () => Promise.resolve(relay),
    close: () => {
      done.push("power closed");
      return Promise.resolve();
    },
  };
  const means = {
    clock,
    takeLease: (bench: string, why: string) => {
      done.push(`lease ${bench} for ${why}`);
      const lease = {
        lost: lost.signal,
        check: () => lost.signal.throwIfAborted(),
        close: () => void done.push("lease closed"),
      };
      return Promise.resolve(lease);
    },
    openLine: (): Promise<Duplex> => Promise.resolve(line),
    openPower: () => power,
  };
  return { clock, line, lost, done, means };
}

/** The lab's end, with a helper at the other that runs in this process. `noise` is what the far shell prints first. */
function connection(far: ReturnType<typeof farComputer>, noise = "") {
  const toFar = new PassThrough();
  const fromFar = new PassThrough();
  const clock = new ManualClock();
  const events: EventBody[] = [];
  if (noise !== "") fromFar.write(noise);
  const served = serveBench(toFar, fromFar, far.means);
  let killed = (): void => {};
  const gone = new Promise<void>((resolve) => {
    killed = resolve;
  });
  const start = (): Helper => ({
    input: toFar,
    output: fromFar,
    ended: Promise.race([served, gone]).then(() => ({ said: "", status: 0 })),
    kill: () => {
      toFar.destroy();
      killed();
    },
  });
  const place = { node: "dut", clock, journal: { append: (event: EventBody) => events.push(event) } };
  const open = (): Promise<RemoteBench> => RemoteBench.open(BENCH, "a test", place, start);
  return { clock, events, served, open, toFar };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("console and power of a bench elsewhere, under its lease there", async () => {
  const far = farComputer();
  const near = connection(far, "Welcome to rack-2!\nculvert bench is fun\n");
  const remote = await near.open();
  assert.deepEqual(far.done, ["lease far for a test"]);

  const typed: string[] = [];
  far.line.typed = (text) => typed.push(text);
  const heard: Buffer[] = [];
  remote.line.on("data", (bytes: Buffer) => heard.push(bytes));
  far.line.say("U-Boot \x00\xff");
  remote.line.write(Buffer.from([0x1b, 0x00, 0xff]));
  await settled();
  await settled();
  assert.equal(Buffer.concat(heard).toString("latin1"), "U-Boot \x00\xff");
  assert.equal(typed.join(""), "\x1b\x00\xff");

  assert.equal(await remote.power.state(), "on");
  await remote.power.off();
  await assert.rejects(remote.power.off(), (error: Fault) => {
    assert.equal(error.faultClass, "bench");
    assert.equal(error.message, "dut: bench at ssh://lab@rack-2:2222: far: it is stuck");
    return true;
  });
  await remote.power.on();
  assert.deepEqual(near.events, [
    { kind: "power", node: "dut", to: "off", by: "the switch at ssh://lab@rack-2:2222" },
    { kind: "power", node: "dut", to: "on", by: "the switch at ssh://lab@rack-2:2222" },
  ]);
  await remote.close();
  await near.served;
  assert.deepEqual(far.done.slice(1), ["on", "power closed", "lease closed"]);
  assert.ok(far.line.destroyed);
  assert.ok(!remote.lost.aborted);
});

test("the lab's computer is gone without a word: after 20 s the bench is free", async () => {
  const far = farComputer();
  const near = connection(far);
  await near.open();
  for (let second = 0; second < 20; second += 5) far.clock.advance(5000);
  await settled();
  assert.ok(!far.done.includes("lease closed"));
  far.clock.advance(5000);
  await near.served;
  assert.deepEqual(far.done.slice(-1), ["lease closed"]);
});

test("the bench's computer is gone without a word: after 20 s the lab has a Fault", async () => {
  const far = farComputer();
  const near = connection(far);
  const remote = await near.open();
  remote.line.on("error", () => {});
  for (let second = 0; second < 25; second += 5) near.clock.advance(5000);
  assert.match(String(remote.lost.reason), /it has said nothing for 20 s: the connection is broken/);
  assert.ok(remote.line.destroyed);
  await assert.rejects(remote.power.state(), /the connection is broken/);
  await remote.close();
  await near.served;
  assert.ok(far.done.includes("lease closed"));
});

test("while both say that they are there, nothing ends", async () => {
  const far = farComputer();
  const near = connection(far);
  const remote = await near.open();
  for (let second = 0; second < 300; second += 5) {
    near.clock.advance(5000);
    far.clock.advance(5000);
    await settled();
    await settled();
  }
  assert.equal(await remote.power.state(), "on");
  await remote.close();
});

test("a lease that is taken away over there ends everything here, in its words", async () => {
  const far = farComputer();
  const near = connection(far);
  const remote = await near.open();
  const lineError = new Promise((resolve) => remote.line.once("error", resolve));
  far.lost.abort(new Fault("bench", "somebody ran `culvert lab release far`"));
  assert.match(String(await lineError), /somebody ran `culvert lab release far`/);
  assert.ok(remote.lost.reason instanceof Fault && remote.lost.reason.faultClass === "bench");
  await remote.close();
});

test("a console that is unplugged over there is told here", async () => {
  const far = farComputer();
  const near = connection(far);
  const remote = await near.open();
  far.line.destroy();
  await new Promise((resolve) => remote.line.once("close", resolve));
  assert.match(String(remote.lost.reason), /the console was closed: was it unplugged/);
  await remote.close();
});

test("a bench that is in use over there: the lab is told who has it", async () => {
  const far = farComputer();
  far.means.takeLease = () => Promise.reject(new Fault("bench", "bench far is in use by otto"));
  await assert.rejects(connection(far).open(), /dut: bench at ssh:\/\/lab@rack-2:2222: bench far is in use by otto/);
});

test("no helper over there: what the far shell said, and what to do", async () => {
  const ended = async (said: string, status: number, output = ""): Promise<unknown> => {
    const fromFar = new PassThrough();
    fromFar.end(output);
    const start = (): Helper => ({
      input: new PassThrough(),
      output: fromFar,
      ended: settled().then(() => ({ said, status })),
      kill: () => {},
    });
    const place = { node: "dut", clock: new ManualClock(), journal: { append: () => {} } };
    return await RemoteBench.open(BENCH, "a test", place, start).catch((error: unknown) => error);
  };
  assert.match(
    String(await ended("bash: line 1: culvert: command not found", 127)),
    /there is no `culvert` in the PATH of its ssh commands .*sudo ln -s CHECKOUT\/hil\/culvert\.mjs \/usr\/local\/bin\/culvert/,
  );
  assert.match(
    String(await ended("lab@rack-2: Permission denied (publickey).", 255)),
    /ssh: lab@rack-2: Permission denied/,
  );
  assert.match(
    String(await ended("", 1, "This account is currently not available.\n")),
    /account is currently not available/,
  );
});

test("ssh never asks, and a host is never taken for an option", () => {
  const args = sshArguments("ssh://lab@rack-2:2222", ["-F", "config"]);
  assert.deepEqual(args.slice(0, 3), ["-T", "-F", "config"]);
  assert.ok(args.includes("BatchMode=yes"));
  assert.deepEqual(args.slice(-5), ["-p", "2222", "--", "lab@rack-2", "culvert lab serve"]);
  assert.deepEqual(sshArguments("ssh://[fe80::1]", []).slice(-2), ["fe80::1", "culvert lab serve"]);
});

test("a bench as text is the same bench", () => {
  for (const name of benchNames()) {
    const bench = loadBench(name);
    if (bench.board === undefined) assert.deepEqual(parseBench(benchText(bench), name), bench);
  }
  assert.deepEqual(parseBench(benchText(BENCH), "far"), BENCH);
  const secret = (name: string): string => `\${env:${name}}`;
  assert.deepEqual(secretNames(`a ${secret("A")} ${secret("B_1")} ${secret("A")} $X`), ["A", "B_1"]);
});

test("a quarantine ends with its last day", () => {
  const bench = { ...BENCH, quarantine: { reason: "it smokes", until: "2026-12-31" } };
  assert.throws(
    () => checkQuarantine(bench, new Date("2026-12-31T23:59:59Z")),
    /quarantine until 2026-12-31: it smokes/,
  );
  checkQuarantine(bench, new Date("2027-01-01T00:00:00Z"));
});

test("frames: however they are cut, they are the same; whatever comes, nothing but a FrameError is thrown", () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(frames, fc.string({ maxLength: 50 }), fc.array(fc.nat({ max: 40 })), (contents, noise, cuts) => {
      fc.pre(!`${noise}${GREETING}`.slice(0, -1).includes(GREETING));
      const stream = Buffer.concat([
        Buffer.from(noise + GREETING),
        ...contents.map((content) => emitFrame(FrameKind.console, Buffer.from(content))),
      ]);
      const reader = new FrameReader({ greeting: true });
      const got: string[] = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        for (const frame of reader.push(stream.subarray(at, at + cut))) got.push(frame.content.toString("hex"));
        at = Math.min(at + cut, stream.length);
      }
      assert.deepEqual(
        got,
        contents.map((content) => Buffer.from(content).toString("hex")),
      );
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
      const reader = new FrameReader({ greeting: false });
      try {
        for (const piece of pieces) reader.push(Buffer.from(piece));
      } catch (error) {
        assert.ok(error instanceof FrameError);
      }
    }),
  );
});

test("a helper that is fed rubbish ends, and frees the bench", async () => {
  const far = farComputer();
  const near = connection(far);
  await near.open();
  near.toFar.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00]));
  await near.served;
  assert.ok(far.done.includes("lease closed"));
});

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { FrameReader } from "../../hil/console/frame-reader.ts";
import { Fault } from "../../hil/fault.ts";
import { settle } from "./fake-line.ts";
import { COUNT, ShellTerminal, shellWith } from "./shell-terminal.ts";

const terminal = new ShellTerminal();
after(() => terminal.close());

/** A framed shell with the real shell behind it. */
function open(answer = (typed: string, _nth: number): string => terminal.type(typed)) {
  terminal.forget();
  return shellWith(terminal.folder, answer);
}

/** What the real shell prints for a command: when asked for its script, for the typed command, and when asked once more. */
async function record(command: string) {
  const said: string[] = [];
  const { shell, typed } = open((text) => {
    said.push(terminal.type(text));
    return said.at(-1) ?? "";
  });
  const result = await shell.try(command);
  const again = terminal.type(`${typed.at(-1)?.split(" ").slice(0, 4).join(" ")} 1\n`);
  return { ready: said.at(-2) ?? "", first: said.at(-1) ?? "", again, result };
}
type Recorded = Awaited<ReturnType<typeof record>>;

/** `sh FILE SESSION RUN ATTEMPT SUM COMMAND`. */
const isRun = (text: string): boolean => text.split(" ").length === 7;

/** Asks for the command once for each way to spoil what the shell printed first. */
async function spoil(command: string, { ready, first, again, result }: Recorded, ways: Iterable<string>) {
  for (const answer of ways) {
    let runs = 0;
    const { shell, clock, typed } = open((text) => {
      if (text.startsWith("md5sum")) return ready;
      if (text === "\n") return "";
      return isRun(text) && runs++ === 0 ? answer.replaceAll("\n", "\r\n") : again;
    });
    const asked = shell.try(command);
    await settle(clock, asked);
    assert.deepEqual(await asked, result, JSON.stringify(answer));
    // However often it was typed, it was the same run each time, which the shell does once.
    assert.deepEqual([...new Set(typed.filter(isRun).map((line) => line.split(" ")[3]))], ["0"]);
    assert.ok(first.length > 0);
  }
}

/** One spoilt answer for each place in the right one, its end included. */
const everywhere = ({ first }: Recorded, change: (before: string, behind: string) => string): string[] =>
  Array.from({ length: first.length + 1 }, (_, at) => change(first.slice(0, at), first.slice(at)));

const KERNEL = [
  "[   12.345678] e1000: eth0 NIC Link is Up\r\n",
  "[    0.1] x\r\n[   99.999999] y: [z] 1.0\r\n",
  "\r\n[   12.345678] usb 1-1: new device\r\n",
  "[   12.345678] cut in its mid",
  "INFO: rcu_sched self-detected stall",
];

test("status and output of a command come back, whatever bytes it prints", async () => {
  const { shell } = open();
  assert.deepEqual(await shell.try("echo \"it's\" 'ü' $((40+2)); echo err >&2; exit 3"), {
    status: 3,
    output: "it's ü 42\nerr\n",
  });
  assert.deepEqual(await shell.try("printf ''"), { status: 0, output: "" });
  assert.equal((await shell.run("head -c 20000 /dev/zero | tr '\\0' x")).length, 20_000);
  assert.deepEqual(await shell.try("if"), { ...(await shell.try("if")), status: 2 });
});

test("each command has its own shell: neither exit nor cd reaches the next, and one that ends its shell says so", async () => {
  const { shell } = open();
  await shell.try("cd /; exit 7");
  assert.deepEqual(await shell.try("echo alive"), { status: 0, output: "alive\n" });
  const { shell: ended, clock } = open();
  const asked = ended.try("kill -9 $$");
  await settle(clock, asked);
  assert.deepEqual(await asked, { status: 137, output: "it ended the shell that ran it\n" });
});

test("a long command is typed in pieces", async () => {
  const { shell, typed } = open();
  const text = "x".repeat(10_000);
  assert.equal(await shell.run(`echo ${text}`), `${text}\n`);
  assert.ok(typed.every((line) => line.length < 4000));
  await assert.rejects(shell.try(`echo ${"x".repeat(70_000)}`), /more than 65536 bytes/);
});

test("kernel text at every byte position of the answer: the result is right and the command runs once", async () => {
  const recorded = await record("echo result");
  for (const text of KERNEL) {
    await spoil(
      "echo result",
      recorded,
      everywhere(recorded, (before, behind) => before + text + behind),
    );
  }
});

test("kernel texts at every two byte positions: no wrong result, and always an end", async () => {
  const { first, result } = await record("echo result; exit 1");
  const session = first.slice(1).split(":")[0] ?? "";
  const outcomes = { result: 0, spoilt: 0, open: 0 };
  for (const text of [KERNEL[0] ?? "", KERNEL[3] ?? ""]) {
    for (let one = 0; one <= first.length; one++) {
      for (let two = one; two <= first.length; two++) {
        const answer = first.slice(0, one) + text + first.slice(one, two) + text + first.slice(two);
        const events = new FrameReader(session, 0).push(answer);
        const found = events.find(({ kind }) => kind === "result" || kind === "spoilt");
        outcomes[found?.kind === "result" || found?.kind === "spoilt" ? found.kind : "open"]++;
        if (found?.kind !== "result") continue;
        assert.equal(found.status, result.status);
        assert.equal(found.output.toString(), result.output);
      }
    }
  }
  // `open`: both last marks are spoilt; the line is silent then, and the result is asked for again.
  assert.ok(outcomes.result > outcomes.spoilt && outcomes.open < outcomes.result / 10, JSON.stringify(outcomes));
});

test("a digit at every byte position cannot change status, length or output", async () => {
  const recorded = await record("echo 123; exit 1");
  await spoil(
    "echo 123; exit 1",
    recorded,
    everywhere(recorded, (before, behind) => `${before}7${behind}`),
  );
});

test("a byte lost anywhere, or everything from it on, is noticed and asked for again", async () => {
  const recorded = await record("echo lost");
  await spoil(
    "echo lost",
    recorded,
    everywhere(recorded, (before, behind) => before + behind.slice(1)),
  );
  await spoil(
    "echo lost",
    recorded,
    everywhere(recorded, (before) => before),
  );
});

test("a result that lost bytes at all of its marks is asked for again, long before its time limit", async () => {
  const { ready, first, again } = await record("echo lost");
  const [begun = "", ...marks] = first.split("\x1f");
  const { shell, clock } = open((text) => {
    if (text.startsWith("md5sum")) return ready;
    return isRun(text) ? `${begun}\x1f${marks.join("")}` : again;
  });
  const asked = shell.try("echo lost", 3_600_000);
  const startedNs = clock.nowNs();
  await settle(clock, asked);
  assert.equal((await asked).output, "lost\n");
  assert.ok(clock.nowNs() - startedNs < 5_000_000_000n);
});

test("bytes of the typed line lost here and there: typed again, and the command runs once", async () => {
  const whole = open();
  await whole.shell.run(COUNT);
  assert.equal(terminal.timesRun(), 1);
  const length = whole.typed.at(-1)?.length ?? 0;
  // Every place, and bursts: test/system/console-input.test.ts.
  for (let at = 3; at <= length; at += 9) {
    const { shell, clock } = open((text, nth) =>
      terminal.type(nth === 1 ? text.slice(0, at - 1) + text.slice(at) : text),
    );
    const asked = shell.try(COUNT);
    await settle(clock, asked);
    assert.equal((await asked).output, "done\n", `byte ${at} of the line lost`);
    assert.equal(terminal.timesRun(), 1, `byte ${at} of the line lost`);
  }
});

test("the script itself is typed until it arrives", async () => {
  rmSync(join(terminal.folder, ".frame"));
  const { shell, clock, typed } = open((text, nth) =>
    terminal.type(nth === 2 ? text.slice(0, 300) + text.slice(310) : text),
  );
  const asked = shell.run("echo there");
  await settle(clock, asked);
  assert.equal(await asked, "there\n");
  assert.ok(typed.length > 8);
});

test("a line that never takes a whole command ends in a fault of the bench", async () => {
  const { shell, clock } = open((text, nth) => terminal.type(nth >= 1 ? text.replace(/ [0-9a-f]{32} /, " ") : text));
  const asked = shell.try(COUNT, 600_000);
  await settle(clock, asked);
  await assert.rejects(asked, (error) => error instanceof Fault && /never arrived whole/.test(error.message));
  assert.equal(terminal.timesRun(), 0);
});

test("a command that takes long is not typed twice and hardly asked about, though the kernel talks all the time", async () => {
  const { ready, first } = await record("echo slept");
  const begun = first.indexOf("\x1f") + 1;
  const { shell, line, clock, typed } = open((text) => {
    if (text.startsWith("md5sum")) return ready;
    return isRun(text) ? first.slice(0, begun) : "";
  });
  const asked = shell.try("echo slept");
  for (let at = 0; at < 50; at++) {
    await nextTurn();
    clock.advance(500);
    line.say("[   12.345678] noise noise\r\n");
  }
  assert.equal(typed.filter(isRun).length, 1);
  assert.ok(typed.length <= 3, "its result is asked for once, in case it is lost");
  line.say(first.slice(begun));
  assert.equal((await asked).output, "slept\n");
});

test("any text may come between and before: the reader survives it", () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.constantFrom("\x1e", "\x1f", "s:1:0:", "go", "from", "end1:0:0:", "end2:", ":bad", "QUJD"),
          fc.string(),
        ),
      ),
      (pieces) => {
        const reader = new FrameReader("s", 1);
        for (const piece of pieces) for (const event of reader.push(piece)) assert.notEqual(event.kind, "result");
      },
    ),
  ));

test("the echo of the typed line is no answer", async () => {
  const { shell } = open((typed) => typed + terminal.type(typed));
  assert.deepEqual(await shell.try("echo hello"), { status: 0, output: "hello\n" });
});

test("run fails with the command, its status and its words; the log shows them instead of the frame", async () => {
  const { shell, lines } = open();
  await assert.rejects(shell.run("echo no such thing >&2; exit 4"), {
    name: "CommandError",
    message: "guest: `echo no such thing >&2; exit 4` ended with status 4:\nno such thing",
  });
  assert.deepEqual(
    lines().filter((text) => text !== ""),
    ["$ echo no such thing >&2; exit 4", "no such thing", "[status 4]"],
  );
});

test("a result that is always spoilt ends in a fault of the bench, not in a wrong result", async () => {
  const { shell } = open((typed) => terminal.type(typed).replace(/\n[A-Za-z0-9+/=]{4,}\n/, "\nAAAA\n"));
  await assert.rejects(shell.try("echo x"), (error) => error instanceof Fault && /all spoilt/.test(error.message));
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type CommandResult, FramedShell, frameCommand, printFrame } from "../../hil/console/frame.ts";
import { fakeConsole } from "./fake-line.ts";

const folder = mkdtempSync(join(tmpdir(), "culvert-frame-"));
after(() => rmSync(folder, { recursive: true }));

/** What a real POSIX shell prints for a typed line. */
function realShell(typed: string): string {
  const script = typed.replaceAll("/tmp/.frame", join(folder, "frame"));
  return spawnSync("sh", { input: Buffer.from(script, "latin1") }).stdout.toString("latin1");
}

/** `answer` is what the far end prints for the n-th typed line. */
function shellWith(answer: (typed: string, nth: number) => string): {
  shell: FramedShell;
  lines: () => string[];
  typed: string[];
} {
  const { line, console, lines } = fakeConsole("guest");
  const typed: string[] = [];
  line.typed = (text) => {
    typed.push(text);
    line.say(answer(text, typed.length - 1).replaceAll("\n", "\r\n"));
  };
  return { shell: new FramedShell(console, "guest-frame"), lines: () => lines().map((each) => each.text), typed };
}

/** Runs the command for each way to spoil its first answer; the second one is the shell's own, unspoilt. */
async function spoilEveryByte(
  command: string,
  right: CommandResult,
  spoil: (answer: string, at: number) => string,
): Promise<void> {
  const first = realShell(frameCommand("guest-frame", 0, command));
  const second = realShell(printFrame("guest-frame", 0, 1));
  for (let at = 0; at <= first.length; at++) {
    const { shell, typed } = shellWith((_, nth) => (nth === 0 ? spoil(first, at) : second));
    assert.deepEqual(await shell.try(command), right, `spoilt at byte ${at} of ${first.length}`);
    assert.ok(
      typed.slice(1).every((line) => !line.includes("eval")),
      `ran again, spoilt at byte ${at}`,
    );
  }
}

test("status and output of a command come back, whatever bytes it prints", async () => {
  const { shell } = shellWith(realShell);
  assert.deepEqual(await shell.try("echo \"it's\" 'ü' $((40+2)); echo err >&2; exit 3"), {
    status: 3,
    output: "it's ü 42\nerr\n",
  });
  assert.deepEqual(await shell.try("printf ''"), { status: 0, output: "" });
  assert.equal((await shell.run("head -c 20000 /dev/zero | tr '\\0' x")).length, 20_000);
});

test("each command has its own subshell: neither exit nor cd reaches the next", async () => {
  const { shell } = shellWith(realShell);
  await shell.try("cd /; exit 7");
  assert.deepEqual(await shell.try("echo alive"), { status: 0, output: "alive\n" });
});

test("kernel text at every byte position of the answer: the result is right and the command runs once", async () => {
  const kernel = "[   12.345678] e1000: eth0 NIC Link is Up\r\n";
  await spoilEveryByte(
    "echo result",
    { status: 0, output: "result\n" },
    (answer, at) => answer.slice(0, at) + kernel + answer.slice(at),
  );
});

test("a digit at every byte position cannot change status, length or output", async () => {
  await spoilEveryByte(
    "echo 123; exit 1",
    { status: 1, output: "123\n" },
    (answer, at) => `${answer.slice(0, at)}7${answer.slice(at)}`,
  );
});

test("a byte lost anywhere is noticed", async () => {
  // Without the last delimiter the answer is not over; the line's silence is then what the time limit is for.
  await spoilEveryByte("echo lost", { status: 0, output: "lost\n" }, (answer, at) =>
    answer[at] === "\x1f" ? answer : answer.slice(0, at) + answer.slice(at + 1),
  );
});

test("the echo of the typed line is no answer", async () => {
  const { shell } = shellWith((typed) => typed + realShell(typed));
  assert.deepEqual(await shell.try("echo hello"), { status: 0, output: "hello\n" });
});

test("run fails with the command, its status and its words; the transcript shows them instead of the frame", async () => {
  const { shell, lines } = shellWith(realShell);
  await assert.rejects(shell.run("echo no such thing >&2; exit 4"), {
    name: "CommandError",
    message: "guest: `echo no such thing >&2; exit 4` ended with status 4:\nno such thing",
  });
  assert.deepEqual(
    lines().filter((text) => text !== ""),
    ["$ echo no such thing >&2; exit 4", "no such thing", "[status 4]"],
  );
});

test("a result that is always spoilt ends in an error, not in a wrong result", async () => {
  const { shell } = shellWith((typed) => realShell(typed).replace(/\n[A-Za-z0-9+/=]+\n/, "\nAAAA\n"));
  await assert.rejects(shell.try("echo x"), /all spoilt/);
});

test("a command that is too long for a terminal line is refused at once", async () => {
  const { shell } = shellWith(realShell);
  await assert.rejects(shell.try(`echo ${"x".repeat(4000)}`), /more than 3400 bytes/);
});

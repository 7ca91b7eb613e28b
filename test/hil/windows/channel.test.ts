/** Ways to a real Windows: encoding and quoting of PowerShell, the guest agent's protocol, ssh's words, SAC's screen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../../../hil/fault.ts";
import {
  encodeScript,
  literal,
  nativeArgument,
  parseMarked,
  runScript,
} from "../../../hil/peers/windows/powershell.ts";
import { GuestAgent, parseAnswer, parseExecStatus } from "../../../hil/peers/windows/qga.ts";
import { pieces, Sac } from "../../../hil/peers/windows/sac.ts";
import { dialScript } from "../../../hil/peers/windows/scripts.ts";
import { sshArguments } from "../../../hil/peers/windows/ssh.ts";
import { FakeLine, fakeConsole, ManualClock, settle } from "../fake-line.ts";

test("a script goes as UTF-16LE in base64, with marks that survive every channel", () => {
  const text = Buffer.from(encodeScript("'grün €'"), "base64").toString("utf16le");
  assert.match(text, /^\$ErrorActionPreference = 'Stop'\n/);
  assert.match(text, /\n'grün €'\n/);
  assert.match(text, /\n"CULVERT-EXIT=\$code"$/);
  assert.match(encodeScript("1"), /^[A-Za-z0-9+/]+=*$/);
});

test("a script that no command line of Windows can carry is refused before it is sent", () => {
  assert.throws(() => encodeScript("x".repeat(3_000)), /too long for one command line of Windows: \d+ characters/);
});

test("string literals: quotes are doubled, typographic ones too, and nothing else means anything", () => {
  assert.equal(literal("it's"), "'it''s'");
  assert.equal(literal("\u2018a\u2019b\u201Ac\u201Bd"), "'\u2018\u2018a\u2019\u2019b\u201A\u201Ac\u201B\u201Bd'");
  assert.equal(literal("$env:X `n $(whoami)"), "'$env:X `n $(whoami)'");
});

test("arguments of native programs: what PowerShell 5.1 does to quotes and blanks is undone before", () => {
  for (const [text, argument] of [
    ["plain", "'plain'"],
    ["two words", "'two words'"],
    ['a"b', "'a\\\"b'"],
    ['end\\"', "'end\\\\\\\"'"],
    ["blank \\", "'blank \\\\'"],
    ["", "'\"\"'"],
    ["O'Neil", "'O''Neil'"],
  ] as const)
    assert.equal(nativeArgument(text), argument, text);
  assert.match(dialScript("DOM\\al", "p w"), /^rasdial\.exe 'culvert-lab' 'DOM\\al' 'p w'\n\$code = \$LASTEXITCODE$/);
});

test("exit codes come from the mark, whatever else is printed; any bytes are read", () => {
  assert.deepEqual(parseMarked("a\r\nCULVERT-EXIT=691\r\n", 179), { exitCode: 691, output: "a\n" });
  assert.deepEqual(parseMarked("CULVERT-EXIT=-2147024809", 0), { exitCode: -2147024809, output: "" });
  assert.deepEqual(parseMarked("no mark", 0), { exitCode: -1, output: "no mark" }, "PowerShell itself failed");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.integer(), (text, code) => {
      assert.ok(Number.isInteger(parseMarked(text, code).exitCode));
    }),
  );
});

/** An agent that answers each question as `answers` says; questions that are not JSON are lost, as by the real one. */
function agent(answers: (command: string, args: Record<string, unknown>) => string | undefined) {
  const line = new FakeLine();
  const clock = new ManualClock();
  const asked: string[] = [];
  line.typed = (text) => {
    const { execute, arguments: args } = JSON.parse(text.replace(/^\u00ff/, ""));
    asked.push(execute);
    const answer = answers(execute, args);
    if (answer !== undefined) queueMicrotask(() => line.say(answer));
  };
  return { line, clock, asked, agent: new GuestAgent("win", line, clock) };
}

const synced = (args: Record<string, unknown>): string => `\u00ff{"return": ${args["id"]}}\n`;

test("synchronising throws away what others left on the line", async () => {
  const {
    line,
    clock,
    agent: guest,
  } = agent((_, args) => `rubbish {"return": 77}\n{"return": {}}\nhalf${synced(args)}`);
  line.say('{"return": 12');
  const asked = guest.isThere();
  await settle(clock, asked);
  assert.equal(await asked, true);
});

test("an answer to somebody else's synchronisation is none to ours", async () => {
  const { clock, agent: guest } = agent(() => '\u00ff{"return": 77}\n');
  const asked = guest.isThere();
  await settle(clock, asked);
  assert.equal(await asked, false);
});

test("a line on which nobody answers is no agent, and costs two seconds", async () => {
  const { agent: guest, clock } = agent(() => undefined);
  const asked = guest.isThere();
  await settle(clock, asked);
  assert.equal(await asked, false);
});

test("a program is started, asked for until it has ended, and its output put together", async () => {
  let polls = 0;
  const out = Buffer.from("grün\r\nCULVERT-EXIT=0\r\n").toString("base64");
  const {
    agent: guest,
    clock,
    asked,
  } = agent((command) => {
    if (command === "guest-exec") return '{"return": {"pid": 4711}}\n';
    return ++polls < 3
      ? '{"return": {"exited": false}}\n'
      : `{"return": {"exited": true, "exitcode": 0, "out-data": "${out}"}}\n`;
  });
  const run = runScript(guest, "'x'", 10_000);
  await settle(clock, run);
  assert.deepEqual(await run, { exitCode: 0, output: "grün\n" });
  assert.deepEqual(asked, ["guest-exec", "guest-exec-status", "guest-exec-status", "guest-exec-status"]);
});

test("a refusal has the agent's own words; a program that never ends is given up", async () => {
  const refused = agent(() => '{"error": {"class": "CommandNotFound", "desc": "disabled"}}\n').agent.execute(
    "guest-exec",
  );
  await assert.rejects(
    refused,
    (error: unknown) => error instanceof Fault && /refuses guest-exec: disabled/.test(error.message),
  );
  const { agent: guest, clock } = agent((command) =>
    command === "guest-exec" ? '{"return": {"pid": 1}}\n' : '{"return": {"exited": false}}\n',
  );
  const run = guest.run("sleep", [], 1_000);
  run.catch(() => {});
  await settle(clock, run);
  await assert.rejects(run, /sleep still runs after 1 s/);
});

test("any bytes on the agent's line, and any status, are read without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.jsonValue(), (bytes, json) => {
      parseAnswer(Buffer.from(bytes));
      parseAnswer(Buffer.from(JSON.stringify(json)));
      parseExecStatus(json);
      new GuestAgent("win", new FakeLine(), new ManualClock());
    }),
  );
  assert.deepEqual(parseExecStatus({ exited: true, signal: 9 }), { exitCode: -9, output: "" });
  assert.deepEqual(parseExecStatus({ exited: true, exitcode: 0, "out-data": "YQ==", "out-truncated": true }), {
    exitCode: 0,
    output: "a\n(cut by the guest agent)",
  });
});

test("ssh gets words that no shell on the way can misread, and no known hosts", () => {
  const target = { host: "127.0.0.1", port: 2222, user: "lab", keyFile: "/k" };
  const words = sshArguments(target, ["powershell.exe", "-EncodedCommand", encodeScript("1")]);
  assert.deepEqual(words.slice(0, 8), ["-F", "/dev/null", "-i", "/k", "-p", "2222", "-l", "lab"]);
  assert.ok(words.includes("StrictHostKeyChecking=no"));
  for (const strange of ["two words", "a;b", "$(x)", "'", '"', "", "a\nb"])
    assert.throws(() => sshArguments(target, [strange]), /cannot have the word/, strange);
});

test("what is typed on SAC is cut where cmd loses nothing", () => {
  const line = `powershell.exe -EncodedCommand ${"A".repeat(2_000)}==`;
  assert.equal(pieces(line).join(""), line);
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9+/= -]{1,3000}$/), (text) => {
      const cut = pieces(text);
      assert.equal(cut.join(""), text);
      assert.ok(cut.every((piece) => piece.length > 0 && piece.length <= 1_000));
    }),
  );
  for (const bad of ["%PATH%", "a&b", "a>b", '"']) assert.throws(() => pieces(bad), RangeError, bad);
});

test("SAC: a channel is made, a login opens it, a command's output and code are read between marks", async () => {
  const { line, console, clock } = fakeConsole("win");
  const typed: string[] = [];
  line.typed = (text) => {
    typed.push(text);
    const answer = sacAnswer(text);
    if (answer !== undefined) queueMicrotask(() => line.say(`${text.trimEnd()}\r\n${answer}`));
  };
  const sac = new Sac(console, { user: "lab", password: "pw" });
  const run = sac.run("powershell.exe", ["-NoProfile"], 5_000);
  await settle(clock, run);
  assert.deepEqual(await run, { exitCode: 691, output: "said something\n" });
  assert.ok(typed.includes("lab\r") && typed.includes("pw\r") && typed.includes(".\r"));
  assert.ok(typed.some((text) => text.startsWith("<nul set /p x=powershell.exe -NoProfile>%TEMP%\\culvert1.cmd")));
});

function sacAnswer(text: string): string | undefined {
  if (text === "cmd\r")
    return "The Command Prompt session was successfully launched.\r\nSAC>\r\nEVENT: A new channel has been created. Channel: Cmd0001\r\nSAC>";
  if (text.startsWith("ch ")) return "Press any key to view the channel, any other key ...";
  if (text === "lab\r") return "Domain  :";
  if (text === ".\r") return "Password:";
  if (text === "pw\r") return "C:\\Windows\\system32>";
  if (text.startsWith("<nul set")) return "C:\\Windows\\system32>";
  if (text.startsWith("echo CULVERT"))
    return "CULVERT-BEGIN-1.\r\n\x1b[1;37msaid something\r\nCULVERT-END-1.691.\r\nC:\\Windows\\system32>";
  return text === "\r" ? "SAC>Username:" : undefined;
}

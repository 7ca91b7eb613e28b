import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleError } from "../../hil/console/console.ts";
import { UBOOT_DEATH } from "../../hil/console/death.ts";
import { bounded } from "../../hil/console/pattern.ts";
import { renderLines } from "../../hil/console/transcript.ts";
import { Fault } from "../../hil/fault.ts";
import { fakeConsole } from "./fake-line.ts";

const open = () => fakeConsole("router", { attach: "culvert console router" });
const wait = { withinMs: 5000, reason: "the login prompt" };

test("text that came before anyone asked is found", async () => {
  const { line, console } = open();
  line.say("boot...\nlogin: ");
  assert.equal((await console.expect({ login: "login: " }, wait)).pattern, "login");
});

test("each question starts where the last answer ended", async () => {
  const { line, console } = open();
  line.say("one two ");
  line.say("one");
  assert.equal((await console.expect({ p: "one" }, wait)).before, "");
  assert.equal((await console.expect({ p: "one" }, wait)).before, " two ");
});

test("text of a question that failed is there for the next one", async () => {
  const { line, clock, console } = open();
  const asked = console.expect({ p: "never" }, wait);
  line.say("login: ");
  clock.advance(5000);
  await assert.rejects(asked, ConsoleError);
  assert.equal((await console.expect({ p: "login: " }, wait)).before, "");
});

test("skip forgets what was not asked for", async () => {
  const { line, console } = open();
  line.say("old> ");
  console.skip();
  line.say("new> ");
  assert.equal((await console.expect({ p: bounded("(\\w{1,20})> ") }, wait)).groups[0], "new");
});

test("a timeout says what was sought, how near it came, how long it was silent, and shows the tail, what was typed and how to look", async () => {
  const { line, clock, console } = open();
  const asked = console.expect({ login: "culvert login: ", first: bounded("New pass(word)?: ") }, wait);
  console.write("admin\r");
  clock.advance(1000);
  line.say("starting\r\n\x1b[1mculvert log\x1b[0m\r\n");
  clock.advance(4000);
  await assert.rejects(asked, {
    name: "ConsoleError",
    kind: "timeout",
    message: [
      "router: waited 5.0 s for the login prompt",
      '  sought:  "culvert login: "  or  /New pass(word)?: /',
      '  nearest: "culvert log"',
      '  typed:   "admin\\r"',
      "  console: silent for 4.0 s; its last lines:",
      "  | starting",
      "  | culvert log",
      "  look:    culvert console router",
    ].join("\n"),
  });
});

test("a console that never spoke is called so", async () => {
  const { clock, console } = open();
  const asked = console.expect({ p: "x" }, wait);
  clock.advance(5000);
  await assert.rejects(asked, /it never said anything\n {2}look/);
});

test("a kernel panic fails the question at once, and every later one, with its whole line", async () => {
  const { line, console } = open();
  const asked = console.expect({ p: "login: " }, wait);
  line.say("[ 1.0] Kernel panic - not ");
  line.say("syncing: VFS: no root\n");
  await assert.rejects(asked, { kind: "death", message: /Kernel panic - not syncing: VFS: no root/ });
  await assert.rejects(console.expect({ p: "login: " }, wait), { kind: "death" });
});

test("an answer that came before the panic still counts", async () => {
  const { line, console } = open();
  line.say("login: Kernel panic - not syncing: x\n");
  assert.equal((await console.expect({ p: "login: " }, wait)).pattern, "p");
});

test("a closed line fails the question", async () => {
  const { line, console } = open();
  const asked = console.expect({ p: "x" }, wait);
  line.destroy();
  await assert.rejects(asked, { kind: "closed", message: /the machine ended/ });
});

test("a line that was lost by a fault of the bench is such a fault, with the same words", async () => {
  const { line, console } = open();
  const asked = console.expect({ p: "x" }, wait);
  line.destroy(new Fault("bench", "/dev/ttyUSB0 is gone"));
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.faultClass, "bench");
    assert.match(error.message, /router: while waiting for .*is gone\n[\s\S]*look:/);
    return true;
  });
});

test("death strings belong to a rung: setting others changes what kills, and forgets a death before a reset", async () => {
  const { line, console } = open();
  console.deathStrings = UBOOT_DEATH;
  line.say("Kernel panic - not syncing: an old log\n");
  line.say('"Synchronous Abort" handler, esr 0x96000010\r\nelr: 0\n');
  await assert.rejects(console.expect({ p: "=> " }, wait), { kind: "death", message: /esr 0x96000010\n/ });
  console.deathStrings = [];
  line.say("=> ");
  await console.expect({ p: "=> " }, wait);
});

test("a death whose line never ends is reported when the time is up or the line closes", async () => {
  const late = open();
  const asked = late.console.expect({ p: "x" }, wait);
  late.line.say("Kernel panic - not syncing: half a wor");
  late.clock.advance(5000);
  await assert.rejects(asked, { kind: "death", message: /waited 5.0 s .*died: .*half a wor\n/ });
  const gone = open();
  gone.line.say("Kernel panic - not syncing: half");
  gone.line.destroy();
  await gone.console.closed;
  await assert.rejects(gone.console.expect({ p: "x" }, wait), { kind: "death", message: /half\n/ });
});

test("a tap hears everything beside the one who asks", async () => {
  const { line, console } = open();
  const heard: string[] = [];
  const end = console.tap((text) => heard.push(text));
  line.say("login: ");
  await console.expect({ p: "login: " }, wait);
  end();
  line.say("more");
  assert.deepEqual(heard, ["login: "]);
});

test("two questions at once are a mistake of the caller", async () => {
  const { line, console } = open();
  const asked = console.expect({ p: "x" }, wait);
  assert.throws(() => console.ask({ sought: [], push: () => undefined }, wait), /two waits at once/);
  line.say("x");
  await asked;
});

test("a console's lines, made of the journal's events, have the time of their first byte", () => {
  const { line, clock, console, lines } = open();
  line.say("first li");
  clock.advance(1500);
  line.say("ne\r\nsecond");
  console.note("$ understood");
  const seconds = lines().map(({ atNs, text }) => `${(Number(atNs) / 1e9).toFixed(1)} ${text}`);
  assert.deepEqual(seconds, ["1.0 first line", "2.5 second", "2.5 $ understood"]);
  assert.equal(
    renderLines(lines(), 1_000_000_000n),
    "    0.000 first line\n    1.500 second\n    1.500 $ understood\n",
  );
});

test("the journal has every byte of both directions, and the notes, in order", () => {
  const { line, console, events } = open();
  line.say("\xff\x00login: ");
  console.write("admin\r");
  console.note("logged in");
  assert.deepEqual(
    events.map(({ atNs: _, ...body }) => body),
    [
      { kind: "console", node: "router", direction: "rx", text: "\xff\x00login: " },
      { kind: "console", node: "router", direction: "tx", text: "admin\r" },
      { kind: "note", node: "router", text: "logged in" },
    ],
  );
});

test("the console itself remembers its end only, however it came", () => {
  const { line, console } = open();
  for (let at = 0; at < 20_000; at++) line.say(`line ${at}\n`);
  assert.equal(console.transcript.tail(1)[0], "line 19999");
  assert.ok(console.transcript.tail(20_000).join("\n").length <= 64 * 1024);
  line.say(`${"x".repeat(200_000)}end`);
  assert.equal(console.transcript.tail(20_000).join("\n").length, 64 * 1024);
  assert.ok(console.transcript.tail(1)[0]?.endsWith("xend"));
});

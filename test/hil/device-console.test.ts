import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceConsole } from "../../hil/node/device-console.ts";
import { awaitSession, parseSessions } from "../../hil/scenarios/device-sessions.ts";
import { type FakeLine, fakeConsole, ManualClock, settle } from "./fake-line.ts";

/** A device that echoes what is typed and answers from `answers` (a list: one after the other), in pieces of three bytes. */
function deviceWith(answers: Readonly<Record<string, string | string[]>>): {
  device: DeviceConsole;
  typed: string[];
  line: FakeLine;
} {
  const { line, console } = fakeConsole("device");
  const typed: string[] = [];
  line.typed = (text) => {
    typed.push(text);
    const command = text.trimEnd();
    const answer = answers[command] ?? "";
    const said = `${command}\r\n${typeof answer === "string" ? answer : answer.shift()}`;
    for (let at = 0; at < said.length; at += 3) line.say(said.slice(at, at + 3));
  };
  return { device: new DeviceConsole(console), typed, line };
}

test("the first login sets the password, later ones give it", async () => {
  const first = deviceWith({ secret: ["Repeat password: ", "router> "], "terminal length 0": "router> " });
  first.line.say("Set the administrator password\r\nNew password: ");
  await first.device.awaitLogin();
  await first.device.login("secret");
  assert.deepEqual(first.typed, ["secret\r", "secret\r", "terminal length 0\r"]);

  const later = deviceWith({ admin: "Password: ", secret: "router> ", "terminal length 0": "router> " });
  later.line.say("router login: ");
  await later.device.awaitLogin();
  await later.device.login("secret");
  assert.deepEqual(later.typed, ["admin\r", "secret\r", "terminal length 0\r"]);
});

test("a restored device is asked first what it wants: a new password, or the known one", async () => {
  const again = "A password has at least 8 characters.\r\nNew password: ";
  const fresh = deviceWith({ "": again, secret: ["Repeat password: ", "router> "], "terminal length 0": "router> " });
  await fresh.device.login("secret");
  assert.deepEqual(fresh.typed, ["\r", "secret\r", "secret\r", "terminal length 0\r"]);
  const known = deviceWith({
    ...{ "": "router login: ", admin: "Password: ", secret: "router> ", "terminal length 0": "router> " },
  });
  await known.device.login("secret");
  assert.deepEqual(known.typed, ["\r", "admin\r", "secret\r", "terminal length 0\r"]);
});

test("an answer is what stands between the echo and the next prompt", async () => {
  const { device } = deviceWith({ "show x": "one> two\r\n  router> three\r\n\r\nrouter> " });
  assert.equal(await device.run("show x"), "one> two\n  router> three\n");
});

test("a kernel message behind the prompt does no harm", async () => {
  const { device } = deviceWith({ "show x": "one\r\nrouter# [   12.345678] eth0: link up\r\n" });
  assert.equal(await device.run("show x"), "one");
});

test("a refusal is an error with the device's words", async () => {
  const { device } = deviceWith({
    "set vpn x": "        ^\r\n% there is no such setting\r\n  ? lists what there is\r\nrouter# ",
  });
  await assert.rejects(device.run("set vpn x"), {
    name: "CommandRefused",
    message: "device: `set vpn x` was refused:\n^\n% there is no such setting\n  ? lists what there is",
  });
});

test("configure gives every line, commits and leaves; a refused line is not committed", async () => {
  const good = deviceWith({
    configure: "r# ",
    "set a 1": "r# ",
    "set b 2": "r# ",
    commit: "Committed.\r\nr# ",
    exit: "r> ",
  });
  await good.device.configure(["set a 1", "set b 2"]);
  assert.deepEqual(good.typed, ["configure\r", "set a 1\r", "set b 2\r", "commit\r", "exit\r"]);
  const bad = deviceWith({ configure: "r# ", "set a 1": "% no\r\nr# " });
  await assert.rejects(bad.device.configure(["set a 1"]), /`set a 1` was refused/);
  assert.ok(!bad.typed.includes("commit\r"));
});

test("sessions: rows with their details, and none at all", () => {
  const shown = `ID    Role    Name   Peer          Address        State
3     server  alice  203.0.113.50  192.168.1.200  connected
    pptp0, mschap-v2, encryption MPPE-128 stateless, up 0:01:02
    in 10 packets 1 kB, out 9 packets 1 kB
    dropped: 1 not encrypted, 13 lost, 1 late or duplicate
12    server  -      203.0.113.51  -              connecting
    last completed stage: lcp-opened
1001  client  head   203.0.113.52  10.99.0.1      connected
    head as DOMAIN\\branch
    pptp1, mschap-v2, encryption MPPE-128 stateful in / MPPE-128 stateless out,
    up 0:00:07
    in 0 packets 0 B, out 0 packets 0 B`;
  const none = { agreed: undefined, dropped: undefined, lost: 0 };
  assert.deepEqual(parseSessions(shown), [
    {
      ...{ id: "3", role: "server", name: "alice", address: "192.168.1.200", state: "connected" },
      agreed: { authentication: "mschap-v2", receives: "MPPE-128 stateless", sends: "MPPE-128 stateless" },
      dropped: "1 not encrypted, 13 lost, 1 late or duplicate",
      lost: 13,
    },
    { ...none, id: "12", role: "server", name: "-", address: "-", state: "connecting" },
    {
      ...{ id: "1001", role: "client", name: "head", address: "10.99.0.1", state: "connected" },
      agreed: { authentication: "mschap-v2", receives: "MPPE-128 stateful", sends: "MPPE-128 stateless" },
      dropped: undefined,
      lost: 0,
    },
  ]);
  assert.deepEqual(parseSessions("No sessions."), []);
});

test("a session waited for: looked at again until it is so, or time is up", async () => {
  const clock = new ManualClock();
  const head = (state: string) =>
    `ID    Role    Name  Peer          Address  State\r\n1001  client  head  203.0.113.52  -        ${state}\r\nr> `;
  const { device, typed } = deviceWith({ "show vpn": [head("connecting"), head("connecting"), head("connected")] });
  const waiting = awaitSession(device, clock, "head", 10_000, ({ state }) => state === "connected");
  await settle(clock, waiting);
  assert.equal((await waiting).state, "connected");
  assert.equal(typed.length, 3);

  const never = deviceWith({ "show vpn": Array.from({ length: 100 }, () => head("connecting")) });
  const late = awaitSession(never.device, clock, "head", 10_000, ({ state }) => state === "connected");
  await settle(clock, late);
  await assert.rejects(late, /after 10 s the device shows:\n.*\n1001 .*connecting/);
});

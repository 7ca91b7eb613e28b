import assert from "node:assert/strict";
import { test } from "node:test";
import { Console } from "../../hil/console/console.ts";
import { DeviceConsole } from "../../hil/node/device-console.ts";
import { parseSessions } from "../../hil/scenarios/device-sessions.ts";
import { FakeLine, ManualClock } from "./fake-line.ts";

/** A device that echoes what is typed and answers from `answers` (a list: one after the other), in pieces of three bytes. */
function deviceWith(answers: Readonly<Record<string, string | string[]>>): {
  device: DeviceConsole;
  typed: string[];
  line: FakeLine;
} {
  const line = new FakeLine();
  const typed: string[] = [];
  line.typed = (text) => {
    typed.push(text);
    const command = text.trimEnd();
    const answer = answers[command] ?? "";
    const said = `${command}\r\n${typeof answer === "string" ? answer : answer.shift()}`;
    for (let at = 0; at < said.length; at += 3) line.say(said.slice(at, at + 3));
  };
  return { device: new DeviceConsole(new Console("device", line, new ManualClock())), typed, line };
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

test("sessions: rows without their details, and none at all", () => {
  const shown = `ID  Role    User   Peer          Address        State      Up
3   server  alice  203.0.113.50  192.168.1.200  connected  1:02
    vpn3, mschap-v2, encryption MPPE-128 stateless
    in 10 packets 1 kB, out 9 packets 1 kB
12  server  -      203.0.113.51  -              connecting  -
    last completed stage: lcp-opened`;
  assert.deepEqual(parseSessions(shown), [
    { id: "3", user: "alice", address: "192.168.1.200", state: "connected" },
    { id: "12", user: "-", address: "-", state: "connecting" },
  ]);
  assert.deepEqual(parseSessions("No sessions."), []);
});

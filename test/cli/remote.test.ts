import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { octets } from "../support/arbitrary.ts";
import { ConsoleDesk, PASSWORD } from "../support/console-desk.ts";
import { frame, SshDesk, sshDevice } from "../support/ssh-desk.ts";

const TIMEOUT = { timeout: 30_000 };
const TERMINAL = { size: [100, 40] } as const;

test("SSH has asked for the password: the prompt comes at once, and the session ends with exit", TIMEOUT, async () => {
  const desk = new SshDesk(TERMINAL);
  assert.equal(desk.text, "culvert> ");
  assert.equal(desk.run("show version")[0], "Culvert 0.1.0");
  desk.type("exit\r");
  assert.equal(await desk.status(), 0);
  assert.match(desk.device.logText(), /info ssh: a session from 192\.168\.1\.9/);
});

test("the window's size is the terminal's: pages, carets and long lines follow it, until terminal length is set", () => {
  const desk = new SshDesk({ size: [100, 10] });
  const lines = (): number => desk.run("show log 55").length;
  for (let i = 0; i < 60; i++) desk.device.appliance.log("info", "test", `line ${i}`);
  assert.equal(lines(), 9);
  desk.type("q");
  desk.resize(100, 30);
  assert.equal(lines(), 29);
  desk.type("q");
  desk.run("terminal length 20");
  desk.resize(100, 50);
  assert.equal(lines(), 19);
  desk.type("q");
  desk.resize(0, 0);
  assert.equal(lines(), 19, "a terminal that does not know its size");
});

test("a program that types without a terminal is logged out once its input ends", TIMEOUT, async () => {
  const desk = new SshDesk();
  desk.type("configure\nset system name office\ncommit\n");
  desk.endInput();
  assert.equal(await desk.status(), 0);
  assert.equal(desk.device.appliance.name, "office");
  assert.match(desk.text, /Committed\.\noffice# /);
});

test(
  "what a program types while something else speaks or is waited for comes after it, and its end last",
  TIMEOUT,
  async () => {
    const desk = new SshDesk();
    desk.type("show nat\n");
    const credit = desk.credit;
    const more = "ping 192.0.2.1\nshow users\n";
    desk.type(more);
    assert.equal(desk.credit, credit - more.length, "not taken yet");
    desk.endInput();
    desk.device.bench.programs.running("nft")?.end("status 1");
    await new Promise((resolve) => setImmediate(resolve));
    const ping = desk.device.bench.programs.running("ping");
    ping?.print("64 bytes from 192.0.2.1");
    ping?.end();
    assert.equal(await desk.status(), 0);
    assert.match(desk.text, /% nft: status 1, .*\nculvert> \n64 bytes from 192\.0\.2\.1\nculvert> \nLine .*\nssh /);
    assert.deepEqual(ping?.signals, []);
  },
);

test("nobody types for too long: told, logged out, and what was not committed is gone", TIMEOUT, async () => {
  const desk = new SshDesk({ device: sshDevice("system ssh idle-timeout 5"), ...TERMINAL });
  desk.run("configure");
  desk.run("set system name office");
  desk.device.clock.advance(4 * 60_000);
  assert.equal(desk.run("show system").length, 3);
  desk.device.clock.advance(5 * 60_000 - 1);
  assert.equal(desk.ended.size, 0);
  desk.device.clock.advance(1);
  assert.equal(await desk.status(), 0);
  assert.match(desk.text, /Logged out: no key for 5 min\./);
  assert.equal(desk.device.appliance.name, "culvert");
});

test("the ninth at a time is told so; when one has gone there is room again", TIMEOUT, async () => {
  const device = sshDevice();
  const desks = Array.from({ length: 8 }, () => new SshDesk({ device, ...TERMINAL }));
  const ninth = new SshDesk({ device, command: "show version" });
  assert.equal(await ninth.status(), 1);
  assert.match(ninth.error, /^% 8 people or programs are logged in already\n/);
  desks[0]?.client.close();
  const tenth = new SshDesk({ device, command: "show version" });
  assert.equal(await tenth.status(), 0);
});

test("show users has everybody with what they change, and whoever hangs up is gone from it", TIMEOUT, async () => {
  const device = sshDevice();
  const console = new ConsoleDesk({ device });
  await console.firstLogin();
  const one = new SshDesk({ device, ...TERMINAL });
  const two = new SshDesk({ device, from: "192.168.1.10", ...TERMINAL });
  one.run("configure");
  one.run("set system name office");
  device.clock.advance(61_000);
  const users = two.run("show users");
  assert.match(users[1] ?? "", /^console +- +2026-11-22 10:16:40 +0:01:01 +none$/);
  assert.match(users[2] ?? "", /^ssh +192\.168\.1\.9 .* uncommitted$/);
  assert.match(users[3] ?? "", /^ssh +192\.168\.1\.10 .* 0:00:00 +none$/);
  one.client.close();
  assert.equal(two.run("show users").length, 3);
});

test(
  "two candidates are two: the second to commit is told who was first, and rebase puts both together",
  TIMEOUT,
  async () => {
    const device = sshDevice();
    const serial = new ConsoleDesk({ device });
    await serial.firstLogin();
    serial.run("configure");
    serial.run("set system name office");
    serial.run("set vpn server mtu 1300");
    const remote = new SshDesk({ device, ...TERMINAL });
    assert.match(remote.run("configure").join(" "), /^the serial console has changes that are not committed\./);
    remote.run("set vpn server mtu 1200");
    remote.run("set dns proxy false");
    assert.deepEqual(
      remote.run("compare"),
      ["set vpn server mtu 1200", "set dns proxy false"],
      "nothing of the other's",
    );
    assert.deepEqual(remote.run("commit"), ["Committed."]);
    const told = serial.run("set ntp servers 192.0.2.1").join(" ");
    assert.match(told, /^The configuration was changed by SSH from 192\.168\.1\.9 since you began: rebase keeps/);
    assert.deepEqual(serial.run("show ntp"), ["set ntp servers 192.0.2.1"], "told once");
    const refused = serial.run("commit");
    assert.equal(refused[0], "% Not committed.");
    assert.match(refused.join(" "), /SSH from 192\.168\.1\.9 since you began: +rebase/);
    assert.equal(device.appliance.name, "culvert");
    assert.deepEqual(serial.run("rebase"), [
      "Both sides have changed these; yours stand:",
      "  vpn server mtu",
      "Your changes are on top of what is in force now: compare shows them.",
    ]);
    assert.deepEqual(serial.run("compare"), [
      "set system name office",
      "set vpn server mtu 1300",
      "set ntp servers 192.0.2.1",
    ]);
    assert.deepEqual(serial.run("commit"), ["Committed."]);
    const { running } = device.appliance;
    assert.equal(running.get("dns proxy"), false);
    assert.equal(running.get("vpn server mtu"), 1300);
    assert.match(device.logText(), /configuration 3 committed by the serial console/);
    assert.deepEqual(serial.run("rebase"), ["Nobody has committed since you began."]);
    // Nothing of its own is lost: what is told is to take it over.
    assert.match(remote.run("compare").join(" "), /since you began: discard takes it over\.$/);
  },
);

test("a far end that does not read is granted no more input, until it has read", () => {
  const desk = new SshDesk(TERMINAL);
  const before = desk.credit;
  desk.client.waitingBytes = 1_000_000;
  desk.type("show version\r");
  assert.equal(desk.credit, before - "show version\r".length);
  desk.client.drain();
  assert.equal(desk.credit, before);
});

test("the connection is cut: logged out, and nothing was committed", TIMEOUT, async () => {
  const desk = new SshDesk(TERMINAL);
  desk.run("configure");
  desk.run("set system name office");
  desk.client.close();
  assert.equal(await desk.status(), "cut");
  assert.match(desk.device.logText(), /warning ssh: the line was cut: logged out/);
  assert.deepEqual(desk.device.appliance.logins.views(), []);
});

test("frames in any cut, any frames in any order, and any bytes: nothing throws", TIMEOUT, async () => {
  const device = sshDevice();
  await device.appliance.administrator.setPassword(PASSWORD);
  const types = fc.constantFrom(..."FCTGIEXO");
  const frames = fc.array(fc.tuple(types, fc.oneof(octets(40), fc.constant(Buffer.from("show users\r")))), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(frames, octets(20), fc.integer({ min: 1, max: 30 }), (sent, noise, cut) => {
      const client = device.ssh.local.connect("/run/admin/terminal");
      const bytes = Buffer.concat([...sent.map(([type, payload]) => frame(type, payload)), noise]);
      for (let at = 0; at < bytes.length; at += cut) client.send(bytes.subarray(at, at + cut));
      client.close();
    }),
    { numRuns: 500 },
  );
  assert.deepEqual(device.appliance.logins.views(), []);
});

test("what is no frame ends the connection", () => {
  for (const bytes of [frame("Z"), frame("T", "abc"), Buffer.from([0x49, 0xff, 0xff])]) {
    const client = sshDevice().ssh.local.connect("/run/admin/terminal");
    client.send(bytes);
    assert.equal(client.isOpen, false, bytes.toString("hex"));
  }
});

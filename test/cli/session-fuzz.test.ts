/** The console under random keys: nothing throws, hangs, or applies what was not committed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BRANCH, OFFICE } from "../support/config-text.ts";
import { ConsoleDesk, configuring, loggedIn, PASSWORD } from "../support/console-desk.ts";

const TIMEOUT = { timeout: 30_000 };

const KEYS = [
  // Without a lone e: at the prompt it is short for exit.
  ...'abcdghilmnoprstuvwx019.?" \t\r\b',
  // Without Ctrl-D: logged out, nothing more would be tried.
  ..."\x01\x03\x05\x0b\x0c\x15\x17",
  ...["\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[3~", "\x1b", "ü", "\xff"],
  ...[
    "show ",
    "set ",
    "vpn ",
    "server ",
    "account ",
    "client ",
    "munich ",
    "dial ",
    "hangup ",
    "route ",
    "interfaces ",
    "delete ",
    "configure\r",
    "compare\r",
    "discard\r",
  ],
  ...["rollback\r", "true\r", "10.0.0.1\r", "1400\r", "name\r", "show log\r", "?", "\t"],
];

/** Leaves pages, quotes and half a line; logs in again where the keys have led out. */
async function backAtPrompt(desk: ConsoleDesk): Promise<void> {
  const shown = desk.type("\x03q\x03\x03");
  if (/[>#] $/.test(shown)) return;
  if (shown === "") await desk.until(": ");
  desk.device.clock.advance(300_000);
  desk.type(`\x03admin\r${PASSWORD}\r`);
  await desk.until("> ");
}

test("thousands of key sequences: nothing throws, and nothing is applied that was not committed", TIMEOUT, async () => {
  const desk = await configuring(...OFFICE, ...BRANCH);
  desk.run("commit");
  desk.run("exit");
  const { device, session } = desk;
  const { running } = device.appliance;
  const applied = device.vpn.applied.length;
  const files = device.disk.list().length;
  const changes = device.net.changes.length;
  // Nobody in this test types "commit", and a login would need the password.
  const noCommit = (keys: readonly string[]): string => keys.join("").replaceAll(/c(?=o)/g, "");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...KEYS), { maxLength: 40 }), async (keys) => {
      await backAtPrompt(desk);
      session.feed(Buffer.from(noCommit(keys), "latin1"));
      assert.equal(device.appliance.running, running);
      assert.equal(device.vpn.applied.length, applied);
      assert.equal(device.net.changes.length, changes);
      assert.equal(device.disk.list().length, files);
    }),
    { numRuns: 5000 },
  );
});

test("any bytes at all, logged in or not", TIMEOUT, async () => {
  const desk = await loggedIn();
  const stranger = new ConsoleDesk({ device: desk.device });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom("", "configure\r", "show log\r"),
      (bytes, before) => {
        desk.session.feed(Buffer.from(before));
        desk.session.feed(Buffer.from(bytes.map((byte) => (byte === 4 ? 5 : byte))));
        stranger.session.feed(Buffer.from(bytes));
      },
    ),
    { numRuns: 2000 },
  );
});

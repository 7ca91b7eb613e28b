/** The commands around whole configurations, as a person types them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BRANCH, OFFICE } from "../support/config-text.ts";
import { type ConsoleDesk, configuring } from "../support/console-desk.ts";

async function office(): Promise<ConsoleDesk> {
  const desk = await configuring(...OFFICE);
  assert.equal(desk.run("commit").at(-1), "Committed.");
  return desk;
}

test("commit confirm says what to do, and commit confirms", async () => {
  const desk = await office();
  desk.run("set vpn server mtu 1300");
  assert.match(desk.run("commit confirm 5").join(" "), /On trial: `commit` within 5 min keeps it/);
  desk.run("exit");
  assert.match(desk.run("show history").join("\n"), /^On trial, not stored/);
  desk.run("configure");
  assert.deepEqual(desk.run("commit"), ["Confirmed: what was on trial is stored."]);
  assert.deepEqual(desk.run("commit"), ["No changes."]);
});

test("show history is a table that fits, and shows one commit whole", async () => {
  const desk = await office();
  desk.run("set vpn server mtu 1300");
  desk.run("commit");
  desk.run("exit");
  const [head, newest, first] = desk.run("show history");
  assert.match(head ?? "", /^Back +Number +Committed \(UTC\) +Changes$/);
  assert.match(newest ?? "", /^0 +2 +2026-11-22 10:16:40 +set vpn server mtu 1300$/);
  assert.match(first ?? "", /^1 +1 +\S+ \S+ +set interfaces wan .* and 6 more$/);
  for (const line of desk.run("show history")) assert.ok(line.length <= 80, line);
  assert.deepEqual(desk.run("show history 0").slice(1), ["set vpn server mtu 1300"]);
  assert.match(desk.run("show history 9").join("\n"), /% there is no commit that far back/);
});

test("load: lines up to `end` become the candidate; errors name their line; Ctrl-C gives it up", async () => {
  const desk = await office();
  assert.match(desk.type("load merge\r"), /culvert\.load# $/);
  assert.match(desk.type("# from another device\r"), /culvert\.load# $/);
  assert.match(desk.type('set system name "branch"\r'), /culvert\.load# $/);
  assert.match(desk.type("end\r"), /1 line taken\. compare shows what changes\.\n.*# $/);
  assert.deepEqual(desk.run("compare"), ["set system name branch"]);
  desk.run("discard");

  desk.type("load replace\r");
  assert.match(desk.type("set vpn nothing 1\r"), /% line 1: no setting "nothing" here\n/);
  assert.match(desk.type("end\r"), /% Nothing was taken: 1 of 1 lines are wrong\./);
  assert.deepEqual(desk.run("compare"), ["No changes."]);

  desk.type("load replace\r");
  desk.type("set system name lost\r");
  desk.type("\x03");
  assert.deepEqual(desk.run("compare"), ["No changes."]);
});

test("a hidden export is taken back as it is", async () => {
  const desk = await office();
  desk.run("exit");
  const lines = desk.run("show configuration");
  assert.ok(lines.includes("set vpn account alice password ********"));
  assert.ok(desk.run("show configuration secrets").includes("set vpn account alice password s3cret"));
  desk.run("configure");
  desk.type("load replace\r");
  for (const line of lines) assert.doesNotMatch(desk.type(`${line}\r`), /%/);
  desk.type("end\r");
  assert.deepEqual(desk.run("compare"), ["No changes."]);
});

test("a line that is cut while a configuration comes logs out, and takes nothing", async () => {
  const desk = await office();
  desk.type("load replace\r");
  desk.type("set system name lost\r");
  desk.session.hangUp();
  assert.match(desk.shown, /login: $/);
  assert.equal(desk.device.appliance.name, "culvert");
});

test("factory-reset asks, and does nothing unless the answer is yes", async () => {
  const desk = await office();
  desk.run("exit");
  assert.match(desk.type("factory-reset\r"), /Type yes to go on: $/);
  assert.match(desk.type("y\r"), /Nothing was done\.\n/);
  assert.match(desk.type("factory-reset\r"), /Type yes/);
  desk.type("\x03");
  assert.deepEqual(desk.device.powered, []);
  desk.type("factory-reset\r");
  assert.match(desk.type("yes\r"), /Restarting as a new device\./);
  assert.deepEqual(desk.device.powered, ["reboot"]);
  assert.deepEqual(desk.device.disk.list(), []);
});

test("show vpn windows: what to type on the PC, and what would keep it from working", async () => {
  const desk = await office();
  desk.run("exit");
  assert.deepEqual(desk.run("show vpn windows alice"), [
    "In PowerShell, once:",
    "",
    "Add-VpnConnection -Name culvert -ServerAddress 203.0.113.1 `",
    "  -TunnelType Pptp -AuthenticationMethod MSChapv2 `",
    "  -EncryptionLevel Required -SplitTunneling -Force",
    "Add-VpnConnectionRoute -ConnectionName culvert `",
    "  -DestinationPrefix 192.168.1.0/24",
    "",
    "To connect (Windows asks for the password at the *), and to hang up:",
    "",
    "rasdial culvert alice *",
    "rasdial culvert /disconnect",
  ]);
  assert.match(desk.run("show vpn windows bob").join("\n"), /% there is no account bob\n +accounts: alice/);
  desk.run("configure");
  for (const line of [
    "set vpn account DOMAIN\\carol password x",
    "set vpn account DOMAIN\\carol enabled false",
    ...BRANCH.map((each) => `set ${each}`),
  ])
    desk.run(line);
  desk.run("commit");
  desk.run("exit");
  const lines = desk.run("show vpn windows DOMAIN\\carol");
  assert.ok(lines.includes('rasdial culvert "DOMAIN\\carol" *'));
  assert.match(lines.at(-1) ?? "", /^Note: The account is disabled: Windows will say 691\.$/);
});

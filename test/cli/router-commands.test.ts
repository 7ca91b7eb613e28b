/** What the router's commands show, and how ping is watched and ended. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loggedIn } from "../support/console-desk.ts";

const RULES = JSON.stringify({
  nftables: [
    { metainfo: { version: "1.0.6" } },
    { chain: { name: "input" } },
    rule("input", "the LAN", { accept: null }, 12),
    rule("forward", "everything else", { drop: null }, 3),
    rule("mapping", "mapping web tcp", { dnat: { addr: "192.168.1.10" } }, 2),
    rule("masquerading", "out of the WAN", { masquerade: null }, 40),
    { rule: { chain: "clamp", expr: [] } },
  ],
});
function rule(chain: string, comment: string, verdict: object, packets: number) {
  return { rule: { chain, comment, expr: [{ match: {} }, { counter: { packets, bytes: packets * 100 } }, verdict] } };
}
const fits = (lines: readonly string[]): void => {
  for (const line of lines) assert.ok(line.length <= 80, line);
};

test("show firewall and show nat: what nft has counted", async () => {
  const desk = await loggedIn();
  desk.device.bench.programs.behaviours.set("nft", { lines: RULES.split("\n"), ends: "well" });
  desk.type("show firewall\r");
  const firewall = (await desk.until("culvert> ")).split("\n").slice(1, -1);
  assert.deepEqual(firewall, [
    "Packets  What             Verdict  Count  Bytes",
    "to us    the LAN          accept   12     1200",
    "through  everything else  drop     3      300",
  ]);
  desk.type("show nat\r");
  const nat = (await desk.until("culvert> ")).split("\n").slice(1, -1);
  assert.deepEqual(
    nat.map((line) => line.split(/ {2,}/).slice(0, 2)),
    [
      ["What", "Connections"],
      ["mapping web tcp", "2"],
      ["out of the WAN", "40"],
    ],
  );
  desk.device.bench.programs.behaviours.set("nft", { lines: ["Error: no table"], ends: "status 1" });
  desk.type("show nat\r");
  assert.match(await desk.until("culvert> "), /% nft: status 1, Error: no table/);
});

test("show dhcp leases and show routes fit the screen", async () => {
  const desk = await loggedIn();
  assert.deepEqual(desk.run("show dhcp leases"), ["No address is lent."]);
  const now = Math.floor((desk.device.timeOfDayMs + desk.device.clock.now()) / 1000);
  const name = "a-very-long-host-name-that-somebody-chose";
  desk.device.bench.leases.write(
    "dhcp.leases",
    Buffer.from(`${now + 3600} 02:00:00:00:00:01 192.168.100.100 ${name} *\n0 02:00:00:00:00:02 192.168.100.101 * *\n`),
  );
  const leases = desk.run("show dhcp leases");
  fits(leases);
  assert.match(
    leases[1] ?? "",
    /^192\.168\.100\.100 {2}02:00:00:00:00:01 {2}a-very-long-host-name-t~ {2}(1:00:00|0:59:5\d)$/,
  );
  assert.match(leases[2] ?? "", / - +ever$/);
  assert.deepEqual(desk.run("show routes"), ["There are no routes."]);
  desk.device.net.addPointToPoint("ppp0", "100.64.0.2", "100.64.0.1");
  assert.deepEqual(desk.run("show routes")[1]?.split(/ +/), ["100.64.0.1/32", "-", "ppp0"]);
});

test("show interfaces says how the WAN stands, and show ntp what the time is", async () => {
  const desk = await loggedIn();
  const { device } = desk;
  const edit = device.appliance.beginEdit("a test");
  edit.set(["interfaces", "wan", "mode", "dhcp"]);
  edit.set(["ntp", "servers", "0.a-long-name-of-a-time-server.example"]);
  assert.equal(edit.commit().result, "committed");
  assert.match(desk.run("show interfaces")[0] ?? "", /^WAN by DHCP: waiting/);
  device.bench.programs
    .running("udhcpc")
    ?.print("event=bound ip=198.51.100.7 mask=24 router=198.51.100.1 dns=192.0.2.53");
  const lines = desk.run("show interfaces");
  fits(lines);
  assert.match(
    lines.join(" "),
    /198\.51\.100\.7 on eth0, gateway 198\.51\.100\.1, name servers 192\.0\.2\.53, for 0:00:00/,
  );
  const time = desk.run("show ntp");
  fits(time);
  assert.match(time[0] ?? "", /^The clock says 2026-11-22T/);
  assert.match(time[2] ?? "", /^0\.a-long-name-of-a-time~ +asked/);
});

test("ping: lines as they come, Ctrl-C ends it, and the prompt comes with its end", async () => {
  const desk = await loggedIn();
  desk.type("ping 192.0.2.1\r");
  const ping = desk.device.bench.programs.running("ping") ?? assert.fail("no ping");
  assert.deepEqual(ping.command.arguments, ["-c", "5", "-W", "2", "192.0.2.1"]);
  ping.print("64 bytes from 192.0.2.1: seq=0");
  assert.match(desk.shown, /seq=0\n$/);
  assert.equal(desk.type("x\x03"), "");
  assert.deepEqual(ping.signals, ["SIGINT"]);
  ping.print("1 packets transmitted");
  ping.end();
  assert.equal(desk.shown, "1 packets transmitted\nculvert> ");
});

test("a cut line ends a traceroute, and what it still says is not heard", async () => {
  const desk = await loggedIn();
  desk.type("traceroute host.example\r");
  const tool = desk.device.bench.programs.running("traceroute") ?? assert.fail("no traceroute");
  desk.session.hangUp();
  assert.deepEqual(tool.signals, ["SIGINT"]);
  const shown = desk.shown;
  tool.print(" 1  192.0.2.1");
  tool.end("signal SIGINT");
  assert.equal(desk.shown, shown);
});

test("a word that could be an option of the tool is no host", async () => {
  const desk = await loggedIn();
  for (const word of ["-f", "a;reboot", "$(x)"]) {
    assert.match(desk.run(`ping ${word}`).join("\n"), /is no host/);
  }
  assert.equal(desk.device.bench.programs.running("ping"), undefined);
});

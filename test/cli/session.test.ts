import assert from "node:assert/strict";
import { test } from "node:test";
import { Millis } from "../../appliance/ports.ts";
import type { ClientStatus } from "../../appliance/service/vpn.ts";
import { Ipv4 } from "../../appliance/wire/ipv4.ts";
import { BRANCH, OFFICE } from "../support/config-text.ts";
import { ConsoleDesk, configuring, loggedIn, PASSWORD } from "../support/console-desk.ts";

const TIMEOUT = { timeout: 30_000 };

test("the first boot asks for a password twice, shows none of it, and logs in", TIMEOUT, async () => {
  const desk = new ConsoleDesk();
  assert.equal(desk.shown, "Set the administrator password\nNew password: ");
  assert.equal(desk.type("short\r"), "\nA password has at least 8 characters.\nNew password: ");
  assert.equal(desk.type(`${PASSWORD}\r`), "\nRepeat password: ");
  assert.equal(desk.type("another one\r"), "\nThey differ. Nothing was set.\nNew password: ");
  assert.equal(desk.device.appliance.administrator.hasPassword, false);
  desk.type(`${PASSWORD}\r${PASSWORD}\r`);
  assert.equal(await desk.until("> "), "\nRepeat password: \nculvert> ");
});

test("later boots ask for name and password; a wrong one of either is refused alike", TIMEOUT, async () => {
  const { device } = await loggedIn();
  const desk = new ConsoleDesk({ device });
  assert.equal(desk.shown, "culvert login: ");
  assert.equal(desk.type("\r"), "\nculvert login: ");
  for (const [name, password] of [
    ["admin", "wrong"],
    ["root", PASSWORD],
  ]) {
    assert.equal(desk.type(`${name}\r`), `${name}\nPassword: `);
    desk.type(`${password}\r`);
    assert.equal(await desk.until("login: "), "\nLogin incorrect\nculvert login: ");
  }
  desk.type(`admin\r${PASSWORD}\r`);
  await desk.until("> ");
  assert.match(device.logText(), /warning console: login as "root" refused/);
  assert.match(desk.type("exit\r"), /culvert login: $/);
});

test("too many wrong passwords: the console says how long to wait, and goes on after it", TIMEOUT, async () => {
  const { device } = await loggedIn();
  const desk = new ConsoleDesk({ device });
  for (let i = 0; i < 3; i++) {
    desk.type("admin\rwrong-one\r");
    await desk.until("incorrect\nculvert login: ");
  }
  desk.type(`admin\r${PASSWORD}\r`);
  await desk.until("Try again in 5 seconds.\nculvert login: ");
  device.clock.advance(5000);
  desk.type(`admin\r${PASSWORD}\r`);
  await desk.until("culvert> ");
});

test("what is typed while a password is checked waits for the prompt", TIMEOUT, async () => {
  const desk = new ConsoleDesk();
  desk.type(`${PASSWORD}\r${PASSWORD}\rshow version\r`);
  await desk.until("Node.js   18.20.4\nculvert> ");
});

test("the office is configured, committed and in force; the weakness of PPTP is said once", TIMEOUT, async () => {
  const desk = await configuring(...OFFICE);
  assert.equal(desk.device.appliance.running.size, 0);
  assert.deepEqual(desk.run("compare"), [
    ...OFFICE.slice(0, -1).map((line) => `set ${line}`),
    "set vpn account alice password ********",
  ]);
  const committed = desk.run("commit");
  assert.match(committed.join(" "), /^Warning: PPTP is broken cryptography: .* Committed\.$/);
  assert.equal(desk.device.vpn.applied.at(-1)?.server.enabled, true);
  assert.deepEqual(desk.run("commit"), ["No changes."]);
  desk.run("set vpn server mtu 1300");
  assert.deepEqual(desk.run("commit"), ["Committed."]);
  assert.equal(desk.type("exit\r"), "exit\nculvert> ");
  assert.deepEqual(desk.run("show configuration").slice(-2), [
    "set vpn server mtu 1300",
    "set vpn account alice password ********",
  ]);
});

test("an error points at the word", TIMEOUT, async () => {
  const desk = await configuring();
  assert.deepEqual(desk.run("set vpn server mtu 9000"), [
    `${" ".repeat("culvert# set vpn server mtu ".length)}^`,
    '% "9000" is not possible here',
    "  expected: a number from 576 to 1460 bytes",
  ]);
  assert.deepEqual(desk.run("set  vpn sever"), [
    `${" ".repeat("culvert# set  vpn ".length)}^`,
    '% no setting "sever" here',
    "  expected: server, account, radius, client",
  ]);
  assert.deepEqual(desk.run("set vpn server mtu"), [
    `${" ".repeat("culvert# set vpn server mtu ".length)}^`,
    "% a value is missing",
    "  expected: a number from 576 to 1460 bytes",
  ]);
  assert.deepEqual(desk.run("comit")[0], `${" ".repeat("culvert# ".length)}^`);
});

test("problems are listed with what to do, and nothing is committed", TIMEOUT, async () => {
  const desk = await configuring("vpn server enabled true");
  const lines = desk.run("commit");
  assert.equal(lines[0], "% Not committed: 3 problems");
  assert.ok(lines.includes("    set vpn server pool start ADDRESS"));
  assert.equal(desk.device.appliance.running.size, 0);
});

test("exit with uncommitted changes is refused; discard lets go", TIMEOUT, async () => {
  const desk = await configuring("system name office");
  assert.deepEqual(desk.run("exit"), ["% there are uncommitted changes", "  commit them, or discard them"]);
  desk.run("discard");
  assert.equal(desk.type("\x04"), "exit\nculvert> ", "Ctrl-D");
  assert.equal(desk.type("\x04"), "exit\nculvert login: ");
  assert.equal(desk.type("\x04"), "", "nobody is logged in");
});

test("a cut line logs out and forgets what was not committed", TIMEOUT, async () => {
  const desk = await configuring("system name office");
  desk.type("half a li");
  desk.session.hangUp();
  assert.match(desk.shown, /\nculvert login: $/);
  desk.session.hangUp();
  desk.type(`admin\r${PASSWORD}\r`);
  await desk.until("culvert> ");
  assert.equal(desk.type("\x1b[A"), "\x07", "nor is the history the next person's");
  desk.run("configure");
  assert.deepEqual(desk.run("compare"), ["No changes."]);
});

test("rollback shows the way back and commit goes it", TIMEOUT, async () => {
  const desk = await configuring("system name one");
  desk.run("commit");
  desk.run("set system name two");
  assert.match(desk.type("commit\r"), /two# $/);
  assert.deepEqual(desk.run("rollback"), ["set system name one", "commit puts this in force."]);
  assert.match(desk.type("commit\r"), /one# $/);
  assert.deepEqual(desk.run("rollback 9"), ["% there is no commit that far back", "  rollback 0 is the running one"]);
});

test("Tab completes what is certain and lists the rest; ? explains at every position", TIMEOUT, async () => {
  const desk = await configuring();
  assert.equal(desk.type("se\t"), "set ");
  assert.equal(desk.type("v\ts\tmt\t"), "vpn server mtu ");
  assert.equal(
    desk.type("?"),
    "?\n  VALUE  a number from 576 to 1460 bytes; 1400 if nothing is set\nculvert# set vpn server mtu ",
  );
  assert.deepEqual(desk.run("1300"), []);
  assert.match(
    desk.type("set vpn server p\t\t"),
    /^set vpn server pool \n {2}start .*\n {2}count .*\nculvert# set vpn server pool $/s,
  );
  desk.type("\x15");
  assert.equal(desk.type("nonsense \t"), "nonsense \x07");
  desk.type("\x15");
  assert.equal(desk.type('set system name "?'), 'set system name "?');
});

test("long output waits at --more--: Enter, blank, q", TIMEOUT, async () => {
  const desk = await loggedIn();
  const clear = (text: string): string => text.replaceAll("\r\x1b[K", "<clear>");
  for (let i = 0; i < 50; i++) desk.device.appliance.log("info", "test", `line ${i}`);
  desk.run("terminal length 5");
  assert.match(desk.type("show log\r"), /^show log\n([^\n]+\n){4}--more--$/);
  assert.match(clear(desk.type("\r")), /^<clear>[^\n]+\n--more--$/);
  assert.match(clear(desk.type(" ")), /^<clear>([^\n]+\n){4}--more--$/);
  assert.equal(desk.type("x"), "");
  assert.equal(clear(desk.type("q")), "<clear>culvert> ");
  desk.run("terminal length 0");
  assert.equal(desk.run("show log").length, 52);
  assert.match(desk.run("show log 1")[0] ?? "", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d test: line 49$/);
});

test("show vpn has one row per session, and what happened to its packets", TIMEOUT, async () => {
  const desk = await loggedIn();
  assert.deepEqual(desk.run("show vpn"), ["No sessions."]);
  const common = { callId: 1, role: "server", peer: Ipv4(0xcb007132), encryption: "MPPE-128 stateless" } as const;
  const traffic = {
    receivedPackets: 12,
    receivedBytes: 3456,
    sentPackets: 7,
    sentBytes: 12_345_678,
    dropped: { replay: 3, late: 0, "not encrypted": 1 },
  };
  desk.device.vpn.live = [
    {
      ...common,
      id: 7,
      state: "connected",
      stage: "network-up",
      user: "alice",
      address: Ipv4(0xc0a801c8),
      interfaceName: "pptp0",
      authentication: "mschap-v2",
      connectedAt: Millis(desk.device.clock.now() - 3_723_000),
      traffic,
    },
    {
      ...common,
      id: 12,
      state: "connecting",
      stage: "lcp-opened",
      user: undefined,
      address: undefined,
      interfaceName: undefined,
      authentication: undefined,
      connectedAt: undefined,
      traffic,
    },
  ];
  assert.deepEqual(desk.run("show vpn"), [
    "ID  Role    Name   Peer          Address        State",
    "7   server  alice  203.0.113.50  192.168.1.200  connected",
    "    pptp0, mschap-v2, encryption MPPE-128 stateless, up 1:02:03",
    "    in 12 packets 3456 B, out 7 packets 12 MB",
    "    dropped: 3 replay, 1 not encrypted",
    "12  server  -      203.0.113.50  -              connecting",
    "    last completed stage: lcp-opened",
  ]);
  assert.deepEqual(desk.run("vpn hangup 8").slice(-2), [
    "% there is no session or client 8",
    "  show vpn lists the sessions and clients",
  ]);
  assert.deepEqual(desk.run("vpn hangup 7"), ["Session 7 is being ended."]);
  assert.equal(desk.device.vpn.live.length, 1);
});

test(
  "show vpn has a row for each client too, with the last failure of one that is not connected",
  TIMEOUT,
  async () => {
    const desk = await configuring(
      ...OFFICE,
      ...BRANCH,
      ...BRANCH.slice(0, 3).map((line) => line.replace("munich", "hq")),
    );
    desk.run("commit");
    desk.run("exit");
    const { vpn, clock } = desk.device;
    const lastFailure =
      "failed after stage call-established: the control connection works, but no GRE packet came from the peer; " +
      "a Windows client would show error 806; let IP protocol 47 (GRE) through every firewall on the way";
    vpn.configured = [
      { id: 1001, name: "munich", state: "connected", lastFailure },
      { id: 1002, name: "hq", state: "waiting", lastFailure },
    ];
    const session = {
      id: 1001,
      callId: 5,
      role: "client",
      stage: "network-up",
      user: "OFFICE\\branch",
      peer: Ipv4(0xc6336409),
      address: Ipv4(0x0a010001),
      interfaceName: "pptp1",
      authentication: undefined,
      encryption: "MPPE-128 stateless",
      connectedAt: Millis(clock.now() - 9_000),
      traffic: { receivedPackets: 1, receivedBytes: 60, sentPackets: 2, sentBytes: 120, dropped: { replay: 0 } },
    } as const;
    vpn.live = [{ ...session, state: "connected" }];
    assert.deepEqual(desk.run("show vpn"), [
      "ID    Role    Name    Peer          Address   State",
      "1001  client  munich  198.51.100.9  10.1.0.1  connected",
      "    munich as OFFICE\\branch",
      "    pptp1, encryption MPPE-128 stateless, up 0:00:09",
      "    in 1 packets 60 B, out 2 packets 120 B",
      "1002  client  hq      198.51.100.9  -         waiting",
      "    hq as OFFICE\\branch",
      "    last attempt failed after stage call-established: the control connection",
      "    works, but no GRE packet came from the peer; a Windows client would show",
      "    error 806; let IP protocol 47 (GRE) through every firewall on the way",
    ]);
    vpn.configured = [{ id: 1001, name: "munich", state: "dialing", lastFailure: undefined }];
    vpn.live = [{ ...session, state: "connecting", stage: "lcp-opened", address: undefined, connectedAt: undefined }];
    assert.deepEqual(desk.run("show vpn").slice(1), [
      "1001  client  munich  198.51.100.9  -        connecting",
      "    munich as OFFICE\\branch",
      "    last completed stage: lcp-opened",
    ]);
  },
);

test("vpn dial and vpn hangup say what becomes of a client", TIMEOUT, async () => {
  const desk = await loggedIn();
  const { vpn } = desk.device;
  const answers = (state: ClientStatus["state"], command: string): string[] => {
    vpn.configured = [{ id: 1001, name: "munich", state, lastFailure: undefined }];
    return desk.run(command);
  };
  assert.deepEqual(answers("listening", "vpn dial munich"), ["Dialing munich."]);
  assert.deepEqual(answers("waiting", "vpn dial munich"), ["Dialing munich."]);
  assert.deepEqual(vpn.dialed, ["munich", "munich"]);
  assert.deepEqual(answers("dialing", "vpn dial munich"), ["munich is being dialed already."]);
  assert.deepEqual(answers("connected", "vpn dial munich"), ["munich is connected already."]);
  assert.deepEqual(answers("disconnecting", "vpn dial munich"), ["munich is hanging up: dial again in a moment."]);
  assert.deepEqual(answers("connected", "vpn hangup munich"), ["munich is being hung up."]);
  assert.deepEqual(answers("connected", "vpn hangup 1001"), ["munich is being hung up."]);
  assert.deepEqual(answers("waiting", "vpn hangup munich"), ["munich dials no more until vpn dial munich."]);
  assert.deepEqual(answers("listening", "vpn hangup munich"), ["munich is not connected."]);
  assert.match(answers("listening", "vpn hangup mun").join(), /no session or client mun/);
});

test("vpn dial with a wrong name points at it and lists the names", TIMEOUT, async () => {
  const desk = await loggedIn();
  assert.deepEqual(desk.run("vpn dial berlin"), [
    `${" ".repeat("culvert> vpn dial ".length)}^`,
    "% there is no client berlin",
    "  none is configured: set vpn client NAME",
  ]);
  desk.run("configure");
  for (const line of [...BRANCH, "vpn client old enabled false"]) desk.run(`set ${line}`);
  desk.run("commit");
  desk.run("exit");
  desk.device.vpn.configured = [{ id: 1001, name: "munich", state: "listening", lastFailure: undefined }];
  assert.equal(desk.run("vpn dial berlin").at(-1), "  clients: munich, old");
  assert.equal(desk.run("vpn dial old").at(-1), "  it is disabled: delete vpn client old enabled");
});

test("the longest rows of show vpn fit 80 columns", TIMEOUT, async () => {
  const desk = await loggedIn();
  const { vpn } = desk.device;
  const name = "n".repeat(31);
  const drops = ["encrypted-without-agreement", "clear-where-encryption-is-required", "replay", "late", "bad-checksum"];
  vpn.configured = [{ id: 1001, name, state: "disconnecting", lastFailure: "failed ".repeat(30) }];
  vpn.live = [1001, 123_456].map((id) => ({
    id,
    callId: id,
    role: id === 1001 ? "client" : "server",
    state: "disconnecting",
    stage: "call-established",
    user: "u".repeat(63),
    peer: Ipv4(0xcbcbcbcb),
    address: Ipv4(0xc8c8c8c8),
    interfaceName: "pptp1000",
    authentication: "mschap-v2",
    encryption: "MPPE-128 stateless",
    connectedAt: Millis(desk.device.clock.now() - 999_999),
    traffic: {
      receivedPackets: 9e15,
      receivedBytes: 9e15,
      sentPackets: 9e15,
      sentBytes: 9e15,
      dropped: Object.fromEntries(drops.map((each) => [each, 123_456])),
    },
  }));
  const lines = desk.run("show vpn");
  assert.ok(lines.length > 10);
  for (const line of lines) assert.ok(line.length < 80, `${line.length}: ${line}`);
});

test("the other commands", TIMEOUT, async () => {
  const desk = await loggedIn();
  assert.deepEqual(desk.run("show version"), ["Culvert 0.1.0", "  kernel    6.1.0-56-amd64", "  Node.js   18.20.4"]);
  assert.deepEqual(desk.run("show interfaces"), [
    "Interface  State  Address  MTU   MAC",
    "eth0       down   -        1500  02:00:00:00:00:00",
    "eth1       down   -        1500  02:00:00:00:00:01",
  ]);
  assert.deepEqual(desk.run("show configuration"), ["Nothing is set."]);
  desk.run("reboot");
  desk.run("poweroff");
  assert.deepEqual(desk.device.powered, ["reboot", "off"]);
});

test("where the far end is no terminal there is no echo, no caret and no page", TIMEOUT, async () => {
  const desk = new ConsoleDesk({ terminal: false });
  await desk.firstLogin();
  for (let i = 0; i < 50; i++) desk.device.appliance.log("info", "test", `line ${i}`);
  assert.equal(desk.run("show log").length, 53 - 1);
  assert.deepEqual(desk.run("nonsense")[0], '% "nonsense" is no command here');
});

test("what a mode prints fits 80 columns", TIMEOUT, async () => {
  const desk = await configuring(...OFFICE, ...BRANCH);
  desk.run("terminal length 0");
  const lines = ["compare", "show", "commit", "set vpn", "set interfaces wan address 1"].flatMap((line) =>
    desk.run(line),
  );
  for (const prefix of [
    "",
    "set ",
    "set vpn server ",
    "set vpn account ",
    "set vpn client ",
    "set vpn client munich ",
    "set vpn client munich mppe-mode ",
    "set vpn client munich route ",
    "set vpn server authentication ",
    "rollback ",
  ]) {
    lines.push(...desk.type(`${prefix}?`).split("\n").slice(1));
    desk.type("\x15");
  }
  for (const line of lines) assert.ok(line.length < 80, `${line.length}: ${line}`);
});

test(
  "a line that is cut while a password is checked lets nobody in, whatever was typed behind it",
  TIMEOUT,
  async () => {
    const { device } = await loggedIn();
    const desk = new ConsoleDesk({ device });
    const before = device.appliance.logins.views().length;
    desk.type(`admin\r${PASSWORD}\rconfigure\r`);
    desk.session.hangUp();
    // The next login takes longer than the forgotten one.
    desk.type(`admin\rwrong-one\r`);
    assert.match(await desk.until("incorrect\nculvert login: "), /Login incorrect\nculvert login: $/);
    assert.equal(device.appliance.logins.views().length, before);
  },
);

test("a line that is cut while the first password is stored asks the next person for it", TIMEOUT, async () => {
  const desk = new ConsoleDesk();
  desk.type(`${PASSWORD}\r${PASSWORD}\r`);
  desk.session.hangUp();
  // As long as the hash takes on this computer; the test's own limit ends a wait in vain.
  while (!desk.device.appliance.administrator.hasPassword) await new Promise((resolve) => setImmediate(resolve));
  assert.match(desk.type("another-one\ranother-one\r"), /culvert login: $/);
});

test("a line that is cut while a command waits logs out, and its answer is not heard", TIMEOUT, async () => {
  const desk = await loggedIn();
  desk.type("show nat\r");
  desk.session.hangUp();
  assert.equal(desk.device.appliance.logins.views().length, 0);
  const nft = desk.device.bench.programs.running("nft");
  assert.ok(nft);
  desk.type("");
  nft.end();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(desk.shown, "");
  assert.match(desk.type("\r"), /culvert login: $/);
});

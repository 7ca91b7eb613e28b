/** Each kind of power switch, against something that behaves like it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import fc from "fast-check";
import { parseBench } from "../../hil/bench/load.ts";
import { TerminalPerson } from "../../hil/bench/person.ts";
import { CommandPower } from "../../hil/power/command.ts";
import { digestAnswer } from "../../hil/power/http.ts";
import { ManualPower } from "../../hil/power/manual.ts";
import { openPower } from "../../hil/power/open.ts";
import { QemuPower } from "../../hil/power/qemu.ts";
import { RelayPower } from "../../hil/power/relay.ts";
import { ShellyPower } from "../../hil/power/shelly.ts";
import { apcOutlet, SnmpPower } from "../../hil/power/snmp.ts";
import { TasmotaPower } from "../../hil/power/tasmota.ts";
import { portState, UhubctlPower } from "../../hil/power/uhubctl.ts";
import { ManualClock } from "./fake-line.ts";
import { Pty } from "./pty.ts";

const { signal } = new AbortController();
const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers) await close();
});

type Answer = (url: URL, request: IncomingMessage, response: ServerResponse) => unknown;

/** An HTTP device that answers JSON; undefined is 404. */
async function device(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    const body = answer(new URL(request.url ?? "/", "http://h"), request, response);
    if (response.writableEnded) return;
    if (body === undefined) response.statusCode = 404;
    response.setHeader("content-type", "application/json");
    response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A Shelly Plug S of the first generation: Basic authentication, and /shelly for everybody. */
function gen1(): { relay: boolean; answer: Answer } {
  const plug = {
    relay: false,
    answer: (url: URL, request: IncomingMessage, response: ServerResponse): unknown => {
      if (url.pathname === "/shelly") return { type: "SHPLG-S", mac: "AABBCCDDEEFF", auth: true, fw: "20230913" };
      if (request.headers.authorization !== `Basic ${Buffer.from("lab:secret-1").toString("base64")}`) {
        response.statusCode = 401;
        response.setHeader("www-authenticate", 'Basic realm="Shelly"');
        return "401 Unauthorized";
      }
      if (url.pathname !== "/relay/0") return undefined;
      const turn = url.searchParams.get("turn");
      if (turn !== null) plug.relay = turn === "on";
      return { ison: plug.relay, has_timer: false, timer_remaining: 0, overpower: false, source: "http" };
    },
  };
  return plug;
}

/** A Shelly Plus: Digest authentication with SHA-256, RPC over GET, errors as code and message. */
function gen2(): { output: boolean; answer: Answer } {
  const sha = (text: string): string => createHash("sha256").update(text).digest("hex");
  const realm = "shellyplus1pm-441793d69718";
  const plug = {
    output: true,
    answer: (url: URL, request: IncomingMessage, response: ServerResponse): unknown => {
      if (url.pathname === "/shelly") return { id: realm, mac: "441793D69718", gen: 2, auth_en: true, app: "Plus1PM" };
      const given = request.headers.authorization ?? "";
      const field = (name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(given)?.[1] ?? "";
      const a2 = sha(`GET:${request.url}`);
      const wanted = sha(`${sha(`admin:${realm}:secret-2`)}:n0nce:${field("nc")}:${field("cnonce")}:auth:${a2}`);
      if (!given.startsWith("Digest ") || field("response") !== wanted) {
        response.statusCode = 401;
        const challenge = `Digest qop="auth", realm="${realm}", nonce="n0nce", algorithm=SHA-256`;
        response.setHeader("www-authenticate", challenge);
        return "";
      }
      if (url.searchParams.get("id") !== "0") {
        response.statusCode = 404;
        return { code: -105, message: `Argument 'id', value ${url.searchParams.get("id")} not found!` };
      }
      if (url.pathname === "/rpc/Switch.GetStatus")
        return { id: 0, source: "HTTP_in", output: plug.output, apower: 2.1 };
      if (url.pathname !== "/rpc/Switch.Set") return undefined;
      const was = plug.output;
      plug.output = url.searchParams.get("on") === "true";
      return { was_on: was };
    },
  };
  return plug;
}

test("Shelly Gen1: on, off, state, with a password", async () => {
  const plug = gen1();
  const host = await device(plug.answer);
  const power = new ShellyPower(`http://lab:secret-1@${host}`, 0);
  assert.equal(await power.state(signal), "off");
  await power.on(signal);
  assert.deepEqual([plug.relay, await power.state(signal)], [true, "on"]);
  await power.off(signal);
  assert.deepEqual([plug.relay, await power.state(signal)], [false, "off"]);
  assert.equal(power.what, `Shelly at ${host}, channel 0`);
  await assert.rejects(
    new ShellyPower(`http://lab:wrong@${host}`, 0).on(signal),
    /refuses the user name or the password/,
  );
  await assert.rejects(new ShellyPower(`http://${host}`, 0).on(signal), /wants a password/);
  await assert.rejects(new ShellyPower(`http://lab:secret-1@${host}`, 3).on(signal), /answers 404/);
});

test("Shelly Gen2: the same by RPC, with Digest", async () => {
  const plug = gen2();
  const host = await device(plug.answer);
  const power = new ShellyPower(`http://:secret-2@${host}`, 0);
  assert.equal(await power.state(signal), "on");
  await power.off(signal);
  assert.deepEqual([plug.output, await power.state(signal)], [false, "off"]);
  await power.on(signal);
  assert.equal(plug.output, true);
  await assert.rejects(new ShellyPower(`http://:wrong@${host}`, 0).on(signal), /refuses the user name or the password/);
  await assert.rejects(
    new ShellyPower(`http://:secret-2@${host}`, 5).on(signal),
    /answers 404 Argument 'id', value 5 not found!/,
  );
});

test("what is no Shelly, speaks no JSON, or is not there", async () => {
  await assert.rejects(new ShellyPower(`http://${await device(() => ({}))}`, 0).on(signal), /is no Shelly/);
  const page = await device(() => "<html>");
  await assert.rejects(new ShellyPower(`http://${page}`, 0).on(signal), /not a JSON object: "<html>"/);
  await assert.rejects(new ShellyPower("http://127.0.0.1:1", 0).on(signal), /cannot be reached: /);
});

test("Digest as RFC 7616 §3.9.1 has it", () => {
  const challenge =
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
  const client = {
    user: "Mufasa",
    password: "Circle of Life",
    nonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
  };
  assert.match(
    digestAnswer(challenge, "/dir/index.html", client),
    /response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1".*qop=auth, nc=00000001, algorithm=SHA-256$/,
  );
});

test("Tasmota: one relay is POWER, several are POWERn; user and password go in the query", async () => {
  const relays = [false, true];
  let wanted = "Power1";
  const strip = await device((url) => {
    if (url.searchParams.get("user") !== "admin" || url.searchParams.get("password") !== "p w+&1") {
      return { WARNING: "Need user=<username>&password=<password>" };
    }
    const [, index, value] = /^Power(\d)(?: (On|Off))?$/.exec(url.searchParams.get("cmnd") ?? "") ?? [];
    const at = Number(index) - 1;
    if (index === undefined || relays[at] === undefined) return { Command: "Unknown" };
    wanted = `Power${index}`;
    if (value !== undefined) relays[at] = value === "On";
    return { [`POWER${index}`]: relays[at] ? "ON" : "OFF" };
  });
  const power = new TasmotaPower(`http://:${encodeURIComponent("p w+&1")}@${strip}`, 2);
  assert.equal(await power.state(signal), "on");
  await power.off(signal);
  assert.deepEqual([relays, wanted], [[false, false], "Power2"]);
  await power.on(signal);
  assert.deepEqual(relays, [false, true]);
  await assert.rejects(new TasmotaPower(`http://${strip}`, 2).on(signal), /refuses the user name or the password/);
  const third = new TasmotaPower(`http://:${encodeURIComponent("p w+&1")}@${strip}`, 3);
  await assert.rejects(third.on(signal), /it has no relay 3: it answers \{"Command":"Unknown"\}/);

  const plug = await device(() => ({ POWER: "OFF" }));
  assert.equal(await new TasmotaPower(`http://${plug}`, 1).state(signal), "off");
  await assert.rejects(new TasmotaPower(`http://${plug}`, 2).state(signal), /it has no relay 2/);
});

test("commands: what they do, what they print, and how they fail", async () => {
  const folder = await mkdtemp(join(tmpdir(), "culvert-power-"));
  closers.push(() => rm(folder, { recursive: true }));
  const file = join(folder, "state");
  const power = new CommandPower({ on: `echo ON > ${file}`, off: `echo off > ${file}`, status: `cat ${file}` });
  await power.on(signal);
  assert.equal(await power.state(signal), "on");
  await power.off(signal);
  assert.equal(await power.state(signal), "off");
  await writeFile(file, "perhaps\n");
  await assert.rejects(power.state(signal), /printed 'perhaps'; it must print on or off/);
  const broken = new CommandPower({ on: "echo no such outlet >&2; exit 7", off: "kill -9 $$" });
  await assert.rejects(broken.on(signal), /exit status 7: no such outlet/);
  await assert.rejects(broken.off(signal), /SIGKILL/);
  assert.equal(await broken.state(signal), "unknown");
  const stop = new AbortController();
  const hanging = new CommandPower({ on: "exec tail -f /dev/null", off: "true" }).on(stop.signal);
  stop.abort();
  await assert.rejects(hanging);
});

/** Any bytes, each as one character. */
const bytes = fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.from(all).toString("latin1"));

/** uhubctl 2.4's words. */
const HUB = `Current status for hub 1-1 [2109:3431 USB2.0 Hub, USB 2.10, 4 ports, ppps]
  Port 2: 0503 power highspeed enable connect [0bda:8153 Realtek off USB 10/100/1000 LAN 001000001]
Current status for hub 1-1.4 [0424:2514, USB 2.00, 3 ports, ppps]
  Port 1: 0100 power
  Port 2: 0103 power enable connect [0403:6001 FTDI FT232R USB UART A5069RR4]
`;

test("uhubctl: the last word on a port counts, and the name of what is plugged in does not", () => {
  assert.equal(portState(HUB, "1-1", 2), "on");
  assert.equal(portState(HUB, "1-1.4", 2), "on");
  assert.equal(portState(HUB, "1-1.4", 3), undefined);
  const after = `${HUB}Sent power off request\nNew status for hub 1-1.4 [0424:2514]\n  Port 2: 0000 off\n`;
  assert.equal(portState(after, "1-1.4", 2), "off");
  assert.equal(portState(after, "1-1", 2), "on");
  fc.assert(fc.property(bytes, (text) => portState(text, "1-1", 1) === undefined));
});

test("uhubctl: the program is run with the hub, the port and the action", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "culvert-power-"));
  const { PATH } = process.env;
  context.after(async () => {
    process.env["PATH"] = PATH;
    await rm(folder, { recursive: true });
  });
  const program = join(folder, "uhubctl");
  await writeFile(
    program,
    `#!/bin/sh
[ "$2" = 1-9 ] && { echo "No compatible devices detected!"; echo "Run with -h to get usage info."; exit 1; }
echo "$*" >> ${folder}/calls
old=$(cat ${folder}/port 2>/dev/null || echo "0103 power enable connect [0403:6001]")
echo "Current status for hub $2 [0424:2514, USB 2.00, 3 ports, ppps]"
echo "  Port $4: $old"
case "$6" in
  on) new="0100 power" ;;
  off) new="0000 off" ;;
  *) exit 0 ;;
esac
echo "Sent power $6 request"
echo "New status for hub $2 [0424:2514, USB 2.00, 3 ports, ppps]"
echo "  Port $4: $new"
echo "$new" > ${folder}/port
`,
  );
  await chmod(program, 0o755);
  process.env["PATH"] = `${folder}:${PATH}`;
  const power = new UhubctlPower("1-1.4", 2);
  assert.equal(await power.state(signal), "on");
  await power.off(signal);
  assert.equal(await power.state(signal), "off");
  await power.on(signal);
  assert.equal(await power.state(signal), "on");
  const calls = (await readFile(join(folder, "calls"), "utf8")).trim().split("\n");
  const plain = "-l 1-1.4 -p 2";
  assert.deepEqual(calls, [plain, `${plain} -a off -r 5`, plain, `${plain} -a on`, plain]);
  await assert.rejects(new UhubctlPower("1-9", 2).on(signal), /there is no hub 1-9 that can switch its ports/);
  process.env["PATH"] = folder.replace(/[^/]+$/, "no-such-folder");
  await assert.rejects(power.on(signal), /uhubctl is missing; install it: sudo apt-get install -y uhubctl/);
});

test("an LCTech relay gets its four bytes, over a serial port", async () => {
  const pty = await Pty.open();
  const power = new RelayPower(pty.path, { channel: 2, baud: 9600 });
  const got: Buffer[] = [];
  const all = new Promise<void>((resolve) => {
    pty.received = (bytes) => {
      got.push(bytes);
      if (Buffer.concat(got).length === 8) resolve();
    };
  });
  await power.on();
  await power.off();
  await all;
  assert.equal(Buffer.concat(got).toString("hex"), "a00201a3a00200a2");
  assert.equal(pty.baud, 9600);
  assert.equal(await power.state(), "unknown");
  await power.close();
  await pty.close();
  await assert.rejects(
    new RelayPower("/dev/no-such-port", { channel: 1, baud: 9600 }).on(),
    /there is no serial port \/dev\/no-such-port; /,
  );
});

test("a person is asked, and the answer is the Enter key", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const person = new TerminalPerson(input, output);
  const power = new ManualPower(person, "router-1");
  const on = power.on(signal);
  assert.equal(String(output.read()), "Turn the power of router-1 ON, then press Enter: ");
  input.write("\n");
  await on;
  const stop = new AbortController();
  const off = power.off(stop.signal);
  assert.match(String(output.read()), /router-1 OFF/);
  stop.abort();
  await assert.rejects(off, /taken back/);
  input.end();
  await assert.rejects(power.on(signal), /nobody is at the terminal/);
  person.close();
});

test("QEMU: off stops, on resets first, and what is on is left alone", async () => {
  const commands: string[] = [];
  let status = "running";
  const power = new QemuPower({
    execute: (command) => {
      if (command === "query-status") return Promise.resolve({ status, running: status === "running" });
      commands.push(command);
      if (command === "stop") status = "paused";
      if (command === "cont") status = "running";
      return Promise.resolve({});
    },
  });
  assert.equal(await power.state(), "on");
  await power.on();
  await power.off();
  assert.equal(await power.state(), "off");
  await power.on();
  assert.deepEqual(commands, ["stop", "system_reset", "cont"]);
  status = "guest-panicked";
  assert.equal(await power.state(), "off");
});

test("SNMP without its package: how to get it", async () => {
  const gone = (): Promise<never> =>
    Promise.reject(new Error("the optional package net-snmp is not installed; install it"));
  const power = new SnmpPower("127.0.0.1", "private", apcOutlet("apc", 1), gone);
  await assert.rejects(power.on(), /net-snmp is not installed/);
});

/** Every driver that a bench file can name is made from it, with what it is called in the journal. */
const SUPPLIES: readonly (readonly [string, RegExp | string])[] = [
  ["manual: true", "a person at the terminal"],
  ["command: { on: a, off: b }", "the command 'a'"],
  ['shelly: "http://u:pass-word@h:80", channel: 3', "Shelly at h, channel 3"],
  ['tasmota: "http://h:8080"', "Tasmota at h:8080, relay 1"],
  ["snmp: h, outlet: { pdu: apc, number: 3 }", "SNMP outlet 1.3.6.1.4.1.318.1.1.4.4.2.1.3.3 at h"],
  ['snmp: "h:1161", outlet: { oid: .1.3.6, on: 1, off: 0 }', "SNMP outlet 1.3.6 at h:1161"],
  ["uhubctl: 1-1.4, port: 2", "USB hub 1-1.4, port 2"],
  ["relay: /dev/ttyUSB9", "relay 1 at /dev/ttyUSB9"],
];
for (const [supply, what] of SUPPLIES) {
  test(`from a bench file: ${supply}`, async () => {
    const bench = parseBench(`name: b\nconsole: { tcp: "h:1" }\npower: { ${supply} }\n`, "b.yaml");
    assert.ok(bench.power);
    const person = new TerminalPerson(new PassThrough(), new PassThrough());
    const place = { node: "b", clock: new ManualClock(), journal: { append: () => {} } };
    const power = openPower(bench.power, { ...place, person });
    await power.close();
    // A closed switch names its driver in the refusal.
    await assert.rejects(power.on(), (error: Error) => error.message === `b: ${what}: the power switch was closed`);
  });
}

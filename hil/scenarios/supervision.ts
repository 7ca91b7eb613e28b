/** Suite `supervision`: the device's app is killed, misled, starved and stopped, and the machine's power cut: people dial in again. */
import type { LabClock } from "../clock.ts";
import { defineLab, type LabOf } from "../lab.ts";
import { from, pptp } from "../net/query.ts";
import { every, pass } from "../net/trap.ts";
import { type OpenedDevice, openedDevice } from "../node/opened-device.ts";
import { lanHost } from "../peers/lan-host.ts";
import { pptpLinux } from "../peers/pptp-linux.ts";
import { check, defineSuite, type Scenario, type Step } from "../scenario.ts";
import { awaitSession, findSession } from "./device-sessions.ts";
import { ADMIN_PASSWORD, ALICE, configureHeadOffice, OFFICE } from "./head-office.ts";
import { nothingLeftOn, pingAll, transfer } from "./tunnel-claims.ts";

const APP = "pidof node";
/** Longer than a client takes to notice that a call is over. */
const DOWN_WITHIN_MS = 90_000;
const APP_WITHIN_MS = 120_000;
/** 25 s of silence, 30 s of the hardware's own, and 5 s between looks. */
const RESET_WITHIN_S = 60;
const TRANSFER_BYTES = 2_000_000;

/** mobile ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
const lab = defineLab({
  nodes: {
    device: openedDevice(),
    mobile: pptpLinux({ address: "203.0.113.50/24" }),
    office: lanHost({ address: `${OFFICE}/24`, gateway: "192.168.1.1" }),
  },
  links: {
    internet: ["mobile.eth0", "device.wan"],
    office: ["office.eth0", "device.lan"],
  },
});
type Supervised = LabOf<typeof lab>;
type Start = "configured" | "connected";

/** The call is over for the client, and it comes back: the office is reached again. */
async function redial({ node }: Supervised, step: Step): Promise<void> {
  await step("the mobile user's call is over", () => node.mobile.untilDown(DOWN_WITHIN_MS));
  await nothingLeftOn(node.mobile, "the client", step);
  await step("he dials again and reaches the office, and 2 MB pass unharmed", async () => {
    await node.mobile.dial(ALICE);
    await pingAll(node.mobile, OFFICE);
    await transfer(node.office, OFFICE, node.mobile, TRANSFER_BYTES);
  });
}

async function logIn(device: OpenedDevice, step: Step): Promise<void> {
  await step("the console asks for a login, and lets the administrator in", async () => {
    await device.console.awaitLogin();
    await device.console.login(ADMIN_PASSWORD);
  });
}

/** `show system` and the log both say so. */
async function tells(device: OpenedDevice, what: RegExp, step: Step): Promise<void> {
  await step("`show system` and the log say what happened", async () => {
    const system = oneLine(await device.console.run("show system"));
    check(what.test(system), `\`show system\` does not say ${what}:\n${system}`);
    const log = await device.console.run("show log");
    check(what.test(log), `the log does not say ${what}:\n${log}`);
  });
}

function oneLine(shown: string): string {
  return shown.replaceAll(/\s+/g, " ");
}

async function startedAgain(device: OpenedDevice, before: string, clock: LabClock): Promise<void> {
  const endNs = clock.nowNs() + BigInt(APP_WITHIN_MS) * 1_000_000n;
  for (;;) {
    const { output } = await device.shell.try(`${APP} && cat /run/culvert/heartbeat`);
    const [pid = "", beat = ""] = output.trim().split("\n");
    if (pid !== "" && pid !== before && beat !== "") return;
    check(clock.nowNs() < endNs, `the app did not come back within ${APP_WITHIN_MS / 1000} s`);
  }
}

const killed: Scenario<Supervised, Start> = {
  name: "app-killed",
  claim: "the app is killed in the midst of a call: it comes back, says so, and the mobile user dials in again",
  from: "connected",
  async run(running, step) {
    const { node, clock } = running;
    await step("kill -9, and it runs again", async () => {
      const pid = (await node.device.shell.run(APP)).trim();
      await node.device.shell.run(`kill -9 ${pid}`);
      await startedAgain(node.device, pid, clock);
    });
    await logIn(node.device, step);
    await tells(node.device, /was killed after \d+ s by SIGKILL/, step);
    await redial(running, step);
  },
};

/** Runs in the app, as an error of its own would: the inspector's port is opened by a signal, which only root can send. */
const MISLEAD = String.raw`
const http = require("node:http"), net = require("node:net");
http.get("http://127.0.0.1:9229/json", (answer) => {
  let text = "";
  answer.on("data", (piece) => (text += piece)).on("end", () => {
    const { pathname } = new URL(JSON.parse(text)[0].webSocketDebuggerUrl);
    const socket = net.connect(9229, "127.0.0.1");
    socket.write("GET " + pathname + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
    socket.once("data", () => {
      const expression = "setTimeout(() => { throw new TypeError('provoked by the lab'); }, 100); 1";
      const body = Buffer.from(JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression } }));
      socket.write(Buffer.concat([Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 255, 0, 0, 0, 0]), body]));
      socket.once("data", () => process.exit(0));
    });
  });
});
`;

const failed: Scenario<Supervised, Start> = {
  name: "app-fails",
  claim:
    "the app fails by an error of its own: its peer is told that the call ends, the stack is kept, and it comes back",
  from: "connected",
  async run(running, step) {
    const { node, link, clock } = running;
    const goodbye = link.internet.trap(pass, every, pptp.message("stop-control-connection-request"), from("device"));
    await step("an exception that nobody catches is thrown in the app", async () => {
      const pid = (await node.device.shell.run(APP)).trim();
      await node.device.shell.run(`cat >/tmp/mislead.cjs <<'END'\n${MISLEAD}END`);
      await node.device.shell.run(`kill -USR1 ${pid} && sleep 2 && timeout 20 node /tmp/mislead.cjs`, 60_000);
      await startedAgain(node.device, pid, clock);
    });
    await step("the client was told: a Stop-Control-Connection-Request came before the connection was gone", () =>
      goodbye.hit({ withinMs: 1000 }),
    );
    await logIn(node.device, step);
    await tells(node.device, /because of an error of its own/, step);
    await step("`show crash` has the stack", async () => {
      const crash = await node.device.console.run("show crash");
      check(/TypeError: provoked by the lab\n +at /.test(crash), `no stack:\n${crash}`);
    });
    await redial(running, step);
  },
};

const starved: Scenario<Supervised, Start> = {
  name: "out-of-memory",
  claim: "the kernel takes the app's memory away, and only the app's: it comes back and says why",
  from: "connected",
  async run(running, step) {
    const { node, clock } = running;
    await step("the kernel looks for a victim", async () => {
      const pid = (await node.device.shell.run(APP)).trim();
      await node.device.shell.run("echo f >/proc/sysrq-trigger");
      await startedAgain(node.device, pid, clock);
    });
    await logIn(node.device, step);
    await tells(node.device, /was killed by the kernel after \d+ s: the memory was used up/, step);
    await redial(running, step);
  },
};

const hung: Scenario<Supervised, Start> = {
  name: "app-hangs",
  claim: "the app hangs: the watchdog resets the machine within a minute, which comes back and says so",
  from: "connected",
  async run(running, step) {
    const { node, clock } = running;
    await step("the watchdog is the hardware's", async () => {
      const system = await node.device.console.run("show system");
      check(/watchdog +i6300ESB timer, resets after 30 s/.test(system), `\`show system\` says:\n${system}`);
    });
    await step(`the app is stopped, and the machine is reset within ${RESET_WITHIN_S} s of its own time`, async () => {
      await node.device.shell.run(`kill -STOP $(${APP}); cut -d. -f1 /proc/uptime >/data/stopped; sync`);
      // The last second in which the machine was seen alive.
      await node.device.shell.run(
        "(while :; do cut -d. -f1 /proc/uptime >/data/alive.new; mv /data/alive.new /data/alive; sync; sleep 1; done) >/dev/null 2>&1 &",
      );
      await node.device.awaitReboot();
      const seconds = Number(await node.device.shell.run("echo $(($(cat /data/alive) - $(cat /data/stopped)))"));
      check(seconds >= 30 && seconds <= RESET_WITHIN_S, `it was reset after ${seconds} s`);
    });
    await step("the administrator logs in", () => node.device.console.login(ADMIN_PASSWORD));
    await tells(node.device, /was reset by its watchdog: the app gave no sign of life for 25 s/, step);
    await redial(running, step);
    await step("nothing hangs any more: it runs on for longer than the watchdog waits", async () => {
      await new Promise<void>((resolve) => clock.after(RESET_WITHIN_S * 1000, resolve));
      await findSession(node.device.console, ALICE.user);
    });
  },
};

const loops: Scenario<Supervised, Start> = {
  name: "crash-loop",
  claim: "an app that is killed five times gives way to a shell, in which the watchdog interrupts nobody",
  from: "connected",
  async run(running, step) {
    const { node, clock } = running;
    await step("the app is killed again and again", async () => {
      await node.device.shell.run(
        `n=0; while [ $n -lt 6 ] && ! [ -e /run/culvert/failsafe ]; do p=$(${APP}) && kill -9 $p && n=$((n + 1)); sleep 1; done; true`,
        APP_WITHIN_MS,
      );
      await node.device.shows("This is the failsafe shell", APP_WITHIN_MS);
    });
    await step("the shell is a person's for longer than the watchdog waits", async () => {
      await new Promise<void>((resolve) => clock.after((RESET_WITHIN_S + 15) * 1000, resolve));
      node.device.type("echo still $((40 + 2))\r");
      await node.device.shows("still 42", 20_000);
    });
    await step("`exit` starts the app again", () => node.device.type("exit\r"));
    await logIn(node.device, step);
    await redial(running, step);
  },
};

const stopped: Scenario<Supervised, Start> = {
  name: "orderly-and-not",
  claim: "a reboot is told from a power cut, and both leave the configuration and the callers' way back",
  from: "connected",
  async run(running, step) {
    const { node, clock } = running;
    await step("the power is cut, and the device says so", async () => {
      await node.device.cutPower();
      await node.device.console.login(ADMIN_PASSWORD);
    });
    await tells(node.device, /was not stopped in order: its power was cut, or it was reset/, step);
    await step("after a reboot there is nothing of that kind to say", async () => {
      await node.device.console.run("reboot");
      await node.device.awaitReboot();
      await node.device.console.login(ADMIN_PASSWORD);
      const system = oneLine(await node.device.console.run("show system"));
      check(!/before, it/.test(system), `\`show system\` says:\n${system}`);
    });
    await redial(running, step);
    await step("the device shows him", () =>
      awaitSession(node.device.console, clock, ALICE.user, DOWN_WITHIN_MS, ({ state }) => state === "connected"),
    );
  },
};

export const supervisionSuite = defineSuite({
  name: "supervision",
  title: "Supervision: what ends comes back, and says why",
  lab,
  stages: {
    configured: {
      claim: "an administrator sets the device up over its serial console",
      run: async ({ node }, step) => await configureHeadOffice(node, step),
    },
    connected: {
      claim: "the mobile user's tunnel is up",
      after: "configured",
      run: async ({ node }, step) => void (await step("dial with the right password", () => node.mobile.dial(ALICE))),
    },
  },
  scenarios: [killed, failed, starved, hung, loops, stopped],
});

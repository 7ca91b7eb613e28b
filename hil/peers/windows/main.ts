/**
 * The program of the Windows profile's guest: `windows VERSION COMPUTER-NAME`. It is the computer; the guest's commands
 * `ras` and `rasdial` reach it at a port of the loopback interface, each argument on a line of its own.
 */
import { createServer } from "node:net";
import process from "node:process";
import { kernelClock } from "../../../appliance/linux/clock.ts";
import { tcpControlTransport } from "../../../appliance/linux/control-transport.ts";
import { greTransport } from "../../../appliance/linux/gre-socket.ts";
import { kernelNet } from "../../../appliance/linux/net.ts";
import { kernelRandom } from "../../../appliance/linux/random.ts";
import { loopTimers } from "../../../appliance/linux/timers.ts";
import { loadAddon } from "../../../appliance/native/addon.ts";
import { type Answer, Computer } from "./computer.ts";
import { CONSOLE_PORT } from "./console-port.ts";
import { WINDOWS_VERSIONS } from "./versions.ts";

const [, , wanted, name = "WINDOWS"] = process.argv;
const version = WINDOWS_VERSIONS.find((each) => each === wanted);
if (version === undefined) {
  console.error(`windows: '${wanted}' is no version; there are ${WINDOWS_VERSIONS.join(", ")}`);
  process.exit(2);
}
const addon = loadAddon();
const ports = {
  clock: kernelClock,
  random: kernelRandom(addon),
  timers: loopTimers,
  net: kernelNet(addon),
  gre: greTransport(addon),
  control: tcpControlTransport,
  log: { write: (level: string, area: string, text: string) => console.log(`${level} ${area}: ${text}`) },
};
let computer = new Computer(version, name, ports);

/** `ras become VERSION` is another computer in the place of this one; every other command is the computer's. */
async function run(words: readonly string[]): Promise<Answer> {
  const [program, verb, wish] = words;
  if (program !== "ras" || verb !== "become") return await computer.run(words);
  const next = WINDOWS_VERSIONS.find((each) => each === wish);
  if (next === undefined) return { text: `ras become: give one of ${WINDOWS_VERSIONS.join(", ")}\n`, code: 87 };
  await computer.run(["rasdial", "any", "/disconnect"]);
  computer = new Computer(next, name, ports);
  return { text: "", code: 0 };
}

createServer({ allowHalfOpen: true }, (socket) => {
  let typed = "";
  socket.setEncoding("utf8");
  socket.on("error", () => socket.destroy()); // whoever asked is gone
  socket.on("data", (text: string) => (typed += text));
  socket.on("end", () => {
    run(typed.split("\n").slice(0, -1)).then(
      ({ text, code }) => socket.end(`${text}ERRORLEVEL=${code}\n`),
      (error: unknown) => socket.end(`${String(error)}\nERRORLEVEL=-1\n`),
    );
  });
}).listen(CONSOLE_PORT, "127.0.0.1", () => console.log("ready"));

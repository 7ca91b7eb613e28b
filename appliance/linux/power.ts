/** Reboot and power off by way of init: busybox init runs the shutdown actions, and this process gets its SIGTERM. */
import { execFile } from "node:child_process";
import type { Log, Power } from "../ports.ts";

export function initPower(log: Log): Power {
  const run = (command: string): void => {
    execFile(command, (error) => {
      if (error) log.write("error", "system", `${command} failed: ${error.message}`);
    });
  };
  return { reboot: () => run("reboot"), powerOff: () => run("poweroff") };
}

/** The clocks of the kernel: the monotonic one, and the time of day. */
import process from "node:process";
import type { Addon } from "../native/addon.ts";
import { type Clock, Millis, type WallClock } from "../ports.ts";
import { systemCall } from "./system-call.ts";

export const kernelClock: Clock = {
  now() {
    const [seconds, nanoseconds] = process.hrtime();
    return Millis(seconds * 1000 + nanoseconds / 1e6);
  },
};

export function kernelWallClock(addon: Addon): WallClock {
  return {
    nowMs: () => Date.now(),
    setMs(time) {
      const seconds = Math.floor(time / 1000);
      systemCall(() => addon.clockSet(seconds, Math.floor((time - seconds * 1000) * 1e6)), "set the clock");
    },
  };
}

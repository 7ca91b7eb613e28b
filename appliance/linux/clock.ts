/** The monotonic clock of the kernel. */
import process from "node:process";
import { type Clock, Millis } from "../ports.ts";

export const kernelClock: Clock = {
  now() {
    const [seconds, nanoseconds] = process.hrtime();
    return Millis(seconds * 1000 + nanoseconds / 1e6);
  },
};

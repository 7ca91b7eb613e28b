/** Random bytes of the kernel. Past node:crypto, whose loading is a quarter of the app's start and can wait. */
import type { Addon } from "../native/addon.ts";
import type { Random } from "../ports.ts";

export function kernelRandom(addon: Addon): Random {
  return {
    bytes(length) {
      const bytes = Buffer.alloc(length);
      addon.randomFill(bytes);
      return bytes;
    },
  };
}

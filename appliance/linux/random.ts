/** Random bytes of the kernel, by way of OpenSSL. */
import { randomBytes } from "node:crypto";
import type { Random } from "../ports.ts";

export const kernelRandom: Random = {
  bytes: (length) => randomBytes(length),
};

/** The firmware as the device knows it: its version, what it was built of, and what runs. */
import { type BuildRecord, parseBuildRecord } from "../update/build-record.ts";

/** That of package.json, which is not in the image. */
export const VERSION = "0.1.0";

export interface Firmware {
  readonly version: string;
  /** Undefined outside an image. */
  readonly build: BuildRecord | undefined;
  /** Release of the running kernel. */
  readonly kernel: string;
  /** Version of the running Node.js, such as `v18.20.4`. */
  readonly node: string;
}

/** `record` is the text of the image's build record; an unreadable one counts as none. */
export function describeFirmware(running: { kernel: string; node: string; record: string | undefined }): Firmware {
  const { kernel, node, record } = running;
  return { version: VERSION, build: record === undefined ? undefined : parseBuildRecord(record), kernel, node };
}

/**
 * Whose fault a failure is, in six words. The class decides what happens next: after a fault of the lab itself (`bench`,
 * `host`) a scenario may be tried again; after any other it may not, because a second try would hide what was found.
 */

/**
 * - `bench`: what stands around a board: serial port, power switch, flash path, lease.
 * - `host`: this computer: QEMU was killed or cannot run, the disk is full, a guest got no processor time.
 * - `device`: the device under test died, hung, or refused a command it has to take.
 * - `peer`: a machine that talks to the device did.
 * - `test`: everything answered, and a scenario's expectation does not hold.
 * - `harness`: a mistake in the lab's own code.
 */
export const FAULT_CLASSES = ["bench", "host", "device", "peer", "test", "harness"] as const;
export type FaultClass = (typeof FAULT_CLASSES)[number];

/** A failure that knows whose it is. `message` is for people: what happened, where, and what to do. */
export class Fault extends Error {
  readonly faultClass: FaultClass;
  /** The node it happened at, if it happened at one. */
  readonly node: string | undefined;

  constructor(faultClass: FaultClass, message: string, options: { node?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Fault";
    this.faultClass = faultClass;
    this.node = options.node;
  }
}

/** Only these are tried again. */
export function isLabFault(faultClass: FaultClass): boolean {
  return faultClass === "bench" || faultClass === "host";
}

/** Says of any error whose fault it is, and describes it for people. */
import { ConsoleError } from "./console/console.ts";
import { CommandError } from "./console/frame.ts";
import { Fault, type FaultClass } from "./fault.ts";
import type { Failure, NodeRole } from "./journal/event.ts";
import { CommandRefused } from "./node/device-console.ts";
import { CheckError } from "./scenario.ts";

/** What a node is in its lab; undefined for a name that is none. */
export type RoleOf = (node: string) => NodeRole | undefined;

export function failureOf(error: unknown, roleOf: RoleOf = () => undefined): Failure {
  const node = nodeOf(error);
  return { faultClass: classOf(error, node === undefined ? undefined : roleOf(node)), node, text: describe(error) };
}

function classOf(error: unknown, role: NodeRole | undefined): FaultClass {
  if (error instanceof Fault) return error.faultClass;
  if (error instanceof CheckError) return "test";
  const blamed = role === "peer" ? "peer" : "device";
  // A console that closes is a machine that was ended from outside: it does not end by itself.
  if (error instanceof ConsoleError) return error.kind === "closed" ? "host" : blamed;
  if (error instanceof CommandError || error instanceof CommandRefused) return blamed;
  return isBug(error) ? "harness" : "test";
}

function nodeOf(error: unknown): string | undefined {
  const { node } = (typeof error === "object" && error !== null ? error : {}) as { node?: unknown };
  return typeof node === "string" ? node : undefined;
}

/** Errors of the lab speak for themselves; for the rest the place in the code is part of the story. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return isBug(error) ? (error.stack ?? error.message) : error.message;
}

function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}

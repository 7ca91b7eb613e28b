/** Says of any error whose fault it is, and describes it for people. */
import { ImageError } from "../../image/failure.ts";
import { ConsoleError } from "../console/console.ts";
import { CommandError } from "../console/frame.ts";
import { Fault, type FaultClass } from "../fault.ts";
import type { Failure, NodeRole } from "../journal/event.ts";
import { TrapError } from "../net/trap.ts";
import { CommandRefused } from "../node/device-console.ts";
import { MonitorClosed } from "../node/qemu/qmp.ts";
import { CheckError } from "../scenario.ts";

/** What a node is in its lab; undefined for a name that is none. */
export type RoleOf = (node: string) => NodeRole | undefined;

export function failureOf(error: unknown, roleOf: RoleOf = () => undefined): Failure {
  const node = nodeOf(error);
  const faultClass = classOf(error, node === undefined ? undefined : roleOf(node));
  return { faultClass, node, text: describe(error, faultClass) };
}

/** A fault that happened in a node: a service is the lab's own code. */
export function classOfRole(role: NodeRole | undefined): FaultClass {
  if (role === "service") return "harness";
  return role === "peer" ? "peer" : "device";
}

function classOf(error: unknown, role: NodeRole | undefined): FaultClass {
  if (error instanceof Fault) return error.faultClass;
  if (error instanceof CheckError || error instanceof TrapError || isAssertion(error)) return "test";
  // A console that closes is a machine that was ended from outside: it does not end by itself.
  if (error instanceof ConsoleError) return error.kind === "closed" ? "host" : classOfRole(role);
  if (error instanceof CommandError || error instanceof CommandRefused) return classOfRole(role);
  if (error instanceof MonitorClosed || error instanceof ImageError || isOfTheSystem(error)) return "host";
  // Whoever throws anything else did not say what went wrong, and that is a mistake of ours.
  return "harness";
}

/** Both name their node at the start of their message as well. */
function nodeOf(error: unknown): string | undefined {
  const { node } = (typeof error === "object" && error !== null ? error : {}) as { node?: unknown };
  return typeof node === "string" ? node : undefined;
}

/** Errors of the lab speak for themselves; for a mistake of ours the place in the code is part of the story. */
function describe(error: unknown, faultClass: FaultClass): string {
  if (!(error instanceof Error)) return String(error);
  const { message } = error;
  if (faultClass === "harness" && !(error instanceof Fault)) return error.stack ?? message;
  const { code } = error as { code?: unknown };
  return isOfTheSystem(error) && typeof code === "string" ? `${message}${ADVICE[code] ?? ""}` : message;
}

/** What the operating system refused: a full disk, no memory, a program that is not installed. */
function isOfTheSystem(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { syscall, exitCode, originalMessage } = error as {
    syscall?: unknown;
    exitCode?: unknown;
    originalMessage?: unknown;
  };
  // execa's errors: a program of this computer that failed or could not be started.
  return typeof syscall === "string" || typeof exitCode === "number" || typeof originalMessage === "string";
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: ": the disk is full; old runs and snapshots are in .culvert/runs and .culvert/snapshots",
  EDQUOT: ": the disk quota is used up",
  ENOMEM: ": there is not enough memory; --memory bounds what labs take together",
  EMFILE: ": too many open files; `ulimit -n` raises the limit",
};

function isAssertion(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "ERR_ASSERTION";
}

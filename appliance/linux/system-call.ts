/** Failures of the operating system, whoever reports them, as the one `SystemError` of ports.ts. */
import { SystemError } from "../ports.ts";

/** Runs `call`; what the addon or Node throws with an errno name becomes a SystemError, anything else passes as it is. */
export function systemCall<T>(call: () => T, operation?: string): T {
  try {
    return call();
  } catch (error) {
    throw toSystemError(error, operation) ?? error;
  }
}

/**
 * `undefined` when `error` carries no errno name. `operation` replaces the one in the error, where the caller can say
 * more than the system call's name.
 */
export function toSystemError(error: unknown, operation?: string): SystemError | undefined {
  if (error instanceof SystemError) return error;
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  if (!/^E[A-Z0-9]+$/.test(error.code)) return undefined;
  const said = operation ?? operationOf(error);
  return new SystemError(said, error.code, { cause: error });
}

function operationOf(error: Error): string {
  if ("operation" in error && typeof error.operation === "string") return error.operation;
  if ("syscall" in error && typeof error.syscall === "string") return error.syscall;
  return "system call";
}

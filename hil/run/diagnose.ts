/**
 * Finds the node that is to blame. The error of a step says where a failure was noticed; the cause is often another node that
 * was killed, died or hangs, so after a failure every node of the lab is looked at.
 */
import { ConsoleError } from "../console/console.ts";
import type { FaultClass } from "../fault.ts";
import type { Failure, NodeRole } from "../journal/event.ts";
import type { Ailment } from "../node/definition.ts";
import { classOfRole, failureOf } from "./classify.ts";

/** A node of the lab in which something failed. */
export interface Suspect {
  readonly name: string;
  readonly role: NodeRole;
  /** Whether a QEMU of this computer is the node. */
  readonly isMachine: boolean;
  /** What is wrong with it; undefined when it is well. Returns soon, whatever the node does. */
  ailment(): Promise<Ailment | undefined>;
}

/** The error as a failure of the right class. Rejects never. */
export async function diagnose(error: unknown, suspects: readonly Suspect[]): Promise<Failure> {
  const noticed = failureOf(error, (node) => suspects.find(({ name }) => name === node)?.role);
  const isClosed = error instanceof ConsoleError && error.kind === "closed";
  if (!isClosed && SAYS_ALL.has(noticed.faultClass)) return noticed;
  const found = await Promise.all(suspects.map(async (suspect) => ({ suspect, ailment: await ailmentOf(suspect) })));
  const ill = found.flatMap(({ suspect, ailment }) => (ailment === undefined ? [] : [{ suspect, ailment }]));
  // This computer's fault explains what became of guests, and not the other way round; then who failed explains itself.
  const worst =
    ill.find(({ ailment }) => ailment.by === "host") ??
    ill.find(({ suspect }) => suspect.name === noticed.node) ??
    ill[0];
  if (worst !== undefined) {
    const { suspect, ailment } = worst;
    const faultClass = ailment.by === "host" ? "host" : classOfRole(suspect.role);
    const text = `${suspect.name}: ${ailment.what}\nnoticed by: ${noticed.text}`;
    return { faultClass, node: suspect.name, text };
  }
  const owner = suspects.find(({ name }) => name === noticed.node);
  return isClosed && owner?.isMachine === false ? { ...noticed, faultClass: "bench" } : noticed;
}

/** Nothing that a node has can explain these better. */
const SAYS_ALL: ReadonlySet<FaultClass> = new Set(["bench", "host", "harness"]);

async function ailmentOf(suspect: Suspect): Promise<Ailment | undefined> {
  // A node that cannot be asked is no news: what was noticed stands.
  return await suspect.ailment().catch(() => undefined);
}

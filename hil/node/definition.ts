/** What a lab needs to know about a kind of node: its NICs, what it is made of, and how it comes up. */
import type { Progress } from "../../image/progress.ts";
import type { LabClock } from "../clock.ts";
import type { NodeRole } from "../journal/event.ts";
import type { EventSink } from "../journal/journal.ts";
import type { Port } from "../net/port.ts";
import type { MachineSpec, NicSpec } from "./qemu/args.ts";
import type { BoardChoice } from "./qemu/firmware.ts";
import type { Machine } from "./qemu/machine.ts";

/** `N` are the verbs that scenarios see; `Nic` the names that links plug into. */
export interface NodeDefinition<N, Nic extends string> {
  readonly role: NodeRole;
  /** For reports: `pptp-linux 1.10 on Debian 12`. */
  readonly what: string;
  readonly nics: readonly Nic[];
  /** What its machine takes of this computer's memory; none unless given. */
  readonly memoryMib?: number;
  /** Builds or finds what the node is made of; slow work is done here, one node after the other. */
  prepare(progress: Progress): Promise<PreparedNode<N, Nic>>;
  /** The same node as another board, or booted in another way; only devices have this. */
  onBoard?(choice: BoardChoice): NodeDefinition<unknown, Nic>;
}

/**
 * What is wrong with a node that should be well. `guest`: what runs in it died, hangs or went away; `host`: this computer
 * took it away or cannot run it.
 */
export interface Ailment {
  readonly by: "guest" | "host";
  /** Completes "NODE: …". */
  readonly what: string;
}

/** Nodes that can tell whether a program of theirs died by itself are asked after a failure. */
export interface SelfCheck {
  ailment(): Promise<Ailment | undefined>;
}

export type PreparedNode<N, Nic extends string> = MachineNode<N> | ServiceNode<N, Nic> | BoardNode<N, Nic>;

/** A QEMU machine of this run. Its state can be saved and restored. */
export interface MachineNode<N> {
  readonly kind: "machine";
  /** Equal keys boot equal machines: a content hash of everything that `spec` points to. */
  readonly key: string;
  /** Its process is more than one QEMU. */
  readonly unsavable?: boolean;
  spec(place: MachinePlace): Promise<MachineSpec>;
  /** Waits until the machine, just started, is up. */
  boot(machine: Machine): Promise<N>;
  /** The same verbs for a machine that was restored in the state in which `boot` left it, or a later one. */
  attach(machine: Machine): N;
}

export interface MachinePlace {
  readonly name: string;
  readonly nics: readonly NicSpec[];
  /** For disks that the machine writes to. */
  readonly runFolder: string;
}

/** A part of the network that runs in this process: a NAT box, a DHCP server. */
export interface ServiceNode<N, Nic extends string> {
  readonly kind: "service";
  readonly key: string;
  start(place: ServicePlace<Nic>): Service<N>;
}

export interface ServicePlace<Nic extends string> {
  readonly name: string;
  /** The service's ends of its links: what `send` takes goes out on the link. */
  readonly nics: Readonly<Record<Nic, Port>>;
  readonly macs: Readonly<Record<Nic, string>>;
  readonly clock: LabClock;
  readonly journal: EventSink;
}

export interface Service<N> {
  readonly node: N;
  /** Everything that a later run of the same service needs to go on, as JSON. */
  save(): unknown;
  restore(saved: unknown): void;
  close(): void;
}

/** Hardware, or what behaves like it: it cannot be saved, and it is there before and after the run. */
export interface BoardNode<N, Nic extends string> {
  readonly kind: "board";
  start(place: BoardPlace): Promise<RunningBoard<N, Nic>>;
  /** Ends what outlives one lab: called once, when the run takes its last lab down. */
  release?(): Promise<void>;
}

export interface BoardPlace {
  readonly name: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
  readonly runFolder: string;
}

export interface RunningBoard<N, Nic extends string> {
  readonly node: N;
  /** How the board's NICs reach the lab's links; a NIC without a port has its link elsewhere, and the report says so. */
  readonly ports: Readonly<Partial<Record<Nic, Port>>>;
  close(): Promise<void>;
}

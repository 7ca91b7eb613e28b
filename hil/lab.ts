/** A lab: named nodes and the links between their NICs, declared once, brought up and taken down as one thing. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Progress } from "../image/progress.ts";
import { elapsedMs, type LabClock } from "./clock.ts";
import type { Transcript } from "./console/transcript.ts";
import type { EventSink } from "./journal/journal.ts";
import { CaptureFile } from "./net/capture-file.ts";
import { checkImpairment, type Impairment } from "./net/impairment.ts";
import { Link } from "./net/link.ts";
import { QemuPort } from "./net/port.ts";
import { type Choice, chooseAccelerator } from "./node/qemu/accelerator.ts";
import type { NicSpec } from "./node/qemu/args.ts";
import type { MachineHost } from "./node/qemu/machine.ts";
import { Scope } from "./scope.ts";

/** What a node is told when it starts. */
export interface NodePlace {
  /** The node's name in the lab; console, files and NICs carry it. */
  readonly name: string;
  readonly nics: readonly NicSpec[];
  readonly host: MachineHost;
}

/** How to make a node: `prepare` builds what it boots from (one node after the other), the returned function boots it (all at once). */
export interface NodeDefinition<N, Nic extends string> {
  readonly nics: readonly Nic[];
  prepare(progress: Progress): Promise<(place: NodePlace) => Promise<N>>;
}

type AnyNodes = Readonly<Record<string, NodeDefinition<unknown, string>>>;
type PortNames<N extends AnyNodes> = {
  [K in keyof N & string]: N[K] extends NodeDefinition<unknown, infer Nic> ? `${K}.${Nic}` : never;
}[keyof N & string];

/** The ports of a link, as `node.nic`, and what it is like from the start; scenarios can make it worse and better. */
type LinkDefinition<Port extends string = string> =
  | readonly Port[]
  | { readonly ports: readonly Port[]; readonly impairment: Impairment };

export interface LabDefinition<N extends AnyNodes = AnyNodes, L extends string = string> {
  readonly nodes: N;
  readonly links: Readonly<Record<L, LinkDefinition>>;
}

type NodesOf<N extends AnyNodes> = {
  readonly [K in keyof N]: N[K] extends NodeDefinition<infer Node, string> ? Node : never;
};

type LinksOf<N extends AnyNodes, L extends string> = Readonly<Record<L, Link<keyof N & string>>>;

export interface Lab<N extends AnyNodes = AnyNodes, L extends string = string> {
  readonly node: NodesOf<N>;
  readonly link: LinksOf<N, L>;
  readonly clock: LabClock;
}

/** The lab that a definition describes, once it runs. */
export type LabOf<D> = D extends LabDefinition<infer N, infer L> ? Lab<N, L> : never;

/** Checks at compile time that every link names NICs that exist, and at run time that no NIC is plugged twice and impairments can be. */
export function defineLab<const N extends AnyNodes, L extends string>(definition: {
  readonly nodes: N;
  readonly links: Readonly<Record<L, LinkDefinition<PortNames<N>>>>;
}): LabDefinition<N, L> {
  const plugged = new Map<string, string>();
  for (const [link, plan] of Object.entries<LinkDefinition>(definition.links)) {
    const { ports, impairment } = linkPlan(plan);
    if (impairment !== undefined) checkImpairment(impairment);
    for (const port of ports) {
      const other = plugged.get(port);
      if (other !== undefined) throw new Error(`${port} is plugged into both ${other} and ${link}`);
      plugged.set(port, link);
    }
  }
  return definition;
}

function linkPlan(plan: LinkDefinition): { ports: readonly string[]; impairment: Impairment | undefined } {
  return "ports" in plan ? plan : { ports: plan, impairment: undefined };
}

export interface LabPlace {
  /** Captures and raw consoles go here. */
  readonly runFolder: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
  readonly progress: Progress;
}

/** What is left of a lab for the report, whether it came up or not. */
export interface LabRemains {
  readonly accelerator: Choice | undefined;
  readonly links: readonly Link[];
  readonly transcripts: ReadonlyMap<string, Transcript>;
}

/** Brings labs up, and keeps what they leave behind. */
export class LabHost implements LabRemains {
  readonly #place: LabPlace;
  readonly #scope = new Scope();
  readonly #transcripts = new Map<string, Transcript>();
  readonly #links: Link[] = [];
  #accelerator: Choice | undefined;
  #isDown = false;

  constructor(place: LabPlace) {
    this.#place = place;
  }

  get accelerator(): Choice | undefined {
    return this.#accelerator;
  }
  get links(): readonly Link[] {
    return this.#links;
  }
  get transcripts(): ReadonlyMap<string, Transcript> {
    return this.#transcripts;
  }

  /** Prepares every node, lays the links, boots all nodes side by side. On failure everything is down again. */
  async up<N extends AnyNodes, L extends string>(definition: LabDefinition<N, L>): Promise<Lab<N, L>> {
    try {
      return await this.#up(definition);
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  /** Ends all machines, closes captures and sockets. A lab that is still coming up stops doing so. */
  async down(): Promise<void> {
    this.#isDown = true;
    await this.#scope.close();
  }

  async #up<N extends AnyNodes, L extends string>(definition: LabDefinition<N, L>): Promise<Lab<N, L>> {
    const { clock, journal, progress, runFolder } = this.#place;
    const boots = new Map<string, (place: NodePlace) => Promise<unknown>>();
    for (const [name, node] of Object.entries(definition.nodes)) {
      boots.set(name, await node.prepare(progress));
    }
    this.#throwIfDown();
    this.#accelerator = await chooseAccelerator();
    progress({ kind: "note", text: `accelerator ${this.#accelerator.accelerator}: ${this.#accelerator.because}` });
    const socketFolder = await mkdtemp(join(tmpdir(), "culvert-"));
    this.#scope.defer(socketFolder, () => rm(socketFolder, { recursive: true, force: true }));
    const link = (await this.#lay(definition.links, socketFolder)) as LinksOf<N, L>;
    const host: MachineHost = {
      accelerator: this.#accelerator.accelerator,
      clock,
      journal,
      socketFolder,
      runFolder,
      adopt: (machine) => {
        this.#scope.own(machine.name, machine);
        this.#transcripts.set(machine.name, machine.console.transcript);
        this.#throwIfDown();
      },
    };
    const started = await Promise.allSettled(
      [...boots].map(async ([name, boot], index) => {
        const nics = (definition.nodes[name]?.nics ?? []).map((nic, at) => ({
          socketPath: join(socketFolder, `${name}.${nic}`),
          mac: macAddress(index, at),
        }));
        const startedNs = clock.nowNs();
        progress({ kind: "start", step: `boot ${name}` });
        const node = await boot({ name, nics, host });
        const took = `${(elapsedMs(startedNs, clock.nowNs()) / 1000).toFixed(1)} s`;
        progress({ kind: "done", step: `boot ${name}`, text: took });
        return [name, node] as const;
      }),
    );
    const failed = started.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const nodes = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    return { node: Object.fromEntries(nodes) as NodesOf<N>, link, clock };
  }

  #throwIfDown(): void {
    if (this.#isDown) throw new Error("the lab was taken down while it came up");
  }

  async #lay(links: Readonly<Record<string, LinkDefinition>>, socketFolder: string): Promise<Record<string, Link>> {
    const laid: Record<string, Link> = {};
    for (const [name, plan] of Object.entries(links)) {
      const { ports: portNames, impairment } = linkPlan(plan);
      const ports = portNames.map((port) => this.#scope.own(port, new QemuPort(port)));
      for (const port of ports) await port.listen(join(socketFolder, port.name));
      const path = join(this.#place.runFolder, `${name}.pcapng`);
      const capture = this.#scope.own(`capture of ${name}`, new CaptureFile(path, portNames, this.#place.clock));
      const link = this.#scope.own(`link ${name}`, new Link(name, ports, capture, this.#place, impairment));
      this.#links.push(link);
      laid[name] = link;
    }
    return laid;
  }
}

/** Locally administered, the same in every run: 02:43:00:00:NODE:NIC. */
function macAddress(node: number, nic: number): string {
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  return `02:43:00:00:${hex(node)}:${hex(nic)}`;
}

/**
 * Brings one lab up, again and again: cold, or as it was saved. The walk:
 *
 * 1. `prepare`: every node is built, one after the other; the accelerator is chosen; the links are laid. Once.
 * 2. `boot` or `restore`: all nodes start side by side and plug into the links. The lab runs.
 * 3. `save`, as often as wanted: all machines stop, are written to a folder, and go on.
 * 4. `end`: the machines are gone, the links stay for the next `boot` or `restore`.
 * 5. `down`: nothing is left.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentKey } from "../image/content-key.ts";
import type { Progress } from "../image/progress.ts";
import { elapsedMs, type LabClock } from "./clock.ts";
import { Fault } from "./fault.ts";
import type { NodeRole } from "./journal/event.ts";
import type { EventSink } from "./journal/journal.ts";
import {
  type AnyNodes,
  type Lab,
  type LabDefinition,
  type LinkDefinition,
  type LinksOf,
  linkPlan,
  type NodesOf,
} from "./lab.ts";
import { CaptureFile } from "./net/capture-file.ts";
import { joinedPorts, LatePort } from "./net/joined-ports.ts";
import { Link } from "./net/link.ts";
import { type Port, QemuPort } from "./net/port.ts";
import type { Ailment, BoardNode, MachineNode, PreparedNode, SelfCheck, ServiceNode } from "./node/definition.ts";
import { type Choice, chooseAccelerator } from "./node/qemu/accelerator.ts";
import { type MachineSpec, type NicSpec, qemuArguments } from "./node/qemu/args.ts";
import { Machine, type MachineHost, type Restoring } from "./node/qemu/machine.ts";
import { qemuVersion } from "./node/qemu/process.ts";
import { NeverRan, untilItRuns } from "./node/qemu/progress.ts";
import { SavedMachine } from "./node/qemu/saved-machine.ts";
import type { Suspect } from "./run/diagnose.ts";
import { Scope } from "./scope.ts";

/** How often a machine is started that never runs. */
const LAUNCHES = 2;

export interface LabPlace {
  /** Captures, raw consoles and disks go here. */
  readonly runFolder: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
  readonly progress: Progress;
}

/** A node that is prepared: it can be started any number of times. */
interface Slot {
  readonly name: string;
  readonly index: number;
  readonly nics: readonly string[];
  readonly prepared: PreparedNode<unknown, string>;
  /** The ends of its plugs that a service gets. */
  readonly ends: Record<string, Port>;
  readonly late: Map<string, LatePort>;
}

interface Running {
  readonly scope: Scope;
  readonly machines: Map<string, Machine>;
  readonly services: Map<string, { save(): unknown }>;
  /** What scenarios have of each node, once it is up. */
  readonly nodes: Map<string, unknown>;
}

export class LabHost<N extends AnyNodes = AnyNodes, L extends string = string> {
  readonly #definition: LabDefinition<N, L>;
  readonly #place: LabPlace;
  readonly #scope = new Scope();
  readonly #slots: Slot[] = [];
  readonly #links: Link[] = [];
  #socketFolder = "";
  #accelerator: Choice | undefined;
  #key = "";
  #running: Running | undefined;
  #last: Running | undefined;
  #isPrepared = false;
  #isDown = false;

  constructor(definition: LabDefinition<N, L>, place: LabPlace) {
    this.#definition = definition;
    this.#place = place;
  }

  get accelerator(): Choice | undefined {
    return this.#accelerator;
  }
  get links(): readonly Link[] {
    return this.#links;
  }
  /** Names what a cold boot of this lab gives: equal keys, equal machines, wires and QEMU. Known once prepared. */
  get key(): string {
    return this.#key;
  }
  /** The node that cannot be saved, if there is one: a board, or what is like one. */
  get unsavable(): string | undefined {
    const isUnsavable = ({ prepared }: Slot): boolean =>
      prepared.kind === "board" || (prepared.kind === "machine" && prepared.unsavable === true);
    return this.#slots.find(isUnsavable)?.name;
  }
  roleOf(node: string): NodeRole | undefined {
    return this.#definition.nodes[node]?.role;
  }
  /** The machines of the lab that runs or ran last, by node. */
  get machines(): ReadonlyMap<string, Machine> {
    return this.#last?.machines ?? new Map();
  }

  /** Every node of the lab that runs or ran last, and how to find out whether it is well. */
  suspects(): Suspect[] {
    const { machines = new Map<string, Machine>(), nodes = new Map<string, unknown>() } = this.#last ?? {};
    return Object.entries(this.#definition.nodes).map(([name, { role }]) => {
      const machine = machines.get(name);
      const node = nodes.get(name);
      const ailment = async (): Promise<Ailment | undefined> =>
        (await machine?.ailment()) ?? (hasSelfCheck(node) ? await node.ailment() : undefined);
      return { name, role, isMachine: machine !== undefined, ailment };
    });
  }

  /** Prepares every node and lays the links. A second call does nothing. */
  async prepare(): Promise<void> {
    if (this.#isPrepared) return;
    this.#isPrepared = true;
    const { progress, journal } = this.#place;
    for (const [index, [name, node]] of Object.entries(this.#definition.nodes).entries()) {
      journal.append({ kind: "node", node: name, role: node.role, what: node.what });
      const prepared = await node.prepare(progress);
      this.#slots.push({ name, index, nics: node.nics, prepared, ends: {}, late: new Map() });
      this.#throwIfDown();
    }
    if (this.#slots.some(({ prepared }) => prepared.kind === "machine")) {
      const { accelerator, because } = await chooseAccelerator();
      progress({ kind: "note", text: `accelerator ${accelerator}: ${because}` });
      journal.append({ kind: "fact", name: "accelerator", value: `${accelerator} (${because})` });
      this.#accelerator = { accelerator, because };
    }
    this.#socketFolder = await mkdtemp(join(tmpdir(), "culvert-"));
    this.#scope.defer(this.#socketFolder, () => rm(this.#socketFolder, { recursive: true, force: true }));
    for (const [name, plan] of Object.entries<LinkDefinition>(this.#definition.links)) {
      await this.#lay(name, linkPlan(plan));
    }
    this.#key = await this.#keyOf();
  }

  /** Starts every node from nothing. On failure the lab has ended. */
  async boot(): Promise<Lab<N, L>> {
    return await this.#open(undefined);
  }

  /** Starts every node as it was saved in `folder`: `run` is quick, `extend` can be saved again. */
  async restore(folder: string, to: Restoring["to"]): Promise<Lab<N, L>> {
    return await this.#open({ folder, to });
  }

  /** Writes the whole running lab into an existing folder. It runs on afterwards. */
  async save(folder: string): Promise<void> {
    const running = this.#running;
    if (running === undefined) throw new Fault("harness", "there is no running lab to save");
    if (this.unsavable !== undefined) throw new Fault("harness", `${this.unsavable} is a board: it cannot be saved`);
    const machines = [...running.machines.values()];
    await Promise.all(machines.map((machine) => machine.pause()));
    // What is on the wires is lost in the saved lab; here it still arrives.
    await Promise.all(machines.map((machine) => machine.save(folder)));
    for (const [name, service] of running.services) {
      await writeFile(join(folder, `${name}.json`), JSON.stringify(service.save() ?? null));
    }
    await Promise.all(machines.map((machine) => machine.go()));
  }

  /** Ends the lab that runs, if one does: its machines are gone, its links as they were declared. */
  async end(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.scope.close();
    for (const link of this.#links) link.reset();
  }

  /** Ends everything, closes captures and sockets. A lab that is still coming up stops doing so. */
  async down(): Promise<void> {
    this.#isDown = true;
    const failures: unknown[] = [];
    await this.end().catch((error: unknown) => failures.push(error));
    for (const { prepared } of this.#slots)
      if (prepared.kind === "board") await prepared.release?.().catch((error: unknown) => failures.push(error));
    await this.#scope.close();
    if (failures.length > 0) throw failures[0];
  }

  async #open(saved: { folder: string; to: Restoring["to"] } | undefined): Promise<Lab<N, L>> {
    await this.prepare();
    await this.end();
    this.#throwIfDown();
    const running: Running = { scope: new Scope(), machines: new Map(), services: new Map(), nodes: new Map() };
    this.#running = running;
    this.#last = running;
    try {
      const nodes = await this.#startAll(running, saved);
      const link = Object.fromEntries(this.#links.map((each) => [each.name, each])) as unknown as LinksOf<N, L>;
      return { node: Object.fromEntries(nodes) as NodesOf<N>, link, clock: this.#place.clock };
    } catch (error) {
      if (this.#running === running) await this.end();
      throw error;
    }
  }

  async #startAll(
    running: Running,
    saved: { folder: string; to: Restoring["to"] } | undefined,
  ): Promise<(readonly [string, unknown])[]> {
    const instance = randomBytes(4).toString("hex");
    const started = await Promise.allSettled(
      this.#slots.map(async (slot) => {
        const node = await this.#startOne(slot, running, instance, saved);
        running.nodes.set(slot.name, node);
        return [slot.name, node] as const;
      }),
    );
    const failed = started.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const ready = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    // Restored machines go on together, so that none of them waits for another in its own time.
    if (saved !== undefined) await Promise.all([...running.machines.values()].map((machine) => machine.go()));
    return ready;
  }

  async #startOne(
    slot: Slot,
    running: Running,
    instance: string,
    saved: { folder: string; to: Restoring["to"] } | undefined,
  ): Promise<unknown> {
    const { prepared, name } = slot;
    switch (prepared.kind) {
      case "machine":
        return await this.#startMachine(slot, prepared, running, instance, saved);
      case "service":
        return await this.#startService(slot, prepared, running, saved && join(saved.folder, `${name}.json`));
      case "board":
        return await this.#startBoard(slot, prepared, running);
    }
  }

  async #startMachine(
    { name, index, nics }: Slot,
    prepared: MachineNode<unknown>,
    running: Running,
    instance: string,
    saved: { folder: string; to: Restoring["to"] } | undefined,
  ): Promise<unknown> {
    const { clock, progress, journal, runFolder } = this.#place;
    const startedNs = clock.nowNs();
    const spec = await prepared.spec({ name, nics: this.#nicSpecs(name, index, nics), runFolder });
    const host: MachineHost = {
      accelerator: this.#accelerator?.accelerator ?? "tcg",
      clock,
      journal,
      socketFolder: this.#socketFolder,
      runFolder,
      instance,
      adopt: (machine) => {
        running.scope.own(machine.name, machine);
        running.scope.defer(`power of ${name}`, () =>
          journal.append({ kind: "power", node: name, to: "off", by: "QEMU" }),
        );
        running.machines.set(machine.name, machine);
        journal.append({ kind: "power", node: name, to: "on", by: "QEMU" });
        this.#throwIfDown();
      },
    };
    if (saved !== undefined) {
      const machine = await Machine.start(spec, host, { from: new SavedMachine(saved.folder, name), to: saved.to });
      const node = prepared.attach(machine);
      journal.append({ kind: "state", node: name, from: "off", to: "restored" });
      return node;
    }
    progress({ kind: "start", step: `boot ${name}` });
    const node = await this.#bootMachine(spec, host, prepared);
    const took = `${(elapsedMs(startedNs, clock.nowNs()) / 1000).toFixed(1)} s`;
    progress({ kind: "done", step: `boot ${name}`, text: took });
    return node;
  }

  /** A guest that never ran is started once more, and the journal says so. */
  async #bootMachine(spec: MachineSpec, host: MachineHost, prepared: MachineNode<unknown>): Promise<unknown> {
    const { clock, journal, progress } = this.#place;
    for (let launch = 1; ; launch++) {
      const machine = await Machine.start(spec, host);
      await machine.go();
      journal.append({ kind: "state", node: spec.name, from: "off", to: "booting" });
      const boot = prepared.boot(machine);
      const booted = new AbortController();
      try {
        const watch = untilItRuns(machine, clock, booted.signal).then(() => boot);
        const node = await Promise.race([boot, watch]);
        journal.append({ kind: "state", node: spec.name, from: "booting", to: "up" });
        return node;
      } catch (error) {
        boot.catch(() => {}); // it ends with the machine
        if (!(error instanceof NeverRan) || launch === LAUNCHES) throw error;
        const text = `${error.message}: it is started once more`;
        journal.append({ kind: "fault", failure: { faultClass: "host", node: spec.name, text } });
        progress({ kind: "note", text });
        await machine.close();
      } finally {
        booted.abort();
      }
    }
  }

  async #startService(
    { name, index, nics, ends }: Slot,
    prepared: ServiceNode<unknown, string>,
    running: Running,
    savedFile: string | undefined,
  ): Promise<unknown> {
    const { clock, journal } = this.#place;
    const macs = Object.fromEntries(nics.map((nic, at) => [nic, macAddress(index, at)]));
    const service = running.scope.own(name, prepared.start({ name, nics: ends, macs, clock, journal }));
    if (savedFile !== undefined) service.restore(JSON.parse(await readFile(savedFile, "utf8")));
    running.services.set(name, service);
    return service.node;
  }

  async #startBoard(slot: Slot, prepared: BoardNode<unknown, string>, running: Running): Promise<unknown> {
    const { clock, journal, runFolder } = this.#place;
    const board = running.scope.own(slot.name, await prepared.start({ name: slot.name, clock, journal, runFolder }));
    for (const [nic, port] of slot.late) port.plug(board.ports[nic]);
    running.scope.defer(`NICs of ${slot.name}`, () => {
      for (const port of slot.late.values()) port.plug(undefined);
    });
    return board.node;
  }

  async #lay(name: string, { ports: portNames, impairment }: ReturnType<typeof linkPlan>): Promise<void> {
    const { runFolder, clock, journal } = this.#place;
    const ports: Port[] = [];
    for (const portName of portNames) ports.push(await this.#plug(portName));
    const path = join(runFolder, `${name}.pcapng`);
    const capture = this.#scope.own(`capture of ${name}`, new CaptureFile(path, portNames, clock));
    const link = new Link(name, ports, capture, { clock, journal }, impairment);
    this.#links.push(this.#scope.own(`link ${name}`, link));
  }

  /** The link's side of a NIC, by what its node is. */
  async #plug(portName: string): Promise<Port> {
    const [nodeName = "", nic = ""] = portName.split(".");
    const slot = this.#slots.find(({ name }) => name === nodeName);
    if (slot === undefined) throw new Fault("harness", `${portName}: the lab has no node ${nodeName}`);
    switch (slot.prepared.kind) {
      case "machine": {
        const port = this.#scope.own(portName, new QemuPort(portName));
        await port.listen(join(this.#socketFolder, portName));
        return port;
      }
      case "service": {
        const { link, node } = joinedPorts(portName);
        slot.ends[nic] = node;
        return link;
      }
      case "board": {
        const port = new LatePort(portName);
        slot.late.set(nic, port);
        return port;
      }
    }
  }

  #nicSpecs(name: string, index: number, nics: readonly string[]): NicSpec[] {
    return nics.map((nic, at) => ({
      socketPath: join(this.#socketFolder, `${name}.${nic}`),
      mac: macAddress(index, at),
    }));
  }

  async #keyOf(): Promise<string> {
    const parts: string[] = [JSON.stringify(this.#definition.links)];
    const accelerator = this.#accelerator?.accelerator ?? "tcg";
    if (this.#accelerator !== undefined) parts.push(await qemuVersion());
    for (const { name, index, nics, prepared } of this.#slots) {
      if (prepared.kind === "board") return "";
      parts.push(name, prepared.kind, prepared.key);
      if (prepared.kind === "machine") {
        const nowhere = { name, nics: this.#nicSpecs(name, index, nics), runFolder: this.#place.runFolder };
        const spec = await prepared.spec(nowhere);
        const line = qemuArguments(spec, { serial: "", monitor: "", consoleLog: "" }, accelerator);
        parts.push(line.join("\0").replaceAll(this.#socketFolder, "").replaceAll(this.#place.runFolder, ""));
      }
    }
    return contentKey(parts);
  }

  #throwIfDown(): void {
    if (this.#isDown) throw new Fault("host", "the lab was taken down while it came up");
  }
}

function hasSelfCheck(node: unknown): node is SelfCheck {
  return typeof node === "object" && node !== null && typeof (node as Partial<SelfCheck>).ailment === "function";
}

/** Locally administered, the same in every run: 02:43:00:00:NODE:NIC. */
function macAddress(node: number, nic: number): string {
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  return `02:43:00:00:${hex(node)}:${hex(nic)}`;
}

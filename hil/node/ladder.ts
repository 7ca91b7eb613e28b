/**
 * The state ladder of a node: off -> started -> bootloader -> kernel -> login -> shell or command line. `at` goes to a state by
 * the shortest way from wherever the node is, and lends a handle whose type is that state's.
 *
 * After a transition that failed the ladder is broken: it repeats the first cause until the node is power-cycled, because what
 * a second attempt finds is a consequence and hides the cause.
 */
import type { LabClock } from "../clock.ts";
import { Fault, isLabFault } from "../fault.ts";
import type { EventSink } from "../journal/journal.ts";
import { type Handle, type Keepable, Tenure } from "./handle.ts";

/**
 * `started`: power came or the processor was reset, and the boot loader has not been stopped. `unknown`: nobody has looked
 * yet; the way out of it goes through `off`.
 */
export type State = "unknown" | "off" | "started" | "bootloader" | "kernel" | "login" | "shell" | "cli";

/** The states that scenarios ask for, and the driver that each of them gives. */
export type Drivers = Readonly<Partial<Record<State, object>>>;

/** How long, and what for. */
export interface Budget {
  readonly withinMs: number;
  /** Completes "waiting for ...". */
  readonly reason: string;
}

/** One step between two states. */
export interface Transition {
  readonly from: State;
  readonly to: State;
  /** Completes "could not ...". */
  readonly what: string;
  readonly budget: Budget;
  run(budget: Budget): Promise<void>;
}

export interface LadderOptions<D extends Drivers> {
  readonly node: string;
  readonly clock: LabClock;
  readonly journal: EventSink;
  readonly transitions: readonly Transition[];
  /** Made once for each visit of a state. */
  readonly drivers: { readonly [S in keyof D]: () => D[S] };
  /** Takes away power from any state. Without it, a ladder that is broken stays so. */
  readonly powerOff: (() => Promise<void>) | undefined;
  /** Hears of each state before the transition to it runs and after it: for the texts that mean death in it. */
  readonly onState?: (to: State, phase: "entering" | "reached", from: State) => void;
  readonly state?: State | undefined;
}

/** A ladder that failed before, and says why. */
export class BrokenLadder extends Fault {
  constructor(node: string, first: Fault) {
    super(
      first.faultClass,
      `${node}: not tried again after its first failure; power-cycle it. The failure was:\n${first.message}`,
      {
        node,
        cause: first,
      },
    );
    this.name = "BrokenLadder";
  }
}

export class Ladder<D extends Drivers> {
  readonly node: string;
  readonly #options: LadderOptions<D>;
  #state: State;
  #tenures: Tenure[] = [];
  #broken: Fault | undefined;
  #moving: string | undefined;
  #switchingOff: Promise<void> | undefined;

  constructor(options: LadderOptions<D>) {
    this.node = options.node;
    this.#options = options;
    this.#state = options.state ?? "unknown";
  }

  get state(): State {
    return this.#state;
  }

  /** Why nothing more is tried, if something failed since the last power cycle. */
  get broken(): Fault | undefined {
    return this.#broken;
  }

  /**
   * Goes to the state, if the node is not in it, and lends its handle to `use`. A failure of the lab itself while the node
   * starts is answered by one power cycle; any other breaks the ladder. Throws the Fault of the transition that failed.
   */
  async at<S extends keyof D & State, R>(
    state: S,
    use: ((handle: Handle<S, D[S] & object>) => R) & Keepable<R>,
  ): Promise<Awaited<R>> {
    await this.go(state);
    const tenure = new Tenure(this.node, state);
    this.#tenures.push(tenure);
    try {
      return await use(tenure.bind<S, D[S] & object>(this.#options.drivers[state]() as D[S] & object));
    } finally {
      tenure.end("its callback is over");
      this.#tenures = this.#tenures.filter((each) => each !== tenure);
    }
  }

  /** Goes to a state without using it. */
  async go(state: State): Promise<void> {
    const joins = state === "off" && this.#switchingOff !== undefined;
    if (this.#moving !== undefined && !joins) {
      throw new Error(`${this.node}: asked for ${state} while it does this: ${this.#moving}`);
    }
    if (this.#broken !== undefined && state !== "off") throw new BrokenLadder(this.node, this.#broken);
    if (this.#state === state) return;
    if (state === "off") return await this.#powerOff();
    try {
      await this.#walk(state);
    } catch (error) {
      if (!this.#startsAgain(error)) throw error;
      this.#options.journal.append({
        kind: "message",
        text: `${this.node}: power-cycled once, because the lab was at fault: ${firstLine(error)}`,
      });
      await this.#powerOff();
      await this.#walk(state);
    }
  }

  /** Power off and on. It is what mends a broken ladder. */
  async powerCycle(): Promise<void> {
    await this.#powerOff();
    await this.go("started");
  }

  /** A driver's command took the node to another state: `boot` and `reset` do. Handles of the state before are stale. */
  moved(to: State, because: string): void {
    if (this.#state === to) return;
    for (const tenure of this.#tenures) tenure.end(`${because} took ${this.node} from ${this.#state} to ${to}`);
    this.#tenures = [];
    this.#enter(to);
  }

  #startsAgain(error: unknown): boolean {
    const isStart = this.#state === "off" || this.#state === "started" || this.#state === "kernel";
    return this.#options.powerOff !== undefined && isStart && error instanceof Fault && isLabFault(error.faultClass);
  }

  async #walk(to: State): Promise<void> {
    for (const transition of this.#way(to)) {
      if (transition.to === "off") await this.#powerOff();
      else await this.#step(transition);
    }
  }

  /** The fewest transitions; among equals those that are listed first. */
  #way(to: State): Transition[] {
    const ways = new Map<State, readonly Transition[]>([[this.#state, []]]);
    const queue: State[] = [this.#state];
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      const way = ways.get(at) ?? [];
      if (at === to) return [...way];
      for (const transition of [...this.#options.transitions, ...this.#cuts(at)]) {
        if (transition.from !== at || ways.has(transition.to)) continue;
        ways.set(transition.to, [...way, transition]);
        queue.push(transition.to);
      }
    }
    const known = [...new Set(this.#options.transitions.map((each) => each.to))].join(", ");
    throw new Fault("test", `${this.node}: no way leads from ${this.#state} to ${to}; its ladder has ${known}`, {
      node: this.node,
    });
  }

  #cuts(from: State): Transition[] {
    const cut = this.#options.powerOff;
    if (cut === undefined || from === "off") return [];
    return [{ from, to: "off", what: "switch it off", budget: { withinMs: 0, reason: "" }, run: () => cut() }];
  }

  async #step(transition: Transition): Promise<void> {
    const { to, what, budget } = transition;
    this.#moving = what;
    for (const tenure of this.#tenures) tenure.end(`${this.node} was told to ${what}`);
    this.#tenures = [];
    try {
      this.#options.onState?.(to, "entering", this.#state);
      await transition.run(budget);
      this.#enter(to);
    } catch (error) {
      this.#broken = asFault(error, `${this.node}: could not ${what} (it was in state ${this.#state})`, this.node);
      throw this.#broken;
    } finally {
      this.#moving = undefined;
    }
  }

  /** Asked for twice at once, it happens once. */
  async #powerOff(): Promise<void> {
    this.#switchingOff ??= this.#switchOff().finally(() => {
      this.#switchingOff = undefined;
    });
    await this.#switchingOff;
  }

  async #switchOff(): Promise<void> {
    const cut = this.#options.powerOff;
    if (cut === undefined) throw new Fault("bench", `${this.node}: its bench has no power switch`, { node: this.node });
    for (const tenure of this.#tenures) tenure.end(`${this.node} was switched off`);
    this.#tenures = [];
    this.#moving = "switch it off";
    try {
      await cut();
      this.#broken = undefined;
      this.#enter("off");
    } catch (error) {
      this.#broken = asFault(error, `${this.node}: could not switch it off`, this.node, "bench");
      throw this.#broken;
    } finally {
      this.#moving = undefined;
    }
  }

  #enter(to: State): void {
    const from = this.#state;
    this.#options.journal.append({ kind: "state", node: this.node, from, to });
    this.#state = to;
    this.#options.onState?.(to, "reached", from);
  }
}

/** What failed and where, in front of what the console or switch said. The class of a Fault stays; all else is the device's. */
function asFault(error: unknown, what: string, node: string, otherwise: "device" | "bench" = "device"): Fault {
  const faultClass = error instanceof Fault ? error.faultClass : otherwise;
  return new Fault(faultClass, `${what}:\n${error instanceof Error ? error.message : String(error)}`, {
    node,
    cause: error,
  });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n").slice(0, 2).join(" ");
}

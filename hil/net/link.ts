/**
 * One Ethernet segment: a cable between two ports, a learning switch between more. The walk of a frame:
 *
 * 1. its port hands it over; the cut cable loses it,
 * 2. traps look at it, in the order in which they were set, until one drops it,
 * 3. the lane of its sender delays, loses or harms it, as long as the link is impaired,
 * 4. it is recorded as it was sent, with a comment that says what was done to it, and the journal gets a `frame` event,
 * 5. when it is due, the ports of its receivers take it.
 *
 * The journal also hears of every trap that is hit and of everything that changes the line.
 */
import { basename } from "node:path";
import type { LabClock } from "../clock.ts";
import type { EventSink } from "../journal/journal.ts";
import type { CaptureFile } from "./capture-file.ts";
import { ControlWatch } from "./control-watch.ts";
import { DelayLine } from "./delay-line.ts";
import { dissect } from "./dissect.ts";
import { FragmentWatch } from "./fragment-watch.ts";
import { type Fault, type FaultKind, type Impairment, impairmentText, Lane, type Passage } from "./impairment.ts";
import type { Port } from "./port.ts";
import type { Query } from "./query.ts";
import { type Action, type Copy, type Occurrence, Trap } from "./trap.ts";

interface Side {
  readonly index: number;
  readonly port: Port;
  readonly node: string;
  readonly lane: Lane;
}

/** What a link lives in. */
interface LinkPlace {
  readonly clock: LabClock;
  readonly journal: EventSink;
}

/** `Node` are the names that `from` and directions may use. */
export class Link<Node extends string = string> {
  readonly name: string;
  readonly capture: CaptureFile;
  readonly #sides: readonly Side[];
  readonly #clock: LabClock;
  readonly #journal: EventSink;
  readonly #usual: Impairment | undefined;
  readonly #onTheWay: DelayLine;
  #control = new ControlWatch();
  readonly #fragments: FragmentWatch;
  readonly #faults = new Map<FaultKind, number>();
  /** Where each sender's MAC address was last seen. */
  readonly #learned = new Map<string, Port>();
  #traps: Trap[] = [];
  #isCut = false;
  #dropped = 0;

  /**
   * The capture's sides are these ports, in this order; a port's node is its name up to the first dot. `usual` is what the
   * line is like when nobody says otherwise.
   */
  constructor(
    name: string,
    ports: readonly Port[],
    capture: CaptureFile,
    { clock, journal }: LinkPlace,
    usual?: Impairment,
  ) {
    this.name = name;
    this.capture = capture;
    this.#clock = clock;
    this.#journal = journal;
    this.#usual = usual;
    this.#onTheWay = new DelayLine(clock);
    this.#fragments = new FragmentWatch(clock);
    this.#sides = ports.map((port, index) => ({
      index,
      port,
      node: port.name.replace(/\..*/, ""),
      lane: new Lane(index),
    }));
    journal.append({
      kind: "link",
      link: name,
      ports: ports.map((port) => port.name),
      capture: basename(capture.path),
    });
    if (usual !== undefined) this.impair(usual);
    for (const side of this.#sides) side.port.onFrame((frame) => this.#carry(side, frame));
  }

  /** Frames that no port took because its node did not keep up. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How often each fault was injected since the lab came up; traps that let frames pass count too. */
  get faults(): ReadonlyMap<FaultKind, number> {
    return this.#faults;
  }

  /**
   * Makes the line bad, or with `undefined` good again, for all frames or for those that one node sends. Each direction
   * counts its frames from here on: the same seed gives the n-th of them the same fate.
   */
  impair(impairment: Impairment | undefined, sentBy?: Node): void {
    if (sentBy !== undefined) this.#rejectStranger(sentBy);
    this.#impair(impairment, sentBy);
    this.#say(`${impairmentText(impairment)}${sentBy === undefined ? "" : ` for what ${sentBy} sends`}`);
  }

  /** Loses every frame, those on their way too, until `restore`. The machines' network cards do not notice: their carrier stays. */
  cut(): void {
    this.#isCut = true;
    this.#say("cut: every frame is lost");
  }
  restore(): void {
    this.#isCut = false;
    this.#say("restored: frames pass again");
  }

  /** `link.trap(drop, nth(1), lcp.code("configure-ack"), from("mobile"))`: a frame must match all queries. */
  trap(action: Action, occurrence: Occurrence, ...queries: readonly [Query<Node>, ...Query<Node>[]]): Trap {
    for (const name of queries.flatMap((query) => query.nodes)) this.#rejectStranger(name);
    const trap = new Trap(action, occurrence, queries, this.#clock);
    this.#traps.push(trap);
    return trap;
  }

  /** Takes every trap away, mends the cut, and makes the line as the lab declares it. What is on its way arrives. */
  heal(): void {
    this.#heal();
    this.#say(`healed: no traps, no cut, ${impairmentText(this.#usual)}`);
  }

  /** As new, for other machines: healed, nothing on its way, no address learned. */
  reset(): void {
    this.#heal();
    this.#onTheWay.clear();
    this.#learned.clear();
    this.#control = new ControlWatch();
    this.#fragments.close();
  }

  #heal(): void {
    for (const trap of this.#traps) trap.remove();
    this.#traps = [];
    this.#impair(this.#usual);
    this.#isCut = false;
  }

  /** What is on its way is lost. */
  close(): void {
    this.#onTheWay.close();
    this.#fragments.close();
  }

  #impair(impairment: Impairment | undefined, sentBy?: Node): void {
    for (const { node, lane } of this.#sides) if (sentBy === undefined || node === sentBy) lane.impair(impairment);
  }

  #say(text: string): void {
    this.#journal.append({ kind: "line", link: this.name, text });
  }

  #carry(from: Side, frame: Buffer): void {
    if (frame.length < 14) return; // no Ethernet header
    const number = this.capture.frames + 1;
    const receivers = this.#receivers(from.port, frame);
    const { passages, faults } = this.#isCut ? LOST_ON_CUT : this.#pass(from, frame);
    const notes = faults.map(({ note }) => note);
    let isRecorded = false;
    for (const { kind } of faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
    for (const passage of passages) {
      this.#onTheWay.add(passage.dueNs, () => {
        const full = this.#isCut ? [] : receivers.filter((port) => !port.send(passage.frame));
        this.#dropped += full.length;
        if (full.length === 0) return;
        const dropped = `dropped: ${full.map((port) => port.name).join(", ")} is full`;
        // A frame that was delayed is in the capture already, without this.
        if (isRecorded) this.#say(`frame ${number} ${dropped}`);
        else notes.push(dropped);
      });
    }
    this.capture.record(from.index, frame, notes.length === 0 ? undefined : notes.join("; "));
    isRecorded = true;
    this.#journal.append({
      kind: "frame",
      link: this.name,
      number,
      side: from.index,
      length: frame.length,
      ...(notes.length === 0 ? {} : { faults: notes }),
    });
  }

  #pass(from: Side, frame: Buffer): { readonly passages: readonly Passage[]; readonly faults: readonly Fault[] } {
    const nowNs = this.#clock.nowNs();
    const faults: Fault[] = [];
    const passages: Passage[] = [];
    for (const copy of this.#throughTraps(from, frame, faults)) {
      const passed = from.lane.pass(copy.frame, nowNs);
      faults.push(...passed.faults);
      const heldNs = BigInt(Math.round(copy.heldMs * 1e6));
      passages.push(...passed.passages.map((each) => ({ ...each, dueNs: each.dueNs + heldNs })));
    }
    return { passages, faults };
  }

  #throughTraps(from: Side, frame: Buffer, faults: Fault[]): readonly Copy[] {
    const dissection = dissect(this.#fragments.whole(frame));
    const messages = this.#control.see(dissection.tcp);
    let copies: readonly Copy[] = [{ frame, heldMs: 0 }];
    if (this.#traps.length === 0) return copies;
    const sighting = { ...dissection, node: from.node, messages };
    for (const trap of this.#traps) {
      const [copy] = copies;
      if (copy === undefined) break;
      const sprung = trap.spring(sighting, copy.frame, this.capture.frames + 1);
      if (sprung === undefined) continue;
      const { hit, copies: lets } = sprung;
      this.#journal.append({ kind: "trap", link: this.name, rule: trap.says, frame: hit.frame, count: hit.count });
      const why = lets.flatMap(({ note }) => (note === undefined ? [] : [`; ${note}`])).join("");
      faults.push({ kind: "trapped", note: `trap: ${trap.says}${why}` });
      copies = copies.flatMap(({ heldMs }) => lets.map((each) => ({ ...each, heldMs: heldMs + each.heldMs })));
    }
    return copies;
  }

  #receivers(from: Port, frame: Buffer): readonly Port[] {
    const others = this.#sides.map(({ port }) => port).filter((port) => port !== from);
    if (others.length === 1) return others;
    this.#learned.set(frame.toString("hex", 6, 12), from);
    const toGroup = (frame.readUInt8(0) & 1) === 1;
    const known = toGroup ? undefined : this.#learned.get(frame.toString("hex", 0, 6));
    if (known === undefined) return others;
    return known === from ? [] : [known];
  }

  #rejectStranger(name: string): void {
    const nodes = this.#sides.map(({ node }) => node);
    if (!nodes.includes(name)) throw new Error(`${name} is not on link ${this.name}; there are ${nodes.join(", ")}`);
  }
}

const LOST_ON_CUT = { passages: [], faults: [{ kind: "cut", note: "lost: the link is cut" }] } as const;

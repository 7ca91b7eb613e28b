/** What the page of a run is given: everything it shows, in seconds since the run began. Written by `flight-data.ts`. */

export interface PageData {
  readonly title: string;
  /** Seconds from the first event to the last. */
  readonly length: number;
  /** Names of the kinds of traffic; everything else counts in their order. */
  readonly traffic: readonly (readonly [id: string, name: string, what: string])[];
  readonly nodes: readonly PageNode[];
  readonly links: readonly PageLink[];
  readonly scenarios: readonly PageScenario[];
  /** In the order of time. */
  readonly rows: readonly PageRow[];
  /** In the order of time. */
  readonly marks: readonly PageMark[];
  /** Where a reader should look first; absent when nothing failed. */
  readonly focus?: { readonly from: number; readonly to: number; readonly at: number; readonly frame?: string };
}

export interface PageNode {
  readonly name: string;
  readonly role: string;
  readonly what: string;
  /** What the node is in, from that time on. */
  readonly states: readonly (readonly [at: number, name: string, kind: "off" | "on" | "state" | "bad"])[];
  readonly lines: readonly PageLine[];
  /** How many lines were left out before the line of this index, to keep the page small; 0 for none. */
  readonly left: { readonly before: number; readonly count: number; readonly file: string };
}

/** Kind: 0 the machine said it, 1 the lab noted it, 2 the machine said it and is dying. */
export type PageLine = readonly [at: number, kind: 0 | 1 | 2, text: string];

export interface PageLink {
  readonly name: string;
  /** Indices of nodes. */
  readonly nodes: readonly number[];
  readonly file: string;
  readonly frames: number;
  readonly problem: string | undefined;
  /** Every frame, packed by `packFrames`. */
  readonly track: string;
}

export interface PageScenario {
  readonly name: string;
  readonly claim: string;
  readonly verdict: string;
  readonly because: string | undefined;
  readonly attempts: readonly {
    readonly from: number;
    readonly to: number;
    readonly steps: readonly PageStep[];
  }[];
}

export interface PageStep {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly failure: string | undefined;
  readonly fault: string | undefined;
  readonly open: boolean;
}

/** One arrow of the sequence diagram: a packet, or a burst of data between two of them. */
export interface PageRow {
  readonly at: number;
  /** Of a burst: its last frame. */
  readonly to?: number;
  readonly link: number;
  /** Indices of nodes; -1 is everybody. */
  readonly source: number;
  readonly target: number;
  readonly traffic: number;
  readonly label: string;
  /** The frame's number in the capture; of a burst, the first. */
  readonly frame: number;
  /** Of a burst: what there was, each way. */
  readonly flows?: readonly PageFlow[];
  readonly fields?: readonly (readonly [name: string, value: string])[];
  /** The frame in hexadecimal; absent when the page would grow too large. */
  readonly hex?: string;
  /** The frame's length in bytes; of a burst, of all frames. */
  readonly bytes: number;
  /** What the lab did to it. */
  readonly fault?: string;
  /** What it complains of. */
  readonly wrong?: string;
}

export interface PageFlow {
  readonly source: number;
  readonly target: number;
  readonly traffic: number;
  readonly frames: number;
  readonly bytes: number;
}

export interface PageMark {
  readonly at: number;
  /** `fault` and `trap` are done on purpose, `omen` was found. */
  readonly kind: "trap" | "fault" | "line" | "power" | "omen" | "snapshot" | "message" | "failure";
  readonly where: string;
  readonly text: string;
}

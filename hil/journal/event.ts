/**
 * What happened in a run, one event after the other. Reports, the live view and replay are functions of these and of the
 * captures; nothing else remembers a run.
 */
import type { FaultClass } from "../fault.ts";

/** `device` is under test, `peer` talks to it, `service` is part of the network and runs in this process. */
export type NodeRole = "device" | "peer" | "service";

/** `blocked`: not run, because something it needs had failed. `impossible`: nothing here can show it. `flaky`: passed after a fault of the lab. */
export type Verdict = "pass" | "fail" | "flaky" | "blocked" | "impossible" | "quarantined";

export interface Failure {
  readonly faultClass: FaultClass;
  readonly node?: string | undefined;
  /** For people; several lines. */
  readonly text: string;
}

export type EventBody =
  /** The first event. `facts` are names and values for the report's head: accelerator, bench, seed, version. */
  | { readonly kind: "run"; readonly suite: string; readonly title: string; readonly command: readonly string[] }
  | { readonly kind: "fact"; readonly name: string; readonly value: string }
  | { readonly kind: "node"; readonly node: string; readonly role: NodeRole; readonly what: string }
  /** `ports` are `node.nic` in the order of the capture's interfaces; `capture` is a file beside the journal. */
  | { readonly kind: "link"; readonly link: string; readonly ports: readonly string[]; readonly capture: string }
  /** Bytes on a serial line as Latin-1 text, one character a byte. `rx` came from the machine, `tx` was typed. */
  | { readonly kind: "console"; readonly node: string; readonly direction: "rx" | "tx"; readonly text: string }
  /** What a driver asked or understood, in words: the line a person reads instead of frames and base64. */
  | { readonly kind: "note"; readonly node: string; readonly text: string }
  /** `number` is the frame's place in the link's capture, from 1 as Wireshark counts; `side` indexes the link's ports. */
  | {
      readonly kind: "frame";
      readonly link: string;
      readonly number: number;
      readonly side: number;
      readonly length: number;
      /** What was done to it on purpose; also its comment in the capture. */
      readonly faults?: readonly string[] | undefined;
    }
  | { readonly kind: "power"; readonly node: string; readonly to: "on" | "off"; readonly by: string }
  | { readonly kind: "state"; readonly node: string; readonly from: string; readonly to: string }
  | { readonly kind: "scenario-begin"; readonly scenario: string; readonly claim: string; readonly attempt: number }
  | {
      readonly kind: "scenario-end";
      readonly scenario: string;
      readonly claim: string;
      readonly verdict: Verdict;
      /** For a verdict that is neither `pass` nor `fail`: why. */
      readonly because?: string | undefined;
    }
  /** `step` numbers the steps of a run. */
  | { readonly kind: "step-begin"; readonly scenario: string; readonly step: number; readonly name: string }
  | { readonly kind: "step-end"; readonly step: number; readonly failure?: Failure | undefined }
  | {
      readonly kind: "trap";
      readonly link: string;
      readonly rule: string;
      readonly frame: number;
      readonly count: number;
    }
  /** An impairment, a cut, a repair of a link; text says which. */
  | { readonly kind: "line"; readonly link: string; readonly text: string }
  /** `key` names the snapshot by its content. */
  | {
      readonly kind: "snapshot";
      readonly did: "saved" | "restored" | "refused";
      readonly stage: string;
      readonly key: string;
      /** For `refused`: why the lab boots instead. */
      readonly because?: string | undefined;
    }
  | { readonly kind: "fault"; readonly failure: Failure }
  /** What the run told the person who watches. */
  | { readonly kind: "message"; readonly text: string };

export type Event = EventBody & {
  /** Nanoseconds since 1970-01-01 UTC on the run's clock; never smaller than the event's before. */
  readonly atNs: bigint;
};

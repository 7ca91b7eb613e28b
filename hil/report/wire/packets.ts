/** The frames of a link's capture in words, with the nodes that sent and got them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CapturedPacket, parsePcapng } from "../../../appliance/wire/pcapng.ts";
import { ControlWatch } from "../../net/control-watch.ts";
import { dissect } from "../../net/dissect.ts";
import type { LinkResult } from "../run-report.ts";
import { describeFrame } from "./packet.ts";
import type { Words } from "./traffic.ts";

export interface Packet extends Words {
  readonly link: string;
  /** Its place in the capture, from 1 as Wireshark counts. */
  readonly number: number;
  readonly side: number;
  readonly atNs: bigint;
  readonly from: string;
  /** Undefined: it was for everybody, or for a machine that had not spoken yet. */
  readonly to: string | undefined;
  readonly bytes: Buffer;
  /** What the lab did to it on purpose. */
  readonly fault: string | undefined;
}

/** After one of these, a reset of the control connection is how it ends. */
const CLOSING: ReadonlySet<string> = new Set([
  "stop-control-connection-request",
  "stop-control-connection-reply",
  "call-clear-request",
  "call-disconnect-notify",
]);

/** The capture of a link; `problem` says in words why there is less than there was. */
export interface LinkPackets {
  readonly packets: readonly Packet[];
  readonly problem: string | undefined;
}

export function readPackets(folder: string, link: LinkResult): LinkPackets {
  const path = join(folder, link.capture);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return {
      packets: [],
      problem: `the capture cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
  const capture = parsePcapng(bytes);
  if (!capture.ok) return { packets: [], problem: `${link.capture} is no capture (${capture.fault})` };
  const problem =
    capture.value.packets.length < link.frames
      ? `the capture holds ${capture.value.packets.length} of ${link.frames} frames: the run ended before the others were written`
      : undefined;
  return { packets: describePackets(link, capture.value.packets), problem };
}

/** `captured` in the order of the file. */
export function describePackets(link: LinkResult, captured: readonly CapturedPacket[]): Packet[] {
  const nodes = link.ports.map((port) => port.replace(/\..*/, ""));
  const watch = new ControlWatch();
  const homes = new Map<number, string>();
  const closing = new Set<string>();
  return captured.map(({ interfaceIndex, timestampNs, bytes, comment }, index) => {
    const from = nodes[interfaceIndex] ?? `port ${interfaceIndex}`;
    const dissection = dissect(bytes);
    const messages = watch.see(dissection.tcp);
    const { tcp } = dissection;
    const connection = tcp && [tcp.source, tcp.destination].sort().join(" ");
    if (connection !== undefined && tcp?.isSyn) closing.delete(connection);
    if (connection !== undefined && messages.some(({ type }) => CLOSING.has(type))) closing.add(connection);
    const isClosing = connection !== undefined && closing.has(connection);
    const { traffic, label, fields, wrong } = describeFrame(bytes, messages, { dissection, isClosing });
    let to = nodes[1 - interfaceIndex];
    if (nodes.length !== 2) {
      if (bytes.length >= 12) homes.set(bytes.readUIntBE(6, 6), from);
      to = bytes.length < 12 ? undefined : homes.get(bytes.readUIntBE(0, 6));
    }
    return {
      link: link.link,
      number: index + 1,
      side: interfaceIndex,
      atNs: timestampNs,
      from,
      to,
      bytes,
      fault: comment,
      traffic,
      label,
      fields,
      wrong,
    };
  });
}

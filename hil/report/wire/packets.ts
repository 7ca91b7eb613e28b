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
  return captured.map(({ interfaceIndex, timestampNs, bytes, comment }, index) => {
    const from = nodes[interfaceIndex] ?? `port ${interfaceIndex}`;
    const dissection = dissect(bytes);
    const { traffic, label, fields, wrong } = describeFrame(bytes, watch.see(dissection.tcp), dissection);
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

/** A trace on the console: a line a packet, or the whole file in base64 for those who have nothing but a serial line. */
import { createHash } from "node:crypto";
import { describePacket } from "../service/describe-packet.ts";
import type { TraceStatus } from "../service/trace.ts";
import { WIDTH } from "./output.ts";

const BASE64_WIDTH = 76;

export function traceLines({ isRecording, isFull, packets }: TraceStatus): readonly string[] {
  const state = isFull ? "It is full" : isRecording ? "It goes on" : "It has stopped";
  const [first] = packets;
  if (first === undefined) return [isRecording ? "Nothing was recorded yet." : "Nothing was recorded: trace start."];
  return [
    `${packets.length} packets. ${state}.`,
    ...packets.map(({ at, direction, bytes }) => {
      const seconds = ((at.getTime() - first.at.getTime()) / 1000).toFixed(3).padStart(9);
      return `${seconds} ${direction.padEnd(3)} ${describePacket(bytes)}`.slice(0, WIDTH);
    }),
  ];
}

/** Between two marks, with what proves that it arrived whole. */
export function pcapngLines(file: Buffer): readonly string[] {
  const text = file.toString("base64");
  const lines = text.match(new RegExp(`.{1,${BASE64_WIDTH}}`, "g")) ?? [];
  return [
    `-----BEGIN TRACE ${file.length} bytes-----`,
    ...lines,
    "-----END TRACE-----",
    `sha256 ${createHash("sha256").update(file).digest("hex")}`,
    "To keep it: copy the lines between the marks, then  base64 -d >trace.pcapng",
  ];
}

/** Trap actions that change what a frame carries in the words of its protocol: a Call ID, a sequence number, a result code. */
import {
  type ControlMessage,
  controlMessageLength,
  emitControlMessage,
  parseControlMessage,
} from "../../appliance/wire/control-message.ts";
import type { CpPacket } from "../../appliance/wire/cp-packet.ts";
import { emitGre, type GrePacket } from "../../appliance/wire/gre.ts";
import { dissect, repairChecksums } from "./dissect.ts";
import type { Action } from "./trap.ts";

const ETHERNET_HEADER = 14;
const SHORTEST_FRAME = 60;
const TCP_HEADER = 20;
const TCP_RST_ACK = 0x14;

/**
 * `editMessage("outgoing-call-reply", (message) => ({ ...message, peersCallId: 99 }))`: changes every message of this type
 * that lies whole in the frame; one that is cut over two passes, and the frame's comment says so. The type stays, so that
 * TCP's numbers stay right.
 */
export function editMessage<const T extends ControlMessage["type"]>(
  type: T,
  change: (message: Extract<ControlMessage, { type: T }>) => Extract<ControlMessage, { type: T }>,
): Action {
  return {
    says: `edit ${type}`,
    act: (frame) => {
      const edited = Buffer.from(frame);
      let rest = dissect(edited).tcp?.payload ?? Buffer.alloc(0);
      let changes = 0;
      for (let length = controlMessageLength(rest); length?.ok === true; length = controlMessageLength(rest)) {
        const message = parseControlMessage(rest.subarray(0, length.value));
        if (message.ok && isOf(message.value, type)) {
          emitControlMessage(change(message.value)).copy(rest);
          changes++;
        }
        rest = rest.subarray(Math.min(length.value, rest.length));
      }
      repairChecksums(edited);
      return [{ frame: edited, heldMs: 0, ...(changes === 0 && { note: `no whole ${type} lies in this frame` }) }];
    },
  };
}

/** `editGre((packet) => ({ ...packet, sequence: 5 }))`; of fragments nothing is changed, and the comment says so. */
export function editGre(change: (packet: GrePacket) => GrePacket): Action {
  return {
    says: "edit GRE",
    act: (frame) => {
      const { gre } = dissect(frame);
      if (gre === undefined) return [{ frame, heldMs: 0, note: "no whole GRE packet lies in this frame" }];
      const headers = frame.subarray(0, ETHERNET_HEADER + (frame.readUInt8(ETHERNET_HEADER) & 15) * 4);
      const bytes = emitGre(change(gre));
      const edited = Buffer.alloc(Math.max(SHORTEST_FRAME, headers.length + bytes.length));
      headers.copy(edited);
      bytes.copy(edited, headers.length);
      edited.writeUInt16BE(headers.length - ETHERNET_HEADER + bytes.length, ETHERNET_HEADER + 2);
      repairChecksums(edited);
      return [{ frame: edited, heldMs: 0 }];
    },
  };
}

/** Makes a TCP segment a reset of its connection at the same place of the stream, as a firewall does that ends what it dislikes. */
export const reset: Action = {
  says: "reset",
  act: (frame) => {
    const headers = ETHERNET_HEADER + (frame.readUInt8(ETHERNET_HEADER) & 15) * 4;
    if (dissect(frame).tcp === undefined)
      return [{ frame, heldMs: 0, note: "no whole TCP segment lies in this frame" }];
    const edited = Buffer.alloc(Math.max(SHORTEST_FRAME, headers + TCP_HEADER));
    frame.copy(edited, 0, 0, headers + TCP_HEADER);
    edited.writeUInt16BE(headers + TCP_HEADER - ETHERNET_HEADER, ETHERNET_HEADER + 2);
    edited.writeUInt8((TCP_HEADER / 4) << 4, headers + 12);
    edited.writeUInt8(TCP_RST_ACK, headers + 13);
    repairChecksums(edited);
    return [{ frame: edited, heldMs: 0 }];
  },
};

/** `editControl("shrink the MRU", (_, bytes) => bytes.writeUInt16BE(10, 6))`: changes the control packet (LCP, CCP, IPCP ...) inside a GRE frame in place; its length stays. */
export function editControl(says: string, change: (packet: CpPacket, bytes: Buffer) => void): Action {
  return {
    says,
    act: (frame) => {
      const edited = Buffer.from(frame);
      const { ppp, cp } = dissect(edited);
      if (ppp === undefined || cp === undefined)
        return [{ frame, heldMs: 0, note: "no whole control packet lies in this frame" }];
      change(cp, ppp.payload); // both are views into the copy
      return [{ frame: edited, heldMs: 0 }];
    },
  };
}

function isOf<T extends ControlMessage["type"]>(
  message: ControlMessage,
  type: T,
): message is Extract<ControlMessage, { type: T }> {
  return message.type === type;
}

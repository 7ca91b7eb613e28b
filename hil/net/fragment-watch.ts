/** Shows a link's traps whole packets: with the last fragment to arrive comes the packet that it completes. */
import type { LabClock } from "../clock.ts";
import { emitIpv4Packet, parseIpv4Packet } from "./ip/packet.ts";
import { Reassembler } from "./ip/reassembly.ts";

const ETHERNET_HEADER = 14;
const ETHERTYPE_IPV4 = 0x0800;
/** More fragments, and the offset. */
const FRAGMENT = 0x3fff;

export class FragmentWatch {
  readonly #reassembler: Reassembler;

  constructor(clock: LabClock) {
    this.#reassembler = new Reassembler(clock);
  }

  /** The frame, or what it would be if its packet had not been cut; a fragment that completes nothing stays one. */
  whole(frame: Buffer): Buffer {
    const isFragment =
      frame.length >= ETHERNET_HEADER + 20 &&
      frame.readUInt16BE(12) === ETHERTYPE_IPV4 &&
      (frame.readUInt16BE(ETHERNET_HEADER + 6) & FRAGMENT) !== 0;
    if (!isFragment) return frame;
    const fragment = parseIpv4Packet(frame.subarray(ETHERNET_HEADER));
    const packet = fragment.ok ? this.#reassembler.add(fragment.value) : undefined;
    return packet === undefined ? frame : Buffer.concat([frame.subarray(0, ETHERNET_HEADER), emitIpv4Packet(packet)]);
  }

  close(): void {
    this.#reassembler.close();
  }
}

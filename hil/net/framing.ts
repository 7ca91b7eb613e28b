/** QEMU's `-netdev stream` framing: each Ethernet frame after its length in four bytes, big endian. */

/** A NIC with segmentation offload may hand over super-frames of 64 KiB; anything larger is a broken stream. */
const LONGEST_FRAME = 65_535 + 64;

export function emitStreamFrame(frame: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(4 + frame.length);
  framed.writeUInt32BE(frame.length, 0);
  frame.copy(framed, 4);
  return framed;
}

/** Cuts a byte stream into frames. The frames are views that stay valid. */
export class StreamSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that this piece completes. Throws on a length that no Ethernet frame has. */
  push(piece: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const frames: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length > LONGEST_FRAME) throw new Error(`frame of ${length} bytes: this is not a QEMU network stream`);
      if (bytes.length - at < 4 + length) break;
      frames.push(bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}

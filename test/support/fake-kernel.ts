/** A kernel of one sector: prints its command line on the first serial port and ends QEMU. Linux' Documentation/x86/boot.rst. */

/** QEMU ends with this status: isa-debug-exit gives (0x10 << 1) | 1. */
export const FAKE_KERNEL_STATUS = 33;
export const FAKE_KERNEL_DEVICE = "isa-debug-exit,iobase=0x501,iosize=1";

const SECTOR = 512;

export function fakeKernel(): Buffer {
  const image = Buffer.alloc(3 * SECTOR);
  image.writeUInt8(1, 0x1f1); // sectors of set-up code
  image.writeUInt32LE(SECTOR / 16, 0x1f4); // size of what is loaded high, in 16 bytes
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt16LE(0x020c, 0x206); // protocol 2.12
  image.writeUInt8(1, 0x211); // it is loaded high
  image.writeUInt32LE(0x100000, 0x214); // to here, and started here
  image.writeUInt32LE(0x7fffffff, 0x22c); // an initramfs may be anywhere
  image.writeUInt32LE(0x100000, 0x230); // alignment
  image.writeUInt32LE(2047, 0x238); // longest command line
  image.writeBigUInt64LE(0x100000n, 0x258); // where it would like to be
  image.writeUInt32LE(0x10000, 0x260); // memory that it needs there
  Buffer.from(
    [
      "8bbe28020000", // mov edi, [esi+0x228]: the command line's address, in the boot parameters
      "66baf803", //     mov dx, 0x3f8
      "8a07", //      1: mov al, [edi]
      "47", //           inc edi
      "84c0", //         test al, al
      "7403", //         jz 2f
      "ee", //           out dx, al
      "ebf6", //         jmp 1b
      "b00a", //      2: mov al, 10
      "ee", //           out dx, al
      "66ba0105", //     mov dx, 0x501
      "b010", //         mov al, 0x10
      "ee", //           out dx, al
      "f4", //        3: hlt
      "ebfd", //         jmp 3b
    ].join(""),
    "hex",
  ).copy(image, 2 * SECTOR);
  return image;
}

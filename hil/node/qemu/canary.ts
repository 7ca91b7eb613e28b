/** A 64 KiB "BIOS" that counts to twenty million and ends QEMU: the race that tells a working accelerator from one that only opens. */

/** QEMU's exit status after the canary has finished: isa-debug-exit gives (0x10 << 1) | 1. */
export const CANARY_STATUS = 33;
export const CANARY_DEVICE = "isa-debug-exit,iobase=0x501,iosize=1";

const SIZE = 0x10000;
const CODE_AT = 0x100;
const STEPS = 20_000_000;

export function canaryBios(): Buffer {
  const bios = Buffer.alloc(SIZE, 0xf4); // hlt
  const steps = Buffer.alloc(4);
  steps.writeUInt32LE(STEPS);
  Buffer.concat([
    Buffer.from([0x66, 0xb9]), // mov ecx, STEPS
    steps,
    Buffer.from([0x66, 0x49]), // dec ecx
    Buffer.from([0x75, 0xfc]), // jnz back to the dec
    Buffer.from([0xba, 0x01, 0x05]), // mov dx, 0x501
    Buffer.from([0xb0, 0x10]), // mov al, 0x10
    Buffer.from([0xee]), // out dx, al: QEMU exits
  ]).copy(bios, CODE_AT);
  // The reset vector, 16 bytes below the top: jmp f000:0100
  Buffer.from([0xea, 0x00, 0x01, 0x00, 0xf0]).copy(bios, SIZE - 16);
  return bios;
}

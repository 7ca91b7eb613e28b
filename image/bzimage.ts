/**
 * Takes the plain kernel (vmlinux, an ELF file) out of a bzImage: Linux' Documentation/x86/boot.rst, protocol 2.08.
 * QEMU starts it by PVH. A bzImage would unpack itself on the emulated processor, which takes six seconds without KVM.
 */
import { gunzipSync } from "node:zlib";
import { isElf, parseElf } from "./elf.ts";
import { ImageError } from "./failure.ts";
import { filterBytes } from "./host-tool.ts";

const XZ = "fd377a585a00";
const GZIP = "1f8b";
/** The decompressed size, little endian, that the kernel's build appends to the payload. */
const SIZE_TRAILER = 4;

/** At 0x38 of an arm64 `Image`: Linux' Documentation/arm64/booting.rst. */
const ARM64_MAGIC = "ARM\x64";
/** ELF e_machine. */
const EM_MIPS = 8;

/**
 * Throws an ImageError when `image` is no bzImage or is compressed in a way that is not known here. An arm64 `Image` is plain
 * already, and a MIPS kernel is an ELF file that unpacks itself.
 */
export async function plainKernel(image: Buffer): Promise<Buffer> {
  if (image.toString("latin1", 0x38, 0x3c) === ARM64_MAGIC) return image;
  if (isElf(image) && parseElf(image, "the kernel").machine === EM_MIPS) return image;
  if (image.length < 0x250 || image.toString("latin1", 0x202, 0x206) !== "HdrS" || image.readUInt16LE(0x206) < 0x208) {
    throw new ImageError("the kernel is not a bzImage of boot protocol 2.08 or later");
  }
  const realModeSectors = image.readUInt8(0x1f1) || 4;
  const start = (realModeSectors + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - SIZE_TRAILER);
  const kernel = await unpack(payload);
  if (!isElf(kernel)) throw new ImageError("the bzImage holds no ELF kernel");
  return kernel;
}

async function unpack(payload: Buffer): Promise<Buffer> {
  if (payload.toString("hex", 0, 6) === XZ) return await filterBytes("xz", ["-dc"], [payload]);
  if (payload.toString("hex", 0, 2) === GZIP) return gunzipSync(payload);
  throw new ImageError(`the bzImage is compressed in an unknown way (it begins with ${payload.toString("hex", 0, 6)})`);
}

/** fast-check arbitraries that several codec tests share. */
import fc from "fast-check";

/** Records whose prototype `deepEqual` accepts. */
export const PLAIN = { noNullPrototype: true } as const;

export const u8 = fc.nat(0xff);
export const u16 = fc.nat(0xffff);
export const u32 = fc.nat(0xffffffff);

export function octets(maxLength: number, minLength = 0): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));
}

/** Text that survives a NUL-terminated Latin-1 field of `width` bytes. */
export function text(width: number): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength: width, min: 1 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
}

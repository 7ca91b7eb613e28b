/** Texts after which nothing good comes, for each rung of the ladder: while such text is on the line, waiting is in vain. */
import type { Pattern } from "./pattern.ts";

/** kernel/panic.c and the `die` functions of x86, ARM and MIPS. */
export const LINUX_DEATH: readonly Pattern[] = [
  "Kernel panic - not syncing",
  "Oops: ",
  "Oops[#",
  "BUG: unable to handle",
  "Unable to handle kernel ",
];

/** lib/hang.c and arch/arm/lib/interrupts*.c of U-Boot. */
export const UBOOT_DEATH: readonly Pattern[] = [
  "### ERROR ### Please RESET the board",
  '"Synchronous Abort" handler',
  "data abort",
  "prefetch abort",
  "undefined instruction",
];

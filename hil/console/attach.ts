/** A person's terminal on a serial line: keys go to the line, its bytes to the screen, and Ctrl-] leaves. */
import process from "node:process";
import type { Duplex } from "node:stream";

/** Ctrl-], as telnet and virsh have it. */
const LEAVE = 0x1d;

/** A terminal; that of this process unless a test plays one. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly output: NodeJS.WritableStream;
}

export type Left = "by-key" | "input-ended" | "line-ended" | "signal";

/**
 * Returns when the person leaves, the input ends or the line does; the line is left as it is. Whoever else listens to the line
 * hears everything all the same: the screen takes nothing away.
 */
export async function attach(
  line: Duplex,
  { input, output }: Terminal = { input: process.stdin, output: process.stdout },
): Promise<Left> {
  if (input.isTTY === true) input.setRawMode?.(true);
  const show = (bytes: Buffer): void => void output.write(bytes);
  const undo: (() => void)[] = [];
  try {
    return await new Promise<Left>((resolve) => {
      const type = (bytes: Buffer): void => {
        const leave = bytes.indexOf(LEAVE);
        line.write(leave < 0 ? bytes : bytes.subarray(0, leave));
        if (leave >= 0) resolve("by-key");
      };
      const ended = (): void => resolve("line-ended");
      const inputEnded = (): void => resolve("input-ended");
      line.on("data", show);
      line.once("close", ended);
      line.once("error", ended);
      input.on("data", type);
      input.once("end", inputEnded);
      undo.push(
        () => void line.off("data", show),
        () => void line.off("close", ended),
        () => void line.off("error", ended),
        () => void input.off("data", type),
        () => void input.off("end", inputEnded),
      );
      for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) {
        const left = (): void => resolve("signal");
        process.once(signal, left);
        undo.push(() => void process.off(signal, left));
      }
    });
  } finally {
    for (const each of undo) each();
    if (input.isTTY === true) input.setRawMode?.(false);
    input.pause();
  }
}

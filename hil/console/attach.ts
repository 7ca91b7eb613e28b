/** A person's terminal on a console: keys go to the line, its bytes to the screen, and Ctrl-] leaves. */
import process from "node:process";
import type { Console } from "./console.ts";

/** Ctrl-], as telnet and virsh have it. */
const LEAVE = 0x1d;

/** A terminal; that of this process unless a test plays one. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly output: NodeJS.WritableStream;
}

export type Left = "by-key" | "input-ended" | "line-ended" | "signal";

/**
 * Returns when the person leaves, the input ends or the line does; the line is left as it is. Whoever waits for something on the
 * console hears everything all the same, and what the person types is in the journal, at the pace that the line takes.
 */
export async function attach(
  console: Pick<Console, "tap" | "write" | "closed">,
  { input, output }: Terminal = { input: process.stdin, output: process.stdout },
): Promise<Left> {
  if (input.isTTY === true) input.setRawMode?.(true);
  const undo: (() => void)[] = [];
  try {
    return await new Promise<Left>((resolve) => {
      const type = (bytes: Buffer): void => {
        const leave = bytes.indexOf(LEAVE);
        const keys = leave < 0 ? bytes : bytes.subarray(0, leave);
        if (keys.length > 0) console.write(keys.toString("latin1"));
        if (leave >= 0) resolve("by-key");
      };
      const inputEnded = (): void => resolve("input-ended");
      void console.closed.then(() => resolve("line-ended"));
      input.on("data", type);
      input.once("end", inputEnded);
      undo.push(
        console.tap((text) => void output.write(Buffer.from(text, "latin1"))),
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

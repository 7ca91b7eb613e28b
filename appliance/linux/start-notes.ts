/** What the program that started the app has to say, such as what became of the code cache: into the log. */
import type { Log, LogLevel } from "../ports.ts";

interface Note {
  readonly level: LogLevel;
  readonly text: string;
}

/** Left by image/rootfs/usr/lib/culvert/start.cjs; absent when the app was started without it. */
const LEFT_AT = Symbol.for("culvert.start");

/** Lines that came before this call are written too. */
export function logStartNotes(log: Log): void {
  const left: { listen(listener: (note: Note) => void): void } | undefined = Reflect.get(globalThis, LEFT_AT);
  left?.listen(({ level, text }) => log.write(level, "system", text));
}

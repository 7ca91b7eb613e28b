/** Plays the Y-modem sender on a console's line: past the pacer, and past the journal, where megabytes are of no use. */
import type { Duplex } from "node:stream";
import type { Console } from "../console/console.ts";
import { Fault } from "../fault.ts";
import { type YmodemFile, YmodemSender } from "./ymodem.ts";

/** How often progress is told: every so many bytes. */
const PROGRESS_BYTES = 64 * 1024;

/** Sends the file to whoever waits for it on the console. Throws a bench Fault when it did not arrive; the receiver is told. */
export async function sendYmodem(
  console: Console,
  line: Duplex,
  file: YmodemFile,
  onProgress: (sentBytes: number, totalBytes: number) => void = () => {},
): Promise<void> {
  const { clock, name } = console;
  const nowMs = (): number => Number(clock.nowNs() / 1_000_000n);
  const sender = new YmodemSender(file, nowMs());
  await new Promise<void>((resolve, reject) => {
    let cancel = (): void => {};
    let told = 0;
    const advance = (bytes: Buffer): void => {
      if (bytes.length > 0 && !line.destroyed) line.write(bytes);
      if (sender.sentBytes - told >= PROGRESS_BYTES) {
        told = sender.sentBytes;
        onProgress(told, file.data.length);
      }
      cancel();
      const { outcome, deadlineMs } = sender;
      if (deadlineMs !== undefined) {
        cancel = clock.after(Math.max(0, deadlineMs - nowMs()), () => advance(sender.tick(nowMs())));
        return;
      }
      stop();
      if (outcome?.kind === "done") resolve();
      else reject(new Fault("bench", `${name}: Y-modem of ${file.name}: ${outcome?.because}`, { node: name }));
    };
    const stop = console.tap((text) => advance(sender.handle(Buffer.from(text, "latin1"), nowMs())));
    void console.closed.then(() => advance(sender.cancel("the console was closed")));
    advance(Buffer.alloc(0));
  });
  const again = sender.resent === 0 ? "" : `, ${sender.resent} blocks sent again`;
  console.note(`Y-modem: ${file.name}, ${file.data.length} bytes${again}`);
}

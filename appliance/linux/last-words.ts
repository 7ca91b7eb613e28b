/** What this process does when an error of its own reaches nobody: it tells its peers that it goes, and goes. */
import process from "node:process";

/** How long the peers' answers are waited for. */
const LAST_WORDS_MS = 2000;

/**
 * From now on an error that nobody catches is handed to `crashed`, then `close` has two seconds to end what can be ended in
 * order, and the process ends with `status`. A second error ends it at once.
 */
export function endOnError(status: number, crashed: (error: unknown) => void, close: () => Promise<void>): void {
  let ending = false;
  process.on("uncaughtException", (error) => {
    if (ending) process.exit(status);
    ending = true;
    setTimeout(() => process.exit(status), LAST_WORDS_MS);
    crashed(error);
    const end = (): never => process.exit(status);
    Promise.resolve().then(close).then(end, end);
  });
}

/** Input that is lost before it reaches a real shell, at every place: each command runs exactly once all the same. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { settle } from "../hil/fake-line.ts";
import { COUNT, ShellTerminal, shellWith } from "../hil/shell-terminal.ts";

const terminal = new ShellTerminal();
after(() => terminal.close());

/** Asks once, with what is lost of the n-th typed text. */
async function ask(lose: (text: string, nth: number) => string): Promise<readonly string[]> {
  terminal.forget();
  const { shell, clock, typed } = shellWith(terminal.folder, (text, nth) => terminal.type(lose(text, nth)));
  const asked = shell.try(COUNT);
  await settle(clock, asked);
  assert.deepEqual(await asked, { status: 0, output: "done\n" });
  assert.equal(terminal.timesRun(), 1);
  return typed;
}

test("one byte, or a burst of them, lost at every place of the typed line", async () => {
  const typed = await ask((text) => text);
  const length = typed.at(-1)?.length ?? 0;
  for (const [burst, step] of [
    [1, 1],
    [16, 4],
  ] as const) {
    for (let at = 0; at < length; at += step) {
      await ask((text, nth) => (nth === 1 ? text.slice(0, at) + text.slice(at + burst) : text)).catch((error) => {
        throw new Error(`${burst} bytes lost at ${at} of ${length}`, { cause: error });
      });
    }
  }
});

test("bytes lost of every line that is typed, the first times", async () => {
  for (let at = 0; at < 120; at += 7)
    await ask((text, nth) => (nth < 6 ? text.slice(0, at) + text.slice(at + 3) : text));
});

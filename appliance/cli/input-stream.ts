/** Bytes that arrive in their own time, for somebody who takes them in his: what is not asked for stays with the sender. */

/** Its message is a sentence for people. */
export class InputError extends Error {}

export class InputStream implements AsyncIterable<Buffer> {
  readonly #wanted: () => void;
  readonly #waiting: Buffer[] = [];
  #end: "open" | "ended" | "cut" = "open";
  #wake: (() => void) | undefined;

  /** `wanted` runs whenever the reader has taken everything that came, and waits. */
  constructor(wanted: () => void) {
    this.#wanted = wanted;
  }

  /** More input. */
  push(bytes: Buffer): void {
    if (bytes.length > 0) this.#waiting.push(bytes);
    this.#wake?.();
  }
  /** There is no more. */
  end(): void {
    if (this.#end === "open") this.#end = "ended";
    this.#wake?.();
  }
  /** The sender is gone before the end: the reader gets an InputError. */
  cut(): void {
    if (this.#end === "open") this.#end = "cut";
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const bytes = this.#waiting.shift();
      if (bytes !== undefined) yield bytes;
      else if (this.#end === "ended") return;
      else if (this.#end === "cut") throw new InputError("the connection was cut before the input ended");
      else await this.#arrival();
    }
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
      this.#wanted();
    });
  }
}

/** The lines of a text, without their ends; the last one need not have one. */
export async function* linesOf(input: AsyncIterable<Buffer>, longest: number): AsyncGenerator<string, void, undefined> {
  let rest = Buffer.alloc(0);
  for await (const bytes of input) {
    rest = Buffer.concat([rest, bytes]);
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield rest.toString("utf8", 0, end).replace(/\r$/, "");
      rest = rest.subarray(end + 1);
    }
    if (rest.length > longest) throw new InputError(`a line of the input has more than ${longest} bytes`);
  }
  if (rest.length > 0) yield rest.toString("utf8");
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pacer, type PacerOptions } from "../../hil/console/pacer.ts";
import { ManualClock } from "./fake-line.ts";

/** A UART with room for `fifo` bytes, of which the other end reads `perMs`; what comes when it is full is lost. */
class FakeUart {
  readonly taken: string[] = [];
  lost = 0;
  readonly #fifo: number;
  readonly #perMs: number;
  #queue: string[] = [];

  constructor(fifo: number, perMs: number) {
    this.#fifo = fifo;
    this.#perMs = perMs;
  }
  type(text: string): void {
    for (const byte of text) {
      if (this.#queue.length < this.#fifo) this.#queue.push(byte);
      else this.lost++;
    }
  }
  /** One millisecond; answers with what was read. */
  tick(): string {
    const read = this.#queue.splice(0, this.#perMs);
    this.taken.push(...read);
    return read.join("");
  }
}

/** Types `text`; `say` turns what the other end read in a millisecond into what it prints. */
function type(text: string, uart: FakeUart, say: (read: string, ms: number) => string, options?: PacerOptions) {
  const clock = new ManualClock();
  const pacer = new Pacer(clock, (piece) => uart.type(piece), options);
  pacer.send(text);
  let ms = 0;
  const run = (): void => {
    for (; pacer.isBusy; ms++) {
      assert.ok(ms < 100_000, "never done");
      const said = say(uart.tick(), ms);
      if (said !== "") pacer.received(said);
      clock.advance(1);
    }
    for (let rest = 0; rest < 1000; rest++) uart.tick();
  };
  run();
  const again = (more: string): void => {
    pacer.send(more);
    run();
  };
  return { pacer, again, tookMs: () => ms };
}

const COMMAND = `${"0123456789abcdef".repeat(64)}\n`;

test("an echoing line: nothing is lost, and it becomes as fast as the room allows", () => {
  const uart = new FakeUart(600, 50);
  const options = { largestChunkBytes: 512 };
  const { pacer, tookMs } = type(COMMAND.repeat(20), uart, (read) => read, options);
  assert.equal(uart.taken.join(""), COMMAND.repeat(20));
  assert.equal(pacer.pace.chunkBytes, 512);
  assert.ok(tookMs() < 1000, `${tookMs()} ms`);
});

test("an echo that misses bytes halves the chunk until all of them come back; later lines arrive whole", () => {
  const uart = new FakeUart(16, 4);
  const { pacer, again } = type(COMMAND, uart, (read) => read, { chunkBytes: 64 });
  assert.ok(uart.lost > 0, "the test's UART has to lose some");
  assert.equal(pacer.pace.chunkBytes <= 16, true);
  const lostBefore = uart.lost;
  again(COMMAND);
  assert.equal(uart.lost, lostBefore);
  again(COMMAND.repeat(6)); // in the end it tries again
  assert.ok(uart.lost > lostBefore && uart.lost < lostBefore + 32, `${uart.lost} bytes lost`);
});

test("faster again after enough chunks without loss", () => {
  let isSlow = true;
  const uart = new FakeUart(4096, 4096);
  const { pacer, again } = type("a".repeat(64), uart, (read) => (isSlow ? read.slice(1) : read), { chunkBytes: 32 });
  const slow = pacer.pace.chunkBytes;
  assert.ok(slow < 32);
  isSlow = false;
  again("a".repeat(4000));
  assert.ok(pacer.pace.chunkBytes > 32);
});

test("a line without echo takes chunks with gaps, and nothing is lost", () => {
  const uart = new FakeUart(16, 2);
  const { tookMs } = type(COMMAND, uart, () => "", { chunkBytes: 16, gapMs: 10 });
  assert.equal(uart.taken.join(""), COMMAND);
  assert.ok(tookMs() < 2000, `${tookMs()} ms`);
});

test("the kernel's words about an overrun slow it down where nothing is echoed", () => {
  const uart = new FakeUart(16, 1);
  let told = 0;
  const { pacer } = type(
    COMMAND.repeat(4),
    uart,
    () => {
      if (uart.lost === told) return "";
      told = uart.lost;
      return "ttyS0: 1 input overrun(s)\n";
    },
    { chunkBytes: 16, gapMs: 4, echoWithinMs: 20 },
  );
  assert.ok(uart.lost > 0, "the test's UART has to lose some");
  assert.ok(uart.lost < 600, `${uart.lost} of ${4 * COMMAND.length} bytes lost`);
  assert.ok(pacer.pace.gapMs > 4 || pacer.pace.chunkBytes < 16);
});

test("other text between the echo's bytes does no harm; a password without echo only costs time", () => {
  const uart = new FakeUart(64, 8);
  const { pacer, again } = type(COMMAND, uart, (read, ms) => (ms % 3 === 0 ? `${read}[ 1.0] noise\r\n` : read));
  assert.equal(uart.taken.join(""), COMMAND);
  assert.ok(pacer.pace.chunkBytes >= 16);
  again("secret");
  assert.equal(uart.taken.join(""), `${COMMAND}secret`);
});

test("closed, it types nothing more", () => {
  const uart = new FakeUart(1, 0);
  const clock = new ManualClock();
  const typed: string[] = [];
  const pacer = new Pacer(clock, (text) => typed.push(text), { chunkBytes: 1 });
  pacer.send("abc");
  pacer.close();
  pacer.send("def");
  clock.advance(10_000);
  assert.deepEqual(typed, ["a"]);
  assert.equal(pacer.isBusy, false);
  assert.equal(uart.lost, 0);
});

/** TCP bytes to control messages: RFC 2637 §2. "Loss of synchronization" (§2) ends the connection, as there is no way to find the next message. */
import { type ControlMessage, controlMessageLength, parseControlMessage } from "../wire/control-message.ts";
import type { WireFault } from "../wire/cursor.ts";

export type StreamOutput =
  | { readonly type: "message"; readonly message: ControlMessage }
  /** A well-framed message of a type or length we do not know: skipped (§2 lets later versions add some). */
  | { readonly type: "skipped"; readonly fault: WireFault }
  /** Nothing after this can be trusted; the stream stays dead. */
  | { readonly type: "lost-synchronization"; readonly fault: WireFault };

/** Holds at most one unfinished message: 220 bytes. */
export class ControlStream {
  #pending: Buffer = Buffer.alloc(0);
  #dead = false;

  /** Lazy, so that a consumer that closes on one message never sees the next. */
  *receive(bytes: Buffer): Generator<StreamOutput, void> {
    if (this.#dead) return;
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    try {
      for (;;) {
        const length = controlMessageLength(rest);
        if (length === undefined) return;
        if (!length.ok) {
          this.stop();
          yield { type: "lost-synchronization", fault: length.fault };
          return;
        }
        if (rest.length < length.value) return;
        const message = parseControlMessage(rest.subarray(0, length.value));
        rest = rest.subarray(length.value);
        yield message.ok ? { type: "message", message: message.value } : { type: "skipped", fault: message.fault };
        if (this.#dead) return;
      }
    } finally {
      // Once per chunk, also when the consumer leaves early: copied per message, a chunk of small ones would cost its square.
      if (!this.#dead) this.#pending = Buffer.from(rest);
    }
  }

  /** No more messages: the connection is closing. */
  stop(): void {
    this.#dead = true;
    this.#pending = Buffer.alloc(0);
  }
}

/** Ports that no QEMU is behind: a pair for a service of this process, and one that is plugged in late, for a board. */
import type { Port } from "./port.ts";

/** A link's end and the node's end of the same plug: what one sends, the other receives. */
export function joinedPorts(name: string): { readonly link: Port; readonly node: Port } {
  const link = new JoinedPort(name);
  const node = new JoinedPort(name);
  link.other = node;
  node.other = link;
  return { link, node };
}

class JoinedPort implements Port {
  readonly name: string;
  other: JoinedPort | undefined;
  #receive: (frame: Buffer) => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  onFrame(receive: (frame: Buffer) => void): void {
    this.#receive = receive;
  }

  send(frame: Buffer): boolean {
    const { other } = this;
    if (other === undefined) return false;
    // Not at once: an answer must not reach the capture before what it answers.
    queueMicrotask(() => other.#receive(frame));
    return true;
  }
}

/** A link's port whose other side is known only when its board has started. Until then it takes nothing. */
export class LatePort implements Port {
  readonly name: string;
  #inner: Port | undefined;
  #receive: (frame: Buffer) => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  plug(inner: Port | undefined): void {
    this.#inner?.onFrame(() => {});
    this.#inner = inner;
    inner?.onFrame((frame) => this.#receive(frame));
  }

  onFrame(receive: (frame: Buffer) => void): void {
    this.#receive = receive;
  }

  send(frame: Buffer): boolean {
    return this.#inner?.send(frame) ?? false;
  }
}

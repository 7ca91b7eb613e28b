/** What was opened is closed in reverse order, each thing once, whatever the others do. Node 20 has no AsyncDisposableStack. */

export class Scope {
  #closers: { readonly what: string; readonly close: () => Promise<void> | void }[] = [];

  /** `what` names the thing when closing it fails. */
  defer(what: string, close: () => Promise<void> | void): void {
    this.#closers.push({ what, close });
  }

  /** Takes over something that can be closed, and hands it back. */
  own<T extends { close(): Promise<void> | void }>(what: string, thing: T): T {
    this.defer(what, () => thing.close());
    return thing;
  }

  /** Closes everything; throws one error that names everything that could not be closed. A second call does nothing. */
  async close(): Promise<void> {
    const failures: string[] = [];
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        failures.push(`${closer.what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (failures.length > 0) throw new Error(`could not close ${failures.join("; ")}`);
  }
}

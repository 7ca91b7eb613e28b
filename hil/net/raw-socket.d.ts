/** As much of the optional package raw-socket 1.8 as the lab uses. It has no types of its own. */
declare module "raw-socket" {
  import type { EventEmitter } from "node:events";

  interface Socket extends EventEmitter {
    /** `beforeSend` is left out; `afterSend` is called once. */
    send(
      bytes: Buffer,
      offset: number,
      length: number,
      address: string,
      afterSend: (error: Error | null, sent: number) => void,
    ): void;
    close(): void;
  }
  /** Throws `Operation not permitted` without root. */
  export function createSocket(options: { readonly protocol: number; readonly bufferSize: number }): Socket;
}

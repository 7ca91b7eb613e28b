/** One shape for every way to a serial line: a Duplex of its bytes, and what can be done to the line besides. */
import { Duplex } from "node:stream";
import { Fault, type FaultClass } from "../../fault.ts";

export interface LineSettings {
  /** Bits per second. */
  readonly baud?: number;
  readonly dataBits?: 5 | 6 | 7 | 8;
  readonly parity?: "none" | "odd" | "even" | "mark" | "space";
  readonly stopBits?: 1 | 1.5 | 2;
  readonly flow?: "none" | "xon-xoff" | "rts-cts";
}

export interface ModemLines {
  readonly dtr?: boolean;
  readonly rts?: boolean;
}

/** What a way to a line can do to it. A way that cannot do something throws a `bench` Fault that says so. */
export interface LineControl {
  /** Changes what is given; resolves when the line has it. */
  set(settings: LineSettings): Promise<void>;
  /** Holds the line low for so long. */
  sendBreak(ms?: number): Promise<void>;
  setLines(lines: ModemLines): Promise<void>;
}

export interface Transport extends Duplex, LineControl {
  /** For errors and reports: `/dev/ttyUSB0`, `10.0.0.5:2000`. */
  readonly place: string;
  /** Resolves when every byte that was written has left, as far as this end can tell. */
  drained(): Promise<void>;
  /** Lets the line go, so that another program can have it. */
  close(): Promise<void>;
}

/** A BREAK that every UART takes for one, down to 300 baud. */
export const BREAK_MS = 250;

export interface Source {
  readonly place: string;
  readonly stream: Duplex;
  /** Whose fault it is when the line goes without being closed here. */
  readonly faultClass: FaultClass;
  readonly control: LineControl;
  /** Bytes as they stand on the line become what goes over the stream. */
  readonly encode?: (bytes: Buffer) => Buffer;
  /** What came over the stream becomes the line's bytes. */
  readonly decode?: (bytes: Buffer) => Buffer;
  /** Resolves when the other end takes bytes. */
  readonly ready?: () => Promise<void>;
  /** Resolves when what the stream took has left the line's hardware; where that cannot be known, it is left out. */
  readonly drained?: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Makes the transport. A stream that ends by itself destroys it with a Fault. */
export function transportOver(source: Source): Transport {
  const { place, stream, faultClass, control, encode, decode, ready } = source;
  const lost = (why: string): Fault => new Fault(faultClass, `${place}: ${why}`);
  const duplex = new Duplex({
    allowHalfOpen: false,
    // A port server may have much to say before anyone listens; its answers come behind that.
    readableHighWaterMark: 4 * 1024 * 1024,
    read: () => void stream.resume(),
    write: (bytes: Buffer, _encoding, done) => {
      const write = (): void => {
        stream.write(encode?.(bytes) ?? bytes, (error) => done(error ? lost(error.message) : null));
      };
      if (ready === undefined) write();
      else void ready().then(write);
    },
    destroy: (error, done) => {
      source.close().then(
        () => done(error),
        () => done(error),
      );
    },
  });
  stream.on("data", (bytes: Buffer) => {
    const plain = decode?.(bytes) ?? bytes;
    if (plain.length > 0 && !duplex.push(plain)) stream.pause();
  });
  stream.on("error", (error: Error) => void duplex.destroy(error instanceof Fault ? error : lost(error.message)));
  stream.on("close", (error: unknown) => {
    const why = error instanceof Error ? `the line was lost: ${error.message}` : "the other end closed the line";
    if (!duplex.destroyed) duplex.destroy(lost(why));
  });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (duplex.closed) return resolve();
      duplex.once("close", resolve);
      duplex.destroy();
    });
  const drained = source.drained ?? (() => Promise.resolve());
  return Object.assign(duplex, { ...control, place, drained, close });
}

/** The control of a line that has none. `what` completes "cannot be done over …". */
export function noControl(place: string, what: string): LineControl {
  const refuse = (wish: string) => (): Promise<never> =>
    Promise.reject(new Fault("bench", `${place}: ${wish} cannot be done over ${what}`));
  return {
    set: refuse("setting the line"),
    sendBreak: refuse("a break"),
    setLines: refuse("switching DTR and RTS"),
  };
}

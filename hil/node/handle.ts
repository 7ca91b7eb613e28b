/** Handles: what a node can do in one of its states. They end when the state does, and cannot leave the callback that got them. */
import type { State } from "./ladder.ts";

/** Only a type: it tells handles from everything else that a callback may return. */
declare const handleOf: unique symbol;

/** `T`, as long as the node is in `S`. */
export type Handle<S extends State, T> = T & { readonly [handleOf]: S };

/** A handle was used after its state was left, or outside its callback. */
export class StaleHandle extends Error {
  constructor(node: string, state: State, because: string) {
    super(`${node}: this handle of state ${state} is stale: ${because}; ask the ladder for another one`);
    this.name = "StaleHandle";
  }
}

/** The time for which one handle is good. */
export class Tenure {
  readonly #node: string;
  readonly #state: State;
  #because: string | undefined;

  constructor(node: string, state: State) {
    this.#node = node;
    this.#state = state;
  }

  /** Ends it; the first reason is the one that is told. */
  end(because: string): void {
    this.#because ??= because;
  }

  /** Throws `StaleHandle` once it has ended. */
  check(): void {
    if (this.#because !== undefined) throw new StaleHandle(this.#node, this.#state, this.#because);
  }

  /** The driver, with every use of it checked: also of a method that was taken out of it before. */
  bind<S extends State, T extends object>(driver: T): Handle<S, T> {
    return new Proxy(driver, {
      get: (target, key) => {
        // A promise looks for `then` when the handle is returned; that is no use of it.
        if (key === "then") return undefined;
        this.check();
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          this.check();
          return Reflect.apply(value, target, args);
        };
      },
    }) as Handle<S, T>;
  }
}

/** The error that the compiler shows for a callback that hands out its handle. */
type Leak<S> = S extends string
  ? `the handle of state ${S} ends with its callback: use it inside, return what it found`
  : never;

/** `unknown` for a value that may leave a callback. Handles are found in arrays, tuples and fields, three levels deep. */
export type Keepable<R, Depth extends readonly unknown[] = []> = [HandleStates<Awaited<R>, Depth>] extends [never]
  ? unknown
  : Leak<HandleStates<Awaited<R>, Depth>>;

type HandleStates<R, Depth extends readonly unknown[]> = R extends { readonly [handleOf]: infer S }
  ? S
  : Depth["length"] extends 3
    ? never
    : R extends (...args: never[]) => unknown
      ? never
      : R extends readonly (infer Each)[]
        ? HandleStates<Each, [...Depth, 0]>
        : R extends object
          ? { [K in keyof R]: HandleStates<R[K], [...Depth, 0]> }[keyof R]
          : never;

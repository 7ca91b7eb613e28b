/** Keeps two builds in one process from making the same thing at once: a lab asks for its image and guests together. */
const last = new Map<string, Promise<void>>();

/** Runs `make` after every earlier call with this `name` has ended, well or not. Look again inside whether it is done. */
export async function inTurn<T>(name: string, make: () => Promise<T>): Promise<T> {
  const result = (last.get(name) ?? Promise.resolve()).then(make);
  last.set(
    name,
    result.then(
      () => undefined,
      () => undefined,
    ),
  );
  return await result;
}

/** What a long build tells its caller while it runs. The caller owns the clock and the screen; builders only name things. */
export type ProgressEvent =
  /** A step begins; the next `done` with the same name ends it. */
  | { readonly kind: "start"; readonly step: string }
  /** Something moved inside a step, such as `7/24 libicu72`. */
  | { readonly kind: "detail"; readonly step: string; readonly text: string }
  | { readonly kind: "done"; readonly step: string; readonly text: string }
  /** A line the user should read even when the screen is redrawn, such as a replaced package version. */
  | { readonly kind: "note"; readonly text: string };

export type Progress = (event: ProgressEvent) => void;

/** Runs one named step; `summary` turns its result into the closing words, such as `24 packages, 71.2 MB`. */
export async function inStep<T>(
  progress: Progress,
  step: string,
  run: () => Promise<T> | T,
  summary: (result: T) => string,
): Promise<T> {
  progress({ kind: "start", step });
  const result = await run();
  progress({ kind: "done", step, text: summary(result) });
  return result;
}

/** A size as people read it: `812 B`, `41 kB`, `71.2 MB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

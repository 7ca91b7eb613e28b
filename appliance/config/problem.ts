/** What is wrong with a configuration, as a person is told. */
import type { Path } from "./config.ts";

export interface Problem {
  readonly path: Path;
  readonly problem: string;
  /** What to do about it; a command where one helps. */
  readonly hint: string;
}

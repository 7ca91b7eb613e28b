/** All boards, by name: every `*.board.ts` beside this file exports one as `board`. */
import { readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { ImageError } from "../failure.ts";
import { projectRoot } from "../project.ts";
import type { Board } from "./board.ts";

const SUFFIX = ".board.ts";

// The sources say which boards there are: a compiled file may have outlived its source.
const extension = extname(import.meta.url);
const found = readdirSync(join(projectRoot, "image/boards"))
  .filter((name) => name.endsWith(SUFFIX))
  .map(async (name): Promise<Board> => (await import(`./${name.slice(0, -".ts".length)}${extension}`)).board);

/** In the order of their names. */
export const BOARDS: readonly Board[] = (await Promise.all(found)).sort((a, b) => (a.name < b.name ? -1 : 1));

/** Throws an ImageError that lists the boards when there is no such board. */
export function boardNamed(name: string): Board {
  const board = BOARDS.find((each) => each.name === name);
  if (!board) throw new ImageError(`no board "${name}": there is ${BOARDS.map((each) => each.name).join(", ")}`);
  return board;
}

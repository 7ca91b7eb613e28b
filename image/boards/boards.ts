/** All boards, by name: every `*.board.ts` beside this file exports one as `board`. */
import { readdirSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ImageError } from "../failure.ts";
import { projectRoot } from "../project.ts";
import type { Board } from "./board.ts";

const SUFFIX = ".board.ts";

/**
 * The boards of a folder of sources, in the order of their names. `code` is where they lie as this process runs them: the
 * sources say which boards there are, because a compiled file may outlive its source.
 */
export async function readBoards(sources: string, code: string, extension: string): Promise<Board[]> {
  const files = readdirSync(sources).filter((name) => name.endsWith(SUFFIX));
  const boards = files.map(async (name): Promise<Board> => {
    const { board } = await import(join(code, `${name.slice(0, -".ts".length)}${extension}`));
    if (board === undefined) throw new ImageError(`${join(sources, name)} exports no \`board\``);
    return board;
  });
  return (await Promise.all(boards)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

const here = fileURLToPath(import.meta.url);

export const BOARDS: readonly Board[] = await readBoards(
  join(projectRoot, "image/boards"),
  dirname(here),
  extname(here),
);

/** Throws an ImageError that lists the boards when there is no such board. */
export function boardNamed(name: string): Board {
  const board = BOARDS.find((each) => each.name === name);
  if (!board) throw new ImageError(`no board "${name}": there is ${BOARDS.map((each) => each.name).join(", ")}`);
  return board;
}

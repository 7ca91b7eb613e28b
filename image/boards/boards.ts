/** All boards, by name. */
import { ImageError } from "../failure.ts";
import type { Board } from "./board.ts";
import { X86_64 } from "./x86-64.ts";

export const BOARDS: readonly Board[] = [X86_64];

/** Throws an ImageError that lists the boards when there is no such board. */
export function boardNamed(name: string): Board {
  const board = BOARDS.find((each) => each.name === name);
  if (!board) throw new ImageError(`no board "${name}": there is ${BOARDS.map((each) => each.name).join(", ")}`);
  return board;
}

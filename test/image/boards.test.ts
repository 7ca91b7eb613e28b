/** Boards are files: the README's recipe followed, and what holds for those that there are. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { transform } from "esbuild";
import { BOARDS, readBoards } from "../../image/boards/boards.ts";
import { parseLock } from "../../image/lock.ts";
import { lockFile, projectRoot } from "../../image/project.ts";
import { scratchFolder } from "./fixture.ts";

test("a board is one file: the recipe of the README", async () => {
  const folder = scratchFolder();
  const compiled = join(projectRoot, "dist/image/boards");
  const source = `/** The router-4x board: four sockets in a row, the first is the WAN. */
import { board as pc } from "${compiled}/x86-64.board.js";
import type { Board } from "${projectRoot}/image/boards/board.ts";

export const board: Board = {
  ...pc,
  name: "router-4x",
  title: "A PC with four sockets",
  ports: {
    ports: [
      { port: "wan", path: "pci-0000:01:00.0" },
      { port: "lan1", path: "pci-0000:02:00.0" },
    ],
    others: "none",
  },
};
`;
  writeFileSync(join(folder, "router-4x.board.ts"), source);
  writeFileSync(join(folder, "router-4x.board.js"), (await transform(source, { loader: "ts" })).code);
  const [board] = await readBoards(folder, folder, ".js");
  assert.equal(board?.name, "router-4x");
  assert.equal(board?.ports.ports[1]?.path, "pci-0000:02:00.0");
  assert.deepEqual(board?.packages, BOARDS.find(({ name }) => name === "x86_64")?.packages);

  writeFileSync(join(folder, "empty.board.ts"), "");
  writeFileSync(join(folder, "empty.board.js"), "export {};");
  await assert.rejects(readBoards(folder, folder, ".js"), /empty\.board\.ts exports no `board`/);
});

test("there are three boards, and the lock has the packages of each for its machine", () => {
  assert.deepEqual(
    BOARDS.map(({ name }) => name),
    ["arm64", "mipsel", "x86_64"],
  );
  const { packages } = parseLock(readFileSync(lockFile, "utf8"));
  for (const { name: board, machine, packages: wanted } of BOARDS) {
    const has = (name: string): boolean =>
      packages.some((each) => each.name === name && [machine.architecture, "all"].includes(each.architecture));
    assert.deepEqual(
      [machine.kernelPackage, ...wanted].filter((name) => !has(name)),
      [],
      board,
    );
  }
});

/** `culvert lab explain RUN` and `culvert lab report RUN... [--output DIR]`. */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { UsageError } from "../usage-error.ts";
import { explainFolder } from "./explain.ts";
import { JOURNAL_FILE } from "./run-fold.ts";
import { countsInWords, isGood } from "./run-report.ts";
import { reportFolders } from "./write.ts";

/** The first cause of a failed run, in plain words. */
export function explainRun(argv: readonly string[]): number {
  const { folders } = foldersOf("explain", argv, false);
  for (const folder of folders) console.log(explainFolder(folder));
  return 0;
}

/** Makes the reports of runs anew from their journals and captures, and of several runs one. 1 when something in them failed. */
export async function reportRuns(argv: readonly string[]): Promise<number> {
  const { folders, output } = foldersOf("report", argv, true);
  const [first = "."] = folders;
  const isOne = folders.length === 1;
  const into = resolve(output ?? (isOne ? first : "."));
  const merged = await reportFolders(folders, into);
  const page = isOne && output === undefined ? join(first, "report.html") : join(into, "index.html");
  console.log(`report: ${relative(process.cwd(), page)}`);
  console.log(`lab: ${countsInWords(merged.counts)} in ${folders.length} ${isOne ? "run" : "runs"}`);
  return isGood(merged.counts) ? 0 : 1;
}

function foldersOf(
  verb: "explain" | "report",
  argv: readonly string[],
  takesOutput: boolean,
): { readonly folders: readonly string[]; readonly output: string | undefined } {
  const usage = `lab ${verb} RUN...${takesOutput ? " [--output DIR]" : ""}, where RUN is a folder of .culvert/runs`;
  const { positionals, output } = parse(argv, verb, usage);
  if (output !== undefined && !takesOutput) throw new UsageError(`lab ${verb} takes no --output: ${usage}`);
  const folders = positionals.map((folder) => resolve(folder));
  if (folders.length === 0) throw new UsageError(`lab ${verb} needs a run: ${usage}`);
  const empty = folders.find((folder) => !existsSync(join(folder, JOURNAL_FILE)));
  if (empty !== undefined) throw new UsageError(`${empty} is no run: it has no ${JOURNAL_FILE}`);
  return { folders, output };
}

function parse(argv: readonly string[], verb: string, usage: string): { positionals: string[]; output?: string } {
  try {
    const options = { output: { type: "string" } } as const;
    const { positionals, values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
    return { positionals, ...values };
  } catch (error) {
    const [what = ""] = (error instanceof Error ? error.message : String(error)).split(/[.\n]/);
    throw new UsageError(`lab ${verb}: ${what}; it takes ${usage}`);
  }
}

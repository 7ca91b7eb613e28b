/** What the compiler refuses: each wrong line must be an error with these words, and no right line may be one. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { execPath } from "node:process";
import { after, test } from "node:test";

interface Snippet {
  /** Imports and declarations; `#/` stands for the root of the sources. */
  readonly given: readonly string[];
  readonly right: readonly string[];
  /** Lines and what the error of each must say. */
  readonly wrong: readonly (readonly [line: string, says: RegExp])[];
}

const SNIPPETS: Readonly<Record<string, Snippet>> = {
  "console patterns have an upper bound": {
    given: ['import { bounded } from "#/hil/console/pattern.ts";', "declare const text: string;"],
    right: [
      'bounded("U-Boot (\\\\d{4})\\\\.\\\\d{2}");',
      'bounded("[+*$]\\\\+(?:a|b)?(?<name>c{0,3})");',
      `bounded("${"long ".repeat(100)}");`,
    ],
    wrong: [
      ['bounded("login:.* x");', /the \* before \\?" x\\?" has no upper bound: write \{0,80\}/],
      ['bounded("a+");', /the \+ before .* has no upper bound/],
      ['bounded("\\\\d{2,}x");', /\{2,\} has no upper bound: write \{2,80\}/],
      ['bounded("login: $");', /\$ needs text that has not come yet/],
      ['bounded("\\\\bOops");', /\\\\?b needs text that has not come yet/],
      ['bounded("a(?=b)");', /lookaround needs text beside the match/],
      ['bounded("a(?<!b)c");', /lookaround needs text beside the match/],
      ['bounded("(a)\\\\1");', /refers to another group/],
      ["bounded(text);", /takes a literal.*readPattern\(\) takes any text/],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the snippet's own
      ["bounded(`a${text}`);", /takes a literal/],
    ],
  },
  "a raw RegExp is no pattern": {
    given: [
      'import type { Console } from "#/hil/console/console.ts";',
      'import { bounded } from "#/hil/console/pattern.ts";',
      "declare const console: Console;",
      'const wait = { withinMs: 1, reason: "it" };',
    ],
    right: [
      'export const match = console.expect({ login: "login: ", prompt: bounded("=> ") }, wait);',
      'match.then((found) => found.pattern === "prompt");',
    ],
    wrong: [
      ["console.expect({ login: /login: / }, wait);", /RegExp.*is (not assignable|missing)/],
      ["console.deathStrings = [/panic/];", /RegExp.*is (not assignable|missing)/],
      ['match.then((found) => found.pattern === "promt");', /no overlap/],
    ],
  },
  "a handle of a board's state stays in its callback, and has that state's verbs only": {
    given: ['import type { Board } from "#/hil/node/board.ts";', "declare const dut: Board;"],
    right: [
      'dut.ladder.at("bootloader", (uboot) => uboot.env("bootcmd"));',
      'dut.ladder.at("shell", async (shell) => ({ kernel: await shell.run("uname -r"), tries: [1] }));',
      'dut.ladder.at("cli", () => {});',
    ],
    wrong: [
      [
        'dut.ladder.at("bootloader", (uboot) => uboot);',
        /the handle of state bootloader ends with its callback: use it inside/,
      ],
      [
        'dut.ladder.at("shell", async (shell) => await Promise.resolve([shell]));',
        /the handle of state shell ends with its callback/,
      ],
      ['dut.ladder.at("cli", (cli) => ({ deep: { cli } }));', /the handle of state cli ends with its callback/],
      ['dut.ladder.at("shell", (shell) => shell.env("bootcmd"));', /'env' does not exist/],
      ['dut.ladder.at("bootloder", () => {});', /"bootloder".*is not assignable/],
    ],
  },
  "a lab's nodes, NICs, links and stages have names": {
    given: [
      'import { defineLab, type LabOf } from "#/hil/lab.ts";',
      'import { from } from "#/hil/net/query.ts";',
      'import { drop, every } from "#/hil/net/trap.ts";',
      'import type { NodeDefinition } from "#/hil/node/definition.ts";',
      'import { defineSuite, type Scenario } from "#/hil/scenario.ts";',
      'declare const node: NodeDefinition<{ ping(): Promise<void> }, "wan">;',
      'const lab = defineLab({ nodes: { a: node, b: node }, links: { cable: ["a.wan", "b.wan"] } });',
      "declare const running: LabOf<typeof lab>;",
      "declare const claim: { readonly name: string; readonly claim: string };",
      "type It = LabOf<typeof lab>;",
      'const stages = { ready: { claim: "it is", run: () => Promise.resolve() } };',
      'const base = { name: "s", title: "S", lab, stages };',
      'const scenario = (it: Scenario<It, "ready">): Scenario<It, "ready"> => it;',
    ],
    right: [
      "void running.node.a.ping();",
      'running.link.cable.trap(drop, every, from("a"));',
      'const good = scenario({ ...claim, from: "ready", run: ({ node }) => node.b.ping() });',
      "defineSuite({ ...base, scenarios: [good] });",
    ],
    wrong: [
      ["void running.node.c.ping();", /'c' does not exist/],
      ["running.link.wire.cut();", /'wire' does not exist/],
      ['running.link.cable.trap(drop, every, from("c"));', /"c"/],
      ["void running.node.a.pong();", /'pong' does not exist/],
      ['defineLab({ nodes: { a: node }, links: { cable: ["a.lan"] } });', /"a\.lan"/],
      ['defineLab({ nodes: { a: node }, links: { cable: ["z.wan"] } });', /"z\.wan"/],
      ['scenario({ ...claim, from: "raedy", run: () => Promise.resolve() });', /"raedy"/],
      [
        'defineSuite({ ...base, stages: { last: { claim: "", after: "nowhere", run: () => Promise.resolve() } }, scenarios: [] });',
        /"nowhere"/,
      ],
    ],
  },
};

const root = resolve(".");
const folder = mkdtempSync(join(tmpdir(), "culvert-types-"));
after(() => rmSync(folder, { recursive: true }));

/** The compiler's complaints: `file:line` and the text, continuation lines included. */
function compile(): ReadonlyMap<string, string> {
  const names = Object.keys(SNIPPETS).map((_, index) => `snippet-${index}.ts`);
  for (const [index, { given, right, wrong }] of Object.values(SNIPPETS).entries()) {
    const lines = [...given, ...right, ...wrong.map(([line]) => line), "export {};", ""];
    writeFileSync(join(folder, names[index] ?? ""), lines.join("\n").replaceAll('"#/', `"${relative(folder, root)}/`));
  }
  const compilerOptions = {
    ...{ noEmit: true, allowImportingTsExtensions: true, incremental: false },
    ...{ rootDir: "/", typeRoots: [join(root, "node_modules/@types")] },
  };
  // The declarations that the project's own tsconfig.json finds by looking.
  const declarations = ["appliance", "image", "hil"].flatMap((source) =>
    readdirSync(join(root, source), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".d.ts"))
      .map((name) => join(root, source, name)),
  );
  const files = [...names, ...declarations];
  const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: [], files };
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const tsc = spawnSync(execPath, [join(root, "node_modules/typescript/bin/tsc"), "--pretty", "false", "-p", folder]);
  const errors = new Map<string, string>();
  let place = "";
  for (const line of tsc.stdout
    .toString()
    .split("\n")
    .filter((each) => each !== "")) {
    const start = /^(?:.*\/)?(snippet-\d+\.ts)\((\d+),\d+\): (.*)$/.exec(line);
    if (start !== null) place = `${start[1]}:${start[2]}`;
    assert.ok(start !== null || (place !== "" && line.startsWith(" ")), `not about a snippet: ${line}`);
    errors.set(place, `${errors.get(place) ?? ""}${start?.[3] ?? line}\n`);
  }
  assert.equal(tsc.stderr.toString(), "");
  return errors;
}

const errors = compile();

for (const [index, [claim, { given, right, wrong }]] of Object.entries(SNIPPETS).entries()) {
  test(claim, () => {
    const all = [...given, ...right, ...wrong.map(([line]) => line)];
    for (const [at, line] of all.entries()) {
      const error = errors.get(`snippet-${index}.ts:${at + 1}`);
      const says = wrong[at - given.length - right.length]?.[1];
      if (says === undefined) assert.equal(error, undefined, `refused: ${line}`);
      else assert.match(error ?? "accepted", says, line);
    }
  });
}

/** The reference of the command line, made of the tables that the command line itself reads. */

import { SCHEMA } from "../config/schema.ts";
import type { Leaf, SchemaNode } from "../config/schema-node.ts";
import { describeType, formatValue, wordsOf } from "../config/value.ts";
import { COMMANDS, type Command } from "./commands.ts";

/** Markdown, whole. */
export function emitReference(): string {
  return [
    "# Command line reference",
    "",
    "Made from the tables in `commands.ts` and `../config/schema.ts`; `UPDATE_GOLDEN=1 node dist/test/run.js",
    "test/cli/reference.test.ts` writes it anew. `?` on the device shows the same at every position.",
    "",
    "## After the login",
    "",
    ...tableOf(COMMANDS.operational),
    "",
    "## In `configure`",
    "",
    ...tableOf(COMMANDS.configure),
    "",
    "## Over SSH, one command",
    "",
    "`ssh admin@DEVICE COMMAND` runs one of the commands after the login, or one of these, and ends with status 0 or 1.",
    "",
    ...tableOf(COMMANDS.exec.filter((command) => !COMMANDS.operational.includes(command))),
    "",
    "## Settings",
    "",
    "What stands behind `set`, `delete` and `show` in `configure`.",
    "",
    "| setting | value | default | |",
    "| --- | --- | --- | --- |",
    ...settingRows(SCHEMA, []),
    "",
  ].join("\n");
}

function tableOf(commands: readonly Command[]): readonly string[] {
  return [
    "| command | |",
    "| --- | --- |",
    ...commands.map((command) => `| \`${cell(usageOf(command))}\` | ${cell(command.help)}${argumentOf(command)} |`),
  ];
}

function usageOf({ words, argument }: Command): string {
  const own = words.join(" ");
  if (argument === undefined) return own;
  if (argument.kind === "setting") return `${own} SETTING${argument.use === "set" ? " VALUE" : ""}`;
  return argument.kind === "number" && argument.optional ? `${own} [${argument.word}]` : `${own} ${argument.word}`;
}

function argumentOf({ argument }: Command): string {
  if (argument === undefined || argument.kind === "setting") return "";
  const range = argument.kind === "number" ? ` (${argument.low} to ${argument.high})` : "";
  return `; ${argument.word}: ${cell(argument.help)}${range}`;
}

function settingRows(node: SchemaNode, path: readonly string[]): readonly string[] {
  switch (node.node) {
    case "leaf":
      return [leafRow(node, path)];
    case "list":
      return settingRows(node.entry, [...path, node.key.word]);
    case "container":
      return Object.entries(node.children).flatMap(([word, child]) => settingRows(child, [...path, word]));
  }
}

function leafRow(leaf: Leaf, path: readonly string[]): string {
  const meanings = wordsOf(leaf.type)
    .filter(() => leaf.type.kind !== "boolean")
    .map(({ word, help }) => `\`${word}\`: ${help}`);
  const fallback = leaf.default === undefined ? "" : `\`${formatValue(leaf, leaf.default, "hide")}\``;
  const help = [leaf.help, ...meanings].map(cell).join("<br>");
  return `| \`${cell(path.join(" "))}\` | ${cell(describeType(leaf))} | ${fallback} | ${help} |`;
}

/** Markdown's tables end a cell at a bar. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** The path of every setting in the schema; list entries are called `bob`. */
import { SCHEMA, type SchemaNode } from "../../appliance/config/schema.ts";

function pathsBelow(node: SchemaNode): readonly (readonly string[])[] {
  if (node.node === "leaf") return [[]];
  const children: [string, SchemaNode][] = node.node === "list" ? [["bob", node.entry]] : Object.entries(node.children);
  return children.flatMap(([word, child]) => pathsBelow(child).map((rest) => [word, ...rest]));
}

export const SETTINGS: readonly string[] = pathsBelow(SCHEMA).map((words) => words.join(" "));

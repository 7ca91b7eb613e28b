/** The path of every setting in the schema; list entries are called `bob`, networks `10.0.0.0/8`. */
import { SCHEMA } from "../../appliance/config/schema.ts";
import type { SchemaNode } from "../../appliance/config/schema-node.ts";

function pathsBelow(node: SchemaNode): readonly (readonly string[])[] {
  if (node.node === "leaf") return [[]];
  const children: [string, SchemaNode][] =
    node.node === "list"
      ? [[["bob", "10.0.0.0/8"].find((name) => node.key.pattern.test(name)) ?? "", node.entry]]
      : Object.entries(node.children);
  return children.flatMap(([word, child]) => pathsBelow(child).map((rest) => [word, ...rest]));
}

export const SETTINGS: readonly string[] = pathsBelow(SCHEMA).map((words) => words.join(" "));

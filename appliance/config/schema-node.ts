/** What a setting is made of: the node types of the schema's tree, and the types of values. */

/** A value as it is stored: what a person types, in canonical form. Addresses stay text. */
export type Value = boolean | number | string | readonly string[];

export interface Word {
  readonly word: string;
  readonly help: string;
}

export type LeafType =
  | { readonly kind: "boolean" }
  | { readonly kind: "integer"; readonly low: number; readonly high: number }
  | { readonly kind: "ipv4" }
  /** An interface's own address with the length of its network prefix. */
  | { readonly kind: "cidr" }
  | { readonly kind: "name"; readonly pattern: RegExp; readonly rule: string }
  /** Any printable text; shown as `********`. */
  | { readonly kind: "secret"; readonly longest: number }
  /** A public key of SSH: its type and its base64. */
  | { readonly kind: "ssh-key" }
  | { readonly kind: "choice"; readonly words: readonly Word[] }
  | { readonly kind: "choices"; readonly words: readonly Word[] }
  | { readonly kind: "ipv4-list"; readonly most: number }
  | { readonly kind: "name-list"; readonly pattern: RegExp; readonly rule: string; readonly most: number }
  /** Networks with their prefix length; the bits behind the prefix are 0. */
  | { readonly kind: "network-list"; readonly most: number };

export interface Leaf {
  readonly node: "leaf";
  readonly help: string;
  readonly type: LeafType;
  /** What holds while nothing is set. */
  readonly default?: Value;
  readonly unit?: string;
}

export interface Container {
  readonly node: "container";
  readonly help: string;
  readonly children: Readonly<Record<string, SchemaNode>>;
}

/** Entries with a name that the administrator chooses. An entry exists as long as something is set in it. */
export interface List {
  readonly node: "list";
  readonly help: string;
  readonly key: { readonly word: string; readonly pattern: RegExp; readonly rule: string };
  readonly entry: Container;
}

export type SchemaNode = Leaf | Container | List;

export const leaf = (help: string, type: LeafType, more: { default?: Value; unit?: string } = {}): Leaf => ({
  node: "leaf",
  help,
  type,
  ...more,
});
export const container = (help: string, children: Container["children"]): Container => ({
  node: "container",
  help,
  children,
});

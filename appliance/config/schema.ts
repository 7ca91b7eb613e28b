/**
 * Every setting of the device, as one tree of data. The command line's grammar, its completion and help, validation and
 * the reference derive from it: a setting that is not here does not exist, and one that is here needs nothing else but
 * its use in settings.ts.
 */

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
  | { readonly kind: "choice"; readonly words: readonly Word[] }
  | { readonly kind: "choices"; readonly words: readonly Word[] }
  | { readonly kind: "ipv4-list"; readonly most: number };

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

const leaf = (help: string, type: LeafType, more: { default?: Value; unit?: string } = {}): Leaf => ({
  node: "leaf",
  help,
  type,
  ...more,
});
const container = (help: string, children: Container["children"]): Container => ({ node: "container", help, children });

const device = (fallback: string): Leaf =>
  leaf(
    "network interface of the kernel",
    { kind: "name", pattern: /^[A-Za-z][A-Za-z0-9._-]{0,14}$/, rule: "1 to 15 letters, digits, dots, - and _" },
    { default: fallback },
  );
const interfaceAddress = leaf("own address and network", { kind: "cidr" });

/** The schema's version in stored files: it grows when a stored value gets another meaning. */
export const SCHEMA_VERSION = 1;

export const SCHEMA: Container = container("settings", {
  system: container("the device itself", {
    name: leaf(
      "host name, shown in the prompt",
      {
        kind: "name",
        pattern: /^[A-Za-z0-9]([A-Za-z0-9-]{0,29}[A-Za-z0-9])?$/,
        rule: "1 to 31 letters, digits and inner hyphens",
      },
      { default: "culvert" },
    ),
  }),
  interfaces: container("the sockets at the back", {
    wan: container("towards the Internet", {
      device: device("eth0"),
      address: interfaceAddress,
      gateway: leaf("the provider's router: the default route", { kind: "ipv4" }),
    }),
    lan: container("towards the office", {
      device: device("eth1"),
      address: interfaceAddress,
    }),
  }),
  vpn: container("PPTP", {
    server: container("people and branch offices dial in here", {
      enabled: leaf("accept calls", { kind: "boolean" }, { default: false }),
      address: leaf("our end of every tunnel; the LAN address while nothing is set", { kind: "ipv4" }),
      pool: container("addresses for those who dial in", {
        start: leaf("first address", { kind: "ipv4" }),
        count: leaf("number of addresses, and so of sessions", { kind: "integer", low: 1, high: 4096 }),
      }),
      dns: leaf("name servers for the far end", { kind: "ipv4-list", most: 2 }),
      wins: leaf("WINS servers for the far end", { kind: "ipv4-list", most: 2 }),
      mtu: leaf(
        "largest IP packet inside the tunnel",
        { kind: "integer", low: 576, high: 1460 },
        { default: 1400, unit: "bytes" },
      ),
      authentication: leaf(
        "accepted ways to prove the password, best first",
        {
          kind: "choices",
          words: [
            { word: "mschap-v2", help: "MS-CHAPv2: what Windows offers; needed for encryption" },
            { word: "mschap-v1", help: "MS-CHAPv1: for old peers only" },
            { word: "chap-md5", help: "CHAP: no encryption possible" },
            { word: "pap", help: "PAP: sends the password in the clear" },
          ],
        },
        { default: ["mschap-v2"] },
      ),
      encryption: leaf(
        "MPPE",
        {
          kind: "choice",
          words: [
            { word: "none", help: "never" },
            { word: "optional", help: "when the far end asks for it" },
            { word: "required", help: "no session without it" },
          ],
        },
        { default: "required" },
      ),
      strengths: leaf(
        "accepted key lengths of MPPE",
        {
          kind: "choices",
          words: [
            { word: "128", help: "128 bit" },
            { word: "56", help: "56 bit: for old peers only" },
            { word: "40", help: "40 bit: for old peers only" },
          ],
        },
        { default: ["128"], unit: "bits" },
      ),
    }),
    account: {
      node: "list",
      help: "who may dial in",
      key: {
        word: "NAME",
        pattern: /^[A-Za-z0-9][A-Za-z0-9._@\\-]{0,31}$/,
        rule: "1 to 32 letters, digits and . _ @ \\ - (a letter or digit first)",
      },
      entry: container("one account", {
        password: leaf("the password of this account", { kind: "secret", longest: 128 }),
        address: leaf("always this address, instead of one from the pool", { kind: "ipv4" }),
        enabled: leaf("may dial in", { kind: "boolean" }, { default: true }),
      }),
    },
  }),
});

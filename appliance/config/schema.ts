/**
 * Every setting of the device, as one tree of data. The command line's grammar, its completion and help, validation and
 * the reference derive from it: a setting that is not here does not exist, and one that is here needs nothing else but
 * its use in settings.ts.
 */
import { type Container, container, leaf, type Word } from "./schema-node.ts";
import { radius } from "./schema-radius.ts";
import { dhcpServer, dns, firewall, interfaces, nat, ntp, routes, syslog } from "./schema-router.ts";
import { ssh } from "./schema-ssh.ts";

// What server and clients have alike.

const AUTHENTICATION: readonly Word[] = [
  { word: "mschap-v2", help: "MS-CHAPv2: what Windows offers; needed for encryption" },
  { word: "mschap-v1", help: "MS-CHAPv1: for old peers only" },
  { word: "chap-md5", help: "CHAP: no encryption possible" },
  { word: "pap", help: "PAP: sends the password in the clear" },
];
const STRENGTHS: readonly Word[] = [
  { word: "128", help: "128 bit" },
  { word: "56", help: "56 bit: for old peers only" },
  { word: "40", help: "40 bit: for old peers only" },
];
const encryption = leaf(
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
);
const mppeMode = leaf(
  "how often MPPE changes its key",
  {
    kind: "choice",
    words: [
      { word: "stateless", help: "with every packet: a lost packet harms no other; what Windows does" },
      {
        word: "allow-stateful",
        help: "every 256 packets, if the far end wants that: a lost packet costs more packets",
      },
      { word: "prefer-stateful", help: "ask for that first: for old peers that know no other" },
    ],
  },
  { default: "stateless" },
);
const compression = leaf(
  "compression of encrypted packets",
  {
    kind: "choice",
    words: [
      { word: "none", help: "never: most traffic is compressed already" },
      { word: "mppc", help: "MPPC, if the far end wants it too; costs processor time" },
    ],
  },
  { default: "none" },
);
const mtu = leaf(
  "largest IP packet inside the tunnel",
  { kind: "integer", low: 576, high: 1460 },
  { default: 1400, unit: "bytes" },
);
const ipv6 = leaf(
  "IPv6 inside the tunnel",
  {
    kind: "choice",
    words: [
      { word: "refuse", help: "IPv4 alone" },
      { word: "link-local", help: "link-local addresses at both ends (fe80::)" },
    ],
  },
  { default: "refuse" },
);

const rate = (help: string) =>
  leaf(help, { kind: "integer", low: 64, high: 1_000_000 }, { unit: "kilobits per second" });

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
    ssh,
  }),
  interfaces,
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
      mtu,
      authentication: leaf(
        "accepted ways to prove the password, best first",
        { kind: "choices", words: AUTHENTICATION },
        { default: ["mschap-v2"] },
      ),
      encryption,
      strengths: leaf(
        "accepted key lengths of MPPE",
        { kind: "choices", words: STRENGTHS },
        { default: ["128"], unit: "bits" },
      ),
      "mppe-mode": mppeMode,
      compression,
      callback: leaf(
        "when the far end asks to be called back",
        {
          kind: "choice",
          words: [
            { word: "refuse", help: "reject the option; every Windows goes on without it" },
            { word: "cbcp", help: "negotiate it, and agree on no callback: for peers that insist" },
          ],
        },
        { default: "refuse" },
      ),
      ipv6,
      accounts: leaf(
        "who is asked about a caller, in this order",
        {
          kind: "choices",
          words: [
            { word: "local", help: "vpn account; the next one for names that are not there" },
            { word: "radius", help: "vpn radius; the next one when no server answers" },
          ],
        },
        { default: ["local"] },
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
        route: leaf("LAN-to-LAN: networks behind whoever dials in with this account", {
          kind: "network-list",
          most: 32,
        }),
        enabled: leaf("may dial in", { kind: "boolean" }, { default: true }),
        "one-session": leaf(
          "what a second call does while one stands",
          {
            kind: "choice",
            words: [
              { word: "false", help: "it is let in too" },
              { word: "true", help: "it is turned away; a lost call stands for up to 100 seconds" },
              { word: "replace", help: "it is let in, and the first one ends" },
            ],
          },
          { default: "false" },
        ),
        "session-timeout": leaf(
          "hang up after this long; never while nothing is set",
          { kind: "integer", low: 60, high: 31_536_000 },
          { unit: "seconds" },
        ),
        "rate-limit": container("faster packets are dropped; no limit while nothing is set", {
          upload: rate("from the caller"),
          download: rate("to the caller"),
        }),
      }),
    },
    radius,
    client: {
      node: "list",
      help: "we dial in there",
      key: {
        word: "NAME",
        // Digits alone would be taken for the number of a session.
        pattern: /^(?!\d+$)[A-Za-z0-9._-]{1,31}$/,
        rule: "1 to 31 letters, digits and . _ - (not digits alone)",
      },
      entry: container("one tunnel to a server", {
        enabled: leaf("exists at all", { kind: "boolean" }, { default: true }),
        server: leaf("the server's address", { kind: "ipv4" }),
        user: leaf("our account there, as the server knows it: DOMAIN\\user where it wants that", {
          kind: "name",
          // PAP has one byte for the length (RFC 1334 §2.2.1): 63 characters always fit, at 4 bytes each.
          pattern: /^[^\p{Cc}]{1,63}$/u,
          rule: "1 to 63 characters, in quotes if there are blanks",
        }),
        password: leaf("the password of this account", { kind: "secret", longest: 128 }),
        "new-password": leaf("set in its place when the server says that it has expired", {
          kind: "secret",
          longest: 128,
        }),
        authentication: leaf(
          "ways to prove our password, best first",
          { kind: "choices", words: AUTHENTICATION },
          { default: ["mschap-v2"] },
        ),
        encryption,
        strengths: leaf(
          "key lengths of MPPE that will do",
          { kind: "choices", words: STRENGTHS },
          { default: ["128"], unit: "bits" },
        ),
        "mppe-mode": mppeMode,
        compression,
        mtu,
        dial: leaf(
          "what makes us dial",
          {
            kind: "choice",
            words: [
              { word: "always", help: "at once, and again after every end" },
              { word: "on-demand", help: "the first packet for one of its routes" },
              { word: "manual", help: "vpn dial alone" },
            ],
          },
          { default: "always" },
        ),
        "idle-timeout": leaf(
          "hang up after this long without a packet; never while nothing is set",
          { kind: "integer", low: 30, high: 86_400 },
          { unit: "seconds" },
        ),
        route: leaf("networks behind the tunnel; 0.0.0.0/1 128.0.0.0/1 for the whole Internet", {
          kind: "network-list",
          most: 32,
        }),
        nat: leaf("hide the LAN behind our address in the tunnel", { kind: "boolean" }, { default: false }),
        ipv6,
      }),
    },
  }),
  "dhcp-server": dhcpServer,
  dns,
  nat,
  firewall,
  routes,
  syslog,
  ntp,
});

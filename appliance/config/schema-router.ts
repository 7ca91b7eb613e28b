/** The settings that make the device a router: interfaces, DHCP, DNS, NAT, firewall, routes, log and time servers. */
import { container, type Leaf, type List, leaf, type Word } from "./schema-node.ts";

const DEVICE = { pattern: /^[A-Za-z][A-Za-z0-9._-]{0,14}$/, rule: "1 to 15 letters, digits, dots, - and _" } as const;
const device = (fallback: string): Leaf =>
  leaf(
    "a port of the board, or a network interface of the kernel; the board's own while nothing is set",
    { kind: "name", ...DEVICE },
    { default: fallback },
  );
const interfaceAddress = leaf("own address and network", { kind: "cidr" });

/** A host name (RFC 1123 §2.1) or an address in dotted form. */
const HOST = {
  pattern: /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
  rule: "an address or a host name",
};
const LABEL = {
  pattern: /^[A-Za-z0-9]([A-Za-z0-9-]{0,29}[A-Za-z0-9])?$/,
  rule: "1 to 31 letters, digits and inner hyphens",
};
const PORTS = {
  kind: "name",
  pattern: /^[1-9]\d{0,4}(-[1-9]\d{0,4})?$/,
  rule: "a port from 1 to 65535, or two with a hyphen between them: 8000-8010",
} as const;
const PROTOCOLS: readonly Word[] = [
  { word: "tcp", help: "TCP" },
  { word: "udp", help: "UDP" },
  { word: "both", help: "TCP and UDP" },
];
const protocol = leaf("which packets", { kind: "choice", words: PROTOCOLS }, { default: "tcp" });

export const interfaces = container("the sockets at the back", {
  wan: container("towards the Internet", {
    device: device("eth0"),
    mode: leaf(
      "where the address comes from",
      {
        kind: "choice",
        words: [
          { word: "static", help: "address and gateway as they are set here" },
          { word: "dhcp", help: "from the provider's DHCP server" },
          { word: "pppoe", help: "dialed over PPPoE with user and password" },
        ],
      },
      { default: "static" },
    ),
    address: interfaceAddress,
    gateway: leaf("the provider's router: the default route", { kind: "ipv4" }),
    pppoe: container("the account at the provider", {
      user: leaf("user name", {
        kind: "name",
        pattern: /^[\x21-\x7e][\x20-\x7e]{0,126}$/,
        rule: "1 to 127 plain characters, in quotes if there are blanks",
      }),
      password: leaf("the password of this account", { kind: "secret", longest: 127 }),
      service: leaf("service name, where the provider has more than one", {
        kind: "name",
        pattern: /^[A-Za-z0-9._@-]{1,63}$/,
        rule: "1 to 63 letters, digits and . _ @ -",
      }),
      mtu: leaf(
        "largest IP packet",
        { kind: "integer", low: 576, high: 1492 },
        // RFC 2516 §7: 1500 less the headers of PPPoE and PPP.
        { default: 1492, unit: "bytes" },
      ),
    }),
  }),
  lan: container("towards the office", {
    device: device("eth1"),
    ports: leaf("the board's sockets of the LAN, joined by a bridge; all but the WAN's while nothing is set", {
      kind: "name-list",
      pattern: DEVICE.pattern,
      rule: "a port such as lan1, or a network interface of the kernel",
      most: 16,
    }),
    address: interfaceAddress,
  }),
});

const host: List = {
  node: "list",
  help: "always the same address for this host",
  key: { word: "NAME", ...LABEL },
  entry: container("one host", {
    mac: leaf("hardware address", {
      kind: "name",
      pattern: /^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$/,
      rule: "six pairs of hexadecimal digits with colons between them",
    }),
    address: leaf("its address", { kind: "ipv4" }),
  }),
};

export const dhcpServer = container("addresses for the hosts on the LAN", {
  enabled: leaf("give out addresses", { kind: "boolean" }, { default: false }),
  pool: container("addresses to give out", {
    start: leaf("first address", { kind: "ipv4" }),
    count: leaf("number of addresses", { kind: "integer", low: 1, high: 4096 }),
  }),
  "lease-time": leaf(
    "how long an address is lent",
    { kind: "integer", low: 2, high: 10_080 },
    { default: 720, unit: "minutes" },
  ),
  dns: leaf("name servers to tell the hosts; the device itself while nothing is set", { kind: "ipv4-list", most: 3 }),
  domain: leaf("domain to tell the hosts", { kind: "name", ...HOST, rule: "a domain name" }),
  host,
});

export const dns = container("name resolution", {
  proxy: leaf("answer the LAN's questions", { kind: "boolean" }, { default: true }),
  servers: leaf("name servers to ask; those that the provider names while nothing is set", {
    kind: "ipv4-list",
    most: 3,
  }),
});

export const nat = container("one Internet address for all", {
  enabled: leaf("packets leave by the WAN with its address", { kind: "boolean" }, { default: true }),
  mapping: {
    node: "list",
    help: "a port of the WAN that leads to a host on the LAN",
    key: { word: "NAME", ...LABEL },
    entry: container("one port mapping", {
      enabled: leaf("in force", { kind: "boolean" }, { default: true }),
      protocol,
      port: leaf("port or ports on the WAN", PORTS),
      address: leaf("the host on the LAN", { kind: "ipv4" }),
      "to-port": leaf("the host's port, for a single port; the same as on the WAN while nothing is set", {
        kind: "integer",
        low: 1,
        high: 65_535,
      }),
    }),
  },
});

export const firewall = container("what may come in", {
  "ping-from-wan": leaf("answer pings from the Internet", { kind: "boolean" }, { default: true }),
  management: leaf(
    "who reaches the device's own management (SSH, web)",
    {
      kind: "choice",
      words: [
        { word: "lan", help: "hosts on the LAN" },
        { word: "lan-and-tunnels", help: "and whoever is connected by PPTP" },
        { word: "anywhere", help: "and the whole Internet" },
      ],
    },
    { default: "lan" },
  ),
  routed: leaf(
    "the Internet reaches the networks behind us without port mapping; for routers without NAT",
    { kind: "boolean" },
    { default: false },
  ),
  service: {
    node: "list",
    help: "a port of the device itself that is open to the Internet",
    key: { word: "NAME", ...LABEL },
    entry: container("one open port", {
      protocol,
      port: leaf("port or ports", PORTS),
      from: leaf("networks that may come in; all while nothing is set", { kind: "network-list", most: 16 }),
    }),
  },
});

const OCTET = "(25[0-5]|2[0-4]\\d|1?\\d?\\d)";

export const routes = container("ways to other networks", {
  static: {
    node: "list",
    help: "a network that is reached by way of another router or a tunnel",
    key: {
      word: "NETWORK",
      pattern: new RegExp(`^${OCTET}(\\.${OCTET}){3}/([1-9]|[12]\\d|3[0-2])$`),
      rule: "a network such as 10.1.0.0/16",
    },
    entry: container("one network", {
      via: container("the way there: one of these", {
        gateway: leaf("a router on the LAN or the WAN", { kind: "ipv4" }),
        tunnel: leaf("a client of ours", {
          kind: "name",
          pattern: /^[A-Za-z0-9._-]{1,31}$/,
          rule: "the name of a client",
        }),
      }),
    }),
  },
});

const FACILITIES = ["user", "daemon", ...Array.from({ length: 8 }, (_, n) => `local${n}`)];

export const syslog = container("messages also go to a log server, as RFC 5424 has them", {
  server: leaf("the log server; nothing is sent while nothing is set", { kind: "name", ...HOST }),
  port: leaf("its port", { kind: "integer", low: 1, high: 65_535 }, { default: 514 }),
  transport: leaf(
    "how messages travel",
    {
      kind: "choice",
      words: [
        { word: "udp", help: "one datagram each (RFC 5426): some may be lost" },
        { word: "tcp", help: "one connection (RFC 6587): what waits is kept for a while" },
      ],
    },
    { default: "udp" },
  ),
  facility: leaf(
    "what the messages are filed under",
    { kind: "choice", words: FACILITIES.map((word) => ({ word, help: `facility ${word}` })) },
    { default: "local0" },
  ),
  level: leaf(
    "the least important message that is sent",
    {
      kind: "choice",
      words: [
        { word: "debug", help: "everything" },
        { word: "info", help: "what happens" },
        { word: "warning", help: "what should not happen" },
        { word: "error", help: "what does not work" },
      ],
    },
    { default: "info" },
  ),
});

export const ntp = container("the time of day", {
  servers: leaf("time servers; the clock is never set while nothing is set", { kind: "name-list", ...HOST, most: 4 }),
});

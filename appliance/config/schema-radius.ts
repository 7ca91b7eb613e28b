/** RADIUS servers: who they are, how long to wait for them, what they may do. */
import { container, type LeafType, leaf } from "./schema-node.ts";

const udpPort: LeafType = { kind: "integer", low: 1, high: 65_535 };

export const radius = container("servers that know the callers and are told of their sessions", {
  server: {
    node: "list",
    help: "a RADIUS server",
    key: {
      word: "NAME",
      pattern: /^[A-Za-z0-9._-]{1,31}$/,
      rule: "1 to 31 letters, digits and . _ -",
    },
    entry: container("one server", {
      address: leaf("the server's address", { kind: "ipv4" }),
      secret: leaf("shared with this server, which knows us by it", { kind: "secret", longest: 128 }),
      priority: leaf(
        "who is asked first: the lowest; the name decides between equals",
        { kind: "integer", low: 1, high: 100 },
        { default: 10 },
      ),
      "authentication-port": leaf("UDP port for callers", udpPort, { default: 1812 }),
      "accounting-port": leaf("UDP port for sessions", udpPort, { default: 1813 }),
      "message-authenticator": leaf(
        "proof in every answer that nobody changed it on the way",
        {
          kind: "choice",
          words: [
            { word: "required", help: "answers without it are ignored" },
            { word: "optional", help: "for old servers: who sits between can let anybody in (BlastRADIUS)" },
          ],
        },
        { default: "required" },
      ),
    }),
  },
  timeout: leaf(
    "wait for an answer, twice as long with each further try",
    { kind: "integer", low: 1, high: 8 },
    { default: 2, unit: "seconds" },
  ),
  tries: leaf("questions to one server before the next", { kind: "integer", low: 1, high: 5 }, { default: 3 }),
  "dead-time": leaf(
    "how long a server that did not answer is asked last",
    { kind: "integer", low: 0, high: 3600 },
    { default: 120, unit: "seconds" },
  ),
  "nas-identifier": leaf("how servers know this device; the host name while nothing is set", {
    kind: "name",
    pattern: /^[\x21-\x7e]{1,64}$/,
    rule: "1 to 64 printable characters without blanks",
  }),
  "nas-address": leaf("address that servers shall know us by (NAS-IP-Address)", { kind: "ipv4" }),
  accounting: leaf("tell servers of sessions", { kind: "boolean" }, { default: true }),
  "interim-interval": leaf(
    "tell of running sessions this often, if the server does not say it; never while nothing is set",
    { kind: "integer", low: 60, high: 86_400 },
    { unit: "seconds" },
  ),
  "disconnect-messages": leaf(
    "servers may end and change sessions (Disconnect- and CoA-Request)",
    { kind: "boolean" },
    { default: false },
  ),
  "disconnect-port": leaf("UDP port on which they say so", udpPort, { default: 3799 }),
});

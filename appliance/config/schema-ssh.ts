/** The settings of the remote login. */
import { container, leaf } from "./schema-node.ts";

export const ssh = container("remote login over SSH, as admin", {
  enabled: leaf("take connections; `firewall management` says from where", { kind: "boolean" }, { default: false }),
  port: leaf("TCP port", { kind: "integer", low: 1, high: 65_535 }, { default: 22 }),
  "password-login": leaf(
    "the administrator's password will do; false: only the keys below",
    { kind: "boolean" },
    { default: true },
  ),
  "idle-timeout": leaf(
    "log out after this long without a key; 0: never",
    { kind: "integer", low: 0, high: 1440 },
    { default: 10, unit: "minutes" },
  ),
  key: {
    node: "list",
    help: "whose key will do",
    key: {
      word: "NAME",
      pattern: /^[A-Za-z0-9]([A-Za-z0-9._@-]{0,29}[A-Za-z0-9])?$/,
      rule: "1 to 31 letters, digits and inner . _ @ -",
    },
    entry: container("one person or program", {
      "public-key": leaf("the line of a .pub file: type and key", { kind: "ssh-key" }),
    }),
  },
});

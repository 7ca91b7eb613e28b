/** Configurations written as a person types them. */
import assert from "node:assert/strict";
import { set } from "../../appliance/config/change.ts";
import type { Config } from "../../appliance/config/config.ts";

/** One setting per line, without the word `set`. */
export function configOf(...lines: readonly string[]): Config {
  let config: Config = new Map();
  for (const line of lines) {
    const changed = set(config, line.split(" "));
    assert.ok(changed.ok, `${line}: ${changed.ok ? "" : changed.problem}`);
    config = changed.config;
  }
  return config;
}

/** A head office: both interfaces, the server with its pool, one account. */
export const OFFICE: readonly string[] = [
  "interfaces wan address 203.0.113.1/24",
  "interfaces wan gateway 203.0.113.254",
  "interfaces lan address 192.168.1.1/24",
  "vpn server enabled true",
  "vpn server pool start 192.168.1.200",
  "vpn server pool count 20",
  "vpn account alice password s3cret",
];

/** A tunnel of ours to a head office, on top of anything. */
export const BRANCH: readonly string[] = [
  "vpn client munich server 198.51.100.9",
  "vpn client munich user OFFICE\\branch",
  "vpn client munich password s3cret",
  "vpn client munich route 10.1.0.0/16",
];

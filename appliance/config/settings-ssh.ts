/** The remote login's part of the configuration as the values that its service works with. */
import type { Ipv4 } from "../wire/ipv4.ts";
import { type Config, entriesOf, type Path } from "./config.ts";
import { flag, integer, prefix, text, words } from "./settings.ts";

export interface AuthorizedKey {
  readonly name: string;
  /** `ssh-ed25519`. */
  readonly type: string;
  readonly base64: string;
}

export interface SshSettings {
  readonly port: number;
  /** The address to listen on; undefined: on every one, and the firewall says who gets there. */
  readonly address: Ipv4 | undefined;
  readonly passwordLogin: boolean;
  /** Undefined: for ever. */
  readonly idleMinutes: number | undefined;
  readonly keys: readonly AuthorizedKey[];
}

/** The branches of the schema that `sshSettings` reads. */
export const SSH_BRANCHES: readonly Path[] = ["system ssh", "interfaces lan address", "firewall management"];

/** Undefined: nobody can log in. */
export function sshSettings(config: Config): SshSettings | undefined {
  const address = prefix(config, "interfaces lan address")?.address;
  if (!flag(config, "system ssh enabled") || address === undefined) return undefined;
  const idle = integer(config, "system ssh idle-timeout") ?? 0;
  return {
    port: integer(config, "system ssh port") ?? 0,
    address: text(config, "firewall management") === "anywhere" ? undefined : address,
    passwordLogin: flag(config, "system ssh password-login"),
    idleMinutes: idle === 0 ? undefined : idle,
    keys: entriesOf(config, "system ssh key").flatMap((name) => {
      const [type, base64] = words(config, `system ssh key ${name} public-key`);
      return type === undefined || base64 === undefined ? [] : [{ name, type, base64 }];
    }),
  };
}

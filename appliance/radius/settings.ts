/** What an administrator decides about RADIUS: the values `config/` hands to the client. */
import type { Ipv4 } from "../wire/ipv4.ts";

export interface RadiusServerSettings {
  readonly name: string;
  readonly address: Ipv4;
  readonly authenticationPort: number;
  readonly accountingPort: number;
  /** Shared with this server alone. */
  readonly secret: string;
  /**
   * Whether an answer to an Access-Request counts only with a Message-Authenticator: without one, who sits between can
   * make an Accept of a Reject (BlastRADIUS, CVE-2024-3596). False for servers too old to send it.
   */
  readonly requireMessageAuthenticator: boolean;
}

export interface RadiusSettings {
  /** Best first. */
  readonly servers: readonly RadiusServerSettings[];
  /** Wait for the first answer; it doubles with each try, up to 8 s. */
  readonly timeoutMs: number;
  /** Packets sent to one server before the next server is asked. */
  readonly tries: number;
  /** How long a server that did not answer is asked last. */
  readonly deadTimeMs: number;
  /** NAS-Identifier: who we are. */
  readonly nasIdentifier: string;
  /** NAS-IP-Address, where servers want one. */
  readonly nasAddress: Ipv4 | undefined;
  /** UDP port on which servers may end or change sessions; undefined hears nobody. */
  readonly dynamicPort: number | undefined;
}

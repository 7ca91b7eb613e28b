/** What an administrator decides about PPTP: the values `config/` hands to the tunnels. */

import type { Ipv4Prefix } from "../ports.ts";
import type { EncryptionPolicy } from "../ppp/ccp.ts";
import type { AuthMethod } from "../ppp/lcp.ts";
import type { ClientProfile } from "../pptp/quirks.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import type { DialPolicy } from "./virtual-interface.ts";

export interface ServerSettings {
  readonly enabled: boolean;
  /** Our end of every tunnel; may be the LAN address. */
  readonly localAddress: Ipv4;
  /** `count` addresses from `start`, one per session: the count is the session limit. */
  readonly pool: { readonly start: Ipv4; readonly count: number };
  /** Primary and secondary, in that order. */
  readonly dns: readonly Ipv4[];
  readonly wins: readonly Ipv4[];
  /** Bytes of the largest IP packet inside the tunnel. */
  readonly mtu: number;
  /** Best first. */
  readonly authentication: readonly AuthMethod[];
  readonly encryption: EncryptionPolicy;
  /** `refuse` rejects the Callback option; `cbcp` accepts it and then agrees on "no callback", as RRAS does. */
  readonly callback: "refuse" | "cbcp";
  /** `link-local` negotiates IPV6CP and carries link-local IPv6; `refuse` answers Protocol-Reject. */
  readonly ipv6: "refuse" | "link-local";
  /** Who is asked about a caller, in this order: the next one when the account is unknown here, or no server answers. */
  readonly accountSources: readonly AccountSource[];
  /** Whether RADIUS servers are told of sessions, and how often of running ones where they do not say it themselves. */
  readonly accounting: { readonly interimMs: number | undefined } | undefined;
}

export type AccountSource = "local" | "radius";

/** Bits per second, as the caller sees them; undefined is as fast as the line. */
export interface RateLimit {
  /** From the caller. */
  readonly upload: number | undefined;
  /** To the caller. */
  readonly download: number | undefined;
}

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly enabled: boolean;
  /** Fixed address, outside or inside the pool; undefined takes the next free one. */
  readonly address: Ipv4 | undefined;
  /** LAN-to-LAN: networks behind whoever dials in. Empty for a mobile user. */
  readonly routes: readonly Ipv4Prefix[];
  /** A second call of a connected account: let in, turned away, or let in while the first one ends. */
  readonly oneSession: "false" | "true" | "replace";
  /** Hung up after this long. */
  readonly sessionTimeoutMs: number | undefined;
  readonly rateLimit: RateLimit;
}

export interface ClientSettings {
  readonly name: string;
  readonly server: Ipv4;
  /** As the server knows it, `DOMAIN\user` included. */
  readonly user: string;
  readonly password: string;
  /** Set in place of an expired password (E=648). */
  readonly newPassword: string | undefined;
  /** What we are ready to prove ourselves by, best first. */
  readonly authentication: readonly AuthMethod[];
  readonly encryption: EncryptionPolicy;
  readonly mtu: number;
  /** Networks behind the tunnel. */
  readonly routes: readonly Ipv4Prefix[];
  /** Whether hosts behind us appear with our address in the tunnel. */
  readonly nat: boolean;
  readonly dial: DialPolicy;
  /** Whose manners it has on the wire. */
  readonly profile: ClientProfile;
}

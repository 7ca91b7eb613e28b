/** What an administrator decides about PPTP: the values `config/` hands to the tunnels. */
import type { Ipv4 } from "../wire/ipv4.ts";

export type AuthMethod = "pap" | "chap-md5" | "mschap-v1" | "mschap-v2";

/** Key length of MPPE in bits (RFC 3078 §2.1 bits L, M, S). */
export type MppeStrength = 40 | 56 | 128;

export interface EncryptionPolicy {
  /** `required` is enforced on received data too: clear IP inside such a session is dropped and counted. */
  readonly use: "none" | "optional" | "required";
  readonly strengths: readonly MppeStrength[];
  /** Stateful mode (RFC 3078 §8) loses 256 packets' worth of secrecy to save re-keying: only for peers that know no other. */
  readonly allowStateful: boolean;
}

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
  readonly authentication: readonly AuthMethod[];
  readonly encryption: EncryptionPolicy;
}

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly enabled: boolean;
  /** Fixed address, outside or inside the pool; undefined takes the next free one. */
  readonly address: Ipv4 | undefined;
}

/** How NAT boxes treat PPTP: rightly, and in the ways that are known to go wrong. A mode is a row of data. */

export interface AlgTraits {
  /** For people. */
  readonly says: string;
  /** Reads the control connections on TCP port 1723, and lets GRE in by the calls that it found there. */
  readonly tracksCalls: boolean;
  /** Gives each call of an inside host a Call ID that no other call to the same remote address has. */
  readonly rewritesCallIds: boolean;
  /** Takes the outside TCP port for the outside Call ID, and puts the client's Call ID into Call-Disconnect-Notify from outside. */
  readonly asLinux: boolean;
  /** Gives GRE from a server to whoever called that server last, whatever the Call ID. */
  readonly greByServer: boolean;
  /** Lets GRE of a call in only after GRE of this call went out. */
  readonly greNeedsOutbound: boolean;
  /** Loses all GRE, both ways. */
  readonly blocksGre: boolean;
  /** How long GRE of a call may pause before anything has come in, and after that. */
  readonly greUnrepliedMs: number;
  readonly greRepliedMs: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Linux, nf_conntrack_pptp.h: PPTP_GRE_TIMEOUT and PPTP_GRE_STREAM_TIMEOUT. */
const RIGHT: AlgTraits = {
  says: "reads the control connection and translates Call IDs: RFC 2637",
  tracksCalls: true,
  rewritesCallIds: true,
  asLinux: false,
  greByServer: false,
  greNeedsOutbound: false,
  blocksGre: false,
  greUnrepliedMs: 10 * MINUTE,
  greRepliedMs: 5 * HOUR,
};

export const PPTP_ALG_MODES = {
  /**
   * No helper. The control connection is TCP like any other. GRE from inside leaves with the outside address and its Call
   * ID as it is; GRE from outside is for nobody and is lost. A call is set up and then dies in LCP: error 619. So does a
   * Linux router whose nf_conntrack_pptp is not loaded or not assigned: openwrt/openwrt#13009.
   */
  off: {
    ...RIGHT,
    says: "no helper: GRE leaves with the outside address, none comes in",
    tracksCalls: false,
    rewritesCallIds: false,
  },
  right: RIGHT,
  /**
   * Linux nf_nat_pptp.c: the outside Call ID is the control connection's outside TCP port ("This breaks multiple calls
   * within one control session"), those of servers behind it pass as they are, and in a Call-Disconnect-Notify from a
   * server the server's Call ID is replaced by the client's. What Linux does to clients outside is not imitated.
   */
  linux: { ...RIGHT, says: "translates as Linux's nf_nat_pptp does", asLinux: true },
  /**
   * GRE is mapped by the two addresses alone: the second client that calls a server takes the first one's packets. A
   * packet filter that knows GRE as a protocol without ports: pf, as pfSense's manual tells under "NAT and Protocol
   * Compatibility"; seen too in Ysurac/openmptcprouter#4184 ("one connection, but only one").
   */
  "single-session": { ...RIGHT, says: "maps GRE by server address alone", rewritesCallIds: false, greByServer: true },
  /**
   * Knows calls by their Call ID but leaves it as the client chose it: two clients of one server that choose the same
   * get each other's packets, the newest call all of them. Linux 2.2's ip_masq_pptp without "Call ID masquerade".
   */
  "no-call-id-rewrite": { ...RIGHT, says: "passes Call IDs as they are", rewritesCallIds: false },
  /**
   * GRE is forgotten after 30 s without a packet, and remembered when the inside sends again: what the server sends in
   * between is lost. 30 s is Linux's nf_conntrack_gre_timeout.
   */
  "gre-timeout-30s": {
    ...RIGHT,
    says: "forgets GRE after 30 s of silence",
    greUnrepliedMs: 30 * SECOND,
    greRepliedMs: 30 * SECOND,
  },
  /**
   * GRE comes in only after GRE of the same call went out, so a server that speaks first loses its first
   * Configure-Requests. Stateful firewalls that make their state from GRE itself and not from the control connection.
   */
  "inbound-gre-first-dropped": {
    ...RIGHT,
    says: "lets GRE in only after the inside has sent some",
    greNeedsOutbound: true,
  },
  /** The provider or a firewall drops IP protocol 47; TCP port 1723 works: error 806. */
  "gre-blocked": { ...RIGHT, says: "loses all GRE", tracksCalls: false, rewritesCallIds: false, blocksGre: true },
} as const satisfies Readonly<Record<string, AlgTraits>>;

export type PptpAlgMode = keyof typeof PPTP_ALG_MODES;

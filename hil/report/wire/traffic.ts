/** What a frame is in the eyes of somebody who looks for a PPTP fault. The order is the order of drawing and of the page's legend. */

export const TRAFFIC = [
  "pptp",
  "lcp",
  "auth",
  "ccp",
  "ncp",
  "mppe",
  "ppp",
  "ack",
  "tcp",
  "udp",
  "icmp",
  "arp",
  "other",
] as const;
export type Traffic = (typeof TRAFFIC)[number];

/** How the page names a kind, and what belongs to it. */
export const TRAFFIC_NAMES: Readonly<Record<Traffic, readonly [name: string, what: string]>> = {
  pptp: ["PPTP", "control connection, TCP port 1723"],
  lcp: ["LCP", "link control"],
  auth: ["Auth", "PAP, CHAP, EAP, CBCP"],
  ccp: ["CCP", "negotiation of MPPE and MPPC"],
  ncp: ["IPCP", "IPCP and IPV6CP"],
  mppe: ["MPPE", "compressed datagrams: encrypted data"],
  ppp: ["PPP clear", "data that is not encrypted"],
  ack: ["GRE ack", "acknowledgments without data"],
  tcp: ["TCP", "other TCP"],
  udp: ["UDP", "DHCP, DNS and other UDP"],
  icmp: ["ICMP", "ICMP outside the tunnel"],
  arp: ["ARP", "address resolution"],
  other: ["Other", "IPv6, fragments, and what cannot be read"],
};

/** Name and value of something that stands in a packet. */
export type Field = readonly [name: string, value: string];

/** A packet in words. */
export interface Words {
  readonly traffic: Traffic;
  /** One line; undefined for bulk data, of which only numbers are of interest. */
  readonly label: string | undefined;
  /** Most packets of a run are never looked at so closely. */
  fields(): readonly Field[];
  /** What went wrong between the two, by this packet's own words: a refusal, a reset, an error. */
  readonly wrong: string | undefined;
}

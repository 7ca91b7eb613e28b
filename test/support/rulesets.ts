/** Configurations whose rulesets are golden, and are read by nft itself in a system test. */

export const RULESETS: readonly (readonly [string, readonly string[]])[] = [
  ["nothing is set", []],
  [
    "a branch office: PPPoE, one mapping of each kind, a tunnel with nat",
    [
      "interfaces wan mode pppoe",
      "interfaces wan pppoe user someone",
      "interfaces wan pppoe password secret",
      "interfaces lan address 192.168.1.1/24",
      "nat mapping web port 80",
      "nat mapping web address 192.168.1.10",
      "nat mapping camera protocol both",
      "nat mapping camera port 5000-5010",
      "nat mapping camera address 192.168.1.11",
      "nat mapping desk port 33890",
      "nat mapping desk to-port 3389",
      "nat mapping desk address 192.168.1.12",
      "vpn client head server 198.51.100.9",
      "vpn client head user branch",
      "vpn client head password secret",
      "vpn client head mtu 1300",
      "vpn client head nat true",
    ],
  ],
  [
    "a head office: static, VPN server, management and two services from the Internet, no pings",
    [
      "interfaces wan address 203.0.113.1/24",
      "interfaces lan address 192.168.1.1/24",
      "vpn server enabled true",
      "vpn server pool start 192.168.1.200",
      "vpn server pool count 20",
      "firewall ping-from-wan false",
      "firewall management anywhere",
      "firewall service snmp protocol udp",
      "firewall service snmp port 161",
      "firewall service snmp from 198.51.100.0/24 192.0.2.7/32",
      "firewall service other port 9000-9009",
    ],
  ],
  [
    "a router without NAT",
    [
      "interfaces wan address 203.0.113.1/30",
      "interfaces lan address 198.51.100.1/24",
      "nat enabled false",
      "firewall routed true",
      "firewall management lan-and-tunnels",
    ],
  ],
];

/** A host that answers pings and, when they are asked for, is its network's DHCP, DNS and RADIUS server. */
import { formatIpv4 } from "../../../appliance/wire/ipv4.ts";
import type { NodeDefinition } from "../../node/definition.ts";
import type { SavedHost } from "../ip/host.ts";
import { DhcpServer, type DhcpSettings, type SavedDhcp } from "./dhcp-server.ts";
import { DnsServer, type DnsTable, type SavedDns } from "./dns-server.ts";
import { RadiusServer, type RadiusServerSettings, type SavedRadius } from "./radius-server.ts";
import { defaultRoute, ipHostOf, type NicSettings, serviceNode } from "./service-node.ts";

export interface ServiceHostSettings {
  readonly address: NicSettings;
  readonly gateway?: string | undefined;
  readonly dhcp?: DhcpSettings | undefined;
  readonly dns?: DnsTable | undefined;
  readonly radius?: RadiusServerSettings | undefined;
}

export interface ServiceHost {
  readonly dhcp: DhcpServer | undefined;
  readonly dns: DnsServer | undefined;
  readonly radius: RadiusServer | undefined;
  readonly address: string;
}

interface SavedServiceHost {
  readonly host: SavedHost;
  readonly dhcp: SavedDhcp | undefined;
  readonly dns: SavedDns | undefined;
  readonly radius: SavedRadius | undefined;
}

/** `serviceHost({ address: "203.0.113.53/24", gateway: "203.0.113.1", dns: { "vpn.example": "203.0.113.1" } })` */
export function serviceHost(settings: ServiceHostSettings): NodeDefinition<ServiceHost, "eth0"> {
  return serviceNode("server of the lab", ["eth0"], settings, (place) => {
    const { host, note } = ipHostOf(place, { eth0: settings.address }, defaultRoute(settings.gateway));
    const eth0 = host.interface("eth0");
    const dhcp = settings.dhcp && new DhcpServer(host, eth0, settings.dhcp, { clock: place.clock, note });
    const dns = settings.dns && new DnsServer(host, settings.dns, note);
    const radius = settings.radius && new RadiusServer(host, settings.radius, note);
    return {
      node: { dhcp, dns, radius, address: formatIpv4(eth0.address) },
      save: (): SavedServiceHost => ({
        host: host.save(),
        dhcp: dhcp?.save(),
        dns: dns?.save(),
        radius: radius?.save(),
      }),
      restore: (saved) => {
        const state = saved as SavedServiceHost;
        host.restore(state.host);
        if (state.dhcp !== undefined) dhcp?.restore(state.dhcp);
        if (state.dns !== undefined) dns?.restore(state.dns);
        if (state.radius !== undefined) radius?.restore(state.radius);
      },
      close: () => host.close(),
    };
  });
}

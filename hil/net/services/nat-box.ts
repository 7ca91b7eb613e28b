/** The router of a home or a small office: NAT with a PPTP ALG, and on its inside DHCP and DNS when they are asked for. */
import { formatIpv4 } from "../../../appliance/wire/ipv4.ts";
import type { NodeDefinition } from "../../node/definition.ts";
import { ipv4Of } from "../ip/cidr.ts";
import type { SavedHost } from "../ip/host.ts";
import { DhcpServer, type DhcpSettings, type SavedDhcp } from "./dhcp-server.ts";
import { DnsServer, type DnsTable, type SavedDns } from "./dns-server.ts";
import { Nat, type NatSettings, type SavedNat } from "./nat.ts";
import { defaultRoute, ipHostOf, type NicSettings, serviceNode } from "./service-node.ts";

export interface NatBoxSettings extends NatSettings {
  readonly inside: NicSettings;
  readonly outside: NicSettings;
  /** The next router on the outside. Without one, only the outside network is reached. */
  readonly gateway?: string | undefined;
  readonly dhcp?: DhcpSettings | undefined;
  readonly dns?: DnsTable | undefined;
  /** Ports of the outside address that lead to a host inside, to the same port unless `toPort` says otherwise. */
  readonly forwards?: readonly {
    readonly protocol: "tcp" | "udp";
    readonly port: number;
    readonly to: string;
    readonly toPort?: number | undefined;
  }[];
}

export interface NatBox {
  /** `nat.alg = "off"` takes effect with the next packet. */
  readonly nat: Nat;
  readonly dhcp: DhcpServer | undefined;
  readonly dns: DnsServer | undefined;
  readonly insideAddress: string;
  readonly outsideAddress: string;
}

interface SavedNatBox {
  readonly host: SavedHost;
  readonly nat: SavedNat;
  readonly dhcp: SavedDhcp | undefined;
  readonly dns: SavedDns | undefined;
}

/** `natBox({ inside: "192.168.1.1/24", outside: "203.0.113.7/24", gateway: "203.0.113.1", alg: "right" })` */
export function natBox(settings: NatBoxSettings): NodeDefinition<NatBox, "inside" | "outside"> {
  return serviceNode("NAT box of the lab", ["inside", "outside"], settings, (place) => {
    const nics = { inside: settings.inside, outside: settings.outside };
    const { host, note } = ipHostOf(place, nics, defaultRoute(settings.gateway));
    const [inside, outside] = [host.interface("inside"), host.interface("outside")];
    const around = { clock: place.clock, note };
    const nat = new Nat(host, { inside, outside }, settings, around);
    for (const { protocol, port, to, toPort = port } of settings.forwards ?? []) {
      nat.forward(protocol, port, { address: ipv4Of(to), port: toPort });
    }
    const dhcp = settings.dhcp && new DhcpServer(host, inside, settings.dhcp, around);
    const dns = settings.dns && new DnsServer(host, settings.dns, note);
    const [insideAddress, outsideAddress] = [formatIpv4(inside.address), formatIpv4(outside.address)];
    return {
      node: { nat, dhcp, dns, insideAddress, outsideAddress },
      save: (): SavedNatBox => ({ host: host.save(), nat: nat.save(), dhcp: dhcp?.save(), dns: dns?.save() }),
      restore: (saved) => {
        const state = saved as SavedNatBox;
        host.restore(state.host);
        nat.restore(state.nat);
        if (state.dhcp !== undefined) dhcp?.restore(state.dhcp);
        if (state.dns !== undefined) dns?.restore(state.dns);
      },
      close: () => {
        host.close();
        nat.close();
      },
    };
  });
}

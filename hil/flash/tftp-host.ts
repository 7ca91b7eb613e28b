/** A node of the lab that is the TFTP server, and the DHCP server, of the link that a board boots from. It needs no root. */

import { DhcpServer, type DhcpSettings } from "../net/services/dhcp-server.ts";
import { ipHostOf, serviceNode } from "../net/services/service-node.ts";
import type { NodeDefinition } from "../node/definition.ts";
import { LabUdp, TftpServer } from "./tftp.ts";

/** What a flash needs to know of a TFTP server. */
export interface FileOffer {
  /** The server's address, as the board reaches it. */
  readonly address: string;
  put(name: string, data: Buffer): void;
  remove(name: string): void;
}

/** `tftpHost({ address: "192.168.1.2/24" })`. Files that are offered are of no stage: they are put again. */
export function tftpHost(settings: {
  readonly address: string;
  readonly dhcp?: DhcpSettings | undefined;
}): NodeDefinition<FileOffer, "eth0"> {
  return serviceNode("TFTP server of the lab", ["eth0"], settings, (place) => {
    const { host, note } = ipHostOf(place, { eth0: settings.address }, []);
    const eth0 = host.interface("eth0");
    if (settings.dhcp !== undefined) new DhcpServer(host, eth0, settings.dhcp, { clock: place.clock, note });
    const server = new TftpServer(new LabUdp(host, eth0), { clock: place.clock, note });
    const [address = ""] = settings.address.split("/");
    return {
      node: {
        address,
        put: (name, data) => server.put(name, data),
        remove: (name) => server.remove(name),
      },
      save: () => host.save(),
      restore: (saved) => host.restore(saved as ReturnType<typeof host.save>),
      close: () => {
        server.close();
        host.close();
      },
    };
  });
}

/** A router between two or more networks. Fragments are forwarded as they are, and cut again where they do not fit. */
import type { NodeDefinition } from "../../node/definition.ts";
import type { RouteSettings, SavedHost } from "../ip/host.ts";
import { ipHostOf, type NicSettings, serviceNode } from "./service-node.ts";

export interface RouterSettings<Nic extends string> {
  /** The router's address on each of its networks. */
  readonly nics: Readonly<Record<Nic, NicSettings>>;
  /** To networks that are not its own. */
  readonly routes?: readonly RouteSettings[] | undefined;
}

/** What scenarios see. A router has nothing to say to them; its links have. */
export interface Router {
  readonly addresses: readonly string[];
}

/** `router({ nics: { left: "10.0.1.1/24", right: { address: "10.0.2.1/24", mtu: 1400 } } })` */
export function router<const Nic extends string>(settings: RouterSettings<Nic>): NodeDefinition<Router, Nic> {
  const nics = Object.keys(settings.nics) as Nic[];
  return serviceNode("router of the lab", nics, settings, (place) => {
    const { host } = ipHostOf(place, settings.nics, settings.routes ?? []);
    host.isRouter = true;
    return {
      node: { addresses: nics.map((nic) => String(host.interface(nic))) },
      save: () => host.save(),
      restore: (saved) => host.restore(saved as SavedHost),
      close: () => host.close(),
    };
  });
}

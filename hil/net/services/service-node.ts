/** What all parts of the network that run in this process have in common: how they become nodes of a lab. */
import { createHash } from "node:crypto";
import type { NodeDefinition, Service, ServicePlace } from "../../node/definition.ts";
import { parseCidr } from "../ip/cidr.ts";
import { IpHost, type RouteSettings } from "../ip/host.ts";

/** Another number for another format of what `save` gives: what was saved before is of no use then. */
const SAVED_FORMAT = 1;

/** `192.168.1.1/24`, or with the largest packet that leaves. */
export type NicSettings = string | { readonly address: string; readonly mtu: number };

/**
 * `settings` are all that the service depends on, as JSON. It is started once at once, on nothing: settings that cannot be
 * throw their RangeError here and not when the lab comes up.
 */
export function serviceNode<N, Nic extends string>(
  what: string,
  nics: readonly Nic[],
  settings: unknown,
  start: (place: ServicePlace<Nic>) => Service<N>,
): NodeDefinition<N, Nic> {
  start(nowhere(nics)).close();
  const key = createHash("sha256")
    .update(JSON.stringify([SAVED_FORMAT, what, settings]))
    .digest("hex");
  return { role: "service", what, nics, prepare: () => Promise.resolve({ kind: "service", key, start }) };
}

export interface ServiceIp<Nic extends string> {
  readonly host: IpHost;
  /** For the journal. */
  readonly note: (text: string) => void;
  readonly place: ServicePlace<Nic>;
}

export function ipHostOf<Nic extends string>(
  place: ServicePlace<Nic>,
  nics: Readonly<Record<Nic, NicSettings>>,
  routes: readonly RouteSettings[],
): ServiceIp<Nic> {
  const note = (text: string): void => place.journal.append({ kind: "note", node: place.name, text });
  const interfaces = (Object.keys(nics) as Nic[]).map((name) => {
    const nic = nics[name];
    const { address, mtu } = typeof nic === "string" ? { address: nic, mtu: undefined } : nic;
    if (mtu !== undefined && !(mtu >= 68 && mtu <= 1500)) throw new RangeError(`mtu ${mtu}: give 68 to 1500 bytes`);
    const port = place.nics[name];
    if (port === undefined) throw new Error(`${place.name}.${name} is on no link: plug it in, or leave it out`);
    return { name, port, mac: place.macs[name], cidr: parseCidr(address), mtu };
  });
  return { host: new IpHost({ interfaces, routes, clock: place.clock, note }), note, place };
}

export function defaultRoute(gateway: string | undefined): readonly RouteSettings[] {
  return gateway === undefined ? [] : [{ to: "0.0.0.0/0", via: gateway }];
}

function nowhere<Nic extends string>(nics: readonly Nic[]): ServicePlace<Nic> {
  const port = { name: "nowhere", onFrame: () => {}, send: () => false };
  return {
    name: "nowhere",
    nics: Object.fromEntries(nics.map((nic) => [nic, port])) as unknown as ServicePlace<Nic>["nics"],
    macs: Object.fromEntries(nics.map((nic) => [nic, "02:00:00:00:00:00"])) as unknown as ServicePlace<Nic>["macs"],
    clock: { nowNs: () => 0n, after: () => () => {} },
    journal: { append: () => {} },
  };
}

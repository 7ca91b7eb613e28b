/** A computer on a LAN, as busybox: it answers pings, serves files and fetches them. */

import type { NodeDefinition } from "../node/definition.ts";
import { type Guest, guestNode } from "../node/guest.ts";
import { fetchFile, isAnswered, offerFile, ping } from "./traffic.ts";

export interface LanHostSettings {
  /** With prefix length, such as `192.168.1.10/24`. */
  readonly address: string;
  readonly gateway: string;
}

export class LanHost {
  readonly address: string;
  readonly #guest: Guest;

  constructor(guest: Guest, address: string) {
    this.#guest = guest;
    this.address = address;
  }

  ping = (target: string) => ping(this.#guest, target);
  isAnswered = (target: string) => isAnswered(this.#guest, target);
  offerFile = (bytes: number) => offerFile(this.#guest, bytes);
  fetchFile = (from: string) => fetchFile(this.#guest, from);
}

export function lanHost(settings: LanHostSettings): NodeDefinition<LanHost, "eth0"> {
  return guestNode({
    what: "a host with busybox",
    contents: { name: "lan-host", packages: [], executables: [] },
    setUp: (guest) => guest.configure(settings.address, settings.gateway),
    dress: (guest) => new LanHost(guest, settings.address.replace(/\/.*/, "")),
  });
}

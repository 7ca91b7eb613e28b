/** The few rtnetlink(7) requests of a router: links, addresses, routes. */
import { getSystemErrorName } from "node:util";
import type { Addon, NetlinkHandle } from "../native/addon.ts";
import { type Ipv4Prefix, SystemError } from "../ports.ts";
import { Ipv4 } from "../wire/ipv4.ts";
import {
  type Attribute,
  emitAttributes,
  emitMessage,
  type Message,
  parseAttributes,
  parseMessages,
  readU32,
  u32,
  writeU32,
} from "./netlink-message.ts";
import { systemCall } from "./system-call.ts";

const MessageType = {
  error: 2,
  done: 3,
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
} as const;
const Flag = {
  request: 0x1,
  ack: 0x4,
  dumpInterrupted: 0x10,
  replace: 0x100,
  exclusive: 0x200,
  dump: 0x300,
  create: 0x400,
} as const;
const LinkAttribute = { address: 1, name: 3, mtu: 4, master: 10, information: 18, carrier: 33 } as const;
const LinkInformation = { kind: 1 } as const;
const AddressAttribute = { address: 1, local: 2, broadcast: 4 } as const;
const RouteAttribute = { destination: 1, outputInterface: 4, gateway: 5, table: 15 } as const;
const LINK_BYTES = 16;
const ADDRESS_BYTES = 8;
const ROUTE_BYTES = 12;
const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;
const RT_TABLE_MAIN = 254;
/** The default route is ours: as `ip route` marks what an administrator set. */
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTN_UNICAST = 1;
/** The kernel cuts a dump into datagrams of at most 32 KiB. */
const ARENA_BYTES = 64 * 1024;
const LONGEST_INTERRUPTED_DUMP = 8;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly mtu: number;
  readonly hardwareAddress: Buffer | undefined;
  /** The bridge that it is part of; 0: none. */
  readonly master: number;
}

export interface LinkAddress {
  readonly index: number;
  readonly prefix: Ipv4Prefix;
}

export class RouteNetlink {
  readonly #addon: Addon;
  readonly #handle: NetlinkHandle;
  readonly #arena = Buffer.alloc(ARENA_BYTES);
  #sequence = 0;

  constructor(addon: Addon) {
    this.#addon = addon;
    this.#handle = systemCall(() => addon.netlinkOpen());
  }

  links(): Link[] {
    return this.#dump("list interfaces", MessageType.getLink, Buffer.alloc(LINK_BYTES)).flatMap(({ body }) => {
      if (body.length < LINK_BYTES) return [];
      const attributes = parseAttributes(body, LINK_BYTES);
      const hardwareAddress = attributes.get(LinkAttribute.address);
      return [
        {
          index: readU32(body, 4),
          name: (attributes.get(LinkAttribute.name) ?? Buffer.alloc(0)).toString("latin1").replace(/\0.*$/s, ""),
          up: (readU32(body, 8) & IFF_UP) !== 0,
          carrier: attributes.get(LinkAttribute.carrier)?.[0] === 1,
          mtu: word(attributes.get(LinkAttribute.mtu)),
          master: word(attributes.get(LinkAttribute.master)),
          // The loop interface has one of zeros, a TUN none or an empty one.
          hardwareAddress: hardwareAddress?.some((byte) => byte !== 0) ? Buffer.from(hardwareAddress) : undefined,
        },
      ];
    });
  }

  addresses(): LinkAddress[] {
    const query = Buffer.alloc(ADDRESS_BYTES);
    query[0] = AF_INET;
    return this.#dump("list addresses", MessageType.getAddress, query).flatMap(({ body }) => {
      // On a tunnel IFA_ADDRESS is the far end; our own address is IFA_LOCAL.
      const local = parseAttributes(body, ADDRESS_BYTES).get(AddressAttribute.local);
      if (body[0] !== AF_INET || local?.length !== 4) return [];
      const prefix = { address: Ipv4(local.readUInt32BE(0)), length: body[1] ?? 0 };
      return [{ index: readU32(body, 4), prefix }];
    });
  }

  /** The gateway of the main table's default route that this module has set. */
  defaultGateway(): Ipv4 | undefined {
    const query = Buffer.alloc(ROUTE_BYTES);
    query[0] = AF_INET;
    for (const { body } of this.#dump("list routes", MessageType.getRoute, query)) {
      if (body.length < ROUTE_BYTES || body[1] !== 0 || body[5] !== RTPROT_STATIC) continue;
      const attributes = parseAttributes(body, ROUTE_BYTES);
      const gateway = attributes.get(RouteAttribute.gateway);
      const table = attributes.get(RouteAttribute.table);
      if ((table === undefined ? body[4] : word(table)) === RT_TABLE_MAIN && gateway?.length === 4)
        return Ipv4(gateway.readUInt32BE(0));
    }
    return undefined;
  }

  /** `changes.mtu` undefined leaves the MTU as it is. */
  setLink(operation: string, index: number, changes: { up: boolean; mtu?: number }): void {
    const fixed = linkFixed(index);
    writeU32(fixed, changes.up ? IFF_UP : 0, 8);
    writeU32(fixed, IFF_UP, 12);
    const attributes = changes.mtu === undefined ? [] : [{ type: LinkAttribute.mtu, value: u32(changes.mtu) }];
    this.#change(operation, MessageType.newLink, 0, fixed, attributes);
  }

  /** Throws EEXIST when there is an interface of this name. Without an address the kernel takes the lowest of its members. */
  addBridge(operation: string, name: string, hardwareAddress: Buffer | undefined): void {
    const kind = { type: LinkInformation.kind, value: Buffer.from("bridge") };
    this.#change(operation, MessageType.newLink, Flag.create | Flag.exclusive, Buffer.alloc(LINK_BYTES), [
      { type: LinkAttribute.name, value: Buffer.from(`${name}\0`) },
      ...(hardwareAddress === undefined ? [] : [{ type: LinkAttribute.address, value: hardwareAddress }]),
      { type: LinkAttribute.information, value: emitAttributes([kind]) },
    ]);
  }

  /** Makes an interface part of a bridge, and of no other; 0 takes it out of its bridge. */
  setMaster(operation: string, index: number, bridge: number): void {
    this.#change(operation, MessageType.newLink, 0, linkFixed(index), [
      { type: LinkAttribute.master, value: u32(bridge) },
    ]);
  }

  /** Throws ENODEV when there is none. */
  deleteLink(operation: string, index: number): void {
    this.#change(operation, MessageType.deleteLink, 0, linkFixed(index), []);
  }

  /** Throws EEXIST when the interface has it already. `peer` makes it the address of a point-to-point link. */
  addAddress(operation: string, index: number, prefix: Ipv4Prefix, peer?: Ipv4): void {
    const local = addressBytes(prefix.address);
    const attributes: Attribute[] = [
      { type: AddressAttribute.local, value: local },
      { type: AddressAttribute.address, value: peer === undefined ? local : addressBytes(peer) },
    ];
    if (peer === undefined && prefix.length < 31) {
      const hostBits = 2 ** (32 - prefix.length) - 1;
      attributes.push({ type: AddressAttribute.broadcast, value: addressBytes(Ipv4(prefix.address | hostBits)) });
    }
    this.#change(operation, MessageType.newAddress, Flag.create, addressFixed(index, prefix.length), attributes);
  }

  /** fe80::/64 with the interface identifier (8 bytes). */
  addLinkLocal(operation: string, index: number, identifier: Buffer): void {
    const address = Buffer.concat([Buffer.from("fe80000000000000", "hex"), identifier]);
    const fixed = addressFixed(index, 64);
    fixed[0] = AF_INET6;
    fixed[3] = RT_SCOPE_LINK;
    this.#change(operation, MessageType.newAddress, Flag.create | Flag.replace, fixed, [
      { type: AddressAttribute.local, value: address },
      { type: AddressAttribute.address, value: address },
    ]);
  }

  /** Throws EADDRNOTAVAIL when the interface does not have it. */
  removeAddress(operation: string, index: number, prefix: Ipv4Prefix): void {
    this.#change(operation, MessageType.deleteAddress, 0, addressFixed(index, prefix.length), [
      { type: AddressAttribute.local, value: addressBytes(prefix.address) },
    ]);
  }

  /** Adds a route to a network, or replaces the one this module has set. */
  setRoute(operation: string, destination: Ipv4Prefix, outputInterface: number, gateway: Ipv4 | undefined): void {
    const scope = gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    const attributes: Attribute[] = [
      { type: RouteAttribute.destination, value: addressBytes(network(destination)) },
      { type: RouteAttribute.outputInterface, value: u32(outputInterface) },
    ];
    if (gateway !== undefined) attributes.push({ type: RouteAttribute.gateway, value: addressBytes(gateway) });
    const fixed = routeFixed(scope, destination.length);
    this.#change(operation, MessageType.newRoute, Flag.create | Flag.replace, fixed, attributes);
  }

  /** Throws ESRCH when there is none. */
  deleteRoute(operation: string, destination: Ipv4Prefix): void {
    this.#change(operation, MessageType.deleteRoute, 0, routeFixed(RT_SCOPE_NOWHERE, destination.length), [
      { type: RouteAttribute.destination, value: addressBytes(network(destination)) },
    ]);
  }

  /** What the kernel would do with a packet to `address`. Throws ENETUNREACH when it has no route. */
  lookUp(operation: string, address: Ipv4): { outputInterface: number; gateway: Ipv4 | undefined } {
    const fixed = Buffer.alloc(ROUTE_BYTES);
    fixed[0] = AF_INET;
    fixed[1] = 32;
    const destination = [{ type: RouteAttribute.destination, value: addressBytes(address) }];
    const sequence = this.#send(operation, MessageType.getRoute, Flag.request, fixed, destination);
    for (;;) {
      for (const message of this.#receive(operation)) {
        if (message.sequence !== sequence) continue;
        if (message.type === MessageType.error) refuse(operation, message);
        const attributes = parseAttributes(message.body, ROUTE_BYTES);
        const gateway = attributes.get(RouteAttribute.gateway);
        return {
          outputInterface: word(attributes.get(RouteAttribute.outputInterface)),
          gateway: gateway?.length === 4 ? Ipv4(gateway.readUInt32BE(0)) : undefined,
        };
      }
    }
  }

  /** Replaces the default route that this module has set. */
  setDefaultGateway(operation: string, gateway: Ipv4): void {
    this.#change(operation, MessageType.newRoute, Flag.create | Flag.replace, routeFixed(RT_SCOPE_UNIVERSE), [
      { type: RouteAttribute.gateway, value: addressBytes(gateway) },
    ]);
  }

  /** Throws ESRCH when there is none. */
  deleteDefaultRoute(operation: string): void {
    this.#change(operation, MessageType.deleteRoute, 0, routeFixed(RT_SCOPE_NOWHERE), []);
  }

  /** Sends one request and waits for its acknowledgement; the kernel's refusal is thrown as a SystemError. */
  #change(operation: string, type: number, flags: number, fixed: Buffer, attributes: readonly Attribute[]): void {
    const sequence = this.#send(operation, type, Flag.request | Flag.ack | flags, fixed, attributes);
    for (;;) {
      for (const message of this.#receive(operation)) {
        if (message.sequence !== sequence || message.type !== MessageType.error) continue;
        refuse(operation, message);
        return;
      }
    }
  }

  #dump(operation: string, type: number, fixed: Buffer): Message[] {
    for (let tries = 1; ; tries++) {
      const { messages, interrupted } = this.#dumpOnce(operation, type, fixed);
      if (!interrupted) return messages;
      // Something changed while the kernel was listing: what came may be neither the old nor the new.
      if (tries === LONGEST_INTERRUPTED_DUMP) throw new SystemError(operation, "EINTR");
    }
  }

  #dumpOnce(operation: string, type: number, fixed: Buffer): { messages: Message[]; interrupted: boolean } {
    const sequence = this.#send(operation, type, Flag.request | Flag.dump, fixed, []);
    const messages: Message[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive(operation)) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & Flag.dumpInterrupted) !== 0) interrupted = true;
        if (message.type === MessageType.done) return { messages, interrupted };
        if (message.type === MessageType.error) refuse(operation, message);
        // A copy: the arena is needed for the next datagram.
        messages.push({ ...message, body: Buffer.from(message.body) });
      }
    }
  }

  #send(operation: string, type: number, flags: number, fixed: Buffer, attributes: readonly Attribute[]): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const request = emitMessage(type, flags, this.#sequence, fixed, attributes);
    systemCall(() => this.#addon.netlinkSend(this.#handle, request), operation);
    return this.#sequence;
  }

  #receive(operation: string): Message[] {
    const length = systemCall(() => this.#addon.netlinkReceive(this.#handle, this.#arena), operation);
    return parseMessages(this.#arena.subarray(0, length));
  }
}

/** An error message carries a negative errno, or 0: that is the acknowledgement. */
function refuse(operation: string, message: Message): void {
  const error = message.body.length < 4 ? -71 : readU32(message.body, 0) | 0;
  if (error !== 0) throw new SystemError(operation, getSystemErrorName(error));
}

function linkFixed(index: number): Buffer {
  const fixed = Buffer.alloc(LINK_BYTES);
  writeU32(fixed, index, 4);
  return fixed;
}

function addressFixed(index: number, prefixLength: number): Buffer {
  const fixed = Buffer.alloc(ADDRESS_BYTES);
  fixed[0] = AF_INET;
  fixed[1] = prefixLength;
  writeU32(fixed, index, 4);
  return fixed;
}

function routeFixed(scope: number, destinationLength = 0): Buffer {
  return Buffer.from([AF_INET, destinationLength, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST, 0, 0, 0, 0]);
}

/** The kernel refuses a destination with host bits. */
function network({ address, length }: Ipv4Prefix): Ipv4 {
  return Ipv4(length === 0 ? 0 : address & (-1 << (32 - length)));
}

function addressBytes(address: Ipv4): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return bytes;
}

function word(value: Buffer | undefined): number {
  return value?.length === 4 ? readU32(value, 0) : 0;
}

/** DHCP messages: RFC 2131 §2, their options: RFC 2132, classless routes: RFC 3442. */
import { fault, type Parsed, Reader, Writer } from "../../../appliance/wire/cursor.ts";
import { Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { type Cidr, netmask } from "../ip/cidr.ts";

export const DhcpType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;
export const DhcpOption = {
  mask: 1,
  router: 3,
  dns: 6,
  domain: 15,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverId: 54,
  parameters: 55,
  renewalTime: 58,
  rebindingTime: 59,
  clientId: 61,
  classlessRoutes: 121,
  /** The same as Windows XP and Server 2003 ask for it. */
  microsoftRoutes: 249,
} as const;

const BOOT_REQUEST = 1;
const BOOT_REPLY = 2;
const ETHERNET = 1;
const MAGIC_COOKIE = 0x6382_5363;
const PAD = 0;
const END = 255;
const FIXED_BYTES = 240;
/** Some clients drop what is shorter than BOOTP's 300 bytes. */
const SHORTEST = 300;
const BROADCAST_FLAG = 0x8000;

export interface DhcpMessage {
  readonly isRequest: boolean;
  readonly transaction: number;
  readonly seconds: number;
  /** The client cannot take unicast before it has an address. */
  readonly wantsBroadcast: boolean;
  readonly clientAddress: Ipv4;
  readonly yourAddress: Ipv4;
  readonly relayAddress: Ipv4;
  readonly mac: Buffer;
  /** Parts of one option are joined: RFC 3396. */
  readonly options: ReadonlyMap<number, Buffer>;
}

export function parseDhcp(bytes: Buffer): Parsed<DhcpMessage> {
  const r = new Reader(bytes);
  const operation = r.u8();
  const hardware = r.u16(); // type and length
  r.u8(); // hops
  const transaction = r.u32();
  const seconds = r.u16();
  const flags = r.u16();
  const clientAddress = Ipv4(r.u32());
  const yourAddress = Ipv4(r.u32());
  r.u32(); // next server
  const relayAddress = Ipv4(r.u32());
  const mac = Buffer.from(r.view(16).subarray(0, 6));
  r.view(64 + 128); // server name and boot file
  const cookie = r.u32();
  if (!r.result(0).ok) return fault("short");
  if (cookie !== MAGIC_COOKIE) return fault("bad-magic");
  if ((operation !== BOOT_REQUEST && operation !== BOOT_REPLY) || hardware !== ((ETHERNET << 8) | 6)) {
    return fault("bad-value");
  }
  const options = parseOptions(r.rest());
  if (options === undefined) return fault("bad-length");
  return {
    ok: true,
    value: {
      isRequest: operation === BOOT_REQUEST,
      transaction,
      seconds,
      wantsBroadcast: (flags & BROADCAST_FLAG) !== 0,
      clientAddress,
      yourAddress,
      relayAddress,
      mac,
      options,
    },
  };
}

function parseOptions(bytes: Buffer): Map<number, Buffer> | undefined {
  const options = new Map<number, Buffer>();
  const r = new Reader(bytes);
  while (r.remaining > 0) {
    const code = r.u8();
    if (code === END) break;
    if (code === PAD) continue;
    const value = r.view(r.u8());
    if (!r.result(0).ok) return undefined;
    options.set(code, Buffer.concat([options.get(code) ?? Buffer.alloc(0), value]));
  }
  return options;
}

export function emitDhcp(message: DhcpMessage): Buffer {
  const parts: Buffer[] = [];
  for (const [code, value] of message.options) {
    for (let at = 0; at === 0 || at < value.length; at += 255) {
      const part = value.subarray(at, at + 255);
      parts.push(Buffer.from([code, part.length]), part);
    }
  }
  const options = Buffer.concat([...parts, Buffer.from([END])]);
  const w = new Writer(Math.max(SHORTEST, FIXED_BYTES + options.length));
  w.u8(message.isRequest ? BOOT_REQUEST : BOOT_REPLY)
    .u8(ETHERNET)
    .u8(6)
    .u8(0);
  w.u32(message.transaction)
    .u16(message.seconds)
    .u16(message.wantsBroadcast ? BROADCAST_FLAG : 0);
  w.u32(message.clientAddress).u32(message.yourAddress).u32(0).u32(message.relayAddress);
  w.fixed(message.mac, 16).fixed(Buffer.alloc(0), 64 + 128);
  w.u32(MAGIC_COOKIE).fixed(options, options.length);
  return w.bytes;
}

export function addressOption(message: DhcpMessage, code: number): Ipv4 | undefined {
  const value = message.options.get(code);
  return value?.length === 4 ? Ipv4(value.readUInt32BE(0)) : undefined;
}

export function addressBytes(...addresses: readonly Ipv4[]): Buffer {
  const bytes = Buffer.alloc(4 * addresses.length);
  for (const [index, address] of addresses.entries()) bytes.writeUInt32BE(address, 4 * index);
  return bytes;
}

export function secondsBytes(seconds: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(seconds >>> 0);
  return bytes;
}

/** RFC 3442: the prefix length, only as many bytes of the network as it needs, the gateway. */
export function classlessRouteBytes(routes: readonly { readonly to: Cidr; readonly via: Ipv4 }[]): Buffer {
  return Buffer.concat(
    routes.map(({ to: { address, prefixLength }, via }) => {
      const network = addressBytes(Ipv4(address & netmask(prefixLength)));
      return Buffer.concat([
        Buffer.from([prefixLength]),
        network.subarray(0, Math.ceil(prefixLength / 8)),
        addressBytes(via),
      ]);
    }),
  );
}

/** The TypeScript face of the C addon: its functions as they are, unsafe to mix up but checked. `linux/` builds the ports on it. */
import { dirname, join } from "node:path";
import process from "node:process";

/** An open file descriptor. Garbage collection closes a forgotten one, unless it is watched. */
export type Handle<Kind extends string> = { readonly kind: Kind };
export type TunHandle = Handle<"tun">;
export type GreHandle = Handle<"gre">;
export type NetlinkHandle = Handle<"netlink">;

/** Packets that one call of `greSend` takes and one of `greReceive` brings at most. */
export const BATCH = 64;

/**
 * Wrong arguments throw a TypeError. A failing system call throws an Error with `code` (`EPERM`) and `operation`
 * (`ioctl TUNSETIFF`). A handle that was closed fails with EBADF.
 */
export interface Addon {
  tunOpen(name: string): TunHandle;
  /** An interface of whole Ethernet frames, for the lab; read and written as a TUN interface is. */
  tapOpen(name: string): TunHandle;
  /**
   * Packet i comes to lie in `arena[starts[i]..ends[i])`: in the i-th slot of `slotBytes`, behind `headroom`. Returns how
   * many came; fewer than there are slots means that no more wait.
   */
  tunRead(
    tun: TunHandle,
    arena: Buffer,
    slotBytes: number,
    headroom: number,
    starts: Uint32Array,
    ends: Uint32Array,
  ): number;
  /** False when the kernel refuses the packet. Throws when the interface is gone. */
  tunWrite(tun: TunHandle, packet: Buffer): boolean;

  greOpen(receiveBufferBytes: number): GreHandle;
  /** As `tunRead`, at most BATCH, `sources` in host order. A packet larger than its slot comes out empty. */
  greReceive(
    gre: GreHandle,
    arena: Buffer,
    slotBytes: number,
    starts: Uint32Array,
    ends: Uint32Array,
    sources: Uint32Array,
  ): number;
  /** 1 to BATCH packets; returns how many the kernel took. A local address of 0 leaves the source to the routes. */
  greSend(gre: GreHandle, count: number, packets: readonly Buffer[], locals: Uint32Array, peers: Uint32Array): number;

  netlinkOpen(): NetlinkHandle;
  /** The kernel has carried the request out when this returns; the answers wait to be received. */
  netlinkSend(netlink: NetlinkHandle, request: Buffer): void;
  /** One datagram to the start of `arena`; returns its length. EAGAIN when none waits, EMSGSIZE when it does not fit. */
  netlinkReceive(netlink: NetlinkHandle, arena: Buffer): number;

  /** Sets the time of day: seconds and nanoseconds since 1970. */
  clockSet(seconds: number, nanoseconds: number): void;

  /** Fills the buffer with random bytes of the kernel. Waits for them early after a start of the machine (getrandom(2)). */
  randomFill(buffer: Buffer): void;

  /** Calls `onReadable` from the event loop as long as something waits to be read. Once per handle; `close` ends it. */
  watch(handle: TunHandle | GreHandle | NetlinkHandle, onReadable: () => void): void;
  /** A second close does nothing. */
  close(handle: TunHandle | GreHandle | NetlinkHandle): void;
}

/**
 * Where the image puts the addon: beside the program. `process.argv[1]` and not `import.meta`, which is empty in the
 * one CommonJS file that the firmware is bundled into.
 */
export function defaultAddonPath(): string {
  const { CULVERT_NATIVE } = process.env;
  return CULVERT_NATIVE ?? join(dirname(process.argv[1] ?? "."), "culvert.node");
}

/** Throws an Error that names the file when it is missing, or built for another machine. */
export function loadAddon(path: string = defaultAddonPath()): Addon {
  const module: { exports: Partial<Addon> } = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (error) {
    throw new Error(`cannot load the native addon ${path}: set CULVERT_NATIVE to a culvert.node of this machine`, {
      cause: error,
    });
  }
  return module.exports as Addon;
}

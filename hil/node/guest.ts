/** A Linux guest of ours: kernel and one initramfs, no disk, a framed shell on its serial console. */
import { type BuiltGuest, buildGuest, type GuestSpec } from "../../image/guest.ts";
import type { Progress } from "../../image/progress.ts";
import type { Console } from "../console/console.ts";
import { FramedShell } from "../console/frame.ts";
import type { MachinePlace, NodeDefinition } from "./definition.ts";
import type { MachineSpec } from "./qemu/args.ts";
import type { Machine } from "./qemu/machine.ts";

const READY = "guest-shell-ready";
const BOOT_WITHIN_MS = 120_000;
const MEMORY_MIB = 256;

/**
 * Process 1: mounts, modules, then shells on the serial line for ever. A shell whose standard output is a pipe is not
 * interactive: no prompt and no line editing between the host and the result.
 */
const INIT = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /var/run /var/log
mount -t devpts devpts /dev/pts
while read -r module; do insmod "$module" || echo "insmod $module failed"; done </etc/modules.load
ip link set lo up
stty -F /dev/ttyS0 -echo
echo ${READY}
while :; do setsid sh -c 'sh -s </dev/ttyS0 2>&1 | cat >/dev/ttyS0'; done
`;

/** glibc's default asks `db` for services, which the static busybox cannot load: its wget then ends with a segmentation fault. */
const NSSWITCH = { path: "/etc/nsswitch.conf", mode: 0o644, data: "hosts: files dns\nservices: files\n" };

/** What a guest brings besides busybox, the network and the shell. */
export type GuestContents = Pick<GuestSpec, "name" | "packages" | "executables"> & Partial<GuestSpec>;

export function guestSpec(contents: GuestContents): GuestSpec {
  return {
    ...contents,
    files: [NSSWITCH, ...(contents.files ?? [])],
    modules: ["virtio_pci", "virtio_net", "virtio_rng", ...(contents.modules ?? [])],
    init: INIT,
  };
}

/** A guest that answers on its console. */
export class Guest {
  readonly name: string;
  readonly shell: FramedShell;
  readonly console: Console;

  /** The machine runs, or will run on, with its shell waiting for commands. */
  constructor(machine: Machine) {
    this.name = machine.name;
    this.console = machine.console;
    // A restored guest remembers what was asked before it was saved: each life speaks of its own.
    this.shell = new FramedShell(machine.console, `${machine.name}-${machine.instance}`);
  }

  /** Gives eth0 a static address, and a default route if there is a gateway. */
  async configure(address: string, gateway?: string): Promise<void> {
    const route = gateway === undefined ? "" : ` && ip route add default via ${gateway}`;
    await this.shell.run(`ip addr add ${address} dev eth0 && ip link set eth0 up${route}`);
  }
}

/** What makes a guest a node of a lab. */
export interface GuestTrade<N> {
  /** For reports: `Poptop 1.4 and pppd`. */
  readonly what: string;
  /** What is made of other things, such as a bundle, is made when the node is prepared. */
  readonly contents: GuestContents | ((progress: Progress) => Promise<GuestContents>);
  /** MiB, 256 unless given. */
  readonly memoryMib?: number;
  /** Runs once, at the end of the boot. */
  readonly setUp: (guest: Guest) => Promise<void>;
  /** The verbs of its trade. It asks nothing of the guest, which may be one that was saved long after its boot. */
  readonly dress: (guest: Guest) => N;
}

/** The definition of a lab node that is a guest with one NIC, `eth0`. */
export function guestNode<N>(trade: GuestTrade<N>): NodeDefinition<N, "eth0"> {
  const { what, contents, setUp, dress, memoryMib = MEMORY_MIB } = trade;
  return {
    role: "peer",
    what,
    memoryMib,
    nics: ["eth0"],
    prepare: async (progress) => {
      const spec = guestSpec(typeof contents === "function" ? await contents(progress) : contents);
      const built = await buildGuest(spec, progress);
      return {
        kind: "machine",
        key: built.key,
        spec: (place) => Promise.resolve(guestMachine(built, memoryMib, place)),
        boot: async (machine) => {
          await machine.console.expect({ ready: READY }, { withinMs: BOOT_WITHIN_MS, reason: "the guest to boot" });
          const guest = new Guest(machine);
          await setUp(guest);
          return dress(guest);
        },
        attach: (machine) => dress(new Guest(machine)),
      };
    },
  };
}

function guestMachine(built: BuiltGuest, memoryMib: number, { name, nics }: MachinePlace): MachineSpec {
  return {
    name,
    memoryMib,
    kernel: built.kernel,
    initrd: built.initrd,
    // Without IPv6 busybox listens on plain IPv4 sockets, the only ones that pptpctrl accepts.
    // On a busy host the kernel may find that its emulated timer does not tick, and panic: no_timer_check.
    append: "console=ttyS0 quiet panic=-1 mitigations=off ipv6.disable=1 no_timer_check",
    disks: [],
    nics,
    restarts: false,
  };
}

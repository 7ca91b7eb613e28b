/** A Linux guest of ours: kernel and one initramfs, no disk, a framed shell on its serial console. */
import { type BuiltGuest, buildGuest, type GuestSpec } from "../../image/guest.ts";
import type { Progress } from "../../image/progress.ts";
import type { Console } from "../console/console.ts";
import { FramedShell } from "../console/frame.ts";
import type { NodeDefinition, NodePlace } from "../lab.ts";
import { Machine } from "./qemu/machine.ts";

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

  private constructor(machine: Machine) {
    this.name = machine.name;
    this.console = machine.console;
    this.shell = new FramedShell(machine.console, `${machine.name}-frame`);
  }

  static async boot(place: NodePlace, built: BuiltGuest): Promise<Guest> {
    const machine = await Machine.start(
      {
        name: place.name,
        memoryMib: MEMORY_MIB,
        kernel: built.kernel,
        initrd: built.initrd,
        // Without IPv6 busybox listens on plain IPv4 sockets, the only ones that pptpctrl accepts.
        // On a busy host the kernel may find that its emulated timer does not tick, and panic: no_timer_check.
        append: "console=ttyS0 quiet panic=-1 mitigations=off ipv6.disable=1 no_timer_check",
        disks: [],
        nics: place.nics,
        restarts: false,
      },
      place.host,
    );
    await machine.go();
    await machine.console.expect({ ready: READY }, { withinMs: BOOT_WITHIN_MS, reason: "the guest to boot" });
    return new Guest(machine);
  }

  /** Gives eth0 a static address, and a default route if there is a gateway. */
  async configure(address: string, gateway?: string): Promise<void> {
    const route = gateway === undefined ? "" : ` && ip route add default via ${gateway}`;
    await this.shell.run(`ip addr add ${address} dev eth0 && ip link set eth0 up${route}`);
  }
}

/** The definition of a lab node that is a guest with one NIC, `eth0`; `dress` gives it the verbs of its trade. */
export function guestNode<N>(
  contents: GuestContents,
  dress: (guest: Guest) => N | Promise<N>,
): NodeDefinition<N, "eth0"> {
  return {
    nics: ["eth0"],
    prepare: async (progress: Progress) => {
      const built = await buildGuest(guestSpec(contents), progress);
      return async (place) => await dress(await Guest.boot(place, built));
    },
  };
}

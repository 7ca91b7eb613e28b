/** A Linux guest that mounts one file system after another: the kernel's own recovery of ext4. */
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../hil/clock.ts";
import { Journal } from "../../hil/journal/journal.ts";
import { type Guest, guestNode } from "../../hil/node/guest.ts";
import { chooseAccelerator } from "../../hil/node/qemu/accelerator.ts";
import { Machine } from "../../hil/node/qemu/machine.ts";
import { copySparse } from "../../hil/node/qemu/saved-machine.ts";
import type { Scope } from "../../hil/scope.ts";
import type { Recover } from "./cut-store.ts";

/** As mount-data mounts it. Nothing of the last disk is left in the guest's memory: its last user was the mount. */
const RECOVER = "mount -t ext4 -o noatime,nosuid,nodev /dev/vda /mnt && umount /mnt";

/** Starts the guest; `scope` ends it. Each recovery puts the disk into the guest, and the recovered one back. */
export async function startRecoveringGuest(folder: string, diskBytes: number, scope: Scope): Promise<Recover> {
  const inGuest = join(folder, "guest.disk");
  writeFileSync(inGuest, "");
  truncateSync(inGuest, diskBytes);
  const node = await guestNode<Guest>({
    what: "a kernel that recovers file systems",
    contents: { name: "recovering", packages: [], executables: [], modules: ["virtio_blk", "ext4"] },
    setUp: async (guest) => void (await guest.shell.run("mkdir -p /mnt")),
    dress: (guest) => guest,
  }).prepare(() => {});
  if (node.kind !== "machine") throw new Error("a guest is a machine");
  const clock = systemClock();
  const spec = await node.spec({ name: "recovering", nics: [], runFolder: folder });
  const machine = await Machine.start(
    { ...spec, disks: [{ path: inGuest, serial: "cut", readOnly: false }] },
    {
      accelerator: (await chooseAccelerator()).accelerator,
      clock,
      journal: new Journal(clock),
      instance: "recovering",
      socketFolder: folder,
      runFolder: folder,
      adopt: (started) => void scope.own("the guest", started),
    },
  );
  await machine.go();
  const guest = await node.boot(machine);
  return async (disk) => {
    await copySparse(disk, inGuest); // the same file with other bytes: QEMU has it open
    await guest.shell.run(RECOVER);
    await copySparse(inGuest, disk);
  };
}

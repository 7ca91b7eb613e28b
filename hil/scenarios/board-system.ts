/** What suite `board` flashes: Debian's arm64 kernel, and a system of busybox that starts a shell when somebody presses Enter. */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { buildGuest } from "../../image/guest.ts";
import { ARM64 } from "../../image/machines.ts";
import type { Progress } from "../../image/progress.ts";

const INIT = "#!/bin/sh\nexec /bin/busybox init\n";
const INITTAB = "::sysinit:/etc/rc\nttyAMA0::askfirst:-/bin/sh\n";
const RC = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
`;

export const BOOT_ARGUMENTS = "console=ttyAMA0 panic=-1";

export interface BoardSystem {
  /** Compressed by gzip, as `booti` takes it. */
  readonly kernel: Buffer;
  readonly initrd: Buffer;
}

/** `marker` ends up in /etc/marker: two systems of different markers can be told apart. */
export async function boardSystem(marker: string, progress: Progress): Promise<BoardSystem> {
  const built = await buildGuest(
    {
      name: "board-system",
      packages: [],
      executables: [],
      modules: [],
      files: [
        { path: "/etc/inittab", mode: 0o644, data: INITTAB },
        { path: "/etc/rc", mode: 0o755, data: RC },
        { path: "/etc/marker", mode: 0o644, data: `${marker}\n` },
      ],
      init: INIT,
    },
    progress,
    ARM64,
  );
  const kernel = await promisify(gzip)(await readFile(built.kernel), { level: 6 });
  return { kernel, initrd: await readFile(built.initrd) };
}

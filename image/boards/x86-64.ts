/** The x86_64 board: PC-class routers, and QEMU's q35. */
import { AMD64 } from "./amd64.ts";
import type { Board } from "./board.ts";

export const X86_64: Board = {
  name: "x86_64",
  title: "PC-class routers, 64 bit",
  machine: AMD64,
  packages: [
    "busybox-static",
    "e2fsprogs",
    "libblkid1",
    "libbrotli1",
    "libc-ares2",
    "libc6",
    "libcom-err2",
    "libext2fs2",
    "libgcc-s1",
    "libicu72",
    "libnghttp2-14",
    "libnode108",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "libuv1",
    "node-acorn",
    "node-cjs-module-lexer",
    "node-undici",
    "nodejs",
    "zlib1g",
  ],
  executables: ["/usr/bin/node", "/usr/sbin/mke2fs"],
  files: [
    "/etc/mke2fs.conf",
    // Debian's Node keeps five of its built-in modules as files and aborts at start when one is missing.
    "/usr/share/nodejs/acorn/dist/acorn.js",
    "/usr/share/nodejs/acorn-walk/dist/walk.js",
    "/usr/share/nodejs/cjs-module-lexer/dist/lexer.js",
    "/usr/share/nodejs/cjs-module-lexer/lexer.js",
    "/usr/share/nodejs/undici/undici-fetch.js",
  ],
  bootModules: ["virtio_pci", "virtio_blk", "squashfs"],
  systemModules: ["ext4", "virtio_net", "e1000", "e1000e", "virtio_rng", "virtio_console", "af_packet", "tun"],
  compression: { name: "zstd", blockSize: "128K", options: ["-Xcompression-level", "6"] },
  // no_timer_check: under emulation on a busy host the timer may seem dead at boot, and the kernel would panic.
  commandLine: "console=ttyS0,115200 quiet panic=10 no_timer_check",
};

/** What every board has, whatever its machine: the programs of the router, their packages, the modules that they ask for. */

import type { RootCompression } from "./board.ts";

/** Debian packages that files are taken from, besides the kernel. All machines have them under these names. */
export const SYSTEM_PACKAGES: readonly string[] = [
  "busybox-static",
  "dnsmasq-base",
  "dropbear-bin",
  "e2fsprogs",
  "libaudit1",
  "libblkid1",
  "libbrotli1",
  "libbsd0",
  "libc-ares2",
  "libc6",
  "libcap-ng0",
  "libcap2",
  "libcom-err2",
  "libcrypt1",
  "libdbus-1-3",
  "libedit2",
  "libext2fs2",
  "libgcc-s1",
  "libgcrypt20",
  "libgmp10",
  "libgpg-error0",
  "libhogweed6",
  "libicu72",
  "libidn2-0",
  "libjansson4",
  "liblz4-1",
  "liblzma5",
  "libmd0",
  "libmnl0",
  "libnetfilter-conntrack3",
  "libnettle8",
  "libnfnetlink0",
  "libnftables1",
  "libnftnl11",
  "libnghttp2-14",
  "libnode108",
  "libpam0g",
  "libpcap0.8",
  "libssl3",
  "libstdc++6",
  "libsystemd0",
  "libtinfo6",
  "libtomcrypt1",
  "libtommath1",
  "libunistring2",
  "libuuid1",
  "libuv1",
  "libxtables12",
  "libzstd1",
  "nftables",
  "node-acorn",
  "node-cjs-module-lexer",
  "node-undici",
  "nodejs",
  "ppp",
  "util-linux",
  "zlib1g",
];

/** Programs in the image; their libraries follow by themselves. */
export const SYSTEM_EXECUTABLES: readonly string[] = [
  "/usr/bin/node",
  // Tells the kernel that the data partition has grown.
  "/usr/bin/resizepart",
  "/usr/sbin/dnsmasq",
  "/usr/sbin/dropbear",
  "/usr/sbin/mke2fs",
  "/usr/sbin/nft",
  "/usr/sbin/pppd",
  // Opened by pppd, which looks in the folder of its own version.
  "/usr/lib/pppd/2.4.9/rp-pppoe.so",
];

/** Other files taken from packages as they are. */
export const SYSTEM_FILES: readonly string[] = [
  "/etc/mke2fs.conf",
  // Debian's Node keeps five of its built-in modules as files and aborts at start when one is missing.
  "/usr/share/nodejs/acorn/dist/acorn.js",
  "/usr/share/nodejs/acorn-walk/dist/walk.js",
  "/usr/share/nodejs/cjs-module-lexer/dist/lexer.js",
  "/usr/share/nodejs/cjs-module-lexer/lexer.js",
  "/usr/share/nodejs/undici/undici-fetch.js",
];

/** Drivers of the disks that boards with PCI have: SATA, NVMe, USB sticks, SD cards and eMMC. */
export const PCI_STORAGE_MODULES: readonly string[] = [
  ...["ahci", "nvme", "sd_mod", "uas", "usb_storage", "xhci_pci", "ehci_pci", "sdhci_pci", "mmc_block"],
  ...["virtio_scsi", "virtio_blk"],
];

/** A slot of the flashable disk. */
export const SLOT_COMPRESSION: RootCompression = { name: "xz", blockSize: "1M", options: [] };

/** Modules that every board's system loads, whatever it finds. */
export const SYSTEM_MODULES: readonly string[] = ["ext4", "af_packet", "tun"];

/** Modules that the firewall, PPPoE and PPTP pass-through ask for when they are needed. */
export const ROUTER_MODULES: readonly string[] = [
  "nf_tables",
  "nft_chain_nat",
  "nft_ct",
  "nft_fib_inet",
  "nft_masq",
  "nft_nat",
  "nft_objref",
  "nf_conntrack_pptp",
  "nf_nat_pptp",
  "bridge",
  "ppp_generic",
  "pppoe",
];

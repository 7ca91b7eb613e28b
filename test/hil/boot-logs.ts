/** Boot logs, typed in after real ones and shortened: what boards print on their serial consoles. Times are milliseconds after power-on. */
import type { TimedText } from "../../hil/bench/detect.ts";

const log = (lines: readonly (readonly [atMs: number, text: string])[]): TimedText[] =>
  lines.map(([atMs, text]) => ({ atMs, text }));

/** An A64 board: SPL, U-Boot proper, Debian. */
export const DEBIAN_UBOOT = log([
  [112, "\r\nU-Boot SPL 2023.01+dfsg-2+deb12u1 (Aug 27 2023 - 19:37:54 +0000)\r\n"],
  [130, "DRAM: 2048 MiB\r\nTrying to boot from MMC1\r\n"],
  [402, "NOTICE:  BL31: v2.8(debug):\r\nNOTICE:  BL31: Built : 10:11:32, Jan  3 2023\r\n"],
  [611, "\r\n\r\nU-Boot 2023.01+dfsg-2+deb12u1 (Aug 27 2023 - 19:37:54 +0000) Allwinner Technology\r\n\r\n"],
  [640, "CPU:   Allwinner A64 (SUN50I)\r\nModel: Pine64+\r\nDRAM:  2 GiB\r\nMMC:   mmc@1c0f000: 0\r\n"],
  [905, "In:    serial\r\nOut:   serial\r\nErr:   serial\r\nNet:   eth0: ethernet@1c30000\r\n"],
  [1010, "Hit any key to stop autoboot:  2 "],
  [2010, "\b\b\b 1 "],
  [3010, "\b\b\b 0 \r\nswitch to partitions #0, OK\r\n"],
  [4200, "\r\nStarting kernel ...\r\n\r\n"],
  [
    5123,
    "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd034]\r\n[    0.000000] Linux version 6.1.0-13-arm64\r\n",
  ],
  [7544, "[    2.412233] Run /init as init process\r\n[    3.100000] systemd[1]: Detected architecture arm64.\r\n"],
  [19_870, "\r\nDebian GNU/Linux 12 pine64 ttyS0\r\n\r\npine64 login: "],
]);

/** An MT7622 router with OpenWrt and a vendor's prompt. */
export const OPENWRT = log([
  [90, "\r\nF0: 102B 0000\r\nF6: 380E 5800\r\nV0: 0000 0000 [0001]\r\n"],
  [
    350,
    "U-Boot 2022.07-OpenWrt-r20134-5f15225c1e (Apr 27 2023 - 20:28:15 +0000)\n\r\nModel: mt7622-linksys-e8450-ubi\r\n",
  ],
  [800, "Hit 'ESC' to stop autoboot:  3 "],
  [3800, "\b\b\b 0\r\nLoading kernel from FIT Image at 40200000 ...\r\n"],
  [4400, "Starting kernel ...\r\n\r\n"],
  [4900, "[    0.000000] Linux version 5.15.134 (builder@buildhost)\r\n"],
  [7900, "[    2.951230] Run /sbin/init as init process\r\n[    3.22] init: Console is alive\r\n"],
  [9100, "Press the [f] key and hit [enter] to enter failsafe mode\r\n[    6.0] procd: - init -\r\n"],
  [14_300, "Please press Enter to activate this console.\r\n"],
  [17_750, "[   13.551230] br-lan: port 1(lan1) entered forwarding state\r\n"],
]);
export const OPENWRT_SHELL =
  "\r\n\r\n\r\nBusyBox v1.36.1 (2023-10-09 21:45:35 UTC) built-in shell (ash)\r\n\r\n  _______                     ________        __\r\n |       |.-----.-----.-----.|  |  |  |.----.|  |_\r\n -----------------------------------------------------\r\nroot@OpenWrt:/# ";

/** A PC with GRUB on its serial port. */
export const DEBIAN_GRUB = log([
  [2400, "\u001b[2J\u001b[01;01H\u001b[=3h                             GNU GRUB  version 2.06-13+deb12u1\r\n\r\n"],
  [2450, "\u001b[4;2H+----------+\r\n The highlighted entry will be executed automatically in 5s.\r\n"],
  [7600, "Loading Linux 6.1.0-13-amd64 ...\r\nLoading initial ramdisk ...\r\n"],
  [8200, "[    0.000000] Linux version 6.1.0-13-amd64 (debian-kernel@lists.debian.org)\r\n"],
  [10_100, "[    1.801] Run /init as init process\r\n"],
  [16_000, "\r\nDebian GNU/Linux 12 apu ttyS0\r\n\r\napu login: "],
]);

/** This project's own firmware, factory-new: a quiet kernel, and no boot loader on the console. */
export const CULVERT = log([[5200, "Set the administrator password\r\nNew password: "]]);

/** An old Broadcom router. */
export const CFE = log([
  [60, "\r\n\r\nCFE version 5.100.138.9 based on BBP 1.0.37 for BCM947XX (32bit,SP,)\r\nBuild Date: 01/01/2012\r\n"],
  [900, "Press any key to stop auto run (1 seconds)\r\nAutoboot in 1 seconds\r\n"],
]);

export const textOf = (pieces: readonly TimedText[]): string => pieces.map(({ text }) => text).join("");

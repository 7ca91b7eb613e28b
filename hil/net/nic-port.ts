/**
 * A link's end that is a real network card of this host: the card and a TAP interface of this process in one Linux bridge.
 * It needs root, the `ip` command, and the card for itself.
 *
 * The TAP is gone when this process ends, however it ends. The bridge may be left behind by a SIGKILL: a bridge of
 * ours without its TAP is stale, and is taken away by the next run or by `culvert doctor`.
 */
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { execa } from "execa";
import { type Addon, loadAddon, type TunHandle } from "../../appliance/native/addon.ts";
import { compileHostAddon } from "../../image/compile.ts";
import { Fault } from "../fault.ts";
import { shellWord } from "../shell-word.ts";
import type { Port } from "./port.ts";

const BRIDGE_PREFIX = "cvtbr";
const TAP_PREFIX = "cvttap";
/** The kernel cuts what is larger than the MTU before it reaches a TAP; a VLAN tag comes on top. */
const SLOT_BYTES = 9_216;
const SLOTS = 32;

/** As `ip -json link` tells it. */
interface LinkInfo {
  readonly ifname: string;
  readonly master?: string;
  readonly flags: readonly string[];
}

let opened = 0;

export class NicPort implements Port {
  readonly name: string;
  readonly nic: string;
  readonly bridge: string;
  readonly #addon: Addon;
  readonly #tap: TunHandle;
  /** Undoes what `open` did, the last first. */
  readonly #undo: (() => Promise<unknown>)[];
  readonly #atExit: () => void;
  #receive: (frame: Buffer) => void = () => {};
  #isClosed = false;

  private constructor(name: string, nic: string, bridge: string, addon: Addon, tap: TunHandle) {
    this.name = name;
    this.nic = nic;
    this.bridge = bridge;
    this.#addon = addon;
    this.#tap = tap;
    this.#undo = [];
    this.#atExit = () => void spawnSync("ip", ["link", "delete", bridge]);
    process.once("exit", this.#atExit);
    this.#read();
  }

  /**
   * `name` is the port's, `node.nic`; `nic` the host's card, `enx00e04c683af1`. Throws a Fault of class `bench` when this is
   * not root, or when the card is missing, is in another bridge, or is what this host reaches the world by.
   */
  static async open(name: string, nic: string): Promise<NicPort> {
    if (process.getuid?.() !== 0) {
      const command = process.argv.map(shellWord).join(" ");
      throw new Fault("bench", `the network card ${nic} cannot be bridged without root: sudo -E ${command}`);
    }
    await takeStaleBridgesAway();
    await refuse(nic);
    const addon = loadAddon(await compileHostAddon());
    const suffix = `${process.pid.toString(36)}${(opened++).toString(36)}`;
    const [bridge, tapName] = [`${BRIDGE_PREFIX}${suffix}`, `${TAP_PREFIX}${suffix}`];
    const port = new NicPort(name, nic, bridge, addon, openTap(addon, tapName));
    try {
      await port.#bridge(tapName);
    } catch (error) {
      await port.close();
      throw error;
    }
    return port;
  }

  onFrame(receive: (frame: Buffer) => void): void {
    this.#receive = receive;
  }

  send(frame: Buffer): boolean {
    return !this.#isClosed && this.#addon.tunWrite(this.#tap, frame);
  }

  /** The card is as it was. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.removeListener("exit", this.#atExit);
    const failures: unknown[] = [];
    for (const undo of this.#undo.reverse()) await undo().catch((error: unknown) => failures.push(error));
    this.#addon.close(this.#tap);
    if (failures.length > 0) throw failures[0];
  }

  async #bridge(tapName: string): Promise<void> {
    const [card] = await links("show", "dev", this.nic);
    const wasUp = card?.flags.includes("UP") ?? false;
    await ip("link", "add", "name", this.bridge, "type", "bridge", "stp_state", "0", "mcast_snooping", "0");
    this.#undo.push(() => ip("link", "delete", this.bridge));
    // Nobody but the lab may speak on this wire.
    for (const each of [this.bridge, tapName]) await setIpv6(each, false);
    if (await setIpv6(this.nic, false)) this.#undo.push(() => setIpv6(this.nic, true));
    for (const each of [tapName, this.nic]) await ip("link", "set", "dev", each, "master", this.bridge);
    this.#undo.push(() => ip("link", "set", "dev", this.nic, "nomaster"));
    if (!wasUp) this.#undo.push(() => ip("link", "set", "dev", this.nic, "down"));
    for (const each of [tapName, this.nic, this.bridge]) await ip("link", "set", "dev", each, "up");
  }

  #read(): void {
    const arena = Buffer.alloc(SLOTS * SLOT_BYTES);
    const starts = new Uint32Array(SLOTS);
    const ends = new Uint32Array(SLOTS);
    this.#addon.watch(this.#tap, () => {
      const count = this.#addon.tunRead(this.#tap, arena, SLOT_BYTES, 0, starts, ends);
      // Copies: a link may hold a frame for seconds.
      for (let at = 0; at < count; at++) this.#receive(Buffer.from(arena.subarray(starts[at], ends[at])));
    });
  }
}

/** Bridges that a killed run has left behind, for `culvert doctor`: `ip link delete NAME` takes one away. */
export async function staleBridges(): Promise<readonly string[]> {
  const all = await links("show");
  const taps = new Set(all.map(({ ifname }) => ifname).filter((name) => name.startsWith(TAP_PREFIX)));
  const ours = all.map(({ ifname }) => ifname).filter((name) => name.startsWith(BRIDGE_PREFIX));
  return ours.filter((bridge) => !taps.has(bridge.replace(BRIDGE_PREFIX, TAP_PREFIX)));
}

/** Their cards are free afterwards. Needs root. */
export async function takeStaleBridgesAway(): Promise<readonly string[]> {
  const stale = await staleBridges();
  for (const bridge of stale) await ip("link", "delete", bridge);
  return stale;
}

function openTap(addon: Addon, name: string): TunHandle {
  try {
    return addon.tapOpen(name);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("host", `no TAP interface can be made: ${why}; is the kernel module tun there? modprobe tun`, {
      cause,
    });
  }
}

async function refuse(nic: string): Promise<void> {
  const all = await links("show");
  const card = all.find(({ ifname }) => ifname === nic);
  if (card === undefined) {
    const there = all.map(({ ifname }) => ifname).filter((name) => name !== "lo");
    throw new Fault("bench", `there is no network card ${nic}; there are ${there.join(", ") || "none"}`);
  }
  if (card.master !== undefined) {
    const free = `ip link set dev ${nic} nomaster`;
    throw new Fault("bench", `the network card ${nic} is in the bridge ${card.master} already; to free it: ${free}`);
  }
  const routes = JSON.parse(await ip("-json", "route", "show", "default")) as readonly { readonly dev?: string }[];
  if (routes.some(({ dev }) => dev === nic)) {
    throw new Fault("bench", `this host reaches the world by ${nic}: give the lab a network card of its own`);
  }
}

async function links(...words: readonly string[]): Promise<readonly LinkInfo[]> {
  return JSON.parse(await ip("-json", "link", ...words)) as readonly LinkInfo[];
}

async function ip(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await execa("ip", words, { reject: false });
  if (exitCode === 0) return stdout === "" ? "[]" : stdout;
  const why = exitCode === undefined ? "there is no such program; apt-get install iproute2" : stderr;
  throw new Fault("bench", `\`ip ${words.join(" ")}\` failed: ${why}`);
}

/** Whether the setting was another one before. A kernel without IPv6 has none. */
async function setIpv6(name: string, isOn: boolean): Promise<boolean> {
  const path = `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
  const wanted = isOn ? "0" : "1";
  const before = await readFile(path, "latin1").catch(() => undefined);
  if (before === undefined || before.trim() === wanted) return false;
  await writeFile(path, wanted);
  return true;
}

/**
 * Windows' built-in PPTP client as a peer. `windowsProfile` is our own stack that behaves like it on the wire, in a guest;
 * a real Windows (`windows/real.ts`) has the same verbs, so a scenario runs on either.
 */
import { join } from "node:path";
import { compile } from "../../image/compile.ts";
import { projectRoot } from "../../image/project.ts";
import { guestCompiler } from "../../image/toolchain.ts";
import type { NodeDefinition, SelfCheck } from "../node/definition.ts";
import { type Guest, type GuestContents, guestNode } from "../node/guest.ts";
import { check } from "../scenario.ts";
import { shellWord } from "../shell-word.ts";
import { fetchFile, isAnswered, offerFile, ping } from "./traffic.ts";
import type { ComputerStatus, LastError } from "./windows/computer.ts";
import { CONSOLE_PORT } from "./windows/console-port.ts";
import { parseRasEvents, type RasEvent } from "./windows/ras-events.ts";
import { parseRasdial } from "./windows/rasdial.ts";
import type { WindowsVersion } from "./windows/versions.ts";
import { RasError, type WindowsCall, type WindowsDialing, type WindowsPeer } from "./windows-peer.ts";

/** The connection's name in the phone book. */
const CONNECTION = "lab";
/** 37 s of LCP requests, and what an emulated computer takes. */
const DIAL_WITHIN_MS = 120_000;
const PROGRAM = "/usr/lib/culvert/windows.cjs";
const LOG = "/var/log/windows.log";

export class WindowsProfile implements WindowsPeer, SelfCheck {
  #version: WindowsVersion;
  readonly predicts = true;
  readonly #guest: Guest;

  constructor(guest: Guest, version: WindowsVersion) {
    this.#guest = guest;
    this.#version = version;
  }

  get version(): WindowsVersion {
    return this.#version;
  }

  /** Another version of Windows from now on, freshly started. A restored lab begins with its own again. */
  async become(version: WindowsVersion): Promise<void> {
    check(exitCode(await this.#ras(`ras become ${version}`)) === 0, `${this.#guest.name} does not become ${version}`);
    this.#version = version;
  }

  async dial(dialing: WindowsDialing): Promise<WindowsCall> {
    const { server, user, password, encryption = "Required", authentication = ["MSChapv2"], routes = [] } = dialing;
    const settings = [
      `server=${server}`,
      `encryption=${encryption}`,
      `authentication=${authentication.join(",")}`,
      `gateway=${dialing.usesDefaultGateway === true ? "yes" : "no"}`,
      ...routes.map((route) => `route=${route}`),
    ];
    await this.#ras(`rasdial ${CONNECTION} /disconnect; ras clear; ras connection ${CONNECTION} ${settings.join(" ")}`);
    const output = await this.#ras(`rasdial ${CONNECTION} ${shellWord(user)} ${shellWord(password)}`);
    const result = parseRasdial(output, exitCode(output));
    const status = await this.status();
    if (result.code !== 0)
      throw new RasError(this.#guest.name, dialing, result, status.lastError?.evidence ?? "no evidence");
    const { localAddress, dns = [], mtu = 0, routes: reached = [] } = status;
    check(localAddress !== undefined, `${this.#guest.name}: the call ended as soon as it was up`);
    return { localAddress, dns, mtu, routes: reached };
  }

  hangUp = async (): Promise<void> => void (await this.#ras(`rasdial ${CONNECTION} /disconnect`));

  async untilDown(withinMs: number): Promise<void> {
    const seconds = Math.ceil(withinMs / 1000);
    const { status } = await this.#guest.shell.try(
      `timeout ${seconds} sh -c 'while ras status | grep -q "\\"connected\\":true"; do sleep 0.2; done'`,
      withinMs + 20_000,
    );
    check(status === 0, `${this.#guest.name}: still connected ${seconds} s after the call should have ended`);
  }

  async lastError(): Promise<number | undefined> {
    return (await this.prediction())?.code;
  }

  /** The last error with its stage and evidence. */
  async prediction(): Promise<LastError | undefined> {
    return (await this.status()).lastError;
  }

  async address(): Promise<string> {
    const { localAddress } = await this.status();
    check(localAddress !== undefined, `${this.#guest.name} is not connected`);
    return localAddress;
  }

  async events(): Promise<readonly RasEvent[]> {
    return parseRasEvents(answerOf(await this.#ras("ras events")));
  }

  async status(): Promise<ComputerStatus> {
    return JSON.parse(answerOf(await this.#ras("ras status"))) as ComputerStatus;
  }

  async leftovers(): Promise<readonly string[]> {
    const found = await this.#guest.shell.run(
      "ip -o link show | grep -o 'vpn[0-9][0-9]*'; ip route | grep vpn; ras status | grep -o '\"connected\":true'; true",
    );
    return found.split("\n").filter((line) => line !== "");
  }

  async ailment() {
    const { status } = await this.#guest.shell.try("pidof node >/dev/null", ASKED_WITHIN_MS);
    return status === 0
      ? undefined
      : ({ by: "guest", what: `the Windows profile's program died; see ${LOG}` } as const);
  }

  ping = (target: string) => ping(this.#guest, target);
  isAnswered = (target: string) => isAnswered(this.#guest, target);
  offerFile = (bytes: number) => offerFile(this.#guest, bytes);
  fetchFile = (from: string) => fetchFile(this.#guest, from);

  async #ras(command: string): Promise<string> {
    const output = await this.#guest.shell.run(command, DIAL_WITHIN_MS);
    check(exitCode(output) !== -1, `${this.#guest.name}: \`${command}\` failed:\n${output}`);
    return output;
  }
}

/** For a guest that may be in no state to answer. */
const ASKED_WITHIN_MS = 10_000;

/** The last line of `ras`: a shell's own exit status ends at 255. */
function exitCode(output: string): number {
  return Number(/^ERRORLEVEL=(-?\d+)\s*$/m.exec(output.slice(output.lastIndexOf("ERRORLEVEL=")))?.[1] ?? -1);
}

function answerOf(output: string): string {
  return output.slice(0, output.lastIndexOf("ERRORLEVEL="));
}

export interface WindowsProfileSettings {
  readonly version: WindowsVersion;
  /** Of eth0, with prefix length. */
  readonly address: string;
  readonly gateway?: string;
  /** At most 15 characters. */
  readonly computerName?: string;
}

/** Debian's Node with every library it opens; the image lock lists packages, so each is named. */
const NODE: Required<Pick<GuestContents, "packages" | "executables" | "libraries">> = {
  packages: [
    ...["nodejs", "libnode108", "libc6", "libgcc-s1", "libstdc++6", "libicu72", "libssl3", "libuv1", "libbrotli1"],
    ...["libc-ares2", "libnghttp2-14", "zlib1g", "node-acorn", "node-cjs-module-lexer", "node-undici"],
  ],
  executables: ["/usr/bin/node"],
  // Debian's Node keeps five of its built-in modules as files and aborts at start when one is missing.
  libraries: [
    "/usr/share/nodejs/acorn/dist/acorn.js",
    "/usr/share/nodejs/acorn-walk/dist/walk.js",
    "/usr/share/nodejs/cjs-module-lexer/dist/lexer.js",
    "/usr/share/nodejs/cjs-module-lexer/lexer.js",
    "/usr/share/nodejs/undici/undici-fetch.js",
  ],
};

/** Each argument on a line of its own: passwords may hold anything else. */
const RAS = `#!/bin/sh
for word in "\${0##*/}" "$@"; do printf '%s\\n' "$word"; done | nc 127.0.0.1 ${CONSOLE_PORT}
`;

/** TCP and IP of this kernel by Windows' values: TTL, ports, and a SYN with MSS and SACK alone (windows.md §1). */
const SYSCTLS = [
  "net/ipv4/ip_default_ttl 128",
  "net/ipv4/tcp_timestamps 0",
  "net/ipv4/tcp_window_scaling 0",
  "net/ipv4/ip_local_port_range 49152\\ 65535",
];

export function windowsProfile(settings: WindowsProfileSettings): NodeDefinition<WindowsProfile, "eth0"> {
  const { version, address, gateway, computerName = "DESKTOP-CULVERT" } = settings;
  return guestNode({
    what: `the ${version} profile: our stack with the manners of Windows' PPTP client`,
    memoryMib: MEMORY_MIB,
    contents: async (progress) => {
      const app = {
        entry: join(projectRoot, "hil/peers/windows/main.ts"),
        native: join(projectRoot, "appliance/native"),
      };
      const { bundle, addon } = await compile(app, await guestCompiler(progress));
      return {
        name: "windows-profile",
        ...NODE,
        modules: ["tun"],
        files: [
          { path: PROGRAM, mode: 0o644, data: bundle },
          ...(addon === undefined ? [] : [{ path: "/usr/lib/culvert/culvert.node", mode: 0o755, data: addon }]),
          { path: "/usr/bin/ras", mode: 0o755, data: RAS },
          { path: "/usr/bin/rasdial", mode: 0o755, data: RAS },
          // Node reads this file at start and complains when it is missing.
          { path: "/etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: "" },
        ],
      };
    },
    setUp: async (guest) => {
      await guest.configure(address, gateway);
      await guest.shell.run(SYSCTLS.map((each) => each.replace(/^(\S+) (.*)$/, "echo $2 >/proc/sys/$1")).join(" && "));
      await guest.shell.run(
        `(node ${PROGRAM} ${version} ${computerName} >${LOG} 2>&1 &) ; timeout 180 sh -c 'until grep -q "^ready" ${LOG} 2>/dev/null; do sleep 0.5; done' || { cat ${LOG}; false; }`,
        200_000,
      );
    },
    dress: (guest) => new WindowsProfile(guest, version),
  });
}

const MEMORY_MIB = 320;

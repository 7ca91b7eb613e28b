/** A real Windows behind a channel, with the verbs of the Windows peer. */
import type { LabClock } from "../../clock.ts";
import { Fault } from "../../fault.ts";
import { check } from "../../scenario.ts";
import type { FetchedFile, OfferedFile, PingResult } from "../traffic.ts";
import { RasError, type WindowsCall, type WindowsDialing, type WindowsPeer } from "../windows-peer.ts";
import { runScript, type WindowsChannel } from "./powershell.ts";
import { parseRasEvents, type RasEvent } from "./ras-events.ts";
import { parseRasdial } from "./rasdial.ts";
import {
  cleanScript,
  connectionScript,
  dialScript,
  eventsScript,
  FILE_PORT,
  farewellScript,
  fetchScript,
  greetingScript,
  hangUpScript,
  leftoversScript,
  networkScript,
  offerScript,
  pingScript,
  statusScript,
} from "./scripts.ts";

export interface RealWindowsParts {
  readonly name: string;
  readonly channel: WindowsChannel;
  readonly clock: LabClock;
  /** Time limits are for a Windows under KVM; an emulated one gets so many times as much. */
  readonly patience: number;
}

const ANSWER_WITHIN_MS = 60_000;
const DIAL_WITHIN_MS = 180_000;
const TRANSFER_WITHIN_MS = 700_000;
const LOOK_AGAIN_MS = 500;

export class RealWindows implements WindowsPeer {
  readonly predicts = false;
  readonly #parts: RealWindowsParts;
  #version = "Windows";
  /** On Windows' own clock: events before it are of earlier calls. */
  #since = "1970-01-01T00:00:00Z";
  #lastError: number | undefined;

  constructor(parts: RealWindowsParts) {
    this.#parts = parts;
  }

  /** What it calls itself; known after `prepare`. */
  get version(): string {
    return this.#version;
  }
  get channel(): WindowsChannel["how"] {
    return this.#parts.channel.how;
  }

  /** Asks who it is, cleans up, and gives the NIC with this MAC (`02:43:…`) its address. */
  async prepare(mac: string, address: string, gateway: string | undefined): Promise<void> {
    const { caption, version } = Object(await this.#json(greetingScript())) as Record<string, unknown>;
    this.#version = `${String(caption)} ${String(version)}`;
    await this.#script(farewellScript());
    const [own = "", length = "24"] = address.split("/");
    const dashes = mac.toUpperCase().replaceAll(":", "-");
    await this.#script(networkScript(dashes, own, Number(length), gateway));
  }

  async dial(dialing: WindowsDialing): Promise<WindowsCall> {
    const { server, user, password, encryption = "Required", authentication = ["MSChapv2"], routes = [] } = dialing;
    const words = {
      server,
      encryption,
      authentication,
      routes,
      usesDefaultGateway: dialing.usesDefaultGateway === true,
    };
    this.#lastError = undefined;
    this.#since = String(await this.#json(connectionScript(words)));
    const { exitCode, output } = await this.#run(dialScript(user, password), DIAL_WITHIN_MS);
    const result = parseRasdial(output, exitCode);
    if (result.code !== 0) {
      this.#lastError = result.code;
      throw new RasError(this.#parts.name, dialing, result, undefined);
    }
    const call = parseStatus(await this.#json(statusScript()));
    check(call !== undefined, `${this.#parts.name}: the call ended as soon as it was up`);
    return call;
  }

  async hangUp(): Promise<void> {
    await this.#script(hangUpScript());
  }

  async untilDown(withinMs: number): Promise<void> {
    const { clock, name } = this.#parts;
    const endNs = clock.nowNs() + BigInt(withinMs) * 1_000_000n;
    while (parseStatus(await this.#json(statusScript())) !== undefined) {
      check(clock.nowNs() < endNs, `${name}: still connected ${withinMs / 1000} s after the call should have ended`);
      await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
    }
  }

  /** rasdial's, or else what the last event says: a call that was ended from outside has no exit code. */
  async lastError(): Promise<number | undefined> {
    return this.#lastError ?? (await this.events()).findLast(({ code }) => code !== undefined)?.code;
  }

  async address(): Promise<string> {
    const call = parseStatus(await this.#json(statusScript()));
    check(call !== undefined, `${this.#parts.name} is not connected`);
    return call.localAddress;
  }

  async events(): Promise<readonly RasEvent[]> {
    return parseRasEvents(await this.#script(eventsScript(this.#since)));
  }

  async leftovers(): Promise<readonly string[]> {
    const left: unknown = await this.#json(leftoversScript());
    return (Array.isArray(left) ? left : [left]).map(String);
  }

  async ping(target: string): Promise<PingResult> {
    return parseNumbers(await this.#json(pingScript(target, 3)), "sent", "received");
  }

  async isAnswered(target: string): Promise<boolean> {
    return parseNumbers(await this.#json(pingScript(target, 1)), "received").received > 0;
  }

  async offerFile(bytes: number): Promise<OfferedFile> {
    const made = await this.#json(offerScript(bytes), TRANSFER_WITHIN_MS);
    return { bytes, sha256: String(Object(made).sha256) };
  }

  async fetchFile(from: string): Promise<FetchedFile> {
    const fetched = await this.#json(fetchScript(`http://${from}:${FILE_PORT}/file`), TRANSFER_WITHIN_MS);
    return { ...parseNumbers(fetched, "bytes", "seconds"), sha256: String(Object(fetched).sha256) };
  }

  /** Hangs up and takes the connection away. */
  async clean(): Promise<void> {
    await this.#script(cleanScript());
  }

  async #json(script: string, withinMs = ANSWER_WITHIN_MS): Promise<unknown> {
    const text = await this.#script(script, withinMs);
    try {
      return JSON.parse(text);
    } catch {
      throw this.#fault(`it answered no JSON: ${text.slice(0, 300)}`);
    }
  }

  async #script(script: string, withinMs = ANSWER_WITHIN_MS): Promise<string> {
    const { exitCode, output } = await this.#run(script, withinMs);
    if (exitCode !== 0) throw this.#fault(`PowerShell ended with ${exitCode}: ${output.trim().slice(0, 2000)}`);
    return output;
  }

  #run(script: string, withinMs: number) {
    return runScript(this.#parts.channel, script, withinMs * this.#parts.patience);
  }

  #fault(what: string): Fault {
    return new Fault("peer", `${this.#parts.name}: ${what}`, { node: this.#parts.name });
  }
}

/** Undefined unless it is what `statusScript` prints of a tunnel that is up. */
export function parseStatus(json: unknown): WindowsCall | undefined {
  const { address, mtu, dns, routes } = Object(json) as Record<string, unknown>;
  if (typeof address !== "string" || typeof mtu !== "number") return undefined;
  return { localAddress: address, mtu, dns: words(dns), routes: words(routes) };
}

/** PowerShell makes one of a list of one, and null of an empty one. */
function words(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((each) => typeof each === "string");
}

/** The fields as numbers; what is none counts as 0. */
function parseNumbers<const K extends string>(json: unknown, ...names: readonly K[]): Record<K, number> {
  const fields = Object(json) as Record<string, unknown>;
  const pairs = names.map((name) => [name, typeof fields[name] === "number" ? fields[name] : 0]);
  return Object.fromEntries(pairs) as Record<K, number>;
}

/**
 * One computer with the Windows profile: its VPN connections, the call that is up, the events in its log, and the commands
 * of its console (`ras`, `rasdial`).
 */
import { CallIds } from "../../../appliance/pptp/call-id.ts";
import type { SessionFailure } from "../../../appliance/tunnel/diagnosis.ts";
import type { ClientSettings } from "../../../appliance/tunnel/settings.ts";
import type { Stage } from "../../../appliance/tunnel/status.ts";
import { DEFAULT_REDIAL } from "../../../appliance/tunnel/virtual-interface.ts";
import { formatIpv4, type Ipv4 } from "../../../appliance/wire/ipv4.ts";
import { type Cidr, formatCidr } from "../../net/ip/cidr.ts";
import { type ConnectionSettings, parseConnection } from "./connection.ts";
import { Dialer, type DialerPorts, type NetworkUp } from "./dialer.ts";
import { firstTalk } from "./first-packets.ts";
import { isOwnWish, predictRasError, rasErrorText } from "./ras-errors.ts";
import { guidText, RasEventId } from "./ras-events.ts";
import { completedText, connectionsText, dialedText } from "./rasdial.ts";
import { authMethods, encryptionPolicy, profileOf, type WindowsVersion } from "./versions.ts";

/** What a command prints, and its exit code: a RAS error, or 0. */
export interface Answer {
  readonly text: string;
  readonly code: number;
}

/** `ras status`, as JSON. Absent fields are those of no call. */
export interface ComputerStatus {
  readonly version: WindowsVersion;
  readonly connected: boolean;
  readonly localAddress?: string;
  readonly remoteAddress?: string;
  readonly dns?: readonly string[];
  readonly mtu?: number;
  readonly interfaceName?: string;
  readonly routes?: readonly string[];
  readonly lastError?: LastError;
}

export interface LastError {
  readonly code: number;
  /** How far the call had come. */
  readonly stage: Stage;
  /** Why this code is predicted. */
  readonly evidence: string;
}

/** An event of a call; its correlation id is known for good once the call is asked for. */
interface Logged {
  readonly id: number;
  readonly what: string;
  readonly call: Call;
}

interface Call {
  readonly name: string;
  readonly dialer: Dialer;
  readonly connection: ConnectionSettings;
  correlationId: Buffer;
  network: NetworkUp | undefined;
  routes: readonly Cidr[];
  readonly dialed: (answer: Answer) => void;
  hungUp: ((answer: Answer) => void)[];
}

/** Where the log's oldest events make room. */
const KEPT_EVENTS = 500;
const MTU = 1400;
const NO_SUCH_CONNECTION = 623;
const PORT_IN_USE = 633;

export class Computer {
  readonly #version: WindowsVersion;
  readonly #name: string;
  readonly #ports: DialerPorts;
  readonly #callIds: CallIds;
  readonly #connections = new Map<string, ConnectionSettings>();
  readonly #log: Logged[] = [];
  #serial: number;
  #call: Call | undefined;
  #lastError: LastError | undefined;

  constructor(version: WindowsVersion, name: string, ports: DialerPorts) {
    this.#version = version;
    this.#name = name;
    this.#ports = ports;
    const { firstCallId, firstSerial } = profileOf(version, name);
    this.#callIds = firstCallId === "random" ? new CallIds(ports.random) : new CallIds(ports.random, firstCallId);
    this.#serial = firstSerial === "random" ? ports.random.bytes(2).readUInt16BE() : firstSerial;
  }

  /** Runs one command line. */
  async run([program, ...words]: readonly string[]): Promise<Answer> {
    if (program === "rasdial") return await this.#rasdial(words);
    if (program !== "ras") return usage();
    const [verb, ...rest] = words;
    switch (verb) {
      case "status":
        return { text: `${JSON.stringify(this.#status())}\n`, code: 0 };
      case "events":
        return { text: `${JSON.stringify(this.#log.map((event) => this.#worded(event)))}\n`, code: 0 };
      case "clear":
        this.#log.length = 0;
        this.#lastError = undefined;
        return { text: completedText(), code: 0 };
      case "connection": {
        const [name = "", ...settings] = rest;
        const parsed = parseConnection(settings);
        if (name === "" || typeof parsed === "string")
          return { text: `ras connection: ${name === "" ? "give it a name" : parsed}\n`, code: 87 };
        this.#connections.set(name, parsed);
        return { text: completedText(), code: 0 };
      }
      default:
        return usage();
    }
  }

  async #rasdial([name, user, password]: readonly string[]): Promise<Answer> {
    if (name === undefined) return { text: connectionsText(this.#call?.network ? [this.#call.name] : []), code: 0 };
    if (user?.toLowerCase() === "/disconnect") return await this.#hangUp();
    const connection = this.#connections.get(name);
    if (connection === undefined) return refused(NO_SUCH_CONNECTION);
    if (this.#call !== undefined) return refused(PORT_IN_USE);
    return await this.#dial(name, connection, user ?? "", password ?? "");
  }

  #dial(name: string, connection: ConnectionSettings, user: string, password: string): Promise<Answer> {
    return new Promise((dialed) => {
      const settings = this.#settings(name, connection, user, password);
      const dialer = new Dialer(settings, this.#callIds, this.#ports, {
        called: (correlationId) => {
          this.#serial = (this.#serial + 1) & 0xffff;
          call.correlationId = correlationId;
        },
        reached: (stage) => this.#reached(call, stage),
        up: (network) => this.#up(call, network),
        ended: (failure, stage) => this.#ended(call, failure, stage),
      });
      const call: Call = {
        ...{ name, dialer, connection, dialed, hungUp: [], routes: [] },
        correlationId: this.#ports.random.bytes(settings.profile.correlationId ? 16 : 0),
        network: undefined,
      };
      this.#call = call;
      const { encryption, authentication } = connection;
      this.#note(
        call,
        RasEventId.dialing,
        `has started dialing a VPN connection using a all-user connection profile named ${name}. The connection settings are: Dial-in User = ${user}, VpnStrategy = PPTP, DataEncryption = ${encryption}, AuthRestriction = ${authentication.join(", ")}.`,
      );
      this.#note(
        call,
        RasEventId.connectingDevice,
        `is trying to establish a link to the Remote Access Server for the connection named ${name} using the following device: ${deviceText(connection)}.`,
      );
      dialer.dial();
    });
  }

  #settings(name: string, connection: ConnectionSettings, user: string, password: string): ClientSettings {
    const version = this.#version;
    return {
      name,
      server: connection.server,
      user,
      password,
      newPassword: undefined,
      authentication: authMethods(version, connection.authentication),
      encryption: encryptionPolicy(version, connection.encryption),
      mtu: MTU,
      routes: [],
      nat: false,
      dial: { mode: "manual", idleMs: undefined, ...DEFAULT_REDIAL },
      profile: { ...profileOf(version, this.#name), firstSerial: this.#serial },
    };
  }

  #reached(call: Call, stage: Stage): void {
    if (stage !== "call-established") return;
    this.#note(
      call,
      RasEventId.deviceConnected,
      `has successfully established a link to the Remote Access Server using the following device: ${deviceText(call.connection)}.`,
    );
    this.#note(call, RasEventId.linkEstablished, "has established the link to the Remote Access Server.");
  }

  #up(call: Call, network: NetworkUp): void {
    call.network = network;
    call.routes = routesOf(call.connection, network.local);
    for (const { address, prefixLength } of call.routes)
      this.#ports.net.addRoute(
        { address, length: prefixLength },
        { interfaceName: network.interfaceName, gateway: undefined },
      );
    this.#note(
      call,
      RasEventId.connected,
      `has dialed a connection named ${call.name} to the Remote Access Server which has successfully connected. The connection parameters are: TunnelIpAddress = ${formatIpv4(network.local)}, TunnelIpv6Address = None.`,
    );
    const { random, timers } = this.#ports;
    const luck = {
      transaction: random.bytes(4).readUInt32BE(),
      dhcpClientId: random.bytes(16),
      nameTransaction: random.bytes(2).readUInt16BE(),
    };
    for (const { afterMs, packet } of firstTalk(this.#version, this.#name, network.local, luck))
      timers.after(afterMs, () => {
        if (this.#call === call && call.network !== undefined) network.say(packet);
      });
    call.dialed({ text: dialedText(call.name, 0, 1), code: 0 });
  }

  #ended(call: Call, failure: SessionFailure, stage: Stage): void {
    this.#call = undefined;
    const { code, evidence } = predictRasError(failure, stage, this.#version);
    const wasUp = call.network !== undefined;
    if (!isOwnWish(failure)) this.#lastError = { code, stage, evidence };
    const what = `dialed a connection named ${call.name} which has`;
    if (wasUp)
      this.#note(
        call,
        RasEventId.terminated,
        `${what} terminated. The reason code returned on termination is ${code}.`,
      );
    else this.#note(call, RasEventId.failed, `${what} failed. The error code returned on failure is ${code}.`);
    if (!wasUp) {
      const told = stage === "started" || stage === "tcp-connected" || stage === "control-established" ? 0 : 1;
      call.dialed({ text: dialedText(call.name, code, told), code });
    }
    for (const answer of call.hungUp) answer({ text: completedText(), code: 0 });
  }

  #hangUp(): Promise<Answer> {
    const call = this.#call;
    if (call === undefined) return Promise.resolve({ text: connectionsText([]), code: 0 });
    return new Promise((resolve) => {
      call.hungUp.push(resolve);
      call.dialer.hangUp();
    });
  }

  #note(call: Call, id: number, what: string): void {
    this.#log.push({ id, what, call });
    if (this.#log.length > KEPT_EVENTS) this.#log.shift();
  }

  /** As PowerShell shows it. */
  #worded({ id, what, call }: Logged): { Id: number; Message: string } {
    const guid = guidText(call.correlationId);
    return { Id: id, Message: `${guid === "" ? "" : `CoId={${guid}}: `}The user ${this.#name}\\lab ${what}` };
  }

  #status(): ComputerStatus {
    const { network, routes = [] } = this.#call ?? {};
    const common = {
      version: this.#version,
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
    };
    if (network === undefined) return { ...common, connected: false };
    return {
      ...common,
      connected: true,
      localAddress: formatIpv4(network.local),
      remoteAddress: formatIpv4(network.remote),
      dns: network.dns.map(formatIpv4),
      mtu: network.mtu,
      interfaceName: network.interfaceName,
      routes: routes.map(formatCidr),
    };
  }
}

/** Everything, or what the address' class says and what was added by hand (windows.md §9). */
function routesOf({ usesDefaultGateway, routes }: ConnectionSettings, local: Ipv4): readonly Cidr[] {
  if (usesDefaultGateway) return HALVES;
  return [classOf(local), ...routes];
}

/** The whole Internet in two halves, so that a default route may stay below them. */
const HALVES: readonly Cidr[] = [
  { address: 0 as Ipv4, prefixLength: 1 },
  { address: 0x80000000 as Ipv4, prefixLength: 1 },
];

/** 10.x is /8, 172.16.x /16, 192.168.x /24. */
function classOf(address: Ipv4): Cidr {
  const first = address >>> 24;
  const prefixLength = first < 128 ? 8 : first < 192 ? 16 : 24;
  const size = 2 ** (32 - prefixLength);
  return { address: (Math.floor(address / size) * size) as Ipv4, prefixLength };
}

function deviceText({ server }: ConnectionSettings): string {
  return `Server address/Phone Number = ${formatIpv4(server)}, Device = WAN Miniport (PPTP), MediaType = VPN`;
}

function refused(code: number): Answer {
  return { text: `${rasErrorText(code)}\n`, code };
}

function usage(): Answer {
  return {
    text: "rasdial [NAME USER PASSWORD | NAME /disconnect]; ras status | events | clear | connection NAME server=ADDRESS ...\n",
    code: 87,
  };
}

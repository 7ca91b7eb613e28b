/** PPP links under test: one end against a script, or two ends back to back on a wire with simulated time. */
import assert from "node:assert/strict";
import { Millis } from "../../appliance/ports.ts";
import {
  type AuthRequest,
  type AuthVerdict,
  accountName,
  verifyPassword,
  WRONG_PASSWORD,
} from "../../appliance/ppp/credentials.ts";
import type { IpcpSettings } from "../../appliance/ppp/ipcp.ts";
import { Link, type LinkInput, type LinkOutput } from "../../appliance/ppp/link.ts";
import { type LinkSettings, PLAIN_LINK } from "../../appliance/ppp/link-settings.ts";
import {
  type CpPacket,
  emitCpPacket,
  emitOptions,
  parseCpPacket,
  type RawOption,
} from "../../appliance/wire/cp-packet.ts";
import { Ipv4, parseIpv4 } from "../../appliance/wire/ipv4.ts";
import { emitPppFrame, parsePppFrame } from "../../appliance/wire/ppp-frame.ts";
import { SeededRandom } from "./seeded-random.ts";

export function ip(text: string): Ipv4 {
  return parseIpv4(text) ?? assert.fail(`not an address: ${text}`);
}
export const SERVER_IPCP: IpcpSettings = {
  local: ip("192.168.1.1"),
  remote: ip("192.168.1.100"),
  dns: [ip("192.168.1.1"), ip("192.168.1.2")],
  wins: [],
  ask: [],
  forbidden: [],
};
export const CLIENT_IPCP: IpcpSettings = {
  local: Ipv4(0),
  remote: undefined,
  dns: [],
  wins: [],
  ask: ["primary-dns", "secondary-dns"],
  forbidden: [],
};
/** The defaults of the product: MS-CHAPv2, MPPE 128 stateless required. */
export const SERVER: LinkSettings = {
  ...PLAIN_LINK,
  lcp: {
    mru: 1400,
    demandAuth: ["mschap-v2"],
    offerAuth: [],
    compressHeaders: true,
    callback: "refuse",
    requestCallback: false,
  },
  encryption: { use: "required", strengths: [128], allowStateful: false, preferStateful: false },
  ipv6: "refuse",
  name: "culvert",
  authRetries: 2,
  credentials: undefined,
  identifications: [],
};
export const CLIENT: LinkSettings = {
  ...SERVER,
  lcp: { ...SERVER.lcp, demandAuth: [], offerAuth: ["mschap-v2"] },
  credentials: { user: "alice", password: "s3cret" },
};

export interface Account {
  password: string;
  expired: boolean;
}
/** Answers a `verify` as a server with these accounts does. */
export function judge(accounts: ReadonlyMap<string, Account>, request: AuthRequest): AuthVerdict {
  const account = accounts.get(accountName(request.userName));
  if (account === undefined) return WRONG_PASSWORD;
  const verdict = verifyPassword(request, account.password);
  const changes = request.method === "mschap-v2" && request.change !== undefined;
  if (verdict.ok && account.expired && !changes) return { ok: false, errorCode: 648, message: "Password expired" };
  if (verdict.ok && verdict.newPassword !== undefined) {
    account.password = verdict.newPassword;
    account.expired = false;
  }
  return verdict;
}

export interface Frame {
  readonly protocol: number;
  readonly payload: Buffer;
}

/** One link with an owner that answers `verify` and `authenticated` at once, as the tunnel does. */
export class LinkEnd {
  readonly link: Link;
  readonly accounts = new Map<string, Account>([["alice", { password: "s3cret", expired: false }]]);
  /** Whether `verify` is answered at once; false leaves that to the test. */
  judges = true;
  /** Everything but frames, oldest first. */
  readonly events: LinkOutput[] = [];
  readonly #ipcp: IpcpSettings;
  #frames: Frame[] = [];

  constructor(settings: LinkSettings, ipcp: IpcpSettings, seed: number) {
    this.link = new Link(settings, new SeededRandom(seed));
    this.#ipcp = ipcp;
  }
  give(input: LinkInput, now: number): void {
    const inputs = [input];
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift())
      for (const output of this.link.handle(next, Millis(now))) {
        if (output.type === "send") {
          this.#frames.push(this.#overTheWire(output));
          continue;
        }
        this.events.push(output);
        if (output.type === "verify" && this.judges) {
          const verdict = judge(this.accounts, output.request);
          inputs.push({ type: "verdict", ticket: output.ticket, verdict });
        }
        if (output.type === "authenticated") inputs.push({ type: "network", ipcp: this.#ipcp });
      }
  }
  /** A packet of the scripted peer. */
  receive(protocol: number, packet: CpPacket, now = 0): void {
    this.give({ type: "frame", protocol, payload: emitCpPacket(packet) }, now);
  }
  /** The frames sent since the last call, as the peer reads them. */
  take(): Frame[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }
  /** The packets of one protocol among them. */
  takePackets(protocol: number): CpPacket[] {
    return this.take()
      .filter((frame) => frame.protocol === protocol)
      .map(({ payload }) => packetOf(payload));
  }
  event<T extends LinkOutput["type"]>(type: T): Extract<LinkOutput, { type: T }> | undefined {
    return this.events.find((output): output is Extract<LinkOutput, { type: T }> => output.type === type);
  }
  get end() {
    return this.event("closed")?.failure;
  }

  #overTheWire({ protocol, payload }: Frame): Frame {
    const frame = parsePppFrame(emitPppFrame({ protocol, payload }, this.link.framing));
    assert.ok(frame.ok);
    return { protocol: frame.value.protocol, payload: Buffer.from(frame.value.payload) };
  }
}

export function packetOf(payload: Buffer): CpPacket {
  const packet = parseCpPacket(payload);
  assert.ok(packet.ok, payload.toString("hex"));
  return packet.value;
}
export function packet(code: number, identifier: number, options: readonly RawOption[] | Buffer = []): CpPacket {
  return { code, identifier, data: Buffer.isBuffer(options) ? options : emitOptions(options) };
}

/** Sees each frame before it arrives; `false` loses it, a frame replaces it. */
export type Wire = (from: "server" | "client", frame: Frame) => boolean | Frame;

export class LinkPair {
  readonly server: LinkEnd;
  readonly client: LinkEnd;
  now = 0;
  wire: Wire = () => true;

  constructor(server: LinkSettings, client: LinkSettings, ipcp: { server?: IpcpSettings; client?: IpcpSettings } = {}) {
    this.server = new LinkEnd(server, ipcp.server ?? SERVER_IPCP, 11);
    this.client = new LinkEnd(client, ipcp.client ?? CLIENT_IPCP, 22);
  }
  up(): this {
    this.server.give({ type: "up" }, this.now);
    this.client.give({ type: "up" }, this.now);
    return this.settle();
  }
  /** Carries frames to and fro until nobody says anything more. */
  settle(): this {
    for (let turn = 0; turn < 500; turn++) {
      const fromServer = this.server.take();
      const fromClient = this.client.take();
      if (fromServer.length + fromClient.length === 0) return this;
      this.#carry("server", fromServer, this.client);
      this.#carry("client", fromClient, this.server);
    }
    return assert.fail("the two ends never stop talking");
  }
  /** Lets time pass, tick by tick at every deadline, frames carried in between. */
  advance(milliseconds: number): this {
    const until = this.now + milliseconds;
    for (let turn = 0; turn < 5000; turn++) {
      const next = Math.min(this.server.link.deadline ?? Infinity, this.client.link.deadline ?? Infinity);
      if (next > until) {
        this.now = until;
        return this;
      }
      this.now = Math.max(this.now, next);
      this.server.give({ type: "tick" }, this.now);
      this.client.give({ type: "tick" }, this.now);
      this.settle();
    }
    return assert.fail("deadlines do not move on");
  }
  #carry(from: "server" | "client", frames: readonly Frame[], to: LinkEnd): void {
    for (const frame of frames) {
      const fate = this.wire(from, frame);
      if (fate === false) continue;
      const { protocol, payload } = fate === true ? frame : fate;
      to.give({ type: "frame", protocol, payload }, this.now);
    }
  }
}

/**
 * The PPTP server: who may connect, which account is whose, who gets which address. No IO: sockets and packets are the
 * caller's; effects say what is to be done.
 *
 *   TCP 1723 → tunnel → session → verify → address → network-up
 */

import { type Ipv4Prefix, Millis, type Random } from "../ports.ts";
import { accountName, METHOD_NAME } from "../ppp/credentials.ts";
import type { AuthMethod } from "../ppp/lcp.ts";
import { type LinkSettings, PLAIN_LINK } from "../ppp/link-settings.ts";
import { CallIds, type LocalCallId } from "../pptp/call-id.ts";
import type { AccessAnswer } from "../radius/access.ts";
import type { SessionRecord } from "../radius/accounting.ts";
import type { DynamicRequest } from "../radius/dynamic-authorization.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { AddressPool } from "./address-pool.ts";
import { Admission, type Applicant, type Decision } from "./admission.ts";
import type { SessionFailure } from "./diagnosis.ts";
import type { ConnectionId, Effect } from "./effect.ts";
import { Guest, printable } from "./guest.ts";
import { ServerLog } from "./server-log.ts";
import type { Session, SessionInput, SessionOutput, SessionSettings } from "./session.ts";
import type { Account, RateLimit, ServerSettings } from "./settings.ts";
import { encryptionName, type SessionStatus, type Stage } from "./status.ts";
import { Tunnel, type TunnelOutput } from "./tunnel.ts";
import { windowsErrorText } from "./windows-error.ts";

/** Connections of one address that have not come as far as a session in `network-up`: more is a flood, or a broken client. */
const HALF_OPEN_PER_PEER = 16;
/** Half-open connections in all: each costs a few kilobytes for at most 60 s. */
const HALF_OPEN_IN_ALL = 256;
/** Session numbers start over after this one. */
export const LAST_SERVER_SESSION_ID = 99_999;
/** windows.md §4, start race. */
const HOLD_LCP_MS = 100;
/**
 * More than the ten Configure-Requests of a Windows caller: who gives up first decides what Windows shows, and a caller that
 * does so itself names GRE (806), where one that is hung up on says 619.
 */
const LCP_REQUESTS = 14;

export class PptpServer {
  readonly #random: Random;
  readonly #callIds: CallIds;
  readonly #tunnels = new Map<ConnectionId, Tunnel>();
  readonly #guests = new Map<LocalCallId, Guest>();
  readonly #pool = new AddressPool();
  readonly #admission = new Admission((user, but) => this.#othersOf(user, but).length > 0);
  #settings: ServerSettings;
  readonly #answersStart: (local: Ipv4, peer: Ipv4) => boolean;
  readonly #log = new ServerLog((effect) => void this.#effects.push(effect));
  #nextId = 1;
  /** Makes Acct-Session-Ids differ from those before a restart. */
  readonly #epoch: string;
  #accounted = 0;
  #effects: Effect[] = [];

  /** `answersStart`: whether a peer's Start-Control-Connection-Request is answered; not when a client of ours wins a collision. */
  constructor(
    settings: ServerSettings,
    random: Random,
    callIds: CallIds = new CallIds(random),
    answersStart: (local: Ipv4, peer: Ipv4) => boolean = () => true,
  ) {
    this.#settings = settings;
    this.#random = random;
    this.#callIds = callIds;
    this.#answersStart = answersStart;
    this.#epoch = random.bytes(4).toString("hex");
    this.#pool.resize(settings.pool);
  }

  get deadline(): Millis | undefined {
    const all = [...this.#tunnels.values(), ...this.#guests.values()].map(({ deadline }) => deadline);
    const set = all.filter((instant) => instant !== undefined);
    return set.length === 0 ? undefined : Millis(Math.min(...set));
  }

  /** New sessions go by the new settings; running ones stay, unless their account is gone, disabled or has a new password. */
  configure(settings: ServerSettings, accounts: readonly Account[], now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#settings.enabled && !settings.enabled)
        this.#log.write("info", `the server is off: ${windowsOf(809)} from the WAN, ${windowsOf(808)} from the LAN`);
      this.#settings = settings;
      this.#admission.configure(settings.accountSources, accounts);
      this.#pool.resize(settings.pool);
      this.#pool.reserve(accounts.map(({ address }) => address).filter((address) => address !== undefined));
      for (const guest of [...this.#guests.values()]) {
        const was = guest.admitted?.by === "local" ? guest.admitted.account : undefined;
        const is = this.#admission.account(was?.user);
        const revoked = was !== undefined && (is === undefined || !is.enabled || isAnother(was, is));
        if (revoked || !settings.enabled) this.#hangUp(guest, now);
      }
    });
  }

  sessions(): readonly Omit<SessionStatus, "traffic" | "interfaceName">[] {
    return [...this.#guests.values()].map((guest) => ({
      id: guest.id,
      callId: guest.session.callId,
      role: "server",
      state: guest.session.stage === "network-up" ? "connected" : "connecting",
      stage: guest.session.stage,
      user: guest.user,
      peer: guest.tunnel.ends.peer,
      address: guest.address,
      authentication: guest.method,
      encryption: guest.encryption,
      connectedAt: guest.connectedAt,
    }));
  }

  // --- control connections -----------------------------------------------------------------------------------------

  /** A TCP connection came in. Unless it is `accepted` it is to be dropped. */
  accept(
    connection: ConnectionId,
    local: Ipv4,
    peer: Ipv4,
    now: Millis,
  ): { readonly accepted: boolean; readonly effects: readonly Effect[] } {
    const halfOpen = [...this.#tunnels.values()].filter((tunnel) => !this.#hasNetwork(tunnel));
    const ofPeer = halfOpen.filter((tunnel) => tunnel.ends.peer === peer).length;
    if (!this.#settings.enabled) return { accepted: false, effects: [] };
    if (halfOpen.length >= HALF_OPEN_IN_ALL || ofPeer >= HALF_OPEN_PER_PEER)
      return { accepted: false, effects: this.#turnAway(peer, ofPeer >= HALF_OPEN_PER_PEER, now) };
    const policy = { acceptCall: () => this.#acceptCall(), answersStart: () => this.#answersStart(local, peer) };
    const ends = { connection, role: "server", local, peer } as const;
    const tunnel = new Tunnel(ends, policy, this.#random, this.#callIds, now);
    this.#tunnels.set(connection, tunnel);
    return { accepted: true, effects: this.#collect(() => this.#take(tunnel, tunnel.open(now), now)) };
  }

  received(connection: ConnectionId, bytes: Buffer, now: Millis): readonly Effect[] {
    return this.#withTunnel(connection, (tunnel) => tunnel.receive(bytes, now), now);
  }

  disconnected(connection: ConnectionId, reason: string | undefined, now: Millis): readonly Effect[] {
    return this.#withTunnel(connection, (tunnel) => tunnel.disconnected(reason, now), now);
  }

  /** A PPP frame from the data plane, or its wish for a CCP reset. */
  session(callId: LocalCallId, input: SessionInput, now: Millis): readonly Effect[] {
    const guest = this.#guests.get(callId);
    if (guest === undefined) return [];
    const { tunnel } = guest;
    return this.#collect(() => this.#take(tunnel, tunnel.session(callId, input, now), now));
  }

  /** `undefined` when there is no such session. */
  hangUp(id: number, now: Millis): readonly Effect[] | undefined {
    const guest = [...this.#guests.values()].find((candidate) => candidate.id === id);
    return guest && this.#collect(() => this.#hangUp(guest, now));
  }

  /** Says goodbye to everybody. */
  stop(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      for (const tunnel of [...this.#tunnels.values()]) this.#take(tunnel, tunnel.stop(now), now);
    });
  }

  /** The answer to the effect `ask-radius` with this ticket, however late: one that nobody waits for changes nothing. */
  answered(ticket: number, answer: AccessAnswer, now: Millis): readonly Effect[] {
    return this.#collect(() => {
      const answered = this.#admission.answered(ticket, answer);
      if (answered !== undefined) this.#decided(answered.applicant, answered.decision, now);
    });
  }

  /** A RADIUS server wants sessions ended or changed; `count` says how many it meant. */
  dynamic(request: DynamicRequest, now: Millis): { readonly count: number; readonly effects: readonly Effect[] } {
    const meant = [...this.#guests.values()].filter((guest) => !guest.ending && guest.isMeant(request.selector));
    const effects = this.#collect(() => {
      for (const guest of meant)
        if (request.type === "disconnect") this.#hangUp(guest, now, { reason: "radius-disconnect" });
        else guest.change(request.sessionTimeoutMs, request.idleTimeoutMs);
    });
    return { count: meant.length, effects };
  }

  /** When an IP packet last passed through each call, for time-outs; to be told before `tick`. */
  traffic(lastTraffic: (callId: LocalCallId) => Millis | undefined): void {
    for (const [callId, guest] of this.#guests) guest.traffic(lastTraffic(callId));
  }

  /** What the session's interface needs beside its addresses. */
  termsOf(callId: LocalCallId): { readonly routes: readonly Ipv4Prefix[]; readonly rateLimit: RateLimit | undefined } {
    const admitted = this.#guests.get(callId)?.admitted;
    if (admitted?.by === "radius") return { routes: admitted.grants.routes, rateLimit: undefined };
    return { routes: admitted?.account.routes ?? [], rateLimit: admitted?.account.rateLimit };
  }

  tick(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      for (const guest of [...this.#guests.values()]) {
        const due = guest.tick(now);
        if (due === "interim") this.#account(guest, guest.record("interim", now));
        else if (due !== undefined) this.#hangUp(guest, now, due);
      }
      for (const tunnel of [...this.#tunnels.values()])
        if (tunnel.deadline !== undefined && now >= tunnel.deadline) this.#take(tunnel, tunnel.tick(now), now);
    });
  }

  #turnAway(peer: Ipv4, ofPeer: boolean, now: Millis): readonly Effect[] {
    const limit = ofPeer ? HALF_OPEN_PER_PEER : HALF_OPEN_IN_ALL;
    const failure = { reason: "too-many-connections", limit, ofPeer } as const;
    return this.#collect(() => this.#log.report(formatIpv4(peer), failure, "tcp-connected", false, now));
  }

  #hasNetwork(tunnel: Tunnel): boolean {
    for (const session of tunnel.sessions) if (session.stage === "network-up") return true;
    return false;
  }

  #withTunnel(
    connection: ConnectionId,
    run: (tunnel: Tunnel) => readonly TunnelOutput[],
    now: Millis,
  ): readonly Effect[] {
    const tunnel = this.#tunnels.get(connection);
    return tunnel === undefined ? [] : this.#collect(() => this.#take(tunnel, run(tunnel), now));
  }

  #collect(run: () => void): readonly Effect[] {
    this.#effects = [];
    run();
    return this.#effects;
  }

  // --- what tunnels say --------------------------------------------------------------------------------------------

  #take(tunnel: Tunnel, outputs: readonly TunnelOutput[], now: Millis): void {
    for (const output of outputs) {
      switch (output.type) {
        case "effect":
          this.#effects.push(output.effect);
          break;
        case "control-established":
          this.#log.stranger(
            "debug",
            `${where(tunnel)}: control connection established, vendor '${printable(output.vendorName)}'`,
            now,
          );
          break;
        case "session-started":
          this.#guests.set(
            output.session.callId,
            new Guest(this.#nextSessionId(), output.session, tunnel, this.#acctSessionId()),
          );
          break;
        case "session-output":
          this.#sessionOutput(output.session, output.output, now);
          break;
        case "session-ended":
          this.#sessionEnded(output.session, output.failure, now);
          break;
        case "call-failed":
          break;
        case "closed":
          this.#tunnels.delete(tunnel.ends.connection);
          if (!this.#hadSession.delete(tunnel))
            this.#log.report(where(tunnel), output.failure, lastStage(output.failure), false, now);
          break;
      }
    }
  }

  #nextSessionId(): number {
    const id = this.#nextId;
    this.#nextId = (id % LAST_SERVER_SESSION_ID) + 1;
    return id;
  }

  #acctSessionId(): string {
    this.#accounted = (this.#accounted + 1) >>> 0;
    return `${this.#epoch}${this.#accounted.toString(16).padStart(8, "0")}`;
  }

  /** Tunnels that had a session: its end is reported, theirs need not be. */
  readonly #hadSession = new Set<Tunnel>();

  #sessionOutput(session: Session, output: SessionOutput, now: Millis): void {
    const guest = this.#guests.get(session.callId);
    if (guest === undefined) return;
    switch (output.type) {
      case "verify": {
        guest.user = accountName(output.request.userName); // claimed so far: a failure is reported under this name
        guest.userName = output.request.userName;
        guest.admitted = undefined;
        const { callId } = session;
        const { ticket: verifyTicket, request } = output;
        const applicant = { callId, verifyTicket, session: guest.radiusSession, request };
        this.#decided(applicant, this.#admission.decide(applicant), now);
        break;
      }
      case "authenticated":
        this.#authenticated(guest, output.userName, output.method, now);
        break;
      case "encrypt":
        guest.encryption = encryptionName(output.receive.agreement, output.send.agreement);
        break;
      case "network-up":
        if (guest.connected(now, this.#settings.accounting?.interimMs))
          this.#account(guest, guest.record("start", now));
        this.#log.write(
          "info",
          `${guest.label}: connected as ${formatIpv4(output.remote)}, ${guest.method === undefined ? "no authentication" : METHOD_NAME[guest.method]}, encryption ${guest.encryption}`,
        );
        break;
      default:
        break;
    }
  }

  #feed(guest: Guest, input: SessionInput, now: Millis): void {
    this.#take(guest.tunnel, guest.tunnel.session(guest.session.callId, input, now), now);
  }

  #sessionEnded(session: Session, failure: SessionFailure, now: Millis): void {
    const guest = this.#guests.get(session.callId);
    if (guest === undefined) return;
    this.#guests.delete(session.callId);
    this.#admission.forget(session.callId);
    this.#hadSession.add(guest.tunnel);
    this.#account(guest, guest.record("stop", now, failure));
    if (guest.address !== undefined) this.#pool.release(guest.address);
    this.#log.report(guest.label, failure, session.stage, guest.address !== undefined, now);
  }

  #hangUp(guest: Guest, now: Millis, failure: SessionFailure = { reason: "administrative" }): void {
    guest.ending = true;
    this.#feed(guest, { type: "hang-up", failure }, now);
  }

  #account(guest: Guest, record: SessionRecord | undefined): void {
    if (record !== undefined && this.#settings.accounting !== undefined)
      this.#effects.push({ type: "account", callId: guest.session.callId, record });
  }

  // --- accounts and addresses --------------------------------------------------------------------------------------

  #decided({ callId, verifyTicket: ticket }: Applicant, decision: Decision, now: Millis): void {
    const guest = this.#guests.get(callId);
    if (guest === undefined) return;
    switch (decision.type) {
      case "ask":
        this.#effects.push({ type: "ask-radius", question: decision.question });
        break;
      case "hang-up":
        this.#hangUp(guest, now, decision.failure);
        break;
      case "verdict":
        guest.admitted = decision.admitted;
        this.#feed(guest, { type: "verdict", ticket, verdict: decision.verdict }, now);
        break;
    }
  }

  /** Other sessions of this account of ours that have come as far as an address. */
  #othersOf(user: string, but: LocalCallId): readonly Guest[] {
    return [...this.#guests.values()].filter(
      ({ admitted, user: theirs, address, session, ending }) =>
        admitted?.by === "local" && theirs === user && address !== undefined && session.callId !== but && !ending,
    );
  }

  #authenticated(guest: Guest, userName: Buffer | undefined, method: AuthMethod | undefined, now: Millis): void {
    guest.user = userName && accountName(userName);
    guest.method = method;
    this.#releaseAddress(guest); // LCP has started over
    const { admitted } = guest;
    const account = admitted?.by === "local" ? admitted.account : undefined;
    const grants = admitted?.by === "radius" ? admitted.grants : undefined;
    if (account?.oneSession === "replace")
      for (const other of this.#othersOf(account.user, guest.session.callId)) {
        this.#hangUp(other, now, { reason: "replaced" });
        // The peer may be gone for good: the newcomer does not wait for its farewell.
        this.#releaseAddress(other);
      }
    const { localAddress, dns, wins } = this.#settings;
    const forbidden = [guest.tunnel.ends.peer, localAddress];
    if (grants?.address !== undefined && forbidden.includes(grants.address)) {
      const text = `${formatIpv4(grants.address)} is an end of this very tunnel`;
      this.#hangUp(guest, now, { reason: "radius-unusable", server: grants.server, text });
      return;
    }
    const address = this.#pool.take(grants?.address ?? account?.address);
    if (address === undefined) {
      this.#hangUp(guest, now, { reason: "no-free-address" });
      return;
    }
    guest.address = address;
    const servers = grants !== undefined && grants.dns.length > 0 ? grants.dns : dns;
    const ipcp = { local: localAddress, remote: address, dns: servers, wins, ask: [], forbidden };
    this.#feed(guest, { type: "network", ipcp, requireEncryption: grants?.requireEncryption ?? false }, now);
  }

  #releaseAddress(guest: Guest): void {
    if (guest.address !== undefined) this.#pool.release(guest.address);
    guest.address = undefined;
  }

  #acceptCall(): SessionSettings | undefined {
    const { authentication, encryption, mtu, callback, ipv6 } = this.#settings;
    if (!this.#settings.enabled || this.#guests.size >= this.#settings.pool.count + HALF_OPEN_IN_ALL) return undefined;
    const link: LinkSettings = {
      ...PLAIN_LINK,
      lcp: {
        mru: mtu,
        demandAuth: authentication,
        offerAuth: [],
        compressHeaders: true,
        callback,
        requestCallback: false,
      },
      name: "culvert",
      authRetries: 0,
      credentials: undefined,
      encryption,
      ipv6,
      identifications: [],
      timers: { ...PLAIN_LINK.timers, maxConfigure: LCP_REQUESTS },
    };
    return { link, mtu, holdLcpMs: HOLD_LCP_MS };
  }
}

function windowsOf(code: 808 | 809): string {
  return `Windows shows ${windowsErrorText(code)}`;
}

function where(tunnel: Tunnel): string {
  return formatIpv4(tunnel.ends.peer);
}

/** How far a connection came that never had a session. */
function lastStage(failure: SessionFailure): Stage {
  return failure.reason === "control-closed" && failure.why === "start-timeout"
    ? "tcp-connected"
    : "control-established";
}

/** Whether a session that was admitted under `was` must begin anew. */
function isAnother(was: Account, is: Account): boolean {
  const routes = ({ routes }: Account): string => routes.map(({ address, length }) => `${address}/${length}`).join(" ");
  return was.password !== is.password || routes(was) !== routes(is);
}

/**
 * The PPTP server: who may connect, which account is whose, who gets which address. No IO: sockets and packets are the
 * caller's; effects say what is to be done.
 *
 *   TCP 1723 → tunnel → session → verify → address → network-up
 */

import { type Ipv4Prefix, Millis, type Random } from "../ports.ts";
import type { AuthRequest, AuthVerdict } from "../ppp/credentials.ts";
import { accountName, METHOD_NAME, verifyPassword, WRONG_PASSWORD } from "../ppp/credentials.ts";
import type { AuthMethod } from "../ppp/lcp.ts";
import { type LinkSettings, PLAIN_LINK } from "../ppp/link.ts";
import { CallIds, type LocalCallId } from "../pptp/call-id.ts";
import { formatIpv4, type Ipv4 } from "../wire/ipv4.ts";
import { AddressPool } from "./address-pool.ts";
import { diagnose, isOrderly, type SessionFailure } from "./diagnosis.ts";
import type { ConnectionId, Effect } from "./effect.ts";
import type { Session, SessionInput, SessionOutput, SessionSettings } from "./session.ts";
import type { Account, ServerSettings } from "./settings.ts";
import { encryptionName, type SessionStatus, type Stage } from "./status.ts";
import { StrangerLog } from "./stranger-log.ts";
import { Tunnel, type TunnelOutput } from "./tunnel.ts";

/** Connections of one address that have not come as far as a session in `network-up`: more is a flood, or a broken client. */
const HALF_OPEN_PER_PEER = 16;
/** Half-open connections in all: each costs a few kilobytes for at most 60 s. */
const HALF_OPEN_IN_ALL = 256;
/** Session numbers start over after this one. */
export const LAST_SERVER_SESSION_ID = 99_999;
/** windows.md §4, start race. */
const HOLD_LCP_MS = 100;

/** What the server knows of a session beside the protocol. */
interface Guest {
  readonly id: number;
  readonly session: Session;
  readonly tunnel: Tunnel;
  user: string | undefined;
  method: AuthMethod | undefined;
  address: Ipv4 | undefined;
  encryption: string;
  connectedAt: Millis | undefined;
}

export class PptpServer {
  readonly #random: Random;
  readonly #callIds: CallIds;
  readonly #tunnels = new Map<ConnectionId, Tunnel>();
  readonly #guests = new Map<LocalCallId, Guest>();
  readonly #pool = new AddressPool();
  #settings: ServerSettings;
  #accounts = new Map<string, Account>();
  readonly #answersStart: (local: Ipv4, peer: Ipv4) => boolean;
  readonly #strangers = new StrangerLog();
  #nextId = 1;
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
    this.#pool.resize(settings.pool);
  }

  get deadline(): Millis | undefined {
    const set = [...this.#tunnels.values()].map((tunnel) => tunnel.deadline).filter((instant) => instant !== undefined);
    return set.length === 0 ? undefined : Millis(Math.min(...set));
  }

  /** New sessions go by the new settings; running ones stay, unless their account is gone, disabled or has a new password. */
  configure(settings: ServerSettings, accounts: readonly Account[], now: Millis): readonly Effect[] {
    return this.#collect(() => {
      const before = this.#accounts;
      this.#settings = settings;
      this.#accounts = new Map(accounts.map((account) => [account.user, account]));
      this.#pool.resize(settings.pool);
      this.#pool.reserve(accounts.map(({ address }) => address).filter((address) => address !== undefined));
      for (const guest of [...this.#guests.values()]) {
        const was = guest.user === undefined ? undefined : before.get(guest.user);
        const is = guest.user === undefined ? undefined : this.#accounts.get(guest.user);
        const revoked = was !== undefined && (is === undefined || !is.enabled || isAnother(was, is));
        if (revoked || !settings.enabled) this.#hangUp(guest, now);
      }
    });
  }

  /** The networks behind the far end of a call: those of its account. */
  routesOf(callId: LocalCallId): readonly Ipv4Prefix[] {
    const user = this.#guests.get(callId)?.user;
    return (user === undefined ? undefined : this.#accounts.get(user)?.routes) ?? [];
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

  /** A TCP connection came in. `undefined` refuses it: drop it without a word. */
  accept(connection: ConnectionId, local: Ipv4, peer: Ipv4, now: Millis): readonly Effect[] | undefined {
    const halfOpen = [...this.#tunnels.values()].filter((tunnel) => !this.#hasNetwork(tunnel));
    const ofPeer = halfOpen.filter((tunnel) => tunnel.ends.peer === peer).length;
    if (!this.#settings.enabled || halfOpen.length >= HALF_OPEN_IN_ALL || ofPeer >= HALF_OPEN_PER_PEER)
      return undefined;
    const policy = { acceptCall: () => this.#acceptCall(), answersStart: () => this.#answersStart(local, peer) };
    const ends = { connection, role: "server", local, peer } as const;
    const tunnel = new Tunnel(ends, policy, this.#random, this.#callIds, now);
    this.#tunnels.set(connection, tunnel);
    return this.#collect(() => this.#take(tunnel, tunnel.open(now), now));
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

  tick(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      for (const tunnel of [...this.#tunnels.values()])
        if (tunnel.deadline !== undefined && now >= tunnel.deadline) this.#take(tunnel, tunnel.tick(now), now);
    });
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
          this.#strangerLog(
            "debug",
            `${where(tunnel)}: control connection established, vendor '${printable(output.vendorName)}'`,
            now,
          );
          break;
        case "session-started":
          this.#guests.set(output.session.callId, {
            id: this.#nextSessionId(),
            session: output.session,
            tunnel,
            user: undefined,
            method: undefined,
            address: undefined,
            encryption: "none",
            connectedAt: undefined,
          });
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
            this.#report(where(tunnel), output.failure, lastStage(output.failure), false, now);
          break;
      }
    }
  }

  #nextSessionId(): number {
    const id = this.#nextId;
    this.#nextId = (id % LAST_SERVER_SESSION_ID) + 1;
    return id;
  }

  /** Tunnels that had a session: its end is reported, theirs need not be. */
  readonly #hadSession = new Set<Tunnel>();

  #sessionOutput(session: Session, output: SessionOutput, now: Millis): void {
    const guest = this.#guests.get(session.callId);
    if (guest === undefined) return;
    switch (output.type) {
      case "verify": {
        guest.user = accountName(output.request.userName); // claimed so far: a failure is reported under this name
        const verdict = this.#verify(output.request);
        this.#feed(guest, { type: "verdict", verdict }, now);
        break;
      }
      case "authenticated":
        this.#authenticated(guest, output.userName, output.method, now);
        break;
      case "encrypt":
        guest.encryption = encryptionName(output.receive.agreement, output.send.agreement);
        break;
      case "network-up":
        guest.connectedAt = now;
        this.#log(
          "info",
          `${name(guest)}: connected as ${formatIpv4(output.remote)}, ${guest.method === undefined ? "no authentication" : METHOD_NAME[guest.method]}, encryption ${guest.encryption}`,
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
    this.#hadSession.add(guest.tunnel);
    if (guest.address !== undefined) this.#pool.release(guest.address);
    this.#report(name(guest), failure, session.stage, guest.address !== undefined, now);
  }

  #hangUp(guest: Guest, now: Millis): void {
    this.#feed(guest, { type: "hang-up", failure: { reason: "administrative" } }, now);
  }

  // --- accounts and addresses --------------------------------------------------------------------------------------

  #verify(request: AuthRequest): AuthVerdict {
    const account = this.#accounts.get(accountName(request.userName));
    // An unknown user costs the same work as a wrong password, and gets the same answer.
    const verdict = verifyPassword(request, account?.password ?? "");
    if (account === undefined || account.password === "") return WRONG_PASSWORD;
    // Whether an account is disabled is told only to who knows its password.
    if (verdict.ok && !account.enabled) return { ok: false, errorCode: 647, message: "Account disabled" };
    return verdict;
  }

  #authenticated(guest: Guest, userName: Buffer | undefined, method: AuthMethod | undefined, now: Millis): void {
    guest.user = userName && accountName(userName);
    guest.method = method;
    const account = guest.user === undefined ? undefined : this.#accounts.get(guest.user);
    const address = this.#pool.take(account?.address);
    if (address === undefined) {
      this.#feed(guest, { type: "hang-up", failure: { reason: "no-free-address" } }, now);
      return;
    }
    guest.address = address;
    const { localAddress, dns, wins } = this.#settings;
    const forbidden = [guest.tunnel.ends.peer, localAddress];
    const ipcp = { local: localAddress, remote: address, dns, wins, ask: [], forbidden };
    this.#feed(guest, { type: "network", ipcp }, now);
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
    };
    return { link, mtu, holdLcpMs: HOLD_LCP_MS };
  }

  // --- log ---------------------------------------------------------------------------------------------------------

  /** `known`: this one had proved who he is. */
  #report(who: string, failure: SessionFailure, stage: Stage, known: boolean, now: Millis): void {
    const log = (level: "info" | "warning", text: string): void =>
      known ? this.#log(level, text) : this.#strangerLog(level, text, now);
    const { what, windowsError, advice } = diagnose(failure, stage);
    if (isOrderly(failure, stage)) {
      log("info", `${who}: ${what}`);
      return;
    }
    const code = windowsError === undefined ? "" : `; Windows shows error ${windowsError}`;
    const hint = advice === "" ? "" : `; ${advice}`;
    log("warning", `${who}: failed after stage ${stage}: ${what}${code}${hint}`);
  }

  #strangerLog(level: "debug" | "info" | "warning", text: string, now: Millis): void {
    const { admitted, suppressed } = this.#strangers.admit(now);
    if (suppressed > 0) this.#log("info", `${suppressed} more lines about callers without an account were left out`);
    if (admitted) this.#log(level, text);
  }

  #log(level: "debug" | "info" | "warning", text: string): void {
    this.#effects.push({ type: "log", level, text });
  }
}

function where(tunnel: Tunnel): string {
  return formatIpv4(tunnel.ends.peer);
}

function name(guest: Guest): string {
  return `session ${guest.id} ${guest.user === undefined ? "(no user yet)" : printable(guest.user)} from ${where(guest.tunnel)}`;
}

/** A name from the network, before or after it was verified, for a line of the log: no control characters, no novels. */
function printable(user: string): string {
  return user.slice(0, 64).replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?");
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

/**
 * One PPTP client: dials a server, keeps the tunnel by its dial policy, and dials again. No IO: effects say what is to
 * be done.
 *
 *   Dial → TCP 1723 → tunnel → call → session → network-up → … → Hang Up or failure → listening
 */

import { Millis, type Random } from "../ports.ts";
import type { AuthMethod } from "../ppp/lcp.ts";
import { type LinkSettings, PLAIN_LINK } from "../ppp/link-settings.ts";
import type { CallIds, LocalCallId } from "../pptp/call-id.ts";
import { formatIpv4, Ipv4 } from "../wire/ipv4.ts";
import { diagnose, isOrderly, type SessionFailure } from "./diagnosis.ts";
import type { ConnectionId, Effect } from "./effect.ts";
import type { Session, SessionInput, SessionOutput, SessionSettings } from "./session.ts";
import type { ClientSettings } from "./settings.ts";
import { encryptionName, type SessionStatus, type Stage } from "./status.ts";
import { Tunnel, type TunnelOutput } from "./tunnel.ts";
import { VirtualInterface } from "./virtual-interface.ts";
import { windowsErrorText } from "./windows-error.ts";

type Attempt =
  | { readonly at: "connecting"; readonly connection: ConnectionId; readonly until: Millis }
  | { readonly at: "tunnel"; readonly tunnel: Tunnel; session: Session | undefined };

export class PptpClient {
  readonly settings: ClientSettings;
  readonly #id: number;
  readonly #random: Random;
  readonly #callIds: CallIds;
  readonly #allocate: () => ConnectionId;
  readonly #interface: VirtualInterface;
  #attempt: Attempt | undefined;
  #stage: Stage | undefined;
  /** Call Serial Number of the next call: Windows counts on with every call, whatever became of the last. */
  #serial: number;
  #lastFailure: string | undefined;
  #lastEnd: { readonly failure: SessionFailure; readonly stage: Stage } | undefined;
  #network: { readonly local: Ipv4; readonly remote: Ipv4; readonly at: Millis } | undefined;
  #method: AuthMethod | undefined;
  #encryption = "none";
  #effects: Effect[] = [];

  /** `id` names it in `show vpn`; `allocate` yields the connection ids of this process. */
  constructor(id: number, settings: ClientSettings, random: Random, callIds: CallIds, allocate: () => ConnectionId) {
    this.#id = id;
    this.settings = settings;
    this.#random = random;
    this.#callIds = callIds;
    this.#allocate = allocate;
    const { firstSerial } = settings.profile;
    this.#serial = firstSerial === "random" ? random.bytes(2).readUInt16BE() : firstSerial;
    this.#interface = new VirtualInterface(settings.dial, random);
  }

  get deadline(): Millis | undefined {
    const attempt = this.#attempt?.at === "connecting" ? this.#attempt.until : this.#attempt?.tunnel.deadline;
    const set = [this.#interface.deadline, attempt].filter((instant) => instant !== undefined);
    return set.length === 0 ? undefined : Millis(Math.min(...set));
  }
  get id(): number {
    return this.#id;
  }
  get callId(): LocalCallId | undefined {
    return this.#attempt?.at === "tunnel" ? this.#attempt.session?.callId : undefined;
  }
  /** Dial on demand, and not connected: its first packet will dial. */
  get awaitsPacket(): boolean {
    return this.settings.dial.mode === "on-demand" && this.#interface.at === "listening";
  }
  /** What went wrong last, in words, with the code a Windows client would show; undefined after an orderly end. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }
  /** How the last attempt or connection ended, and how far it had come; undefined before the first. */
  get lastEnd(): { readonly failure: SessionFailure; readonly stage: Stage } | undefined {
    return this.#lastEnd;
  }
  get at(): VirtualInterface["at"] {
    return this.#interface.at;
  }

  status(): Omit<SessionStatus, "traffic" | "interfaceName"> | undefined {
    if (this.#attempt === undefined) return undefined;
    const session = this.#attempt.at === "tunnel" ? this.#attempt.session : undefined;
    return {
      id: this.#id,
      callId: session?.callId ?? 0,
      role: "client",
      state: this.#network === undefined ? "connecting" : "connected",
      stage: session?.stage ?? this.#stage ?? "started",
      user: this.settings.user,
      peer: this.settings.server,
      address: this.#network?.remote,
      authentication: this.#method,
      encryption: this.#encryption,
      connectedAt: this.#network?.at,
    };
  }

  // --- what the administrator and the traffic want ------------------------------------------------------------------

  start(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#interface.start()) this.#dial(now);
    });
  }

  dial(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#interface.dial()) this.#dial(now);
    });
  }

  hangUp(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#interface.hangUp()) this.#hangUp(now);
    });
  }

  /** A packet for the tunnel came along. */
  packet(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#interface.packet(now)) this.#dial(now);
    });
  }

  /** A Start-Control-Connection-Request of ours is under way. */
  get isStarting(): boolean {
    return this.#attempt?.at === "tunnel" && !this.#attempt.tunnel.isEstablished;
  }

  /** RFC 2637 §3.1.3: the loser of a collision "will immediately close the TCP connection it initiated". */
  yieldToPeer(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#attempt?.at !== "tunnel" || this.#attempt.tunnel.isEstablished) return;
      this.#effects.push({ type: "close-control", connection: this.#attempt.tunnel.ends.connection });
      this.#ended({ reason: "collision" }, now);
    });
  }

  /** When a packet last passed; undefined when none did. */
  traffic(last: Millis | undefined): void {
    if (last !== undefined) this.#interface.traffic(last);
  }

  // --- what the network says ---------------------------------------------------------------------------------------

  connected(connection: ConnectionId, local: Ipv4, now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#attempt?.at !== "connecting" || this.#attempt.connection !== connection) return;
      const ends = { connection, role: "client", local, peer: this.settings.server } as const;
      // Nobody calls a client on the connection it dialled.
      const tunnel = new Tunnel(
        ends,
        { acceptCall: () => undefined, answersStart: () => false },
        this.#random,
        this.#callIds,
        now,
        this.settings.profile.endpoint,
      );
      this.#attempt = { at: "tunnel", tunnel, session: undefined };
      this.#stage = "tcp-connected";
      this.#take(tunnel.open(now), now);
    });
  }

  connectFailed(connection: ConnectionId, text: string, now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#attempt?.at === "connecting" && this.#attempt.connection === connection)
        this.#ended({ reason: "unreachable", text }, now);
    });
  }

  received(bytes: Buffer, now: Millis): readonly Effect[] {
    return this.#withTunnel((tunnel) => tunnel.receive(bytes, now), now);
  }

  disconnected(reason: string | undefined, now: Millis): readonly Effect[] {
    return this.#withTunnel((tunnel) => tunnel.disconnected(reason, now), now);
  }

  session(callId: LocalCallId, input: SessionInput, now: Millis): readonly Effect[] {
    return this.#withTunnel((tunnel) => tunnel.session(callId, input, now), now);
  }

  tick(now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#attempt?.at === "connecting" && now >= this.#attempt.until) {
        this.#effects.push({ type: "close-control", connection: this.#attempt.connection });
        this.#ended({ reason: "unreachable", text: "no answer" }, now);
      }
      if (this.#attempt?.at === "tunnel") this.#take(this.#attempt.tunnel.tick(now), now);
      const due = this.#interface.tick(now);
      if (due === "dial") this.#dial(now);
      if (due === "hang-up") this.#hangUp(now);
    });
  }

  #withTunnel(run: (tunnel: Tunnel) => readonly TunnelOutput[], now: Millis): readonly Effect[] {
    return this.#collect(() => {
      if (this.#attempt?.at === "tunnel") this.#take(run(this.#attempt.tunnel), now);
    });
  }

  #collect(run: () => void): readonly Effect[] {
    this.#effects = [];
    run();
    return this.#effects;
  }

  // --- the attempt -------------------------------------------------------------------------------------------------

  #dial(now: Millis): void {
    if (this.#attempt !== undefined) return;
    const connection = this.#allocate();
    this.#attempt = { at: "connecting", connection, until: Millis(now + this.settings.profile.connectMs) };
    this.#stage = undefined;
    this.#effects.push({ type: "connect", connection, peer: this.settings.server });
    this.#log("info", `dialing ${formatIpv4(this.settings.server)}`);
  }

  #hangUp(now: Millis): void {
    const attempt = this.#attempt;
    if (attempt?.at === "connecting") {
      this.#effects.push({ type: "close-control", connection: attempt.connection });
      this.#ended({ reason: "administrative" }, now);
    } else if (attempt?.session) {
      const input: SessionInput = { type: "hang-up", failure: { reason: "administrative" } };
      this.#take(attempt.tunnel.session(attempt.session.callId, input, now), now);
    } else if (attempt) this.#take(attempt.tunnel.stop(now), now);
  }

  #placeCall(tunnel: Tunnel, now: Millis): void {
    const correlationId: Buffer = this.settings.profile.correlationId ? this.#random.bytes(16) : Buffer.alloc(0);
    const serial = this.#serial;
    this.#serial = (serial + 1) & 0xffff;
    this.#take(tunnel.placeCall(this.#sessionSettings(correlationId), serial, correlationId, now), now);
  }

  #take(outputs: readonly TunnelOutput[], now: Millis): void {
    for (const output of outputs) {
      const attempt = this.#attempt;
      if (output.type === "effect") this.#effects.push(output.effect);
      if (attempt?.at !== "tunnel") continue;
      switch (output.type) {
        case "effect":
          break;
        case "control-established":
          this.#stage = "control-established";
          this.#placeCall(attempt.tunnel, now);
          break;
        case "session-started":
          attempt.session = output.session;
          break;
        case "session-output":
          this.#sessionOutput(attempt.tunnel, output.session, output.output, now);
          break;
        case "session-ended":
        case "call-failed":
          // The connection has served its only call: Call-Clear came first, Stop-Control-Connection follows.
          this.#failure ??= output.failure;
          this.#stage = output.type === "session-ended" ? output.session.stage : this.#stage;
          attempt.session = undefined;
          this.#network = undefined;
          this.#take(attempt.tunnel.stop(now), now);
          break;
        case "closed":
          this.#ended(this.#failure ?? output.failure, now);
          break;
      }
    }
  }

  /** Why the session ended, until the control connection has closed too. */
  #failure: SessionFailure | undefined;

  #sessionOutput(tunnel: Tunnel, session: Session, output: SessionOutput, now: Millis): void {
    switch (output.type) {
      case "authenticated": {
        this.#method = output.method;
        const forbidden = [this.settings.server];
        const ask = this.settings.profile.ipcpAsk;
        const ipcp = { local: Ipv4(0), remote: undefined, dns: [], wins: [], ask, forbidden };
        this.#take(tunnel.session(session.callId, { type: "network", ipcp }, now), now);
        break;
      }
      case "encrypt":
        this.#encryption = encryptionName(output.receive.agreement, output.send.agreement);
        break;
      case "network-up":
        this.#network = { local: output.local, remote: output.remote, at: now };
        this.#interface.connected(now);
        this.#log("info", `connected as ${formatIpv4(output.local)}, encryption ${this.#encryption}`);
        break;
      case "network-down":
        this.#network = undefined;
        break;
      default:
        break;
    }
  }

  #ended(failure: SessionFailure, now: Millis): void {
    const stage = this.#stage ?? "started";
    this.#attempt = undefined;
    this.#failure = undefined;
    this.#network = undefined;
    this.#method = undefined;
    this.#encryption = "none";
    this.#interface.ended(now);
    const { what, windowsError, advice } = diagnose(failure, stage, "client");
    this.#lastEnd = { failure, stage };
    this.#lastFailure = undefined;
    if (isOrderly(failure, stage)) {
      this.#log("info", what);
      return;
    }
    const code = windowsError === undefined ? "" : `; a Windows client would show ${windowsErrorText(windowsError)}`;
    this.#lastFailure = `failed after stage ${stage}: ${what}${code}${advice === "" ? "" : `; ${advice}`}`;
    this.#log("warning", this.#lastFailure);
  }

  #sessionSettings(correlationId: Buffer): SessionSettings {
    const { user, password, newPassword, authentication, encryption, mtu, profile } = this.settings;
    const { identification, computerName, multilinkMrru } = profile;
    const identifications: Buffer[] =
      identification === undefined
        ? []
        : [identification.version, `MSRAS-${identification.messenger}-${computerName}`].map((text) =>
            Buffer.from(text, "latin1"),
          );
    if (profile.correlationId) identifications.push(correlationId);
    const link: LinkSettings = {
      ...PLAIN_LINK,
      lcp: {
        mru: profile.mru ?? mtu,
        demandAuth: [], // ppp #335: a server has no account with us
        offerAuth: authentication,
        compressHeaders: true,
        callback: profile.callback ? "cbcp" : "refuse",
        requestCallback: profile.callback,
        multilink: multilinkMrru === undefined ? undefined : { mrru: multilinkMrru, ...this.#endpoint() },
      },
      name: user,
      authRetries: 0,
      credentials: newPassword === undefined ? { user, password } : { user, password, newPassword },
      encryption,
      ipv6: profile.ipv6 ? "link-local" : "refuse",
      identifications,
      echoIntervalMs: profile.echoIntervalMs,
      windowsTerminate: profile.windowsTerminate,
      bareLcpExtensions: profile.bareLcpExtensions,
    };
    return { link, mtu, holdLcpMs: 0, settleMs: profile.settleMs };
  }

  /** As Windows 2000 makes one: 16 random bytes, then 12. */
  #endpoint(): { endpointDiscriminator: Buffer } {
    return { endpointDiscriminator: Buffer.concat([this.#random.bytes(16), Buffer.from([0, 0, 0, 12])]) };
  }

  #log(level: "info" | "warning", text: string): void {
    this.#effects.push({ type: "log", level, text: `client ${this.settings.name}: ${text}` });
  }
}

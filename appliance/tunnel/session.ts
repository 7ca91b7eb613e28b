/**
 * One call's PPP session, as RFC 2637 §1.2 uses the word: what stands between the call and the routed interface. Joins
 * `pptp/` (which call, which ACCMs) and `ppp/` (the link); the packets themselves are the data plane's.
 */

import { Millis, type Random } from "../ports.ts";
import type { AuthRequest, AuthVerdict } from "../ppp/credentials.ts";
import type { IpcpSettings } from "../ppp/ipcp.ts";
import type { AuthMethod } from "../ppp/lcp.ts";
import { Link, type LinkOutput } from "../ppp/link.ts";
import type { LinkSettings } from "../ppp/link-settings.ts";
import type { EncryptedDirection } from "../ppp/network-phase.ts";
import type { LocalCallId, PeerCallId } from "../pptp/call-id.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import type { PppFraming } from "../wire/ppp-frame.ts";
import type { SessionFailure } from "./diagnosis.ts";
import type { Stage } from "./status.ts";

export interface SessionSettings {
  readonly link: LinkSettings;
  /** Largest IP packet inside the tunnel, before the peer's MRU lowers it. */
  readonly mtu: number;
  /**
   * How long the called side holds its first LCP packet for the caller's Set-Link-Info or first GRE packet: a Windows
   * client is deaf on GRE until it has digested the Outgoing-Call-Reply (windows.md §4). 0 speaks at once.
   */
  readonly holdLcpMs: number;
  /** As such a client: from the Outgoing-Call-Reply to our Set-Link-Info and first LCP packet, deaf meanwhile. */
  readonly settleMs?: number;
}

/** What the peer is waiting for. */
export type SessionInput =
  | { readonly type: "call-established" }
  | { readonly type: "link-info" }
  | { readonly type: "frame"; readonly protocol: number; readonly payload: Buffer }
  | { readonly type: "verdict"; readonly ticket: number; readonly verdict: AuthVerdict }
  | { readonly type: "network"; readonly ipcp: IpcpSettings; readonly requireEncryption?: boolean }
  | { readonly type: "mppe-reset-needed" }
  | { readonly type: "hang-up"; readonly failure: SessionFailure }
  /** The call is gone: nothing can be sent any more. */
  | { readonly type: "call-gone"; readonly failure: SessionFailure }
  | { readonly type: "tick" };

/** What a session asks of its data path and of its owner. */
export type SessionOutput =
  | { readonly type: "send-frame"; readonly protocol: number; readonly payload: Buffer; readonly framing: PppFraming }
  | {
      readonly type: "encrypt";
      readonly send: EncryptedDirection;
      readonly receive: EncryptedDirection;
      readonly framing: PppFraming;
    }
  | { readonly type: "flush-encryption" }
  | { readonly type: "forget-encryption" }
  | { readonly type: "set-link-info"; readonly sendAccm: number; readonly receiveAccm: number }
  | { readonly type: "verify"; readonly ticket: number; readonly request: AuthRequest }
  | { readonly type: "authenticated"; readonly userName: Buffer | undefined; readonly method: AuthMethod | undefined }
  | {
      readonly type: "network-up";
      readonly local: Ipv4;
      readonly remote: Ipv4;
      readonly mtu: number;
      readonly dns: readonly Ipv4[];
      readonly framing: PppFraming;
    }
  | { readonly type: "network-down" }
  | { readonly type: "ipv6-up"; readonly local: Buffer; readonly remote: Buffer }
  /** The end; the call is to be cleared if it still stands. */
  | { readonly type: "ended"; readonly failure: SessionFailure };

const ALL_ACCM = 0xffffffff;

export class Session {
  readonly callId: LocalCallId;
  readonly peerCallId: PeerCallId;
  readonly role: "server" | "client";
  readonly #settings: SessionSettings;
  readonly #link: Link;
  #stage: Stage = "call-established";
  #holdUntil: Millis | undefined;
  #pendingFailure: SessionFailure | undefined;
  #ended = false;

  constructor(
    role: "server" | "client",
    callId: LocalCallId,
    peerCallId: PeerCallId,
    settings: SessionSettings,
    random: Random,
  ) {
    this.role = role;
    this.callId = callId;
    this.peerCallId = peerCallId;
    this.#settings = settings;
    this.#link = new Link(settings.link, random);
  }

  get stage(): Stage {
    return this.#stage;
  }
  get deadline(): Millis | undefined {
    const link = this.#link.deadline;
    if (this.#holdUntil === undefined || link === undefined) return this.#holdUntil ?? link;
    return Millis(Math.min(this.#holdUntil, link));
  }

  handle(input: SessionInput, now: Millis): readonly SessionOutput[] {
    if (this.#ended) return [];
    switch (input.type) {
      case "call-established":
        return this.#established(now);
      case "link-info":
        return this.#isSettling ? [] : this.#up(now);
      case "frame": {
        if (this.#isSettling) return [];
        const { protocol, payload } = input;
        return [...this.#up(now), ...this.#run(this.#link.handle({ type: "frame", protocol, payload }, now))];
      }
      case "verdict":
      case "network":
      case "mppe-reset-needed":
        return this.#run(this.#link.handle(input, now));
      case "hang-up": {
        // The caller says goodbye on the control connection too, before it closes the link (windows.md §1).
        const info: SessionOutput[] = this.role === "client" ? [linkInfo(ALL_ACCM, ALL_ACCM)] : [];
        this.#pendingFailure = input.failure;
        return [
          ...info,
          ...this.#run(this.#link.handle({ type: "close", failure: { reason: "administrative" } }, now)),
        ];
      }
      case "call-gone":
        return this.#end(this.#pendingFailure ?? this.#link.leaving ?? this.#withGre(input.failure));
      case "tick":
        return this.#tick(now);
    }
  }

  /** A call that ends before LCP is open most often does so for want of GRE: which way, we can tell in part. */
  #withGre(failure: SessionFailure): SessionFailure {
    if (failure.reason !== "call-ended" || this.#stage !== "call-established") return failure;
    return { ...failure, heardGre: this.#link.heardLcp };
  }

  #established(now: Millis): readonly SessionOutput[] {
    const { holdLcpMs, settleMs = 0 } = this.#settings;
    if (this.role === "client" && settleMs === 0) return this.#greet(now);
    this.#holdUntil = Millis(now + (this.role === "client" ? settleMs : holdLcpMs));
    return [];
  }

  get #isSettling(): boolean {
    return this.role === "client" && this.#holdUntil !== undefined;
  }

  /** The caller's first words: Set-Link-Info, then LCP. */
  #greet(now: Millis): readonly SessionOutput[] {
    return [linkInfo(ALL_ACCM, ALL_ACCM), ...this.#up(now)];
  }

  #up(now: Millis): readonly SessionOutput[] {
    this.#holdUntil = undefined;
    return this.#link.phase === "dead" ? this.#run(this.#link.handle({ type: "up" }, now)) : [];
  }

  #tick(now: Millis): readonly SessionOutput[] {
    const held = this.#holdUntil !== undefined && now >= this.#holdUntil;
    const begun = !held ? [] : this.role === "client" ? this.#greet(now) : this.#up(now);
    return [...begun, ...this.#run(this.#link.handle({ type: "tick" }, now))];
  }

  #run(outputs: readonly LinkOutput[]): readonly SessionOutput[] {
    return outputs.flatMap((output) => this.#translate(output));
  }

  #translate(output: LinkOutput): readonly SessionOutput[] {
    const { framing } = this.#link;
    switch (output.type) {
      case "send":
        return [{ ...output, type: "send-frame", framing: this.#link.controlFraming(output.protocol, output.payload) }];
      case "verify":
        return [output];
      case "lcp-opened":
        this.#reach("lcp-opened");
        return this.role === "client" ? [linkInfo(this.#link.accms.send, this.#link.accms.receive)] : [];
      case "authenticated":
        this.#reach("authenticated");
        return [output];
      case "mppe":
        return [{ type: "encrypt", send: output.send, receive: output.receive, framing }];
      case "mppe-flush":
        return [{ type: "flush-encryption" }];
      case "mppe-gone":
        return [{ type: "forget-encryption" }];
      case "network-up": {
        this.#reach("network-up");
        const mtu = Math.min(this.#settings.mtu, this.#link.peerMru);
        return [{ type: "network-up", local: output.local, remote: output.remote, mtu, dns: output.dns, framing }];
      }
      case "network-down":
      case "ipv6-up":
        return [output];
      case "closed":
        return this.#end(this.#pendingFailure ?? output.failure);
    }
  }

  #reach(stage: Stage): void {
    if (this.#stage !== "network-up") this.#stage = stage;
  }

  #end(failure: SessionFailure): readonly SessionOutput[] {
    if (this.#ended) return [];
    this.#ended = true;
    return [{ type: "ended", failure }];
  }
}

function linkInfo(sendAccm: number, receiveAccm: number): SessionOutput {
  return { type: "set-link-info", sendAccm, receiveAccm };
}

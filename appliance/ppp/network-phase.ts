/**
 * The network-layer phase of a link (RFC 1661 §3.6): IPV6CP, CCP and IPCP at once, in Windows' order. Nobody waits for
 * CCP; only the data does, so "network-up" comes when IPCP is open and CCP has either opened or, where encryption is
 * optional, ended.
 */
import type { MppeStartKeys } from "../crypto/mppe-keys.ts";
import { Millis, type Random } from "../ports.ts";
import { parseCcpOption } from "../wire/ccp-option.ts";
import { CpCode, type CpPacket, emitCpPacket, parseOptions } from "../wire/cp-packet.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import { Protocol } from "../wire/ppp-frame.ts";
import { CcpPolicy, type EncryptionPolicy, type MppeAgreement } from "./ccp.ts";
import type { SessionKeys } from "./credentials.ts";
import type { LinkFailure } from "./failure.ts";
import { IpcpPolicy, type IpcpSettings } from "./ipcp.ts";
import { Ipv6cpPolicy } from "./ipv6cp.ts";
import { type Identifiers, Negotiation, type NegotiationInput, type NegotiationTimers } from "./negotiation.ts";

export interface NetworkSettings {
  readonly encryption: EncryptionPolicy;
  /** `link-local` negotiates IPV6CP; `refuse` answers it with Protocol-Reject, which Windows survives. */
  readonly ipv6: "refuse" | "link-local";
  readonly timers: NegotiationTimers;
}

export interface EncryptedDirection {
  readonly startKey: Uint8Array;
  readonly agreement: MppeAgreement;
}

export type NetworkOutput =
  | { readonly type: "send"; readonly protocol: number; readonly payload: Buffer }
  /** CCP is open: encrypt from now on. Comes at most once per authentication. */
  | { readonly type: "mppe"; readonly send: EncryptedDirection; readonly receive: EncryptedDirection }
  /** The peer lost step (CCP Reset-Request): make the next packet one it can read. */
  | { readonly type: "mppe-flush" }
  | {
      readonly type: "network-up";
      readonly local: Ipv4;
      readonly remote: Ipv4;
      readonly encrypted: boolean;
      /** Name servers the peer told us, primary first. */
      readonly dns: readonly Ipv4[];
    }
  | { readonly type: "network-down" }
  /** IPV6CP is open: IPv6 may pass too, from now until `network-down`. Interface identifiers, 8 bytes each. */
  | { readonly type: "ipv6-up"; readonly local: Buffer; readonly remote: Buffer }
  | { readonly type: "failed"; readonly failure: LinkFailure };

export class NetworkPhase {
  readonly #use: EncryptionPolicy["use"];
  readonly #keys: SessionKeys;
  readonly #ipcpPolicy: IpcpPolicy;
  readonly #ipcp: Negotiation;
  readonly #ipv6cp: { readonly policy: Ipv6cpPolicy; readonly negotiation: Negotiation } | undefined;
  #ccp: { readonly policy: CcpPolicy; readonly negotiation: Negotiation } | undefined;
  #encrypted = false;
  /** The peer sent a Configure-Request with a key length in it. */
  #peerWantsMppe = false;
  #isUp = false;
  #failed = false;
  #out: NetworkOutput[] = [];

  constructor(
    settings: NetworkSettings,
    ipcp: IpcpSettings,
    keys: SessionKeys,
    identifiers: Identifiers,
    random: Random,
  ) {
    const { encryption, timers } = settings;
    this.#use = encryption.use;
    this.#keys = keys;
    this.#ipcpPolicy = new IpcpPolicy(ipcp);
    this.#ipcp = new Negotiation(this.#ipcpPolicy, timers, identifiers);
    if (settings.ipv6 === "link-local") {
      const policy = new Ipv6cpPolicy(random);
      this.#ipv6cp = { policy, negotiation: new Negotiation(policy, timers, identifiers) };
    }
    const common = usableStrengths(keys).filter((bits) => encryption.strengths.includes(bits));
    if (encryption.use !== "none" && common.length > 0) {
      const policy = new CcpPolicy(encryption, common, () => {
        this.#out.push({ type: "mppe-flush" });
      });
      this.#ccp = { policy, negotiation: new Negotiation(policy, timers, identifiers) };
    }
  }

  get deadline(): Millis | undefined {
    const all = [this.#ipcp.deadline, this.#ccp?.negotiation.deadline, this.#ipv6cp?.negotiation.deadline];
    const set = all.filter((instant) => instant !== undefined);
    return set.length === 0 ? undefined : Millis(Math.min(...set));
  }

  /** Why a peer that hangs up now, with its wish for MPPE not granted, does so. */
  get encryptionFailure(): LinkFailure | undefined {
    if (this.#isUp || this.#encrypted || !this.#peerWantsMppe) return undefined;
    if (this.#ccp === undefined) return { reason: "encryption-not-offered" };
    return this.#ccp.policy.strengthsApart ? { reason: "no-common-strength" } : undefined;
  }

  start(now: Millis): readonly NetworkOutput[] {
    this.#out = [];
    const usable = usableStrengths(this.#keys);
    if (this.#use === "required" && usable.length === 0) this.#fail({ reason: "no-encryption-keys" });
    else if (this.#use === "required" && this.#ccp === undefined) this.#fail({ reason: "no-common-strength" });
    else
      for (const type of ["open", "up"] as const) {
        this.#runIpv6cp({ type }, now);
        this.#runCcp({ type }, now);
        this.#runIpcp({ type }, now);
      }
    return this.#out;
  }

  /** `undefined`: this protocol is not spoken here, and deserves a Protocol-Reject. */
  receive(protocol: number, packet: CpPacket, now: Millis): readonly NetworkOutput[] | undefined {
    this.#out = [];
    const input: NegotiationInput = { type: "packet", packet };
    if (protocol === Protocol.ccp) this.#peerWantsMppe ||= asksForMppe(packet);
    if (protocol === Protocol.ipcp) this.#runIpcp(input, now);
    else if (protocol === Protocol.ccp && this.#ccp !== undefined) this.#receiveCcp(packet, now);
    else if (protocol === Protocol.ipv6cp && this.#ipv6cp !== undefined) this.#runIpv6cp(input, now);
    else return undefined;
    return this.#out;
  }

  protocolRejected(protocol: number, now: Millis): readonly NetworkOutput[] {
    this.#out = [];
    const input: NegotiationInput = { type: "protocol-rejected" };
    if (protocol === Protocol.ccp) this.#runCcp(input, now);
    if (protocol === Protocol.ipcp) this.#runIpcp(input, now);
    if (protocol === Protocol.ipv6cp) this.#runIpv6cp(input, now);
    return this.#out;
  }

  /** The receive side of stateful MPPE lost step: asks the peer to flush (RFC 3078 §8.2). */
  requestReset(): readonly NetworkOutput[] {
    this.#out = [];
    const ccp = this.#ccp?.negotiation;
    if (ccp?.state === "opened")
      this.#send(Protocol.ccp, { code: CpCode.resetRequest, identifier: ccp.nextIdentifier(), data: Buffer.alloc(0) });
    return this.#out;
  }

  tick(now: Millis): readonly NetworkOutput[] {
    this.#out = [];
    this.#runIpv6cp({ type: "tick" }, now);
    this.#runCcp({ type: "tick" }, now);
    this.#runIpcp({ type: "tick" }, now);
    return this.#out;
  }

  #runIpv6cp(input: NegotiationInput, now: Millis): void {
    // One NCP that closes does not close the link (accel-ppp #57).
    for (const output of this.#ipv6cp?.negotiation.handle(input, now) ?? []) {
      if (output.type === "send") this.#send(Protocol.ipv6cp, output.packet);
      if (output.type === "this-layer-up") this.#maybeIpv6Up();
    }
  }

  #receiveCcp(packet: CpPacket, now: Millis): void {
    this.#runCcp({ type: "packet", packet }, now);
    // RFC 1661 §4.1 stays in Req-Sent and would ask on for half a minute, while Windows has made up its mind.
    if (packet.code === CpCode.terminateRequest && !this.#encrypted) this.#ccpFinished();
  }

  #runCcp(input: NegotiationInput, now: Millis): void {
    for (const output of this.#ccp?.negotiation.handle(input, now) ?? []) {
      if (output.type === "send") this.#send(Protocol.ccp, output.packet);
      else if (output.type === "this-layer-up") this.#ccpUp();
      else if (output.type === "this-layer-down") this.#fail({ reason: "ccp-renegotiated" });
      else this.#ccpFinished();
    }
  }

  #ccpUp(): void {
    const { send, receive } = this.#ccp?.policy.agreement ?? {};
    const outward = send && this.#direction(send, "send");
    const inward = receive && this.#direction(receive, "receive");
    if (!outward || !inward) {
      // Open without MPPE: an empty request, acknowledged because nothing could be Nak-ed any more.
      this.#ccpFinished();
      return;
    }
    this.#encrypted = true;
    this.#out.push({ type: "mppe", send: outward, receive: inward });
    this.#maybeUp();
  }

  #direction(agreement: MppeAgreement, direction: keyof MppeStartKeys): EncryptedDirection | undefined {
    const startKey = this.#keys[agreement.strength]?.[direction];
    return startKey && { startKey, agreement };
  }

  /** CCP ended without encryption: the end of a link that must have it, or had it; no harm to one that need not. */
  #ccpFinished(): void {
    if (this.#use === "required" || this.#encrypted) {
      this.#fail({ reason: this.#ccp?.policy.strengthsApart ? "no-common-strength" : "encryption-refused" });
      return;
    }
    this.#ccp = undefined;
    this.#maybeUp();
  }

  #runIpcp(input: NegotiationInput, now: Millis): void {
    for (const output of this.#ipcp.handle(input, now)) {
      if (output.type === "send") this.#send(Protocol.ipcp, output.packet);
      else if (output.type === "this-layer-up") this.#maybeUp();
      else if (output.type === "this-layer-down") this.#down();
      else this.#fail({ reason: output.failure === "rejected-by-peer" ? "ipcp-rejected" : "ipcp-failed" });
    }
  }

  #maybeUp(): void {
    if (this.#isUp || this.#failed || this.#ipcp.state !== "opened") return;
    if (this.#ccp !== undefined && !this.#encrypted) return;
    this.#isUp = true;
    const { local, remote } = this.#ipcpPolicy;
    const dns = (["primary-dns", "secondary-dns"] as const)
      .map((kind) => this.#ipcpPolicy.learned(kind))
      .filter((address) => address !== undefined);
    this.#out.push({ type: "network-up", local, remote, encrypted: this.#encrypted, dns });
    this.#maybeIpv6Up();
  }

  /** IPv6 rides on an interface that IPCP brought up. */
  #maybeIpv6Up(): void {
    if (!this.#isUp || this.#ipv6cp?.negotiation.state !== "opened") return;
    const { local, remote } = this.#ipv6cp.policy;
    this.#out.push({ type: "ipv6-up", local, remote });
  }

  #down(): void {
    if (this.#isUp) this.#out.push({ type: "network-down" });
    this.#isUp = false;
  }

  #fail(failure: LinkFailure): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#down();
    this.#out.push({ type: "failed", failure });
  }

  #send(protocol: number, packet: CpPacket): void {
    this.#out.push({ type: "send", protocol, payload: emitCpPacket(packet) });
  }
}

function asksForMppe({ code, data }: CpPacket): boolean {
  const options = code === CpCode.configureRequest ? parseOptions(data) : undefined;
  return options?.ok === true && options.value.some((raw) => parseCcpOption(raw).kind === "mppe");
}

function usableStrengths(keys: SessionKeys): readonly (128 | 56 | 40)[] {
  return ([128, 56, 40] as const).filter((bits) => keys[bits] !== undefined);
}

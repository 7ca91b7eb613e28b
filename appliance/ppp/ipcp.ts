/** The IP Control Protocol: RFC 1332 §3, name servers by RFC 1877 §1. One class serves both ends: the server assigns, the client asks. */
import type { RawOption } from "../wire/cp-packet.ts";
import { emitIpcpOption, type IpcpAddressKind, type IpcpOption, parseIpcpOption } from "../wire/ipcp-option.ts";
import { Ipv4 } from "../wire/ipv4.ts";
import { judgeOptions, type OptionVerdict } from "./judge.ts";
import type { Judgement, OptionPolicy } from "./negotiation.ts";

export interface IpcpSettings {
  /** Our address; 0.0.0.0 asks the peer to name it. */
  readonly local: Ipv4;
  /** The address the peer must take; undefined lets it choose its own. */
  readonly remote: Ipv4 | undefined;
  /** Handed to a peer that asks, primary first. */
  readonly dns: readonly Ipv4[];
  readonly wins: readonly Ipv4[];
  /** As a client: which name servers to ask for. */
  readonly ask: readonly IpcpAddressKind[];
  /** Addresses no end may have: the peer's outer address would route the tunnel into itself. */
  readonly forbidden: readonly Ipv4[];
}

const NOWHERE = Ipv4(0);

export class IpcpPolicy implements OptionPolicy {
  readonly #settings: IpcpSettings;
  readonly #asked: Map<IpcpAddressKind, Ipv4>;
  #remote = NOWHERE;
  /** The peer last asked for another address than the one that is meant for it. */
  #insists = false;

  constructor(settings: IpcpSettings) {
    this.#settings = settings;
    this.#asked = new Map([["address", settings.local], ...settings.ask.map((kind) => [kind, NOWHERE] as const)]);
  }

  /** Our address once opened. A server whose peer would not hear it keeps it all the same. */
  get local(): Ipv4 {
    return this.#asked.get("address") ?? this.#settings.local;
  }
  /** The peer's address once opened; 0.0.0.0 when it named none and was free to choose. */
  get remote(): Ipv4 {
    return this.#remote;
  }
  /** A name server the peer told us, or undefined. */
  learned(kind: IpcpAddressKind): Ipv4 | undefined {
    return this.#asked.get(kind) || undefined;
  }

  request(): readonly RawOption[] {
    return [...this.#asked].map(([kind, address]) => emitIpcpOption({ kind, address }));
  }

  judge(raw: readonly RawOption[], mayNak: boolean): Judgement {
    const options = raw.map(parseIpcpOption);
    const remote = this.#settings.remote;
    const named = options.find(({ kind }) => kind === "address");
    const missing = remote === undefined || named ? [] : [emitIpcpOption({ kind: "address", address: remote })];
    if (named?.kind === "address" && named.address !== NOWHERE) this.#insists = named.address !== remote;
    // One that keeps its own address would send from it: better no network than one that is silent.
    if (missing.length > 0 && !mayNak && this.#insists) return { answer: "nak", options: missing };
    const judgement = judgeOptions(raw, mayNak, (option) => this.#verdictOn(parseIpcpOption(option)), missing);
    if (judgement.answer === "ack") this.#remote = named?.kind === "address" ? named.address : (remote ?? NOWHERE);
    return judgement;
  }

  naked(raw: readonly RawOption[]): boolean {
    for (const option of raw.map(parseIpcpOption)) {
      if (option.kind === "compression" || option.kind === "unknown") continue;
      if (!this.#asked.has(option.kind)) continue;
      // A server keeps its own address; only a client lets itself be told, and never to be nowhere or on the outer path.
      if (option.kind === "address" && (this.#settings.local !== NOWHERE || !this.#isUsable(option.address)))
        return false;
      this.#asked.set(option.kind, option.address);
    }
    return true;
  }

  rejected(raw: readonly RawOption[]): boolean {
    for (const option of raw.map(parseIpcpOption)) {
      if (option.kind === "address" && this.#settings.local === NOWHERE) return false;
      if (option.kind !== "compression" && option.kind !== "unknown") this.#asked.delete(option.kind);
    }
    return true;
  }

  #verdictOn(option: IpcpOption): OptionVerdict {
    switch (option.kind) {
      case "address": {
        const remote = this.#settings.remote ?? option.address;
        if (!this.#isUsable(remote)) return "reject";
        return option.address === remote ? "ack" : { nak: emitIpcpOption({ kind: "address", address: remote }) };
      }
      case "primary-dns":
        return this.#assign(option.kind, option.address, this.#settings.dns[0]);
      case "secondary-dns":
        return this.#assign(option.kind, option.address, this.#settings.dns[1]);
      case "primary-nbns":
        return this.#assign(option.kind, option.address, this.#settings.wins[0]);
      case "secondary-nbns":
        return this.#assign(option.kind, option.address, this.#settings.wins[1]);
      case "compression": // Van Jacobson: every Windows client rejects it too (windows.md §8)
      case "unknown":
        return "reject";
    }
  }

  /** Windows drops exactly the name servers that are rejected and goes on (windows.md §8). */
  #assign(kind: IpcpAddressKind, asked: Ipv4, ours: Ipv4 | undefined): OptionVerdict {
    if (ours === undefined) return "reject";
    return asked === ours ? "ack" : { nak: emitIpcpOption({ kind, address: ours }) };
  }

  #isUsable(address: Ipv4): boolean {
    return address !== NOWHERE && !this.#settings.forbidden.includes(address);
  }
}

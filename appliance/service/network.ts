/** Gives the interfaces their addresses and the machine its gateway: only what differs from what is. */
import type { InterfaceSettings, NetworkSettings } from "../config/settings.ts";
import { type Ipv4Prefix, type Log, type Net, SystemError } from "../ports.ts";

const same = (a: Ipv4Prefix, b: Ipv4Prefix): boolean => a.address === b.address && a.length === b.length;

export class Network {
  readonly #net: Net;
  readonly #log: Log;
  #applied: readonly InterfaceSettings[] = [];
  #proxyArp: string | undefined;
  #forwarding: boolean | undefined;

  constructor(net: Net, log: Log) {
    this.#net = net;
    this.#log = log;
  }

  /** Switches an interface on that has no address of ours, for whoever asks the provider for one. */
  switchOn(device: string): void {
    const present = this.#net.interfaces().find((each) => each.name === device);
    if (present?.up === true) return;
    try {
      this.#net.setUp(device, true);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#log.write("error", "network", error.message);
    }
  }

  /** Returns what the kernel refused, one sentence each; the rest is in force. */
  apply(settings: NetworkSettings): readonly string[] {
    const refused: string[] = [];
    const attempt = (what: string, change: () => void): void => {
      try {
        change();
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        const text = `${what}: ${error.message}`;
        this.#log.write("error", "network", text);
        refused.push(text);
      }
    };

    const wanted = [settings.wan, settings.lan];
    for (const [i, old] of this.#applied.entries()) {
      if (old.device !== wanted[i]?.device || wanted[i]?.address === undefined)
        attempt(old.device, () => this.#takeAway(old));
    }
    attempt("interfaces wan", () => this.#give(settings.wan));
    attempt("interfaces lan", () => this.#give(settings.lan));
    attempt("interfaces wan gateway", () => {
      if (this.#net.defaultGateway() !== settings.wan.gateway) this.#net.setDefaultGateway(settings.wan.gateway);
    });
    attempt("routing", () => {
      if (settings.forwarding !== this.#forwarding) this.#net.setForwarding(settings.forwarding);
      this.#forwarding = settings.forwarding;
    });
    attempt("interfaces lan", () => this.#answerForTunnels(settings.lanProxyArp ? settings.lan.device : undefined));
    this.#applied = wanted;
    return refused;
  }

  /** Makes the address the only one of its interface. Without one the interface is left as it is. */
  #give({ device, address }: InterfaceSettings): void {
    if (address === undefined) return;
    const present = this.#net.interfaces().find((each) => each.name === device);
    for (const other of present?.addresses ?? []) {
      if (!same(other, address)) this.#net.removeAddress(device, other);
    }
    if (!present?.addresses.some((each) => same(each, address))) this.#net.addAddress(device, address);
    if (!present?.up) this.#net.setUp(device, true);
  }

  #takeAway({ device, address }: InterfaceSettings): void {
    const present = this.#net.interfaces().find((each) => each.name === device);
    if (address !== undefined && present?.addresses.some((each) => same(each, address)))
      this.#net.removeAddress(device, address);
  }

  #answerForTunnels(device: string | undefined): void {
    if (device === this.#proxyArp) return;
    const old = this.#proxyArp;
    this.#proxyArp = undefined;
    if (old !== undefined) this.#net.setProxyArp(old, false);
    if (device !== undefined) this.#net.setProxyArp(device, true);
    this.#proxyArp = device;
  }
}

/** The board's ports: which card is the WAN, which are the LAN, the bridge between the LAN's, and what is wrong with the hardware. */
import type { Config } from "../config/config.ts";
import { text } from "../config/settings.ts";
import { type Log, type Net, type NetworkCard, SystemError } from "../ports.ts";
import { assignPorts, missingFirmware } from "../router/board-ports.ts";
import type { PortTable } from "../update/port-table.ts";

/** The interface of a LAN that has several sockets. */
const BRIDGE = "lan";

export interface PortsParts {
  readonly net: Net;
  /** Those of this moment. */
  readonly cards: () => readonly NetworkCard[];
  /** The kernel's messages. */
  readonly messages: () => readonly string[];
  /** Undefined outside an image: then interfaces are what the configuration calls them. */
  readonly table: PortTable | undefined;
  readonly log: Log;
}

export interface PortView {
  /** `wan`, `lan1`; undefined for a card that is no port of the board. */
  readonly port: string | undefined;
  readonly card: NetworkCard;
  readonly use: "WAN" | "LAN" | "none";
}

export class Ports {
  readonly #parts: PortsParts;
  #wan: string | undefined;
  #lan: readonly string[] = [];

  constructor(parts: PortsParts) {
    this.#parts = parts;
  }

  /**
   * Makes the LAN's bridge as it should be. Returns the configuration with the kernel's names of WAN and LAN in it, and what the
   * kernel refused, one sentence each.
   */
  apply(config: Config): { readonly config: Config; readonly refused: readonly string[] } {
    const ports = this.#assigned();
    const nameOf = (word: string): string => ports.get(word)?.name ?? word;
    const wan = config.has("interfaces wan device") ? undefined : ports.get("wan")?.name;
    this.#wan = wan ?? nameOf(text(config, "interfaces wan device") ?? "");
    const members = this.#members(config, ports).filter((name) => name !== this.#wan);
    const [only] = members;
    const isBridged = members.length > 1;
    const lan = isBridged ? BRIDGE : (only ?? nameOf(text(config, "interfaces lan device") ?? ""));
    this.#lan = isBridged ? members : [lan];
    const refused = this.#bridge(isBridged ? members : undefined);
    const resolved = new Map(config).set("interfaces wan device", this.#wan).set("interfaces lan device", lan);
    return { config: resolved, refused };
  }

  /** The board's ports, then other cards. */
  views(): readonly PortView[] {
    const ports = this.#assigned();
    const named = new Set([...ports.values()].map(({ name }) => name));
    const others = this.#parts.cards().filter(({ name }) => !named.has(name));
    return [
      ...[...ports].map(([port, card]) => ({ port, card, use: this.#useOf(card) })),
      ...others.map((card) => ({ port: undefined, card, use: this.#useOf(card) })),
    ];
  }

  /** What whoever logs in should know about the hardware. */
  notices(): readonly string[] {
    const idle = this.views().filter(({ use }) => use === "none");
    return [
      ...idle.map(({ port, card: { name, path, driver } }) => {
        const what = [driver, path].filter((word) => word !== undefined).join(", ");
        return `Network card ${name} (${what}) is not used: set interfaces lan ports NAME ..., or set interfaces wan device ${port ?? name}.`;
      }),
      ...missingFirmware(this.#parts.messages()).map(
        ({ device, file }) => `Firmware ${file} is missing for ${device}: that hardware may not work.`,
      ),
    ];
  }

  #assigned(): ReadonlyMap<string, NetworkCard> {
    const { table, cards } = this.#parts;
    return table === undefined ? new Map() : assignPorts(table, cards());
  }

  /** The kernel's names of the LAN's cards; empty when the configuration names one interface for it. */
  #members(config: Config, ports: ReadonlyMap<string, NetworkCard>): readonly string[] {
    const chosen = config.get("interfaces lan ports");
    if (Array.isArray(chosen)) return [...new Set(chosen.map((word) => ports.get(word)?.name ?? word))];
    if (config.has("interfaces lan device")) return [];
    return [...ports].flatMap(([port, { name }]) => (port === "wan" ? [] : [name]));
  }

  #useOf({ name }: NetworkCard): PortView["use"] {
    if (name === this.#wan) return "WAN";
    return this.#lan.includes(name) ? "LAN" : "none";
  }

  #bridge(members: readonly string[] | undefined): readonly string[] {
    try {
      this.#parts.net.setBridge(BRIDGE, members);
      return [];
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const refusal = `interfaces lan ports: ${error.message}`;
      this.#parts.log.write("error", "network", refusal);
      return [refusal];
    }
  }
}

/** Power strips that speak SNMP version 1: APC's PowerNet MIB, or any integer that switches an outlet. Needs the optional package net-snmp. */
import type { Session } from "net-snmp";
import type { PowerDriver, PowerState } from "./power.ts";
import { expandSecrets, keepSecret } from "./secret.ts";

/** An outlet as two objects: `control` is written, `status` is read; `on` and `off` are their values. */
export interface SnmpOutlet {
  readonly control: string;
  readonly status: string;
  readonly on: number;
  readonly off: number;
}

/** PowerNet-MIB: sPDUOutletCtl (reads as the state), rPDUOutletControlOutletCommand and rPDUOutletStatusOutletState. */
export function apcOutlet(pdu: "apc" | "apc-rpdu", outlet: number): SnmpOutlet {
  const apc = "1.3.6.1.4.1.318.1.1";
  return pdu === "apc"
    ? { control: `${apc}.4.4.2.1.3.${outlet}`, status: `${apc}.4.4.2.1.3.${outlet}`, on: 1, off: 2 }
    : { control: `${apc}.12.3.3.1.1.4.${outlet}`, status: `${apc}.12.3.5.1.1.4.${outlet}`, on: 1, off: 2 };
}

type NetSnmp = typeof import("net-snmp");

export class SnmpPower implements PowerDriver {
  readonly what: string;
  readonly limitMs = 10_000;
  readonly #host: string;
  readonly #port: number;
  readonly #community: string;
  readonly #outlet: SnmpOutlet;
  readonly #load: () => Promise<NetSnmp>;
  #session: { readonly snmp: NetSnmp; readonly session: Session } | undefined;

  /** `address` is HOST or HOST:PORT (161). */
  constructor(address: string, community: string, outlet: SnmpOutlet, load: () => Promise<NetSnmp> = loadNetSnmp) {
    const [, host = "", port = "161"] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
    this.#host = host.replace(/^\[|\]$/g, "");
    this.#port = Number(port);
    this.#community = expandSecrets(community);
    keepSecret(this.#community);
    this.#outlet = { ...outlet, control: bare(outlet.control), status: bare(outlet.status) };
    this.#load = load;
    this.what = `SNMP outlet ${this.#outlet.control} at ${address}`;
  }

  async on(): Promise<void> {
    await this.#set(this.#outlet.on);
  }

  async off(): Promise<void> {
    await this.#set(this.#outlet.off);
  }

  async state(): Promise<PowerState> {
    const { session } = await this.#open();
    const value = await new Promise<unknown>((resolve, reject) => {
      session.get([this.#outlet.status], (error, varbinds) =>
        error ? reject(this.#explain(error)) : resolve(varbinds?.[0]?.value),
      );
    });
    if (value === this.#outlet.on) return "on";
    return value === this.#outlet.off ? "off" : "unknown";
  }

  close(): void {
    this.#session?.session.close();
    this.#session = undefined;
  }

  async #set(value: number): Promise<void> {
    const { snmp, session } = await this.#open();
    await new Promise<void>((resolve, reject) => {
      const order = { oid: this.#outlet.control, type: snmp.ObjectType.Integer, value };
      session.set([order], (error) => (error ? reject(this.#explain(error)) : resolve()));
    });
  }

  async #open(): Promise<{ readonly snmp: NetSnmp; readonly session: Session }> {
    if (this.#session !== undefined) return this.#session;
    const snmp = await this.#load();
    const session = snmp.createSession(this.#host, this.#community, {
      port: this.#port,
      version: snmp.Version1, // what the oldest of these strips speak
      transport: this.#host.includes(":") ? "udp6" : "udp4",
      retries: 2,
      timeout: 2000,
    });
    session.on("error", () => {}); // whoever asks next is told
    this.#session = { snmp, session };
    return this.#session;
  }

  #explain(error: Error): Error {
    if (error.name === "RequestTimedOutError") {
      return new Error("no answer; look at its address and at the community (SNMP says nothing when it is wrong)");
    }
    if (/noSuchName/i.test(error.message)) {
      return new Error(`it has no such outlet, or the community may not write it (${error.message})`);
    }
    return error;
  }
}

function bare(oid: string): string {
  return oid.replace(/^\./, "");
}

async function loadNetSnmp(): Promise<NetSnmp> {
  try {
    const { default: snmp } = await import("net-snmp");
    return snmp;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(
      "the optional package net-snmp is not installed; install it: npm install --no-save net-snmp@3.29.2",
    );
  }
}

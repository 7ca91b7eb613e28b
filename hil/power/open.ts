/** From a bench file's `power` to a switch that can be used. */
import type { Person } from "../bench/person.ts";
import type { PowerSupply } from "../bench/schema.ts";
import { Fault } from "../fault.ts";
import type { Qmp } from "../node/qemu/qmp.ts";
import { CommandPower } from "./command.ts";
import { ManualPower } from "./manual.ts";
import { type Power, type PowerDriver, type PowerPlace, SwitchedPower } from "./power.ts";
import { QemuPower } from "./qemu.ts";
import { RelayPower } from "./relay.ts";
import { expandSecrets } from "./secret.ts";
import { ShellyPower } from "./shelly.ts";
import { apcOutlet, SnmpPower } from "./snmp.ts";
import { TasmotaPower } from "./tasmota.ts";
import { UhubctlPower } from "./uhubctl.ts";

export interface PowerMeans extends PowerPlace {
  readonly person: Person;
  /** The monitor of the machine, for a bench whose power is QEMU's. */
  readonly monitor?: Pick<Qmp, "execute"> | undefined;
}

/** Nothing is switched and no connection is made before the first operation. Throws a bench Fault for a secret that is not set. */
export function openPower(supply: PowerSupply, means: PowerMeans): Power {
  const options = { minOffMs: supply.minOff, limitMs: "limit" in supply ? supply.limit : undefined };
  return new SwitchedPower(driverOf(supply, means), options, means);
}

function driverOf(supply: PowerSupply, means: PowerMeans): PowerDriver {
  if ("qemu" in supply) {
    if (means.monitor === undefined)
      throw new Fault("harness", `${means.node}: QEMU's power without a machine in QEMU`);
    return new QemuPower(means.monitor);
  }
  if ("manual" in supply) return new ManualPower(means.person, means.node);
  if ("command" in supply) return new CommandPower(supply.command);
  if ("shelly" in supply) return new ShellyPower(supply.shelly, supply.channel);
  if ("tasmota" in supply) return new TasmotaPower(supply.tasmota, supply.channel);
  if ("uhubctl" in supply) return new UhubctlPower(supply.uhubctl, supply.port);
  if ("relay" in supply) return new RelayPower(supply.relay, supply);
  const { outlet } = supply;
  return new SnmpPower(
    expandSecrets(supply.snmp),
    supply.community,
    "pdu" in outlet
      ? apcOutlet(outlet.pdu, outlet.number)
      : { control: outlet.oid, status: outlet.status ?? outlet.oid, on: outlet.on, off: outlet.off },
  );
}

/** Finds the way to a Windows that boots: the guest agent if it answers, else sshd, else the console on its serial line. */
import type { LabClock } from "../../clock.ts";
import { Fault } from "../../fault.ts";
import type { ControlledMachine } from "./machine.ts";
import type { WindowsChannel } from "./powershell.ts";
import { GuestAgent } from "./qga.ts";
import { Sac, type SacLogin } from "./sac.ts";
import { Ssh } from "./ssh.ts";

export interface Credentials {
  /** For ssh; undefined does without. */
  readonly ssh: { readonly user: string; readonly keyFile: string } | undefined;
  /** For the serial console; undefined does without. */
  readonly sac: SacLogin | undefined;
}

const LOOK_AGAIN_MS = 2_000;

/** Tries the ways in turn until one answers. The better ones get the first half of the time before SAC is asked. */
export async function reachWindows(
  name: string,
  machine: Pick<ControlledMachine, "agents" | "console" | "sshPort" | "ended">,
  credentials: Credentials,
  clock: LabClock,
  withinMs: number,
): Promise<WindowsChannel> {
  const { ssh, sac } = credentials;
  const agents = machine.agents.map((line) => new GuestAgent(name, line, clock));
  const overSsh = ssh && new Ssh(name, { host: "127.0.0.1", port: machine.sshPort, ...ssh });
  const overSac = sac && new Sac(machine.console, sac);
  const startNs = clock.nowNs();
  const elapsedMs = (): number => Number((clock.nowNs() - startNs) / 1_000_000n);
  const look = async (): Promise<WindowsChannel> => {
    for (;;) {
      for (const agent of agents) if (await agent.isThere()) return agent;
      if (overSsh !== undefined && (await overSsh.isThere())) return overSsh;
      if (overSac !== undefined && elapsedMs() > withinMs / 2 && (await overSac.isThere())) return overSac;
      if (elapsedMs() > withinMs) throw new Fault("peer", unreachable(name, withinMs, credentials), { node: name });
      await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
    }
  };
  return await Promise.race([look(), machine.ended]);
}

function unreachable(name: string, withinMs: number, { ssh, sac }: Credentials): string {
  const tried = [
    "the guest agent (virtio port and COM2)",
    ssh === undefined ? "no ssh (give --ssh-key)" : "sshd",
    sac === undefined ? "no SAC (set CULVERT_WINDOWS_PASSWORD)" : "SAC on COM1",
  ];
  return `${name}: Windows answers on no way in ${withinMs / 1000} s: ${tried.join(", ")}; see hil/peers/windows/README.md, "Preparing an image"`;
}

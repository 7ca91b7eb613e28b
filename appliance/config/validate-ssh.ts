/** What is wrong with the remote login's part of a configuration as a whole. */
import { type Config, entriesOf, type Path } from "./config.ts";
import type { Problem } from "./problem.ts";
import { flag, integer, prefix, text } from "./settings.ts";
import { parsePorts, portMappings } from "./settings-router.ts";

/** Ports on which the device does something else. */
const TAKEN: Readonly<Record<number, string>> = { 53: "the DNS proxy", 1723: "the VPN server" };

export function ssh(config: Config): readonly Problem[] {
  const problems: Problem[] = [];
  const found = (path: Path, problem: string, hint: string): void => void problems.push({ path, problem, hint });
  if (!flag(config, "system ssh enabled")) return problems;
  const port = integer(config, "system ssh port") ?? 0;
  if (prefix(config, "interfaces lan address") === undefined)
    found("interfaces lan address", "SSH is on and needs it", "set interfaces lan address ADDRESS/LENGTH");
  if (!flag(config, "system ssh password-login") && entriesOf(config, "system ssh key").length === 0)
    found(
      "system ssh password-login",
      "without password and without keys nobody could log in",
      "set system ssh key NAME public-key KEY, or delete system ssh password-login",
    );
  const owner = TAKEN[port];
  if (owner !== undefined) found("system ssh port", `port ${port} belongs to ${owner}`, "choose another one");
  for (const name of entriesOf(config, "firewall service")) {
    const ports = parsePorts(text(config, `firewall service ${name} port`));
    if (ports === undefined || port < ports.first || port > ports.last) continue;
    const path = `firewall service ${name} port`;
    found(path, `port ${port} is SSH, which \`firewall management\` opens`, "set firewall management anywhere");
  }
  const mapping = portMappings(config).find(
    ({ ports, transports }) => transports.includes("tcp") && port >= ports.first && port <= ports.last,
  );
  if (mapping !== undefined && text(config, "firewall management") === "anywhere")
    found(
      "system ssh port",
      `nat mapping ${mapping.name} leads port ${port} of the WAN elsewhere`,
      "choose another port for one of the two",
    );
  return problems;
}

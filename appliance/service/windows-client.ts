/** What a person types on a Windows PC to connect to this device: for 2 a.m., and for the telephone. */
import type { Config } from "../config/config.ts";
import { flag, prefix, serverAddress, text, words } from "../config/settings.ts";
import { parsePrefix } from "../config/value.ts";
import { formatIpv4, Ipv4 } from "../wire/ipv4.ts";

/** PowerShell's words for the ways to prove a password (Add-VpnConnection, -AuthenticationMethod). */
const METHODS: Readonly<Record<string, string>> = { "mschap-v2": "MSChapv2", "chap-md5": "Chap", pap: "Pap" };
const ENCRYPTION: Readonly<Record<string, string>> = {
  required: "Required",
  optional: "Optional",
  none: "NoEncryption",
};

/** Lines to show; undefined when there is no such account. */
export function windowsLines(config: Config, user: string): readonly string[] | undefined {
  if (text(config, `vpn account ${user} password`) === undefined) return undefined;
  const server = prefix(config, "interfaces wan address")?.address;
  const address = server === undefined ? "ADDRESS-OF-THIS-DEVICE" : formatIpv4(server);
  const name = quote(text(config, "system name") ?? "culvert");
  const methods = words(config, "vpn server authentication").flatMap((word) => METHODS[word] ?? []);
  const encryption = ENCRYPTION[text(config, "vpn server encryption") ?? ""] ?? "Required";
  const lan = text(config, "interfaces lan address");
  return [
    "In PowerShell, once:",
    "",
    `Add-VpnConnection -Name ${name} -ServerAddress ${address} \``,
    `  -TunnelType Pptp -AuthenticationMethod ${methods.join(",")} \``,
    `  -EncryptionLevel ${encryption} -SplitTunneling -Force`,
    ...(lan === undefined
      ? []
      : [`Add-VpnConnectionRoute -ConnectionName ${name} \``, `  -DestinationPrefix ${networkOf(lan)}`]),
    "",
    "To connect (Windows asks for the password at the *), and to hang up:",
    "",
    `rasdial ${name} ${quote(user)} *`,
    `rasdial ${name} /disconnect`,
    ...cautions(config, user, methods),
  ];
}

/** What would keep these lines from working. */
function cautions(config: Config, user: string, methods: readonly string[]): readonly string[] {
  const found: string[] = [];
  if (!flag(config, "vpn server enabled")) found.push("The VPN server is off: set vpn server enabled true.");
  if (!flag(config, `vpn account ${user} enabled`)) found.push("The account is disabled: Windows will say 691.");
  if (serverAddress(config) === undefined) found.push("The server has no address yet.");
  if (prefix(config, "interfaces wan address") === undefined)
    found.push("The WAN address is not configured here: fill it in.");
  if (methods.length === 0) found.push("Windows knows no way to prove the password that this server accepts.");
  return found.length === 0 ? [] : ["", ...found.map((each) => `Note: ${each}`)];
}

function networkOf(cidr: string): string {
  const { address, length } = parsePrefix(cidr) ?? { address: Ipv4(0), length: 32 };
  return `${formatIpv4(Ipv4(address & (0xffffffff << (32 - length))))}/${length}`;
}

/** PowerShell and cmd take double quotes; names of ours hold none. */
function quote(word: string): string {
  return /^[\w.-]+$/.test(word) ? word : `"${word}"`;
}

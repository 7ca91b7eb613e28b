/** A VPN connection of the Windows profile: what `ras connection NAME key=value ...` sets, by Add-VpnConnection's words. */
import { type Ipv4, parseIpv4 } from "../../../appliance/wire/ipv4.ts";
import { type Cidr, parseCidr } from "../../net/ip/cidr.ts";
import {
  AUTHENTICATION_METHODS,
  type AuthenticationMethod,
  ENCRYPTION_LEVELS,
  type EncryptionLevel,
} from "./versions.ts";

export interface ConnectionSettings {
  readonly server: Ipv4;
  readonly encryption: EncryptionLevel;
  readonly authentication: readonly AuthenticationMethod[];
  /** Without -SplitTunneling everything goes through the tunnel. */
  readonly usesDefaultGateway: boolean;
  /** Of Add-VpnConnectionRoute. */
  readonly routes: readonly Cidr[];
}

const KEYS = ["server", "encryption", "authentication", "gateway", "route"] as const;

/** The settings, or what is wrong with them in one line. */
export function parseConnection(words: readonly string[]): ConnectionSettings | string {
  const routes: Cidr[] = [];
  let server: Ipv4 | undefined;
  let encryption: EncryptionLevel = "Required";
  let authentication: readonly AuthenticationMethod[] = ["MSChapv2"];
  let usesDefaultGateway = false;
  for (const word of words) {
    const at = word.indexOf("=");
    const value = word.slice(at + 1);
    switch (word.slice(0, Math.max(0, at))) {
      case "server":
        server = parseIpv4(value);
        if (server === undefined) return `server=${value}: give an IPv4 address`;
        break;
      case "encryption": {
        const level = ENCRYPTION_LEVELS.find((each) => each === value);
        if (level === undefined) return `encryption=${value}: give one of ${ENCRYPTION_LEVELS.join(", ")}`;
        encryption = level;
        break;
      }
      case "authentication": {
        const methods = value.split(",");
        const known = AUTHENTICATION_METHODS.filter((method) => methods.includes(method));
        if (known.length !== methods.length)
          return `authentication=${value}: give ${AUTHENTICATION_METHODS.join(", ")}`;
        authentication = known;
        break;
      }
      case "gateway":
        if (value !== "yes" && value !== "no") return `gateway=${value}: give yes or no`;
        usesDefaultGateway = value === "yes";
        break;
      case "route": {
        try {
          routes.push(parseCidr(value));
        } catch {
          return `route=${value}: give a network such as 192.168.1.0/24`;
        }
        break;
      }
      default:
        return `${word}: give ${KEYS.map((key) => `${key}=VALUE`).join(", ")}`;
    }
  }
  if (server === undefined) return "server=ADDRESS is missing";
  return { server, encryption, authentication, usesDefaultGateway, routes };
}

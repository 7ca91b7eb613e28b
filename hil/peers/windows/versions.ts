/** The versions of Windows that can be played, and what a person chooses in a VPN connection: Add-VpnConnection's words. */
import type { EncryptionPolicy } from "../../../appliance/ppp/ccp.ts";
import type { AuthMethod } from "../../../appliance/ppp/lcp.ts";
import type { ClientProfile } from "../../../appliance/pptp/quirks.ts";
import {
  WINDOWS_7,
  WINDOWS_10,
  WINDOWS_11,
  WINDOWS_2000,
  WINDOWS_XP,
} from "../../../appliance/pptp/windows-profiles.ts";
import { MppeBit } from "../../../appliance/wire/ccp-option.ts";

export const WINDOWS_VERSIONS = ["windows-2000", "windows-xp", "windows-7", "windows-10", "windows-11"] as const;
export type WindowsVersion = (typeof WINDOWS_VERSIONS)[number];

/** -EncryptionLevel. */
export const ENCRYPTION_LEVELS = ["NoEncryption", "Optional", "Required", "Maximum"] as const;
export type EncryptionLevel = (typeof ENCRYPTION_LEVELS)[number];

/** -AuthenticationMethod, as far as PPTP without EAP goes. MS-CHAPv1 ended with Windows Vista and has no word here: `MSChap` is ours. */
export const AUTHENTICATION_METHODS = ["MSChapv2", "MSChap", "Chap", "Pap"] as const;
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number];

const PROFILES: Readonly<Record<WindowsVersion, ClientProfile>> = {
  "windows-2000": WINDOWS_2000,
  "windows-xp": WINDOWS_XP,
  "windows-7": WINDOWS_7,
  "windows-10": WINDOWS_10,
  "windows-11": WINDOWS_11,
};

const METHODS: Readonly<Record<AuthenticationMethod, AuthMethod>> = {
  MSChapv2: "mschap-v2",
  MSChap: "mschap-v1",
  Chap: "chap-md5",
  Pap: "pap",
};

export function profileOf(version: WindowsVersion, computerName: string): ClientProfile {
  return { ...PROFILES[version], computerName };
}

/** Windows Vista took weak encryption, MS-CHAPv1 and error 721 away (KB929857). */
export function isClassic(version: WindowsVersion): boolean {
  return version === "windows-2000" || version === "windows-xp";
}

/** The methods that this version has, best first, whatever the order in which they were typed. */
export function authMethods(version: WindowsVersion, chosen: readonly AuthenticationMethod[]): readonly AuthMethod[] {
  const known = AUTHENTICATION_METHODS.filter((method) => method !== "MSChap" || isClassic(version));
  return known.filter((method) => chosen.includes(method)).map((method) => METHODS[method]);
}

const STATELESS_128 = MppeBit.stateless | MppeBit.strength128;
/** All that Windows XP has: stateless, 56, 128 and 40 bits, MPPC. */
const CLASSIC_BITS = STATELESS_128 | MppeBit.strength56 | MppeBit.strength40 | MppeBit.mppc;

/** What a level means on the wire: windows.md §7. */
export function encryptionPolicy(version: WindowsVersion, level: EncryptionLevel): EncryptionPolicy {
  const use = level === "NoEncryption" ? "none" : level === "Optional" ? "optional" : "required";
  if (isClassic(version)) {
    const any = { use, strengths: [128, 56, 40], allowStateful: true, preferStateful: false, mppc: true } as const;
    return level === "Maximum" ? { ...any, strengths: [128] } : { ...any, firstBits: CLASSIC_BITS };
  }
  // No other key length, and no MPPC: RRAS's 01000041 is answered with 01000040.
  const policy = { use, strengths: [128], allowStateful: true, preferStateful: false } as const;
  return level === "Optional" ? { ...policy, firstBits: MppeBit.stateless } : policy;
}

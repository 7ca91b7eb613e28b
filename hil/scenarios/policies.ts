/** The ways to protect a call that both interop suites go through, as a person configures them on the device. */
import type { Protection } from "../peers/pppd.ts";
import type { Claim } from "../scenario.ts";

export interface Policy {
  /** The scenario's name. */
  readonly name: string;
  /** Completes "a call with …". */
  readonly title: string;
  readonly protection: Protection;
}

export const POLICIES: readonly Policy[] = [
  {
    name: "mppe-128-stateless",
    title: "MS-CHAPv2 and MPPE-128 stateless",
    protection: { authentication: "mschap-v2", mppe: { bits: 128, stateful: false } },
  },
  {
    name: "mppe-128-stateful",
    title: "MS-CHAPv2 and MPPE-128 stateful",
    protection: { authentication: "mschap-v2", mppe: { bits: 128, stateful: true } },
  },
  {
    name: "mppe-40",
    title: "MS-CHAPv2 and MPPE-40",
    protection: { authentication: "mschap-v2", mppe: { bits: 40, stateful: false } },
  },
  { name: "pap", title: "PAP in the clear", protection: { authentication: "pap", mppe: undefined } },
  { name: "chap-md5", title: "CHAP-MD5 in the clear", protection: { authentication: "chap-md5", mppe: undefined } },
  {
    name: "mschap-v2-clear",
    title: "MS-CHAPv2 in the clear",
    protection: { authentication: "mschap-v2", mppe: undefined },
  },
];

/** The key length that the device has and no peer here. */
export const MPPE_56: Claim & { readonly impossible: string } = {
  name: "mppe-56",
  claim: "a call with MS-CHAPv2 and MPPE-56",
  impossible: "pppd knows MPPE with 40 and 128 bits alone; it takes a Windows peer",
};

/** The command lines that leave the device no other choice. `at` is `vpn server` or `vpn client NAME`. */
export function policyCommands(at: string, { authentication, mppe }: Protection): readonly string[] {
  return [
    `set ${at} authentication ${authentication}`,
    `set ${at} encryption ${mppe === undefined ? "none" : "required"}`,
    `set ${at} strengths ${mppe?.bits ?? 128}`,
    `set ${at} mppe-mode ${mppe?.stateful === true ? "prefer-stateful" : "stateless"}`,
  ];
}

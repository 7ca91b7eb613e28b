/** What must come of a cell: a call that works, or one that fails with a code of Windows and a diagnosis of the device that names it. */
import type { WindowsErrorCode } from "../../appliance/tunnel/windows-error.ts";
import type { Cell } from "./cell.ts";

export type Expectation =
  | { readonly outcome: "pass" }
  | {
      readonly outcome: "fail";
      /** The last stage that the device completed. */
      readonly stage: string;
      /** Predicted: see `WINDOWS_ERRORS`. */
      readonly code: WindowsErrorCode;
      /** What the device's log says of the cause. */
      readonly says: RegExp;
    };

const PASS: Expectation = { outcome: "pass" };

export function expectationOf(cell: Cell): Expectation {
  const { role, peer, network, fault } = cell;
  if (network === "nat-no-alg")
    return fail("call-established", 806, /its GRE packets come, and those to it seem to be lost/);
  switch (fault) {
    case "none":
    case "set-link-info-lost":
    case "ccp-reset-lost":
    case "mppe-out-of-step":
    case "server-restarted":
      return PASS;
    case "gre-to-peer-lost":
      if (role === "server")
        return fail("call-established", 806, /its GRE packets come, and those to it seem to be lost/);
      // pppd gives up after 30 s, before us; our own server is more patient than our client.
      return peer === "poptop"
        ? fail("call-established", 619, /its GRE packets come, and those to it seem to be lost/)
        : fail("call-established", 806, /answers none of this device's/);
    case "gre-from-peer-lost":
      if (role === "server") return fail("call-established", 806, /no GRE packet of its came/);
      return peer === "poptop"
        ? fail("call-established", 619, /no GRE packet of its came/)
        : fail("call-established", 806, /no GRE packet came from the peer/);
    case "control-reset":
      return fail("control-established", 807, /the control connection broke/);
    case "wrong-password":
      return fail("lcp-opened", 691, /wrong user name or password/);
    case "pool-empty":
      return role === "server"
        ? fail("authenticated", 734, /no free address is left/)
        : fail("authenticated", 734, /the peer ended the session during set-up/);
    case "40-bit-only":
      // Windows says why it leaves.
      return fail("authenticated", 741, /no MPPE key length in common|with its error 741/);
  }
}

function fail(stage: string, code: WindowsErrorCode, says: RegExp): Expectation {
  return { outcome: "fail", stage, code, says };
}

/** Every suite that `culvert lab` knows. */
import type { Suite } from "./scenario.ts";
import { behindNatSuite } from "./scenarios/behind-nat.ts";
import { boardSuite } from "./scenarios/board.ts";
import { smokeSuite } from "./scenarios/figure-13-1.ts";
import { figure132Suite } from "./scenarios/figure-13-2.ts";
import { impairedSuite } from "./scenarios/impaired.ts";
import { interopClientSuite } from "./scenarios/interop-client.ts";
import { interopServerSuite } from "./scenarios/interop-server.ts";
import { networkManagerSuite } from "./scenarios/network-manager.ts";
import { poptopSuite } from "./scenarios/poptop.ts";
import { routerSuite } from "./scenarios/router.ts";
import { supervisionSuite } from "./scenarios/supervision.ts";
import { windowsSuite } from "./scenarios/windows.ts";
import { windowsErrorsSuite } from "./scenarios/windows-errors.ts";

export const SUITES: readonly Suite[] = [
  smokeSuite,
  figure132Suite,
  poptopSuite,
  interopServerSuite,
  networkManagerSuite,
  interopClientSuite,
  impairedSuite,
  behindNatSuite,
  windowsErrorsSuite,
  routerSuite,
  boardSuite,
  supervisionSuite,
  windowsSuite,
];

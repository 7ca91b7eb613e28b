/** Cells as suites of the lab's runner: those of one lab together, so that a snapshot serves them all. */
import type { SourceReplacement } from "../../image/compile.ts";
import type { LabDefinition, LabOf } from "../lab.ts";
import { DEVICE_BOARD, device } from "../node/device.ts";
import { defineSuite, type Scenario, type Stage, type Suite } from "../scenario.ts";
import { branchOfficeConfigured, branchOfficeWith } from "../scenarios/branch-office.ts";
import { headOfficeConfigured, headOfficeWith } from "../scenarios/head-office.ts";
import { twoHomes } from "../scenarios/two-homes.ts";
import { type Cell, cellName } from "./cell.ts";
import type { Ends } from "./ends.ts";
import {
  desktopConfigured,
  desktopWith,
  homesConfigured,
  homesEnds,
  networkManagerEnds,
  poptopEnds,
  pptpLinuxEnds,
  twoDevicesConfigured,
  twoDevicesEnds,
  twoDevicesWith,
  windowsConfigured,
  windowsEnds,
  windowsWith,
} from "./labs.ts";
import { cellClaim } from "./report.ts";
import { runCell } from "./run-cell.ts";

/** `defect`: into the image of the device under test, and of nobody else. */
export function suitesOf(cells: readonly Cell[], defect?: SourceReplacement): readonly Suite[] {
  const under = defect === undefined ? device() : device({ board: DEVICE_BOARD }, defect);
  const behindNat = (cell: Cell): boolean => ["nat-alg", "nat-no-alg", "two-clients"].includes(cell.network);
  const of = (peer: Cell["peer"], role: Cell["role"]) =>
    cells.filter((cell) => cell.peer === peer && cell.role === role);
  const pptpLinux = of("pptp-linux", "server");
  const straight = pptpLinux.filter((cell) => !behindNat(cell));
  const suites = [
    matrixSuite("pptp-linux", straight, headOfficeWith(under), headOfficeConfigured, pptpLinuxEnds),
    matrixSuite("pptp-linux-nat", pptpLinux.filter(behindNat), twoHomes(under), homesConfigured, homesEnds),
    matrixSuite(
      "network-manager",
      of("network-manager", "server"),
      desktopWith(under),
      desktopConfigured,
      networkManagerEnds,
    ),
    matrixSuite("windows-10", of("windows-10", "server"), windowsWith(under), windowsConfigured, windowsEnds),
    matrixSuite("poptop", of("poptop", "client"), branchOfficeWith(under), branchOfficeConfigured, poptopEnds),
    matrixSuite(
      "culvert",
      cells.filter(({ peer }) => peer === "culvert"),
      twoDevicesWith(under),
      twoDevicesConfigured,
      twoDevicesEnds,
    ),
  ];
  return suites.filter(({ scenarios }) => scenarios.length > 0);
}

function matrixSuite<D extends LabDefinition>(
  name: string,
  cells: readonly Cell[],
  lab: D,
  configured: Stage<LabOf<D>>,
  endsOf: (lab: LabOf<D>, cell: Cell) => Ends,
): Suite {
  const scenarios = cells.map(
    (cell): Scenario<LabOf<D>, "configured"> => ({
      name: cellName(cell),
      claim: cellClaim(cell),
      from: "configured",
      run: (running, step) => runCell(cell, endsOf(running, cell), step),
    }),
  );
  return defineSuite<D, "configured">({
    name: `matrix-${name}`,
    title: `Interop matrix: ${name}`,
    lab,
    stages: { configured },
    scenarios,
  });
}

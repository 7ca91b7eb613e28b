/** Suite `windows`: Figure 13-1 with a Windows mobile user. The profile plays all versions; `--peer windows` makes it a real Windows. */
import { defineLab, type LabOf } from "../lab.ts";
import type { NodeDefinition } from "../node/definition.ts";
import { device } from "../node/device.ts";
import { lanHost } from "../peers/lan-host.ts";
import { realWindows } from "../peers/windows/node.ts";
import { WINDOWS_VERSIONS, type WindowsVersion } from "../peers/windows/versions.ts";
import { type WindowsProfile, windowsProfile } from "../peers/windows.ts";
import type { WindowsPeer } from "../peers/windows-peer.ts";
import { defineSuite, type RealWindowsChoice, type Scenario, type Step, type Suite } from "../scenario.ts";
import { CAROL, configureHeadOffice, OFFICE } from "./head-office.ts";
import { pingAll } from "./tunnel-claims.ts";
import {
  nothingLeft,
  type WindowsLab,
  windowsDials,
  windowsHungUpByDevice,
  windowsWrongPassword,
  worksAndHangsUp,
} from "./windows-user.ts";

const ADDRESS = "203.0.113.50/24";
const TITLE = "Figure 13-1: a Windows mobile user dials into the head office";

/** windows ── internet 203.0.113.0/24 ── wan device lan ── office 192.168.1.0/24 ── office */
function windowsLab<W extends WindowsPeer>(windows: NodeDefinition<W, "eth0">) {
  return defineLab({
    nodes: { device: device(), windows, office: lanHost({ address: `${OFFICE}/24`, gateway: "192.168.1.1" }) },
    links: { internet: ["windows.eth0", "device.wan"], office: ["office.eth0", "device.lan"] },
  });
}

const profileLab = windowsLab<WindowsProfile>(windowsProfile({ version: "windows-10", address: ADDRESS }));

function asVersion(version: WindowsVersion): Scenario<LabOf<typeof profileLab>, "configured"> {
  return {
    name: `${version}-dial`,
    claim: `a mobile user of the ${version} profile dials in, works on the office LAN, and hangs up without a trace`,
    from: "configured",
    async run(lab, step) {
      await step(`the computer has ${version}`, () => lab.node.windows.become(version));
      await worksAndHangsUp(lab, step);
      await nothingLeft(lab.node, step);
    },
  };
}

const onAny = [windowsDials, windowsWrongPassword, windowsHungUpByDevice];

async function configure({ node }: WindowsLab, step: Step): Promise<void> {
  await configureHeadOffice(node, step);
  await step("Windows reaches the device's Internet address", () => pingAll(node.windows, CAROL.server));
}

const CONFIGURED = { claim: "an administrator sets the device up over its serial console", run: configure };

/** A real Windows is what it is: the profile's other versions are left out. */
function suiteOnWindows(windows: RealWindowsChoice): Suite {
  return defineSuite({
    name: "windows",
    title: `${TITLE}: ${windows.image.path}`,
    lab: windowsLab(realWindows({ ...windows, address: ADDRESS })),
    stages: { configured: CONFIGURED },
    scenarios: onAny,
  });
}

export const windowsSuite: Suite = {
  ...defineSuite({
    name: "windows",
    title: TITLE,
    lab: profileLab,
    stages: { configured: CONFIGURED },
    scenarios: [...onAny, ...WINDOWS_VERSIONS.filter((version) => version !== "windows-10").map(asVersion)],
  }),
  onWindows: suiteOnWindows,
};

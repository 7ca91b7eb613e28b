/** Suite `windows`: Figure 13-1 with a Windows mobile user. The profile plays all versions; `--peer windows` makes it a real Windows. */
import { defineLab, type LabOf } from "../lab.ts";
import type { NodeDefinition } from "../node/definition.ts";
import { device } from "../node/device.ts";
import { lanHost } from "../peers/lan-host.ts";
import { WINDOWS_VERSIONS, type WindowsVersion } from "../peers/windows/versions.ts";
import { type WindowsPeer, type WindowsProfile, windowsProfile } from "../peers/windows.ts";
import { defineSuite, type Scenario, type Suite } from "../scenario.ts";
import { CAROL, configureHeadOffice, OFFICE } from "./head-office.ts";
import { pingAll } from "./tunnel-claims.ts";
import {
  nothingLeft,
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

export const windowsSuite: Suite = defineSuite({
  name: "windows",
  title: TITLE,
  lab: profileLab,
  stages: {
    configured: {
      claim: "an administrator sets the device up over its serial console",
      run: async ({ node }, step) => {
        await configureHeadOffice(node, step);
        await step("Windows reaches the device's Internet address", () => pingAll(node.windows, CAROL.server));
      },
    },
  },
  scenarios: [
    windowsDials,
    windowsWrongPassword,
    windowsHungUpByDevice,
    ...WINDOWS_VERSIONS.filter((version) => version !== "windows-10").map(asVersion),
  ],
});

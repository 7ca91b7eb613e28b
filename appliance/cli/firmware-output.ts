/** `show version` as lines of text. */
import type { Firmware } from "../service/firmware.ts";
import type { UpdateView } from "../service/updates.ts";
import { wrap } from "./output.ts";
import { signatureText, takenBackLines } from "./update-output.ts";

/** What runs, and what it was built of. The whole record lies in the image as /usr/lib/culvert/build.json. */
export function firmwareLines(
  { version, build, kernel, node }: Firmware,
  update: UpdateView | undefined,
): readonly string[] {
  const fact = (name: string, value: string): string => `  ${name.padEnd(8)}  ${value}`;
  const lines = [`Culvert ${version}`];
  if (build !== undefined) {
    lines.push(fact("board", build.board));
    lines.push(fact("commit", build.commit?.replace(/-dirty$/, " and changes to it") ?? "not built from git"));
    lines.push(fact("inputs", build.inputs.slice(0, 32)));
    lines.push(fact("dated", new Date(build.epoch * 1000).toISOString().slice(0, 10)));
  }
  lines.push(fact("kernel", kernel), fact("Node.js", node.replace(/^v/, "")));
  if (update !== undefined) {
    const { running, situation } = update;
    lines.push(fact("slot", `${running.name}${situation === "trial" ? ", on trial" : ""}`));
    lines.push(fact("signed", signatureText(running)));
    lines.push(...takenBackLines(update));
  }
  if (build !== undefined && build.kernel !== kernel) {
    lines.push(...wrap(`The image was built for kernel ${build.kernel}: its modules do not fit the running one.`, ""));
  }
  if (build?.unlocked) lines.push("Not all packages are the locked ones.");
  return lines;
}

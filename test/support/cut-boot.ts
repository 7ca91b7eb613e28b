/** The real image on a disk whose power was cut: it comes up with what the disk promises, says so, and goes on from there. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toLines } from "../../appliance/config/diff.ts";
import type { DeviceImage } from "../../hil/node/device.ts";
import { Scope } from "../../hil/scope.ts";
import type { FoundStore } from "./cut-store.ts";
import type { CutState } from "./power-cut.ts";
import { bootDevice, PASSWORD } from "./recorded-commits.ts";

/** `found`: what the disk holds, read without the device. Throws when the device has something else, or complains. */
export async function bootCutDisk(
  image: DeviceImage,
  folder: string,
  state: CutState,
  { generations, hasPassword }: FoundStore,
): Promise<void> {
  const scope = new Scope();
  const place = mkdtempSync(join(folder, "boot-"));
  scope.defer(place, () => rmSync(place, { recursive: true }));
  try {
    const disk = join(place, "disk");
    state.writeTo(disk);
    const { machine, console } = await bootDevice(image, place, disk, scope);
    const seen = machine.console.transcript.tail(40).join("\n");
    assert.doesNotMatch(seen, /NOT kept/, "the device keeps its settings");
    assert.equal(/New password: ?$/.test(seen), !hasPassword, `hasPassword is ${hasPassword}: ${seen.slice(-200)}`);
    await console.login(PASSWORD);
    const [newest] = generations;
    const shown = (await console.run("show configuration secrets")).trim().split("\n");
    const wanted = newest === undefined ? [] : toLines(newest.config, "show");
    assert.deepEqual(shown, wanted.length > 0 ? wanted : ["Nothing is set."]);
    const history = await console.run("show history");
    if (newest !== undefined)
      assert.match(history, new RegExp(`^ *0 +${newest.number} `, "m"), "it says which is in force");
    // That the power was cut is no complaint.
    assert.doesNotMatch(await console.run("show log"), /error (?!system: the machine was not stopped in order)/);
    await console.configure(["set vpn server mtu 1234"]);
    assert.match(await console.run("show configuration"), /^set vpn server mtu 1234$/m, "it takes the next commit");
  } finally {
    await scope.close();
  }
}

/** The cables of `culvert emulate --tap`, on a machine that never starts: QEMU's own TAP interfaces, and our ends of them. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { DEFAULT_LAN, parseLan, tapNetwork } from "../../hil/emulate-network.ts";
import { qemuArguments } from "../../hil/node/qemu/args.ts";
import { inNetworkNamespace } from "../support/network-namespace.ts";

const addresses = (): string => execFileSync("ip", ["-4", "-brief", "address"], { encoding: "utf8" });

await inNetworkNamespace(() => {
  test("this computer is a neighbour on both cables; they go with QEMU, and a network that is there already is refused", {
    timeout: 60_000,
  }, async (t) => {
    const { nics, plug } = await tapNetwork(parseLan(DEFAULT_LAN));
    const machine = {
      name: "taps",
      memoryMib: 16,
      kernel: "",
      initrd: "",
      append: "",
      disks: [],
      nics,
      restarts: true,
    };
    const all = qemuArguments(machine, { serial: "", monitor: "", consoleLog: "" }, "tcg");
    const cables = all.flatMap((word, at) => (word === "-netdev" ? [word, all[at + 1] ?? ""] : []));
    assert.equal(cables.length, 4);
    const devices = nics.flatMap((_, index) => ["-device", `virtio-net-pci,netdev=nic${index},romfile=`]);
    const options = ["-S", "-machine", "q35", "-m", "16", "-nodefaults", "-display", "none", "-qmp", "stdio"];
    const qemu = spawn("qemu-system-x86_64", [...options, ...cables, ...devices]);
    t.after(() => qemu.kill("SIGKILL"));
    // Its greeting: by then the interfaces are there.
    await once(qemu.stdout, "data");
    await plug();
    assert.match(addresses(), /^cvtwan\S+ .*203\.0\.113\.2\/24/m);
    assert.match(addresses(), /^cvtlan\S+ .*192\.168\.1\.2\/24/m);
    await assert.rejects(tapNetwork(parseLan("192.168.1.9/24")), /203\.0\.113\.0\/24 on cvtwan\S+ already/);
    const ended = once(qemu, "exit");
    qemu.kill("SIGKILL");
    await ended;
    assert.doesNotMatch(addresses(), /cvt/);
    execFileSync("ip", ["address", "add", "10.9.0.1/16", "dev", "lo"]);
    await assert.rejects(tapNetwork(parseLan("10.9.1.1/24")), /10\.9\.0\.\S+ on lo already.*--lan/);
  });
});

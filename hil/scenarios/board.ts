/**
 * A board from power-on to its shell, over its boot loader: flashed by TFTP and Y-modem, verified by reading back, and recovered
 * from a power cut in the middle of a write. The same scenarios run on QEMU's arm64 machine and on a bench (`--bench dut=FILE`)
 * with the same kind of medium.
 */
import { type BenchOverrides, resolveBench } from "../bench/resolve.ts";
import { Fault } from "../fault.ts";
import type { SlotContent } from "../flash/flash.ts";
import { loadSlot, type Slot } from "../flash/slot.ts";
import { tftpHost } from "../flash/tftp-host.ts";
import { defineLab, type LabOf } from "../lab.ts";
import { board } from "../node/board.ts";
import { hex } from "../node/uboot.ts";
import { check, defineSuite, type Scenario, type Suite } from "../scenario.ts";
import { BOOT_ARGUMENTS, type BoardSystem, boardSystem } from "./board-system.ts";

const MEDIUM = { interface: "virtio", device: 0 } as const;
const MIB = 2048; // blocks
const KERNEL: Slot = { name: "kernel", medium: MEDIUM, startBlock: 0, blocks: 64 * MIB };
const INITRD: Slot = { name: "initrd", medium: MEDIUM, startBlock: 64 * MIB, blocks: 16 * MIB };
const SPARE: Slot = { name: "spare", medium: MEDIUM, startBlock: 80 * MIB, blocks: 8 * MIB };
const SERVER = "192.168.7.1";
const BOARD_ADDRESS = "192.168.7.2";
/** Memory of QEMU's virt that nothing else here is in. */
const UNPACK_ADDRESS = "48000000";
const YMODEM_BYTES = 64 * 1024;

function boardLab(overrides: BenchOverrides) {
  return defineLab({
    nodes: {
      dut: board(resolveBench("dut", "qemu-arm64-uboot", overrides), ["eth0"]),
      server: tftpHost({ address: `${SERVER}/24` }),
    },
    links: { boot: ["dut.eth0", "server.eth0"] },
  });
}

type BoardLab = LabOf<ReturnType<typeof boardLab>>;

/** Built once for all scenarios; the second boots as well, and is not what was flashed. */
const systems = new Map<string, Promise<BoardSystem>>();

function system(marker: "golden" | "next"): Promise<BoardSystem> {
  let built = systems.get(marker);
  if (built === undefined) {
    built = boardSystem(marker, () => {});
    systems.set(marker, built);
  }
  return built;
}

async function contentsOf(marker: "golden" | "next"): Promise<readonly [SlotContent, SlotContent]> {
  const { kernel, initrd } = await system(marker);
  return [
    { slot: KERNEL, image: kernel },
    { slot: INITRD, image: initrd },
  ];
}

async function flashOf({ node: { dut, server } }: BoardLab) {
  const golden = await contentsOf("golden");
  return dut.flash({ server: { offer: server, boardAddress: BOARD_ADDRESS }, golden });
}

/** Starts what is in the slots. */
async function boot({ node: { dut } }: BoardLab): Promise<void> {
  await dut.ladder.at("bootloader", async (uboot) => {
    const kernel = await uboot.address("kernel_addr_r");
    const initrd = await uboot.address("ramdisk_addr_r");
    const length = await loadSlot(uboot, INITRD, initrd);
    const compressed = await loadSlot(uboot, KERNEL, kernel);
    // `booti` unpacks to the first, and moves what it unpacked to where the kernel was.
    await uboot.setEnv("kernel_comp_addr_r", UNPACK_ADDRESS);
    await uboot.setEnv("kernel_comp_size", hex(compressed));
    await uboot.setEnv("bootargs", BOOT_ARGUMENTS);
    await uboot.bootI(kernel, { address: initrd, length }, "$fdtcontroladdr");
  });
}

const ubootScenario: Scenario<BoardLab> = {
  name: "uboot",
  claim: "autoboot is interrupted, commands give their own status and output, and variables keep what they are given",
  run: async ({ node: { dut } }, step) => {
    await step("switch off, switch on, interrupt autoboot", () => dut.ladder.powerCycle());
    await dut.ladder.at("bootloader", async (uboot) => {
      await step("commands end with their status", async () => {
        check((await uboot.version()).startsWith("U-Boot 20"), `the version is ${await uboot.version()}`);
        const refused = await uboot.try("no-such-command");
        check(refused.status === 1, `an unknown command ended with status ${refused.status}`);
        check(/Unknown command/.test(refused.output), `an unknown command said ${JSON.stringify(refused.output)}`);
        const both = await uboot.try("true && echo yes; false");
        check(both.status === 1 && both.output === "yes\n", `a line of two commands gave ${JSON.stringify(both)}`);
      });
      await step("variables read back as they were set, also long and ugly ones", async () => {
        const values = [
          "",
          " two  spaces ",
          `it's "quoted" \\ $HOME; reset && false # no`,
          "run a; b $c && d # ".repeat(60),
        ];
        for (const value of values) {
          await uboot.setEnv("probe", value);
          const read = await uboot.env("probe");
          check(read === value, `set ${JSON.stringify(value)}, read ${JSON.stringify(read)}`);
        }
        await uboot.setEnv("probe", undefined);
        check((await uboot.env("probe")) === undefined, "a variable that was deleted is still there");
      });
      await step("memory is written, read and summed; what looks like a prompt is output", async () => {
        const at = await uboot.address("loadaddr");
        const bytes = Buffer.from("==> => ### culvert");
        await uboot.writeMemory(at, bytes);
        const read = await uboot.readMemory(at, bytes.length);
        check(read.equals(bytes), `wrote ${bytes.toString("hex")}, read ${read.toString("hex")}`);
        await uboot.crc32(at, bytes.length);
      });
    });
  },
};

const scenarios: readonly Scenario<BoardLab>[] = [
  ubootScenario,
  {
    name: "flash-tftp",
    claim: "kernel and initramfs go by TFTP into the board's medium, and read back with the CRC of what was sent",
    needs: ["uboot"],
    run: async (lab, step) => {
      const contents = await step("build the system", () => contentsOf("golden"));
      const flash = await flashOf(lab);
      await step("flash kernel and initramfs, and read them back", () => flash.write(contents));
      await step("after a power cycle both slots are sound", async () => {
        await lab.node.dut.ladder.powerCycle();
        const torn = await flash.torn([KERNEL, INITRD]);
        check(torn.length === 0, `slot ${torn[0]?.slot.name} is torn: ${torn[0]?.because}`);
      });
    },
  },
  {
    name: "boot",
    claim: "what was flashed boots to a shell that answers",
    needs: ["flash-tftp"],
    run: async (lab, step) => {
      await step("start the kernel from the slots", () => boot(lab));
      await lab.node.dut.ladder.at("shell", async (shell) => {
        await step("the shell is the flashed system's", async () => {
          const machine = (await shell.run("uname -m")).trim();
          check(machine === "aarch64", `uname -m says ${machine}`);
          const marker = (await shell.run("cat /etc/marker")).trim();
          check(marker === "golden", `/etc/marker says ${marker}`);
        });
      });
    },
  },
  {
    name: "power-cut",
    claim: "a power cut in the middle of a write leaves a slot that says so, and the golden image takes its place",
    needs: ["flash-tftp"],
    run: async (lab, step) => {
      const { dut } = lab.node;
      const [, next] = await step("build the next system", () => contentsOf("next"));
      const flash = await flashOf(lab);
      await step(
        "cut the power once the write has begun: the flash fails, and puts the golden image back",
        async () => {
          let cut: Promise<void> | undefined;
          let said = "";
          const stop = dut.console.tap((text) => {
            said = (said + text).slice(-2000);
            // The record is gone, and the image is to come.
            if (said.includes(" 1 blocks written: OK")) cut ??= dut.cutPower();
          });
          const failure: unknown = await flash.write([next]).then(
            () => undefined,
            (error: unknown) => error,
          );
          stop();
          await cut;
          check(failure instanceof Fault, `the flash did not fail: ${String(failure)}`);
          check(/golden image: slots initrd\./.test(failure.message), failure.message);
        },
      );
      await step("both slots are sound, and hold the golden images", async () => {
        const torn = await flash.torn([KERNEL, INITRD]);
        check(torn.length === 0, `slot ${torn[0]?.slot.name} is torn: ${torn[0]?.because}`);
        check((await flash.recover()).length === 0, "a second recovery found something to do");
      });
    },
  },
  {
    name: "flash-ymodem",
    claim: "an image goes over the console by Y-modem and reads back with the CRC of what was sent",
    needs: ["uboot"],
    run: async ({ node: { dut } }, step) => {
      const image = Buffer.from(Array.from({ length: YMODEM_BYTES }, (_, at) => (at * 73 + (at >> 9)) & 0xff));
      const flash = dut.flash({ golden: [] });
      await step("send it, write it, read it back", () => flash.write([{ slot: SPARE, image }]));
    },
  },
];

/** The suite, with other benches in the place of QEMU's machine. */
function suiteOn(overrides: BenchOverrides): Suite {
  return {
    ...defineSuite({
      name: "board",
      title: "A board from power-on to its shell, flashed over U-Boot",
      lab: boardLab(overrides),
      scenarios,
      cold: true,
    }),
    benches: { nodes: ["dut"], on: suiteOn },
  };
}

export const boardSuite: Suite = suiteOn(new Map());

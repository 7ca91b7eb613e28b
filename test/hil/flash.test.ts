/** Flashing over a U-Boot that the test plays: what is written, verified, recovered, and said when nothing helps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../hil/fault.ts";
import { type Delivery, Flash, type SlotContent, tftpDelivery } from "../../hil/flash/flash.ts";
import { loadSlot, piecesOf, type Slot, slotImage, slotState } from "../../hil/flash/slot.ts";
import { Ladder } from "../../hil/node/ladder.ts";
import { ProgressGuard } from "../../hil/node/progress-guard.ts";
import { hex, UBoot } from "../../hil/node/uboot.ts";
import { UBootLine } from "../../hil/node/uboot-line.ts";
import { fakeConsole } from "./fake-line.ts";
import { FakeUBoot } from "./fake-uboot.ts";

const MEDIUM = { interface: "virtio", device: 0 } as const;
const A: Slot = { name: "a", medium: MEDIUM, startBlock: 10, blocks: 8 };
const B: Slot = { name: "b", medium: MEDIUM, startBlock: 20, blocks: 8 };
const GOLDEN: readonly SlotContent[] = [
  { slot: A, image: Buffer.alloc(600, 1) },
  { slot: B, image: Buffer.alloc(512, 2) },
];
const LOAD = 0x40200000;

function bench(golden: readonly SlotContent[] = GOLDEN) {
  const { line, clock, console, events } = fakeConsole("dut", { death: [] });
  const fake = new FakeUBoot(line);
  fake.longestLine = 1000;
  fake.env.set("loadaddr", hex(LOAD));
  const disk = new Map<number, number>();
  /** Changes a byte on its way to the medium. */
  const trouble = { write: (_at: number, byte: number) => byte, refuses: () => false };
  fake.answer = (command) => {
    const [verb = "", what = "", ...numbers] = command.trim().split(/\s+/);
    const [address = 0, block = 0, count = 0] = numbers.map((word) => Number.parseInt(word, 16));
    if (verb === "mw.b" && numbers.length === 2) {
      const [value = 0, length = 0] = numbers.map((word) => Number.parseInt(word, 16));
      for (let at = 0; at < length; at++) fake.memory.set(Number.parseInt(what, 16) + at, value);
      return { status: 0, output: "" };
    }
    if (verb !== "virtio") return undefined;
    if (what === "dev") return { status: 0, output: "Device 0\r\n" };
    if (trouble.refuses()) return { status: 1, output: "I/O error\r\n" };
    for (let at = 0; at < count * 512; at++) {
      const onDisk = block * 512 + at;
      if (what === "write") disk.set(onDisk, trouble.write(onDisk, fake.memory.get(address + at) ?? 0));
      else fake.memory.set(address + at, disk.get(onDisk) ?? 0xff);
    }
    const done = what === "write" ? "written" : "read";
    return { status: 0, output: `virtio ${what}: ... ${count} blocks ${done}: OK\r\n` };
  };
  const uboot = new UBootLine(console, {
    prompt: "=> ",
    autoboot: "Hit any key",
    interrupt: " ",
    longestLine: 1000,
    session: "u",
  });
  const guard = new ProgressGuard(console, { clock, silentMs: 5_000 });
  const ladder: Ladder<{ bootloader: UBoot }> = new Ladder({
    node: "dut",
    clock,
    journal: { append: (body) => void notes.push(JSON.stringify(body)) },
    transitions: [
      {
        from: "off",
        to: "started",
        what: "switch it on",
        budget: { withinMs: 0, reason: "power" },
        run: () => {
          console.skip();
          return Promise.resolve(fake.powerOn());
        },
      },
      {
        from: "started",
        to: "bootloader",
        what: "interrupt U-Boot",
        budget: { withinMs: 5_000, reason: "U-Boot" },
        run: (budget) => uboot.interrupt(guard, budget),
      },
    ],
    drivers: { bootloader: () => new UBoot(uboot, (to, because) => ladder.moved(to, because)) },
    powerOff: () => Promise.resolve(fake.powerOff()),
  });
  const notes: string[] = [];
  const memoryDelivery: Delivery = {
    what: "a wire of the test",
    load: (_uboot, address, { data }) => {
      for (const [at, byte] of data.entries()) fake.memory.set(address + at, byte);
      return Promise.resolve();
    },
  };
  const flashBy = (deliveries: readonly Delivery[]): Flash =>
    new Flash({
      ladder,
      journal: { append: (body) => void notes.push(JSON.stringify(body)) },
      verify: "crc",
      deliveries,
      golden,
    });
  return { fake, disk, trouble, ladder, notes, flash: flashBy([memoryDelivery]), flashBy, memoryDelivery, events };
}

test("an image is written, read back, and its record comes last", async () => {
  const { flash, disk, ladder, trouble } = bench();
  const blocks: number[] = [];
  trouble.write = (at, byte) => {
    if (at % 512 === 0) blocks.push(at / 512);
    return byte;
  };
  const image = Buffer.from(Array.from({ length: 1000 }, (_, at) => at & 0xff));
  await flash.write([{ slot: A, image }]);
  assert.deepEqual(blocks, [10, 11, 12, 10], "record away, image, record");
  const stored = Buffer.from(Array.from({ length: 1000 }, (_, at) => disk.get(11 * 512 + at) ?? 0));
  assert.ok(stored.equals(image));
  await ladder.at("bootloader", async (uboot) => {
    assert.equal((await slotState(uboot, A, LOAD)).kind, "sound");
    assert.equal(await loadSlot(uboot, A, LOAD), 1000);
    await assert.rejects(loadSlot(uboot, B, LOAD), /slot b cannot be started: it has no record/);
  });
});

test("a medium that keeps something else is found out; the golden image takes its place, and the failure says so", async () => {
  const { flash, trouble, ladder, notes } = bench();
  let writes = 0;
  trouble.write = (at, byte) => (at === 11 * 512 + 5 && writes++ === 0 ? byte ^ 1 : byte);
  await assert.rejects(flash.write([{ slot: A, image: Buffer.alloc(700, 9) }]), (error: unknown) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.faultClass, "device");
    assert.match(error.message, /slot a does not hold what was written: CRC-32 [0-9a-f]+ in place of/);
    assert.match(error.message, /The board boots its golden image: slots a, b\./);
    return true;
  });
  assert.deepEqual(await flash.torn([A, B]), []);
  const cuts = notes.filter((note) => note.includes('"to":"off"'));
  assert.equal(cuts.length, 2, "off at the start, and once more before the golden image");
  await ladder.at("bootloader", async (uboot) => {
    const state = await slotState(uboot, A, LOAD);
    assert.ok(state.kind === "sound" && state.length === 600);
  });
});

test("a board whose golden image cannot be written either needs hands, and that is said loudly", async () => {
  const { flash, trouble } = bench();
  trouble.write = (at, byte) => (at === 11 * 512 ? 0x77 : byte);
  await assert.rejects(flash.write([{ slot: A, image: Buffer.alloc(700, 9) }]), (error: unknown) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.faultClass, "bench");
    assert.match(error.message, /THE BOARD NEEDS HANDS: its golden image could not be put back either: dut: slot a/);
    return true;
  });
  const without = bench([]);
  without.trouble.refuses = () => true;
  await assert.rejects(
    without.flash.write([{ slot: A, image: Buffer.alloc(7) }]),
    /There is no golden image: what is in the board now may not boot/,
  );
});

test("an image that was changed after its record is torn, and recovery mends that slot alone", async () => {
  const { flash, disk } = bench();
  await flash.write(GOLDEN);
  disk.set(21 * 512 + 3, 0xee);
  const torn = await flash.torn([A, B]);
  assert.deepEqual(
    torn.map(({ slot }) => slot.name),
    ["b"],
  );
  assert.match(torn[0]?.because ?? "", /its image has CRC-32 [0-9a-f]+, its record says/);
  assert.deepEqual(await flash.recover(), ["b"]);
  assert.deepEqual(await flash.recover(), []);
});

test("when one way of sending fails the next is used, and the journal has both; what arrives changed counts as failed", async () => {
  const { flashBy, memoryDelivery, fake, notes } = bench();
  const broken: Delivery = { what: "TFTP", load: () => Promise.reject(new Fault("bench", "no route")) };
  const spoils: Delivery = {
    what: "a bad wire",
    load: (_uboot, address, { data }) => {
      for (const [at, byte] of data.entries()) fake.memory.set(address + at, at === 600 ? byte ^ 1 : byte);
      return Promise.resolve();
    },
  };
  await flashBy([broken, spoils, memoryDelivery]).write([{ slot: A, image: Buffer.alloc(900, 4) }]);
  assert.ok(notes.some((note) => note.includes("not TFTP: no route")));
  assert.ok(notes.some((note) => /not a bad wire: it arrived with CRC-32/.test(note)));
  await assert.rejects(
    flashBy([broken]).write([{ slot: A, image: Buffer.alloc(900, 4) }]),
    /did not get into the board's memory: TFTP: no route/,
  );
  await assert.rejects(flashBy([]).write([{ slot: A, image: Buffer.alloc(900, 4) }]), /there is no way to send it/);
});

test("TFTP offers the file for as long as it is fetched", async () => {
  const { ladder, fake } = bench();
  const offered = new Map<string, Buffer>();
  const delivery = tftpDelivery(
    {
      address: "10.0.0.1",
      put: (name, data) => void offered.set(name, data),
      remove: (name) => void offered.delete(name),
    },
    "10.0.0.2",
  );
  const answer = fake.answer;
  fake.answer = (command) => {
    if (!command.startsWith("tftpboot")) return answer(command);
    assert.equal(fake.env.get("ipaddr"), "10.0.0.2");
    assert.equal(fake.env.get("serverip"), "10.0.0.1");
    assert.ok(offered.has("f"));
    return { status: 0, output: "Bytes transferred = 3 (3 hex)\r\n" };
  };
  await ladder.at("bootloader", (uboot) => delivery.load(uboot, LOAD, { name: "f", data: Buffer.from("abc") }));
  assert.equal(offered.size, 0);
});

test("images that do not fit, and empty ones, are refused before anything is sent", async () => {
  assert.throws(() => slotImage(A, Buffer.alloc(8 * 512)), /slot a has room for 3584 bytes, and the image has 4096/);
  assert.throws(() => slotImage(A, Buffer.alloc(0)), /an empty image/);
  assert.equal(slotImage(A, Buffer.alloc(7 * 512)).length, 8 * 512);
  assert.equal(slotImage(A, Buffer.alloc(1)).toString("latin1", 0, 24), "culvert-slot 1\nlength 1\n");
  await Promise.resolve();
});

test("a disk goes in pieces, each read back; what is blank is not sent", async () => {
  const { flashBy, memoryDelivery, disk, trouble } = bench();
  const MIB = 1 << 20;
  const image = Buffer.alloc(3 * MIB + 512);
  image.fill(0x11, 100, 600);
  image.fill(0x22, 3 * MIB);
  const pieces = piecesOf(image, 16 * MIB).map(({ startBlock, blocks, data }) => [startBlock, blocks, data?.length]);
  assert.deepEqual(pieces, [
    [0, 2048, MIB],
    [2048, 4096, undefined],
    [6144, 1, 512],
  ]);
  assert.deepEqual(
    piecesOf(Buffer.alloc(5 * MIB, 1), 2 * MIB).map(({ blocks }) => blocks),
    [4096, 4096, 2048],
  );
  const small = image.subarray(0, 1536);
  const sent: number[] = [];
  const delivery: Delivery = {
    ...memoryDelivery,
    load: async (uboot, address, file) => {
      sent.push(file.data.length);
      await memoryDelivery.load(uboot, address, file);
    },
  };
  await flashBy([delivery]).writeDisk(MEDIUM, small);
  assert.deepEqual(sent, [1536]);
  assert.ok(small.every((byte, at) => disk.get(at) === byte));
  await flashBy([]).writeDisk(MEDIUM, Buffer.alloc(1024));
  assert.ok([...Array(1024).keys()].every((at) => disk.get(at) === 0));
  trouble.write = (at, byte) => (at === 700 ? byte ^ 1 : byte);
  await assert.rejects(
    flashBy([delivery]).writeDisk(MEDIUM, small),
    /slot disk does not hold what was written: CRC-32 .* from block 0 on/,
  );
});

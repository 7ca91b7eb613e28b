/**
 * What a bench file may say. Field names and values are checked here; `load.ts` tells where in the file a mistake is.
 * Durations are text in the file (`3s`, `500ms`) and milliseconds in `Bench`.
 */
import { z } from "zod";
import { BOARDS } from "../../image/boards/boards.ts";
import { FIRMWARES } from "../node/qemu/firmware.ts";
import { allowed } from "./nearest.ts";

/** An object that takes these fields and no others. An unknown field's message has one line for each such field. */
function object<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => unknownField(key, Object.keys(shape))).join("\n")
        : undefined,
  });
}

function unknownField(key: string, fields: readonly string[]): string {
  return `there is no field '${key.replaceAll("\n", " ")}'; ${allowed(key, fields)}`;
}

/** One of several objects, told apart by the one field that all others lack: `{ serial: ... }` or `{ tcp: ... }`. */
function exactlyOne<const O extends readonly [z.ZodType, ...z.ZodType[]]>(kinds: readonly string[], options: O) {
  return z.union(options, {
    error: (issue) => {
      if (!isRecord(issue.input)) return issue.input === undefined ? undefined : `must be one of ${offer(kinds)}`;
      const given = kinds.filter((kind) => Object.hasOwn(issue.input as object, kind));
      if (given.length === 1) return undefined; // the fault is inside that one
      if (given.length > 1) return `says ${given.join(" and ")}; exactly one of ${offer(kinds)} is allowed`;
      const [first = ""] = Object.keys(issue.input);
      return `says none of ${offer(kinds)}; exactly one is needed${first === "" ? "" : `, not '${first}': ${allowed(first, kinds)}`}`;
    },
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function offer(kinds: readonly string[]): string {
  return kinds.join(", ");
}

const UNIT_MS = { ms: 1, s: 1000, min: 60_000 } as const;

/** `3s`, `500ms`, `2min` in the file; milliseconds as a value. */
function duration(limits: { readonly atMostMs: number }) {
  return z
    .string()
    .regex(/^(\d+(\.\d+)?)(ms|s|min)$/, "must be a duration such as 3s, 500ms or 2min")
    .transform((text) => {
      const unit = /(ms|s|min)$/.exec(text)?.[0] as keyof typeof UNIT_MS;
      return Number.parseFloat(text) * UNIT_MS[unit];
    })
    .refine((ms) => ms <= limits.atMostMs, { error: `must be at most ${limits.atMostMs / 1000}s` });
}

const HOST_AND_PORT = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([1-9]\d{0,4})$/;
const hostAndPort = z.string().regex(HOST_AND_PORT, "must be HOST:PORT, as in 10.0.0.5:2000");

/** What serial ports can be set to. */
export const BAUD_RATES = [
  1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000,
  1_500_000, 2_000_000, 3_000_000,
] as const;
const baud = z
  .literal(BAUD_RATES, {
    error: (issue) => `${String(issue.input)} is no baud rate; allowed: ${BAUD_RATES.join(", ")}`,
  })
  .default(115_200);

/** How fast to type: `auto` watches the echo and slows down, `none` trusts the line, or fixed pieces with pauses. */
const pace = z
  .union(
    [
      z.literal("auto"),
      z.literal("none"),
      object({ chunk: z.number().int().min(1).max(65_536), gap: duration({ atMostMs: 10_000 }) }),
    ],
    {
      error: (issue) =>
        isRecord(issue.input)
          ? undefined
          : "must be auto, none, or { chunk: BYTES, gap: DURATION } as in { chunk: 16, gap: 5ms }",
    },
  )
  .default("auto");

const consoleLine = exactlyOne(
  ["serial", "tcp", "rfc2217", "qemu"],
  [
    object({
      serial: z
        .string()
        .regex(/^\/dev\/.+/, "must be a device file; take one of /dev/serial/by-id, they survive replugging"),
      baud,
      pace,
    }),
    object({ tcp: hostAndPort, pace }),
    object({ rfc2217: hostAndPort, baud, pace }),
    object({ qemu: z.literal(true), pace }),
  ],
);

/** For text that may hold a secret: it may name environment variables as `${env:NAME}`, read when the text is used. */
const secret = z.string().min(1);
const httpUrl = z
  .string()
  // A secret in it need not be written as a URL writes it: it is looked up later.
  .regex(
    /^https?:\/\/[^\s/]+(\/.*)?$/,
    `must be an http:// or https:// address; a password goes http://USER:\${env:NAME}@HOST`,
  )
  .refine((text) => URL.canParse(text.replaceAll(/\$\{env:\w+\}/g, "x")), { error: "is no address" });

const outletNumber = z.number().int().min(0).max(255);
const shared = {
  minOff: duration({ atMostMs: 600_000 })
    .prefault("3s")
    .describe("Shortest time without power: what the board's capacitors need to forget."),
  limit: duration({ atMostMs: 600_000 }).optional().describe("How long one operation of the switch may take."),
};

/** The two forms of outlet that APC's PowerNet MIB has: MasterSwitch and older rack PDUs, and rack PDUs since firmware 3. */
export const SNMP_PDUS = ["apc", "apc-rpdu"] as const;
const oid = z.string().regex(/^\.?\d+(\.\d+)+$/, "must be a numeric OID, as in 1.3.6.1.4.1.318.1.1.4.4.2.1.3.1");

const power = exactlyOne(
  ["qemu", "manual", "command", "shelly", "tasmota", "snmp", "uhubctl", "relay"],
  [
    object({ qemu: z.literal(true), ...shared }),
    object({ manual: z.literal(true), ...shared }),
    object({
      command: object({ on: secret, off: secret, status: secret.optional() }),
      ...shared,
    }),
    object({ shelly: httpUrl, channel: outletNumber.default(0), ...shared }),
    object({ tasmota: httpUrl, channel: outletNumber.min(1).default(1), ...shared }),
    object({
      snmp: z.string().regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[1-9]\d{0,4})?$/, "must be HOST or HOST:PORT"),
      community: secret.default("private"),
      outlet: exactlyOne(
        ["pdu", "oid"],
        [
          object({ pdu: z.enum(SNMP_PDUS), number: outletNumber.min(1) }),
          object({ oid, on: z.number().int(), off: z.number().int(), status: oid.optional() }),
        ],
      ),
      ...shared,
    }),
    object({
      uhubctl: z.string().regex(/^\d+(-\d+(\.\d+)*)?$/, "must be a hub's location as uhubctl prints it, as in 1-1.4"),
      port: outletNumber.min(1),
      ...shared,
    }),
    object({
      relay: z.string().regex(/^\/dev\/.+/, "must be a device file of an LCTech relay, as in /dev/ttyUSB1"),
      channel: outletNumber.min(1).default(1),
      baud: baud.unwrap().default(9600),
      ...shared,
    }),
  ],
);

/** A key to press. `text` is typed as it stands. */
const interrupt = z.union([z.enum(["esc", "space", "enter", "ctrl-c"]), object({ text: z.string().min(1) })], {
  error: (issue) =>
    typeof issue.input === "string"
      ? `'${issue.input}' is no key; ${allowed(issue.input, ["esc", "space", "enter", "ctrl-c"])}, or { text: "..." }`
      : isRecord(issue.input)
        ? undefined
        : 'must be esc, space, enter, ctrl-c, or { text: "..." }',
});

const ladder = object({
  bootloader: exactlyOne(
    ["uboot"],
    [
      object({
        uboot: object({
          prompt: z.string().min(1).default("=> "),
          interrupt: interrupt.default("space"),
          /** What U-Boot prints while it can be interrupted. */
          autoboot: z.string().min(1).default("Hit any key to stop autoboot"),
        }),
      }),
    ],
  ).optional(),
  login: object({
    prompt: z.string().min(1).default("login: "),
    user: secret.default("root"),
    password: secret.optional(),
  }).optional(),
  shell: object({
    prompt: z.string().min(1),
    /** What the system prints when it waits for Enter before it starts a shell, as OpenWrt's `askfirst` does. */
    activate: z.string().min(1).optional(),
  }).optional(),
  cli: z.enum(["culvert"]).optional(),
}).refine((steps) => steps.shell === undefined || steps.cli === undefined, {
  error: "says shell and cli; a board ends in one of them",
  path: ["cli"],
});

const interfaceName = z
  .string()
  .regex(/^[^\s/:]{1,15}$/, "must be the name of a network interface of this computer, at most 15 characters");

const flash = object({
  tftp: object({ nic: interfaceName }).optional(),
  ymodem: z.literal(true).optional(),
  verify: z.enum(["crc", "sha256"]).default("crc"),
  /** An image known to boot, for recovery; relative to the bench file. */
  golden: z.string().min(1).optional(),
}).refine((ways) => ways.tftp !== undefined || ways.ymodem !== undefined, {
  error: "says no way to send an image; needed: tftp or ymodem (or both: tftp is tried first)",
});

/** The machines that QEMU can be for a bench. */
export const QEMU_BOARDS: readonly string[] = [...BOARDS.map(({ name }) => name), "arm64-uboot"];

const sshHost = z
  .string()
  .regex(
    /^ssh:\/\/([A-Za-z0-9._-]+@)?([A-Za-z0-9._][A-Za-z0-9._-]*|\[[0-9a-fA-F:]+\])(:[1-9]\d{0,4})?$/,
    "must be ssh://USER@HOST or ssh://USER@HOST:PORT; keys and passwords are ssh's own matter",
  );

export const benchSchema = object({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, "must be letters, digits, - and _, at most 40, as in router-bench-1")
    .describe("What the bench is called, in reports and leases."),
  fixtures: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "must be lower-case words with -, as in wan-port"))
    .default([])
    .describe("What the bench has, for scenarios that ask for it."),
  board: z.enum(QEMU_BOARDS).optional().describe("A machine that QEMU plays; a real board has `console` instead."),
  firmware: z
    .enum(FIRMWARES)
    .optional()
    .describe(
      "Boots a machine in QEMU from its flashable disk by this firmware; QEMU loads the kernel itself without it.",
    ),
  console: consoleLine.optional().describe("How to reach the serial console of a real board."),
  power: power.optional().describe("The switch that the board is plugged into: exactly one driver."),
  ladder: ladder.default({}).describe("What the board shows from power-on to its command line."),
  flash: flash.optional().describe("How an image gets into the board, and how it is checked there."),
  net: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,14}$/, "must be the name of a NIC, as in wan"), interfaceName)
    .default({})
    .describe("NICs of the board, and the interface of this computer that the cable of each ends in."),
  host: sshHost.optional().describe("The computer that the board is connected to, if it is another one."),
  quarantine: object({
    reason: z.string().min(1),
    until: z.iso.date({ error: "must be a day, as in 2026-12-31" }),
  })
    .optional()
    .describe("A bench that runs nothing: why, and until which day at the latest."),
})
  .refine((bench) => bench.board !== undefined || bench.console !== undefined, {
    error: `says neither board (a machine in QEMU: ${QEMU_BOARDS.join(", ")}) nor console (how to reach a real one)`,
  })
  .refine((bench) => bench.firmware === undefined || bench.board !== undefined, {
    error: "is for a machine in QEMU, and there is no board; a real board has its own firmware",
    path: ["firmware"],
  })
  .refine((bench) => bench.board === undefined || bench.console === undefined || "qemu" in bench.console, {
    error: "says how to reach a real board, and board says it is a machine in QEMU; one of them is wrong",
    path: ["console"],
  })
  .refine((bench) => bench.board !== undefined || bench.console === undefined || !("qemu" in bench.console), {
    error: `says qemu, but not which machine; add board: ${QEMU_BOARDS.join(" or ")}`,
    path: ["console"],
  })
  .refine((bench) => bench.power === undefined || "qemu" in bench.power === (bench.board !== undefined), {
    error: "qemu switches a machine in QEMU, and nothing else does",
    path: ["power"],
  })
  .transform(({ console: line, power: supply, ...rest }) => ({
    ...rest,
    // One of board and console is there: the first refinement saw to it.
    console: line ?? ({ qemu: true, pace: "none" } as const),
    power: supply ?? (rest.board === undefined ? undefined : ({ qemu: true, minOff: 0 } as const)),
  }));

/** A bench as its file describes it, with every default filled in. */
export type Bench = z.output<typeof benchSchema>;
export type PowerSupply = NonNullable<Bench["power"]>;

/** What an editor checks bench files against while they are written. */
export function benchJsonSchema(): object {
  return { title: "A bench of the Culvert lab", ...z.toJSONSchema(benchSchema, { io: "input", target: "draft-7" }) };
}

/**
 * `culvert lab record`: watches an unknown board through a few power cycles and learns what a bench file says about it. Nothing
 * is typed but Enter, and the key that its boot loader asks for.
 */
import { elapsedMs, type LabClock } from "../clock.ts";
import { Fault } from "../fault.ts";
import {
  type Bootloader,
  bootPhases,
  findBootloader,
  findGreeting,
  findPrompt,
  type Greeting,
  isText,
  type Key,
  type Phase,
  SAMPLE_BYTES,
  type TimedText,
  textScore,
} from "./detect.ts";

/** The rates in the order in which boards have them. */
const RATES = [115_200, 57_600, 9600, 38_400, 19_200, 230_400, 460_800, 921_600, 1_500_000] as const;
const KEY_BYTES: Readonly<Record<Key, string>> = { esc: "\x1b", space: " ", enter: "\r", "ctrl-c": "\x03" };

/** All in milliseconds. */
const FIRST_BYTE_MS = 60_000;
const SAMPLE_MS = 1500;
/** Right after power-on more is sure to come. */
const LONG_SAMPLE_MS = 10_000;
/** A sample that a power cycle cut off or a pause made short is taken again so often. */
const SAMPLE_ROUNDS = 4;
const BOOT_MS = 240_000;
/** Kernels can be silent for so long while they boot, and boards that are up are silent for ever. */
const BOOT_QUIET_MS = 15_000;
/** A shell that Enter starts takes its time on a small board. */
const ANSWER_FIRST_MS = 10_000;
const ANSWER_QUIET_MS = 3000;
const AUTOBOOT_MS = 60_000;
/** Keys are typed again and again: a board that has just said so may not yet listen. */
const KEY_EVERY_MS = 100;
const KEY_PRESSES = 5;
const ALL_BYTES = 1 << 20;

/** An open serial port: what is needed of a `Transport`. */
export interface RecordPort {
  readonly place: string;
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  write(text: string): unknown;
  set(settings: { baud: number }): Promise<void>;
  close(): Promise<void>;
}

export interface RecordMeans {
  readonly clock: LabClock;
  /** Ports that may be the board's. */
  readonly ports: readonly string[];
  /** Rates to try; all that are usual unless one is given. */
  readonly rates?: readonly number[] | undefined;
  openPort(path: string, baud: number): Promise<RecordPort>;
  /** Returns without power at the board. */
  powerOff(): Promise<void>;
  /** Returns at once for a person, who then switches when they like; `knowsPowerOn` is false then. */
  powerOn(): Promise<void>;
  readonly knowsPowerOn: boolean;
  tell(line: string): void;
}

/** What is known about a board after watching it. */
export interface Recording {
  readonly port: string;
  readonly baud: number;
  readonly bootloader: Bootloader | undefined;
  /** The boot loader's prompt and the key that got there, if it could be stopped. */
  readonly stopped: { readonly key: Key; readonly prompt: string } | undefined;
  readonly greeting: Greeting | undefined;
  /** The shell that came when Enter was pressed. */
  readonly shellPrompt: string | undefined;
  readonly phases: readonly Phase[];
  /** What the phases' times count from. */
  readonly since: "power-on" | "the first byte";
}

/** Watches the board. Throws a bench Fault when it says nothing, or nothing that can be read. Ports are closed at the end. */
export async function recordBoard(means: RecordMeans): Promise<Recording> {
  const [first] = means.rates ?? RATES;
  const opened: RecordPort[] = [];
  try {
    for (const path of means.ports) opened.push(await means.openPort(path, first ?? RATES[0]));
    const ears = opened.map((port) => new Ear(port, means.clock));
    return await new Recorder(means, ears).record();
  } finally {
    await Promise.all(opened.map((port) => port.close()));
  }
}

class Recorder {
  readonly #means: RecordMeans;
  readonly #ears: readonly Ear[];

  constructor(means: RecordMeans, ears: readonly Ear[]) {
    this.#means = means;
    this.#ears = ears;
  }

  async record(): Promise<Recording> {
    const { tell } = this.#means;
    const ear = await this.#findPort();
    tell(`${ear.port.place} speaks`);
    const baud = await this.#findRate(ear);
    tell(`it speaks at ${baud} baud; now one boot from its beginning`);
    await this.#cycle();
    const boot = await this.#listen(ear, { limitMs: BOOT_MS, quietMs: BOOT_QUIET_MS, firstMs: FIRST_BYTE_MS });
    const bootloader = findBootloader(boot);
    const { knowsPowerOn } = this.#means;
    const seen = bootPhases(boot);
    const zeroMs = knowsPowerOn ? 0 : (seen[0]?.atMs ?? 0);
    const phases = seen.map(({ name, atMs }) => ({ name, atMs: atMs - zeroMs }));
    const { greeting, shellPrompt } = await this.#greet(ear, boot);
    tell(greeting === undefined ? "it booted, and asks for nothing" : `it booted: ${describeGreeting(greeting)}`);
    const waits = bootloader?.autoboot;
    const stopped =
      bootloader === undefined || waits === undefined ? undefined : await this.#stop(ear, bootloader, waits);
    // It is left as it was found, where that needs nobody.
    if (stopped !== undefined && knowsPowerOn) await this.#cycle();
    return {
      port: ear.port.place,
      baud,
      bootloader,
      stopped,
      greeting,
      shellPrompt,
      phases,
      since: knowsPowerOn ? "power-on" : "the first byte",
    };
  }

  async #cycle(): Promise<void> {
    await this.#means.powerOff();
    for (const ear of this.#ears) ear.forget();
    await this.#means.powerOn();
    // Not from before: the switch first waits until the board was without power for long enough.
    for (const ear of this.#ears) ear.start();
  }

  /** Noise of a plug that is pulled is not enough: the port must go on speaking. */
  async #findPort(): Promise<Ear> {
    const { ports, tell, clock } = this.#means;
    await this.#cycle();
    tell(`listening on ${ports.join(", ")}`);
    await waitUntil(clock, FIRST_BYTE_MS, () => this.#ears.some((ear) => ear.bytes >= SAMPLE_BYTES));
    const [loudest] = [...this.#ears].sort((a, b) => b.bytes - a.bytes);
    if (loudest !== undefined && loudest.bytes > 0) return loudest;
    throw new Fault(
      "bench",
      `no port said anything within ${FIRST_BYTE_MS / 1000} s after power came on (${ports.join(", ")}): are RX and TX crossed, is ground connected, does the board have power?`,
    );
  }

  async #findRate(ear: Ear): Promise<number> {
    const { clock, tell, rates = RATES } = this.#means;
    let best = { rate: 0, score: -1 };
    for (let round = 0; round < SAMPLE_ROUNDS; round++) {
      for (const rate of rates) {
        await ear.port.set({ baud: rate });
        ear.forget();
        let sample = await this.#sample(ear, SAMPLE_MS);
        // A board that has booted says nothing more: it must boot again for the next rate.
        if (sample.length < SAMPLE_BYTES) {
          await this.#cycle();
          await waitUntil(clock, FIRST_BYTE_MS, () => ear.bytes > 0);
          sample = await this.#sample(ear, LONG_SAMPLE_MS);
        }
        if (isText(sample)) return rate;
        const score = textScore(sample);
        if (score > best.score) best = { rate, score };
      }
      tell("no rate gave text so far; trying all again");
    }
    const share = `${(best.score * 100).toFixed(0)} % of the bytes`;
    throw new Fault(
      "bench",
      `${ear.port.place} speaks, but no rate gives text; the best was ${best.rate} baud with ${share}`,
    );
  }

  /** What came since the ear last forgot, and what comes within the next moment. */
  async #sample(ear: Ear, limitMs: number): Promise<Buffer> {
    await waitUntil(this.#means.clock, limitMs, () => ear.bytes >= 4 * SAMPLE_BYTES);
    return Buffer.from(ear.text, "latin1");
  }

  /** Everything from power-on until the board is silent. */
  async #listen(
    ear: Ear,
    times: { readonly limitMs: number; readonly quietMs: number; readonly firstMs: number },
  ): Promise<readonly TimedText[]> {
    const { clock } = this.#means;
    await waitUntil(clock, times.firstMs, () => ear.bytes > 0);
    await waitUntil(clock, times.limitMs, () => ear.silentMs() >= times.quietMs);
    return ear.log;
  }

  /** Presses Enter where the board waits for it. Serial consoles often show their login only then. */
  async #greet(
    ear: Ear,
    boot: readonly TimedText[],
  ): Promise<{ greeting: Greeting | undefined; shellPrompt: string | undefined }> {
    const seen = findGreeting(boot.map(({ text }) => text).join(""));
    if (seen !== undefined && seen.kind !== "activate") {
      return { greeting: seen, shellPrompt: seen.kind === "shell" ? seen.prompt : undefined };
    }
    const after = findGreeting(await this.#enter(ear));
    if (seen === undefined) return { greeting: after, shellPrompt: after?.kind === "shell" ? after.prompt : undefined };
    return { greeting: seen, shellPrompt: after?.kind === "shell" ? after.prompt : undefined };
  }

  async #enter(ear: Ear): Promise<string> {
    ear.forget();
    ear.port.write("\r");
    await waitUntil(this.#means.clock, ANSWER_FIRST_MS, () => ear.bytes > 0);
    await waitUntil(this.#means.clock, BOOT_QUIET_MS, () => ear.silentMs() >= ANSWER_QUIET_MS);
    return ear.text;
  }

  /** Tries the key that the boot loader names, and then the others, each in a boot of its own. */
  async #stop(ear: Ear, loader: Bootloader, autoboot: string): Promise<Recording["stopped"]> {
    const { clock, tell } = this.#means;
    const keys: readonly Key[] = [...new Set([loader.key ?? "space", "space", "esc", "ctrl-c"] as const)];
    for (const key of keys) {
      tell(`trying to stop ${loader.name} with ${key}`);
      await this.#cycle();
      const isWaiting = (): boolean =>
        ear.log
          .map(({ text }) => text)
          .join("")
          .includes(autoboot);
      await waitUntil(clock, AUTOBOOT_MS, isWaiting);
      if (!isWaiting()) continue;
      ear.forget();
      for (let press = 0; press < KEY_PRESSES; press++) {
        ear.port.write(KEY_BYTES[key]);
        await waitUntil(clock, KEY_EVERY_MS, () => false);
      }
      await waitUntil(clock, AUTOBOOT_MS, () => ear.silentMs() >= ANSWER_QUIET_MS);
      // What was typed too much stands behind the prompt; Enter brings a clean one, twice the same.
      const once = findPrompt(await this.#enter(ear));
      const twice = findPrompt(await this.#enter(ear));
      if (once !== undefined && once === twice) {
        tell(`${loader.name} stops at ${JSON.stringify(once)}`);
        return { key, prompt: once };
      }
    }
    tell(`${loader.name} could not be stopped`);
    return undefined;
  }
}

/** Keeps what a port said since it was last told to forget. */
class Ear {
  readonly port: RecordPort;
  readonly #clock: LabClock;
  #startNs: bigint;
  #pieces: { readonly atNs: bigint; readonly text: string }[] = [];
  #bytes = 0;
  #lastNs: bigint;

  constructor(port: RecordPort, clock: LabClock) {
    this.port = port;
    this.#clock = clock;
    this.#startNs = clock.nowNs();
    this.#lastNs = this.#startNs;
    port.on("data", (bytes) => {
      this.#lastNs = clock.nowNs();
      this.#bytes += bytes.length;
      if (this.#bytes > ALL_BYTES) return; // a port that babbles is not kept whole
      this.#pieces.push({ atNs: this.#lastNs, text: bytes.toString("latin1") });
    });
  }

  /** Times count from now, or from the first byte if it is here already: a board can be faster than its switch's answer. */
  start(): void {
    this.#startNs = this.#pieces[0]?.atNs ?? this.#clock.nowNs();
  }

  get log(): readonly TimedText[] {
    return this.#pieces.map(({ atNs, text }) => ({ atMs: elapsedMs(this.#startNs, atNs), text }));
  }
  get text(): string {
    return this.#pieces.map(({ text }) => text).join("");
  }
  get bytes(): number {
    return this.#bytes;
  }

  silentMs(): number {
    return elapsedMs(this.#lastNs, this.#clock.nowNs());
  }

  forget(): void {
    this.#pieces = [];
    this.#bytes = 0;
    this.#lastNs = this.#clock.nowNs();
  }
}

function describeGreeting(greeting: Greeting): string {
  switch (greeting.kind) {
    case "culvert":
      return "it is Culvert";
    case "login":
      return `it asks ${JSON.stringify(greeting.prompt)}`;
    case "activate":
      return "it waits for Enter";
    case "shell":
      return `it shows ${JSON.stringify(greeting.prompt)}`;
  }
}

const LOOK_MS = 50;

/** Returns when `isTrue` is, or the time is over. */
async function waitUntil(clock: LabClock, limitMs: number, isTrue: () => boolean): Promise<void> {
  const startNs = clock.nowNs();
  while (!isTrue()) {
    const leftMs = limitMs - elapsedMs(startNs, clock.nowNs());
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => void clock.after(Math.min(LOOK_MS, leftMs), resolve));
  }
}

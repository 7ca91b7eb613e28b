/** The administrator's password: kept as a scrypt hash beside the configurations, so that no rollback brings an old one back. */
import { scrypt, timingSafeEqual } from "node:crypto";
import { type Disk, replaceFile } from "../config/disk.ts";
import type { Clock, Millis, Random } from "../ports.ts";

const FILE = "administrator";
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** 16 MiB and some 50 ms on a PC-class board, a second or two on a MIPS router. */
const COST = { N: 16384, r: 8, p: 1 } as const;
const SHORTEST = 8;
const LONGEST = 128;
/** Wrong passwords in a row before waiting begins; the wait doubles with each further one. */
const FREE_ATTEMPTS = 3;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 300_000;

/** Where a password comes from. Each has its own count: who guesses over the network locks nobody out of the serial console. */
export type AttemptLine = "console" | "ssh";

export type Attempt =
  | { readonly result: "right" }
  | { readonly result: "wrong" }
  /** Not even looked at: too many wrong ones came before. */
  | { readonly result: "wait"; readonly waitMs: number };

interface Secret {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

export class Administrator {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #random: Random;
  #secret: Secret | undefined;
  readonly #limits: Readonly<Record<AttemptLine, Limit>> = { console: new Limit(), ssh: new Limit() };

  constructor(disk: Disk, clock: Clock, random: Random) {
    this.#disk = disk;
    this.#clock = clock;
    this.#random = random;
    this.#secret = parseSecret(disk.read(FILE));
  }

  /** False on a new device, and after damage to the disk: then the serial console asks for a new password. */
  get hasPassword(): boolean {
    return this.#secret !== undefined;
  }

  /** What is wrong with a new password, as a sentence; undefined when it will do. */
  refusePassword(password: string): string | undefined {
    if (password.length < SHORTEST) return `A password has at least ${SHORTEST} characters.`;
    return password.length > LONGEST ? `A password has at most ${LONGEST} characters.` : undefined;
  }

  /** Forgets the password, on the disk too: the serial console asks for a new one. */
  reset(): void {
    this.#disk.remove(FILE);
    this.#disk.sync();
    this.#secret = undefined;
  }

  /** Returns once the password survives a power cut. */
  async setPassword(password: string): Promise<void> {
    const refusal = this.refusePassword(password);
    if (refusal !== undefined) throw new RangeError(refusal);
    const salt = this.#random.bytes(SALT_BYTES);
    const secret = { salt, hash: await derive(password, salt) };
    const stored = { salt: secret.salt.toString("hex"), hash: secret.hash.toString("hex") };
    replaceFile(this.#disk, FILE, Buffer.from(`${JSON.stringify(stored)}\n`));
    this.#secret = secret;
  }

  async tryPassword(password: string, line: AttemptLine): Promise<Attempt> {
    const limit = this.#limits[line];
    const waitMs = limit.begin(this.#clock.now());
    if (waitMs !== undefined) return { result: "wait", waitMs };
    const secret = this.#secret;
    const right =
      secret !== undefined &&
      password.length <= LONGEST &&
      timingSafeEqual(await derive(password, secret.salt), secret.hash);
    if (!right) return { result: "wrong" };
    limit.clear();
    return { result: "right" };
  }
}

class Limit {
  #wrong = 0;
  #notBefore: Millis | undefined;

  /** How long nothing is looked at any more; undefined: an attempt is counted as a wrong one, until `clear`. */
  begin(now: Millis): number | undefined {
    if (this.#notBefore !== undefined && now < this.#notBefore) return this.#notBefore - now;
    // Counted before the answer is known: attempts side by side must not be free.
    this.#wrong++;
    if (this.#wrong >= FREE_ATTEMPTS) {
      const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (this.#wrong - FREE_ATTEMPTS), LONGEST_WAIT_MS);
      this.#notBefore = (now + waitMs) as Millis;
    }
    return undefined;
  }
  clear(): void {
    this.#wrong = 0;
    this.#notBefore = undefined;
  }
}

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFC"), salt, HASH_BYTES, COST, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}

function parseSecret(bytes: Buffer | undefined): Secret | undefined {
  const match = /^\{"salt":"([0-9a-f]{32})","hash":"([0-9a-f]{64})"\}\n$/.exec(bytes?.toString("latin1") ?? "");
  const [, salt, hash] = match ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  return { salt: Buffer.from(salt, "hex"), hash: Buffer.from(hash, "hex") };
}

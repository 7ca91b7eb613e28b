/**
 * The RADIUS client: questions of the PPTP server go in, packets, answers and lines for the log come out. No IO, no
 * clock; UDP sockets and the one timer are the service's.
 *
 *   AccessQuestion → access.ts → exchange.ts → UDP … UDP → exchange.ts → access.ts → AccessAnswer
 *   record → accounting.ts (queue) → exchange.ts → UDP
 */
import { Millis, type Random } from "../ports.ts";
import type { Ipv4 } from "../wire/ipv4.ts";
import { type AccessAnswer, type AccessQuestion, accessAttributes, canAsk, readAnswer } from "./access.ts";
import { AccountingQueue, type AccountingRecord, accountingAttributes, type Entry } from "./accounting.ts";
import { type ExchangeOutput, Exchanges, type Purpose, type RadiusServerStatus } from "./exchange.ts";
import type { RadiusSettings } from "./settings.ts";

export type RadiusOutput =
  | Extract<ExchangeOutput, { type: "send" | "log" }>
  /** Answers the question with this ticket, once. */
  | { readonly type: "answer"; readonly ticket: number; readonly answer: AccessAnswer };

export interface RadiusStatus {
  readonly servers: readonly RadiusServerStatus[];
  /** Accounting records that no server has confirmed yet. */
  readonly waiting: number;
  /** Records that were given up for want of memory. */
  readonly lost: number;
}

/** Accounting records under way at once. */
const WINDOW = 16;
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 600_000;

export class RadiusClient {
  readonly #exchanges: Exchanges;
  readonly #questions = new Map<number, AccessQuestion>();
  readonly #queue = new AccountingQueue();
  #settings: RadiusSettings;
  #out: RadiusOutput[] = [];

  constructor(settings: RadiusSettings, random: Random) {
    this.#settings = settings;
    this.#exchanges = new Exchanges(settings, random);
  }

  get deadline(): Millis | undefined {
    const retries = this.#queue.entries.flatMap(({ exchange, notBefore }) =>
      exchange === undefined ? [notBefore] : [],
    );
    // While the window is full, the next exchange that ends lets the next record out.
    const retry = this.#underWay < WINDOW && retries.length > 0 ? Math.min(...retries) : Number.POSITIVE_INFINITY;
    const earliest = Math.min(retry, this.#exchanges.deadline ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(earliest) ? Millis(earliest) : undefined;
  }

  status(now: Millis): RadiusStatus {
    return { servers: this.#exchanges.status(now), waiting: this.#queue.waiting, lost: this.#queue.lost };
  }

  configure(settings: RadiusSettings, now: Millis): readonly RadiusOutput[] {
    return this.#collect(() => {
      this.#settings = settings;
      if (settings.servers.length === 0 && this.#queue.waiting > 0) {
        const text = `${this.#queue.waiting} accounting records are lost: no RADIUS server is left to tell`;
        this.#out.push({ type: "log", level: "warning", text });
        this.#queue.clear();
      }
      this.#take(this.#exchanges.configure(settings, now), now);
    });
  }

  ask(question: AccessQuestion, now: Millis): readonly RadiusOutput[] {
    return this.#collect(() => {
      if (!canAsk(question.request)) {
        const change = question.request.method === "mschap-v2" && question.request.change !== undefined;
        const message = change ? "Password change is not possible here" : "Authentication failure";
        const verdict = { ok: false, errorCode: change ? 709 : 691, message } as const;
        this.#answer(question, { result: "rejected", verdict });
        return;
      }
      const draft = (recipient: Parameters<typeof accessAttributes>[2]) =>
        accessAttributes(question, this.#settings, recipient);
      const { id, outputs } = this.#exchanges.start("access", draft, now);
      this.#questions.set(id, question);
      this.#take(outputs, now);
    });
  }

  account(record: AccountingRecord, now: Millis): readonly RadiusOutput[] {
    return this.#collect(() => {
      if (this.#settings.servers.length === 0) return;
      this.#queue.add(record, now);
      this.#sendDue(now);
    });
  }

  received(purpose: Purpose, from: Ipv4, port: number, datagram: Buffer, now: Millis): readonly RadiusOutput[] {
    return this.#collect(() => this.#take(this.#exchanges.received(purpose, from, port, datagram, now), now));
  }

  tick(now: Millis): readonly RadiusOutput[] {
    return this.#collect(() => {
      this.#take(this.#exchanges.tick(now), now);
      this.#sendDue(now);
    });
  }

  #collect(run: () => void): readonly RadiusOutput[] {
    this.#out = [];
    run();
    return this.#out;
  }

  get #underWay(): number {
    return this.#queue.entries.filter(({ exchange }) => exchange !== undefined).length;
  }

  #take(outputs: readonly ExchangeOutput[], now: Millis): void {
    for (const output of outputs) {
      if (output.type === "send" || output.type === "log") {
        this.#out.push(output);
        continue;
      }
      const question = this.#questions.get(output.id);
      if (question !== undefined) {
        this.#questions.delete(output.id);
        const answer = output.type === "reply" ? readAnswer(question, output.reply) : { result: "unanswered" as const };
        this.#answer(question, answer);
        continue;
      }
      const entry = this.#queue.find(output.id);
      if (entry !== undefined) this.#accounted(entry, output.type === "reply", now);
    }
  }

  #answer({ ticket }: AccessQuestion, answer: AccessAnswer): void {
    this.#out.push({ type: "answer", ticket, answer });
  }

  #accounted(entry: Entry, confirmed: boolean, now: Millis): void {
    if (confirmed) {
      this.#queue.remove(entry);
      // Somebody listens again: what waited need not wait for its own time.
      for (const other of this.#queue.entries) other.notBefore = now;
      this.#sendDue(now);
      return;
    }
    entry.exchange = undefined;
    entry.notBefore = Millis(now + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** entry.failures));
    entry.failures++;
  }

  #sendDue(now: Millis): void {
    for (const entry of [...this.#queue.entries]) {
      if (this.#underWay >= WINDOW) return;
      if (entry.exchange !== undefined || now < entry.notBefore) continue;
      const draft = ({ now: at }: { readonly now: Millis }) =>
        accountingAttributes(entry.record, this.#settings, at - entry.at);
      const { id, outputs } = this.#exchanges.start("accounting", draft, now);
      entry.exchange = id;
      this.#take(outputs, now);
    }
  }
}

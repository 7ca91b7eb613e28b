/**
 * Who is let in: accounts of the device itself, RADIUS servers, or both, in the order of the settings. A server's answer
 * may come late, out of order or never, so every question has a ticket.
 */
import type { AuthRequest, AuthVerdict } from "../ppp/credentials.ts";
import { accountName, verifyPassword, WRONG_PASSWORD } from "../ppp/credentials.ts";
import type { LocalCallId } from "../pptp/call-id.ts";
import type { AccessAnswer, AccessQuestion, RadiusSession, SessionGrants } from "../radius/access.ts";
import type { SessionFailure } from "./diagnosis.ts";
import type { Account, AccountSource } from "./settings.ts";

/** A caller with a session that wants to prove itself. */
export interface Applicant {
  readonly callId: LocalCallId;
  /** The session's own ticket, which the verdict must name. */
  readonly verifyTicket: number;
  readonly session: RadiusSession;
  readonly request: AuthRequest;
}

/** On whose word a caller is in. */
export type Admitted =
  | { readonly by: "local"; readonly account: Account }
  | { readonly by: "radius"; readonly grants: SessionGrants };

export type Decision =
  | { readonly type: "verdict"; readonly verdict: AuthVerdict; readonly admitted: Admitted | undefined }
  | { readonly type: "ask"; readonly question: AccessQuestion }
  | { readonly type: "hang-up"; readonly failure: SessionFailure };

interface Open {
  readonly applicant: Applicant;
  /** Whom to ask when no server answers. */
  readonly rest: readonly AccountSource[];
}

const CONNECTED_ALREADY: AuthVerdict = {
  ok: false,
  errorCode: 649,
  message: "connected already, and may have one session only",
};

export class Admission {
  #sources: readonly AccountSource[] = ["local"];
  #accounts: ReadonlyMap<string, Account> = new Map();
  readonly #open = new Map<number, Open>();
  #lastTicket = 0;
  readonly #isConnected: (user: string, but: LocalCallId) => boolean;

  /** `isConnected`: whether another session of this account of ours stands. */
  constructor(isConnected: (user: string, but: LocalCallId) => boolean) {
    this.#isConnected = isConnected;
  }

  configure(sources: readonly AccountSource[], accounts: readonly Account[]): void {
    this.#sources = sources;
    this.#accounts = new Map(accounts.map((account) => [account.user, account]));
  }
  account(user: string | undefined): Account | undefined {
    return user === undefined ? undefined : this.#accounts.get(user);
  }

  decide(applicant: Applicant): Decision {
    return this.#decide(applicant, this.#sources);
  }

  /** The session is over, or starts over: its question is of no interest any more. */
  forget(callId: LocalCallId): void {
    for (const [ticket, { applicant }] of this.#open) if (applicant.callId === callId) this.#open.delete(ticket);
  }

  /** What the answer to the question with this ticket means, and for whom; undefined when nobody waits for it. */
  answered(ticket: number, answer: AccessAnswer): { applicant: Applicant; decision: Decision } | undefined {
    const open = this.#open.get(ticket);
    if (open === undefined) return undefined;
    this.#open.delete(ticket);
    const { applicant, rest } = open;
    return { applicant, decision: this.#afterAnswer(applicant, rest, answer) };
  }

  #afterAnswer(applicant: Applicant, rest: readonly AccountSource[], answer: AccessAnswer): Decision {
    switch (answer.result) {
      case "accepted":
        return { type: "verdict", verdict: answer.verdict, admitted: { by: "radius", grants: answer.grants } };
      case "rejected":
        return { type: "verdict", verdict: answer.verdict, admitted: undefined };
      case "unusable":
        return { type: "hang-up", failure: { reason: "radius-unusable", server: answer.server, text: answer.text } };
      case "unanswered":
        if (rest.length > 0) return this.#decide(applicant, rest);
        return { type: "hang-up", failure: { reason: "radius-no-answer" } };
    }
  }

  #decide(applicant: Applicant, sources: readonly AccountSource[]): Decision {
    const [source, ...rest] = sources;
    if (source === "radius") return this.#ask(applicant, rest);
    const account = this.#accounts.get(accountName(applicant.request.userName));
    // An unknown user costs the same work as a wrong password, and gets the same answer.
    const verdict = this.#verify(applicant, account);
    if (account === undefined && rest.length > 0) return this.#decide(applicant, rest);
    return { type: "verdict", verdict, admitted: verdict.ok && account ? { by: "local", account } : undefined };
  }

  #ask(applicant: Applicant, rest: readonly AccountSource[]): Decision {
    this.forget(applicant.callId);
    const ticket = ++this.#lastTicket;
    this.#open.set(ticket, { applicant, rest });
    return { type: "ask", question: { ticket, session: applicant.session, request: applicant.request } };
  }

  #verify({ request, callId }: Applicant, account: Account | undefined): AuthVerdict {
    const verdict = verifyPassword(request, account?.password ?? "");
    if (account === undefined || account.password === "") return WRONG_PASSWORD;
    if (!verdict.ok) return verdict;
    // Whether an account is disabled, or connected, is told only to who knows its password.
    if (!account.enabled) return { ok: false, errorCode: 647, message: "Account disabled" };
    if (account.oneSession === "true" && this.#isConnected(account.user, callId)) return CONNECTED_ALREADY;
    return verdict;
  }
}

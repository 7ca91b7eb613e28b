/** Every way a session can end, at every stage, in words for a person. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose, isOrderly, type SessionFailure } from "../../appliance/tunnel/diagnosis.ts";
import { STAGES, type Stage } from "../../appliance/tunnel/status.ts";

/** Codes that windows.md §10 and the table of causes know. */
const KNOWN_CODES = [
  619, 628, 629, 633, 645, 646, 647, 648, 649, 691, 709, 718, 719, 720, 721, 732, 733, 734, 735, 736, 738, 741, 742,
  768, 769, 778, 800, 806, 807, 808, 809, 812, 825, 828, 829,
];

const terminated = (windowsError: number | undefined, message: string): SessionFailure => ({
  reason: "terminated-by-peer",
  windowsError,
  message,
});
const refused = (errorCode: number, message = ""): SessionFailure => ({ reason: "auth-refused", errorCode, message });
const unreachable = (text: string): SessionFailure => ({ reason: "unreachable", text });
const closed = (why: Extract<SessionFailure, { reason: "control-closed" }>["why"]): SessionFailure => ({
  reason: "control-closed",
  why,
  text: "the peer stopped the control connection",
});

/** At least one of each reason: a new one does not compile until it stands here. */
const EVERY = {
  "auth-timeout": [{ reason: "auth-timeout" }],
  "auth-refused": [646, 647, 648, 649, 691, 709, 0, 12345].map((code) => refused(code, "Go away.")),
  "server-not-authentic": [{ reason: "server-not-authentic" }],
  "lcp-no-response": [{ reason: "lcp-no-response" }],
  "lcp-not-converging": [{ reason: "lcp-not-converging" }],
  "lcp-loopback": [{ reason: "lcp-loopback" }],
  "no-common-authentication": [{ reason: "no-common-authentication" }],
  "encryption-refused": [{ reason: "encryption-refused" }],
  "no-encryption-keys": [{ reason: "no-encryption-keys" }],
  "no-common-strength": [{ reason: "no-common-strength" }],
  "ccp-renegotiated": [{ reason: "ccp-renegotiated" }],
  "callback-failed": [{ reason: "callback-failed" }],
  "ipcp-failed": [{ reason: "ipcp-failed" }],
  "ipcp-rejected": [{ reason: "ipcp-rejected" }],
  "no-free-address": [{ reason: "no-free-address" }],
  "terminated-by-peer": [
    terminated(undefined, ""),
    terminated(undefined, "User request."),
    terminated(undefined, "MPPE required but peer refused..."),
    terminated(0, ""),
    terminated(691, ""),
    terminated(778, ""),
  ],
  "echo-timeout": [{ reason: "echo-timeout" }],
  "setup-timeout": [{ reason: "setup-timeout" }],
  administrative: [{ reason: "administrative" }],
  "call-ended": [
    ...[0, 1, 2, 3, 4, 200].map((resultCode) => ({ reason: "cleared-by-peer", resultCode }) as const),
    { reason: "refused", text: "busy signal detected (4)" } as const,
    { reason: "no-reply" } as const,
    { reason: "control-connection-closed" } as const,
    { reason: "cleared" } as const,
  ].map((end) => ({ reason: "call-ended", end }) as const),
  "control-closed": (
    [
      "start-timeout",
      "version-not-supported",
      "refused-by-peer",
      "stopped-by-peer",
      "echo-timeout",
      "idle",
      "protocol-violation",
      "stopped",
    ] as const
  ).map(closed),
  "connection-lost": [{ reason: "connection-lost", text: "ECONNRESET" }],
  "radius-no-answer": [{ reason: "radius-no-answer" }],
  "radius-unusable": [{ reason: "radius-unusable", server: "one", text: "it grants Service-Type 1" }],
  "radius-disconnect": [{ reason: "radius-disconnect" }],
  "session-timeout": [{ reason: "session-timeout" }],
  "idle-timeout": [{ reason: "idle-timeout" }],
  replaced: [{ reason: "replaced" }],
  collision: [{ reason: "collision" }],
  unreachable: ["no answer", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"].map(unreachable),
} satisfies Record<SessionFailure["reason"], readonly SessionFailure[]>;

for (const [reason, failures] of Object.entries(EVERY) as [string, readonly SessionFailure[]][])
  test(`${reason}: a sentence, a code Windows has, nothing undefined, at every stage`, () => {
    for (const failure of failures)
      for (const stage of STAGES) {
        const { what, windowsError, advice } = diagnose(failure, stage);
        const context = `${JSON.stringify(failure)} at ${stage}: ${what}; ${advice}`;
        assert.ok(what.length >= 10, context);
        for (const text of [what, advice]) {
          assert.doesNotMatch(text, /undefined(?! code)|\[object|NaN|null/, context);
          assert.doesNotMatch(text, /[.\s]$|^\s|[^\x20-\x7e]/, context);
        }
        const isPeersOwn = failure.reason === "terminated-by-peer" && windowsError === failure.windowsError;
        assert.ok(windowsError === undefined || isPeersOwn || KNOWN_CODES.includes(windowsError), context);
        if (windowsError === undefined) assert.ok(isOrderly(failure, stage), `${context}: an error without a code`);
      }
  });

/** Failure, stage → the code a Windows client shows (windows.md §10). */
const CODES: readonly (readonly [SessionFailure, Stage, number | undefined])[] = [
  [{ reason: "lcp-no-response" }, "call-established", 806],
  [{ reason: "lcp-not-converging" }, "call-established", 732],
  [refused(691), "lcp-opened", 691],
  [refused(646), "lcp-opened", 646],
  [refused(647), "lcp-opened", 647],
  [refused(648), "lcp-opened", 648],
  [refused(649), "lcp-opened", 649],
  [refused(709), "lcp-opened", 709],
  [{ reason: "auth-timeout" }, "lcp-opened", 718],
  [{ reason: "no-free-address" }, "authenticated", 720],
  [{ reason: "radius-no-answer" }, "lcp-opened", 734],
  [{ reason: "session-timeout" }, "network-up", 629],
  [{ reason: "ipcp-failed" }, "authenticated", 720],
  [{ reason: "ipcp-rejected" }, "authenticated", 733],
  [{ reason: "no-common-authentication" }, "call-established", 734],
  [{ reason: "no-common-strength" }, "authenticated", 741],
  [{ reason: "encryption-refused" }, "authenticated", 742],
  [{ reason: "no-encryption-keys" }, "authenticated", 742],
  [{ reason: "server-not-authentic" }, "lcp-opened", 778],
  [{ reason: "echo-timeout" }, "network-up", 829],
  [{ reason: "connection-lost", text: "ECONNRESET" }, "network-up", 807],
  [{ reason: "connection-lost", text: "ECONNRESET" }, "call-established", 619],
  [{ reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } }, "call-established", 806],
  [{ reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } }, "lcp-opened", 628],
  [unreachable("ECONNREFUSED"), "tcp-connected", 808],
  [unreachable("no answer"), "tcp-connected", 809],
  [unreachable("ETIMEDOUT"), "tcp-connected", 809],
  [unreachable("ENETUNREACH"), "tcp-connected", 769],
  [unreachable("EHOSTUNREACH"), "tcp-connected", 769],
  [terminated(734, ""), "authenticated", 734],
  [terminated(undefined, ""), "authenticated", 628],
  [terminated(undefined, ""), "network-up", undefined],
];
for (const [failure, stage, code] of CODES)
  test(`windows.md §10, code ${code ?? "none"}: ${JSON.stringify(failure)} after ${stage}`, () =>
    assert.equal(diagnose(failure, stage).windowsError, code));

test("what the peer said is quoted, without its full stop", () => {
  assert.equal(diagnose(terminated(undefined, "User request."), "network-up").what, "the peer hung up: User request");
  assert.match(diagnose(refused(691, "Go away."), "lcp-opened").what, /\(Go away\)$/);
});

test("what a server says in its refusal cannot make lines of its own", () =>
  assert.doesNotMatch(diagnose(refused(691, "x\n\x1b[2J\x00y"), "lcp-opened").what, /[^\x20-\x7e]/));

test("GRE that does not pass is told with what to do about it", () => {
  const failures: readonly SessionFailure[] = [
    { reason: "lcp-no-response" },
    { reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } },
    { reason: "call-ended", end: { reason: "control-connection-closed" } },
  ];
  for (const failure of failures) assert.match(diagnose(failure, "call-established").advice, /protocol 47 \(GRE\)/);
});

/** Kinds of end that are orderly at this stage. */
function orderlyAt(stage: Stage): string[] {
  const orderly = (Object.values(EVERY).flat() as SessionFailure[]).filter((failure) => isOrderly(failure, stage));
  const kinds = orderly.map((failure) => {
    if (failure.reason === "call-ended") return `call ${failure.end.reason}`;
    if (failure.reason === "terminated-by-peer") return `terminated ${failure.windowsError ?? "without a code"}`;
    return failure.reason === "control-closed" ? `control ${failure.why}` : failure.reason;
  });
  return [...new Set(kinds)].sort();
}
const WANTED = ["administrative", "call cleared"];
const LIMITS = ["idle-timeout", "radius-disconnect", "replaced", "session-timeout"];
const OURS = [...LIMITS, "collision", "control idle", "control stopped", "control stopped-by-peer", "terminated 0"];

test("orderly are the ends somebody wanted, and no others", () =>
  assert.deepEqual(
    orderlyAt("network-up"),
    [...WANTED, "call cleared-by-peer", ...OURS, "terminated without a code"].sort(),
  ));

test("a peer that hangs up during set-up failed, unless its user gave up", () => {
  for (const stage of STAGES)
    if (stage !== "network-up") assert.deepEqual(orderlyAt(stage), [...WANTED, ...OURS].sort(), stage);
});

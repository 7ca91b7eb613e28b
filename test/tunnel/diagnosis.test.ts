/** Every way a session can end, at every stage, in words for a person. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose, isOrderly, type SessionFailure } from "../../appliance/tunnel/diagnosis.ts";
import { STAGES, type Stage } from "../../appliance/tunnel/status.ts";
import { WINDOWS_ERRORS, windowsErrorRow, windowsErrorText } from "../../appliance/tunnel/windows-error.ts";

const ROLES = ["server", "client"] as const;

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
  "lcp-unanswered": [{ reason: "lcp-unanswered" }],
  "lcp-not-converging": [{ reason: "lcp-not-converging" }],
  "lcp-loopback": [{ reason: "lcp-loopback" }],
  "no-common-authentication": [{ reason: "no-common-authentication" }],
  "encryption-refused": [{ reason: "encryption-refused" }],
  "encryption-not-offered": [{ reason: "encryption-not-offered" }],
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
  "too-many-connections": [
    { reason: "too-many-connections", limit: 16, ofPeer: true },
    { reason: "too-many-connections", limit: 256, ofPeer: false },
  ],
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

/** Failures that a server never has. */
const CLIENT_ONLY = ["unreachable", "server-not-authentic", "lcp-loopback"];

for (const [reason, failures] of Object.entries(EVERY) as [string, readonly SessionFailure[]][])
  test(`${reason}: a sentence, a code Windows has, nothing undefined, at every stage`, () => {
    for (const failure of failures)
      for (const [stage, role] of STAGES.flatMap((stage) => ROLES.map((role) => [stage, role] as const))) {
        const { what, windowsError, advice } = diagnose(failure, stage, role);
        const context = `${JSON.stringify(failure)} at ${stage}, ${role}: ${what}; ${advice}`;
        assert.ok(what.length >= 10, context);
        for (const text of [what, advice]) {
          assert.doesNotMatch(text, /undefined(?! code)|\[object|NaN|null/, context);
          assert.doesNotMatch(text, /[.\s]$|^\s|[^\x20-\x7e]/, context);
        }
        const isPeersOwn = failure.reason === "terminated-by-peer" && windowsError === failure.windowsError;
        const row = windowsErrorRow(windowsError ?? 0);
        assert.ok(windowsError === undefined || isPeersOwn || row !== undefined, context);
        const isOurs = role === "client" || isPeersOwn || CLIENT_ONLY.includes(reason) || row?.notOurs === undefined;
        assert.ok(isOurs, `${context}: the table says that no server causes ${windowsError}`);
        if (windowsError === undefined) assert.ok(isOrderly(failure, stage), `${context}: an error without a code`);
      }
  });

/** Failure, stage → the code a Windows client shows (windows.md §10). */
const CODES: readonly (readonly [SessionFailure, Stage, number | undefined, ("server" | "client")?])[] = [
  [{ reason: "lcp-no-response" }, "call-established", 806],
  [{ reason: "lcp-not-converging" }, "call-established", 732],
  [refused(691), "lcp-opened", 691],
  [refused(646), "lcp-opened", 646],
  [refused(647), "lcp-opened", 647],
  [refused(648), "lcp-opened", 648],
  [refused(649), "lcp-opened", 649],
  [refused(709), "lcp-opened", 709],
  [{ reason: "auth-timeout" }, "lcp-opened", 718],
  [{ reason: "no-free-address" }, "authenticated", 734],
  [{ reason: "radius-no-answer" }, "lcp-opened", 734],
  [{ reason: "session-timeout" }, "network-up", 629],
  [{ reason: "ipcp-failed" }, "authenticated", 720],
  [{ reason: "ipcp-rejected" }, "authenticated", 733],
  [{ reason: "no-common-authentication" }, "call-established", 734],
  [{ reason: "no-common-strength" }, "authenticated", 741],
  [{ reason: "encryption-refused" }, "authenticated", 741],
  [{ reason: "encryption-refused" }, "authenticated", 742, "client"],
  [{ reason: "encryption-not-offered" }, "authenticated", 742],
  [{ reason: "no-encryption-keys" }, "authenticated", 734],
  [{ reason: "no-encryption-keys" }, "authenticated", 742, "client"],
  [{ reason: "lcp-unanswered" }, "call-established", 619],
  [{ reason: "lcp-unanswered" }, "call-established", 806, "client"],
  [{ reason: "lcp-loopback" }, "call-established", 737],
  [{ reason: "too-many-connections", limit: 16, ofPeer: true }, "tcp-connected", 629],
  [{ reason: "server-not-authentic" }, "lcp-opened", 778],
  [{ reason: "echo-timeout" }, "network-up", 829],
  [{ reason: "connection-lost", text: "ECONNRESET" }, "network-up", 807],
  [{ reason: "connection-lost", text: "ECONNRESET" }, "control-established", 807],
  [{ reason: "connection-lost", text: "ECONNRESET" }, "call-established", 619],
  [{ reason: "connection-lost", text: "ECONNRESET" }, "authenticated", 619],
  [{ reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } }, "call-established", 806],
  [{ reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } }, "call-established", 619, "client"],
  [{ reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } }, "lcp-opened", 628],
  [unreachable("ECONNREFUSED"), "tcp-connected", 808],
  [unreachable("no answer"), "tcp-connected", 809],
  [unreachable("ETIMEDOUT"), "tcp-connected", 809],
  [unreachable("ENETUNREACH"), "tcp-connected", 769],
  [unreachable("EHOSTUNREACH"), "tcp-connected", 769],
  [terminated(734, ""), "authenticated", 734],
  [terminated(undefined, ""), "authenticated", 628],
  [terminated(undefined, ""), "authenticated", 734, "client"],
  [terminated(undefined, ""), "network-up", undefined],
];
for (const [failure, stage, code, role = "server"] of CODES)
  test(`code ${code ?? "none"}: ${JSON.stringify(failure)} after ${stage}, as the ${role}`, () =>
    assert.equal(diagnose(failure, stage, role).windowsError, code));

test("each code has one row, in order, with a name, a cause and its evidence", () => {
  const codes = WINDOWS_ERRORS.map(({ code }) => code);
  assert.deepEqual(
    codes,
    [...new Set(codes)].sort((a, b) => a - b),
  );
  for (const { code, name, when, evidence } of WINDOWS_ERRORS) {
    assert.match(name, /^[A-Z][A-Z_]+[A-Z]$/, String(code));
    for (const text of [when, evidence]) assert.ok(text.length > 9, `${code}: ${text}`);
  }
});

test("where XP shows another code, the log names both", () => {
  assert.equal(windowsErrorText(806), "error 806 (XP: 721)");
  assert.equal(windowsErrorText(691), "error 691");
  assert.equal(windowsErrorText(12345), "error 12345"); // a peer may name any
  for (const { before } of WINDOWS_ERRORS) assert.ok(before === undefined || windowsErrorRow(before) !== undefined);
});

test("what the peer said is quoted, without its full stop", () => {
  const { what } = diagnose(terminated(undefined, "User request."), "network-up", "server");
  assert.equal(what, "the peer hung up: User request");
  assert.match(diagnose(refused(691, "Go away."), "lcp-opened", "server").what, /\(Go away\)$/);
});

test("what a server says in its refusal cannot make lines of its own", () =>
  assert.doesNotMatch(diagnose(refused(691, "x\n\x1b[2J\x00y"), "lcp-opened", "client").what, /[^\x20-\x7e]/));

test("GRE that does not pass is told with what to do about it", () => {
  const failures: readonly SessionFailure[] = [
    { reason: "lcp-no-response" },
    { reason: "call-ended", end: { reason: "cleared-by-peer", resultCode: 1 } },
    { reason: "call-ended", end: { reason: "control-connection-closed" } },
  ];
  for (const failure of failures)
    assert.match(diagnose(failure, "call-established", "server").advice, /protocol 47 \(GRE\)/);
});

test("which way GRE fails is told as far as it can be seen from here", () => {
  const end = { reason: "cleared-by-peer", resultCode: 1 } as const;
  const what = (heardGre: boolean) =>
    diagnose({ reason: "call-ended", end, heardGre }, "call-established", "server").what;
  assert.match(what(false), /no GRE packet of its came$/);
  assert.match(what(true), /its GRE packets come, and those to it seem to be lost$/);
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

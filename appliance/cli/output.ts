/** Values as lines of text, at most 80 columns wide except for the log, whose lines the terminal may wrap. */
import type { Problem } from "../config/problem.ts";
import type { InterfaceView, RadiusView, SessionView } from "../service/appliance.ts";
import type { HistoryEntry } from "../service/configuration.ts";
import type { JournalLine } from "../service/journal.ts";
import type { LoginView } from "../service/logins.ts";
import type { PortView } from "../service/ports.ts";
import type { SshView } from "../service/ssh.ts";
import type { Candidate } from "./grammar.ts";

export const WIDTH = 80;

/** Columns two blanks apart, each as wide as its longest cell; a missing value is a hyphen. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** One row per session or client, and below it how it is protected, what went through it, and what went wrong. */
export function sessionLines(sessions: readonly SessionView[]): readonly string[] {
  if (sessions.length === 0) return ["No sessions."];
  // Everything else at its longest leaves this much of a line.
  const longestName = 20 - Math.max(...sessions.map(({ id }) => String(id).length));
  const rows = sessions.map((session) => [
    String(session.id),
    session.role,
    cut(session.name ?? session.user ?? "-", longestName),
    session.peer,
    session.address ?? "-",
    session.state,
  ]);
  const [head = "", ...lines] = table(["ID", "Role", "Name", "Peer", "Address", "State"], rows);
  return [head, ...lines.flatMap((line, i) => [line, ...sessionDetails(sessions[i])])];
}

function sessionDetails(session: SessionView | undefined): readonly string[] {
  if (session === undefined) return [];
  const { name, user, state, stage, lastFailure, connectedForMs } = session;
  const sentences = name === undefined ? [] : [`${name} as ${user ?? "-"}`];
  if (connectedForMs !== undefined) sentences.push(...connectionDetails(session, connectedForMs));
  else if (stage !== undefined) sentences.push(`last completed stage: ${stage}`);
  if (lastFailure !== undefined && state !== "connected") sentences.push(`last attempt ${lastFailure}`);
  return sentences.flatMap((sentence) => wrap(sentence, "    "));
}

function connectionDetails(session: SessionView, connectedForMs: number): readonly string[] {
  const { interfaceName, authentication, encryption, traffic } = session;
  const { receivedPackets, receivedBytes, sentPackets, sentBytes, dropped } = traffic;
  const losses = Object.entries(dropped).filter(([, count]) => count > 0);
  const method = authentication === undefined ? "" : `${authentication}, `;
  const inAndOut = `in ${receivedPackets} packets ${bytes(receivedBytes)}, out ${sentPackets} packets ${bytes(sentBytes)}`;
  return [
    `${interfaceName ?? "-"}, ${method}encryption ${encryption}, up ${duration(connectedForMs)}`,
    inAndOut,
    ...(losses.length === 0 ? [] : [`dropped: ${losses.map(([reason, count]) => `${count} ${reason}`).join(", ")}`]),
  ];
}

/** Everything else at its longest leaves this much of a line. */
const LONGEST_SERVER_NAME = 14;

/** One row per server, and below it what was not as it should be. */
export function radiusLines({ servers, waiting, lost }: RadiusView): readonly string[] {
  if (servers.length === 0) return ["No RADIUS servers."];
  const rows = servers.map(({ name, address, state, requests, accepts, rejects, accounted }) => [
    cut(name, LONGEST_SERVER_NAME),
    address,
    state,
    ...[requests, accepts, rejects, accounted].map(String),
  ]);
  const titles = ["Server", "Address", "State", "Requests", "Accepts", "Rejects", "Accounted"];
  const [head = "", ...lines] = table(titles, rows);
  const troubles = servers.map(({ repeated, unanswered, distrusted, late }) =>
    Object.entries({ repeated, unanswered, distrusted, late }).flatMap(([what, n]) => (n > 0 ? [`${n} ${what}`] : [])),
  );
  const records = waiting + lost > 0 ? [`Accounting records: ${waiting} not confirmed yet, ${lost} lost`] : [];
  const details = (i: number): readonly string[] => (troubles[i]?.length ? [`    ${troubles[i]?.join(", ")}`] : []);
  return [head, ...lines.flatMap((line, i) => [line, ...details(i)]), ...records];
}

export function interfaceLines(interfaces: readonly InterfaceView[]): readonly string[] {
  const rows = interfaces.map(({ name, state, addresses, mtu, mac }) => [
    name,
    state,
    addresses[0] ?? "-",
    String(mtu),
    mac ?? "-",
  ]);
  const [head = "", ...lines] = table(["Interface", "State", "Address", "MTU", "MAC"], rows);
  const more = interfaces.map(({ addresses }) => addresses.slice(1).map((address) => `    also ${address}`));
  return [head, ...lines.flatMap((line, i) => [line, ...(more[i] ?? [])])];
}

/** Network cards with the port that each is, the board's first. */
export function portLines(ports: readonly PortView[]): readonly string[] {
  if (ports.length === 0) return ["There are no network cards."];
  return table(
    ["Port", "Used for", "Interface", "Driver", "Place"],
    ports.map(({ port, use, card: { name, driver, path } }) => [port ?? "-", use, name, driver ?? "-", path ?? "-"]),
  );
}

/** The remote login, and its fingerprints as `ssh` and `ssh-keygen -l` show them. */
export function sshLines({ settings, isRunning, fingerprint, keys }: SshView): readonly string[] {
  if (settings === undefined) return ["Remote login is off: set system ssh enabled true."];
  const { address, port, passwordLogin } = settings;
  return [
    `SSH on ${address ?? "every address"} port ${port} for admin: ${isRunning ? "running" : "not running, see show log"}`,
    `Password: ${passwordLogin ? "will do" : "will not do"}`,
    ...table(
      ["Key", "Type", "Fingerprint"],
      [
        ["(host)", "ed25519", fingerprint ?? "-"],
        ...keys.map((key) => [key.name, shortType(key.type), key.fingerprint]),
      ],
    ),
  ];
}

/** `ed25519` for `ssh-ed25519`, `nistp256` for `ecdsa-sha2-nistp256`: a fingerprint leaves no more room. */
function shortType(type: string): string {
  return type.replace(/^(ssh|ecdsa-sha2)-/, "");
}

/** Who is logged in. */
export function userLines(logins: readonly LoginView[]): readonly string[] {
  if (logins.length === 0) return ["Nobody is logged in."];
  const rows = logins.map(({ line, from, since, idleMs, changes }) => [
    line,
    from ?? "-",
    since.toISOString().replace("T", " ").replace(/\..*/, ""),
    duration(idleMs),
    changes,
  ]);
  return table(["Line", "From", "Since", "Idle", "Changes"], rows);
}

export function logLines(lines: readonly JournalLine[]): readonly string[] {
  if (lines.length === 0) return ["The log is empty."];
  return lines.map(({ time, level, area, text }) => {
    const stamp = time.toISOString().replace("T", " ").replace(/\..*/, "");
    return `${stamp} ${level === "info" ? "" : `${level} `}${area}: ${text}`;
  });
}

export function problemLines(problems: readonly Problem[]): readonly string[] {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const lines = problems.flatMap(({ path, problem, hint }) => [
    ...wrap(`${path}: ${problem}`, "  "),
    ...wrap(hint, "    "),
  ]);
  return [`% Not committed: ${count}`, ...lines];
}

/** The commits that are kept, newest first. */
export function historyLines(entries: readonly HistoryEntry[], trialMinutes: number | undefined): readonly string[] {
  const trial =
    trialMinutes === undefined ? [] : ["On trial, not stored: a configuration that waits for `commit` to confirm it."];
  if (entries.length === 0) return [...trial, "Nothing was committed yet."];
  const rows = entries.map(({ back, number, committedAt, changes }) => {
    const when = committedAt.replace("T", " ").replace(/\..*/, "");
    const [first = "-"] = changes;
    const more = changes.length > 1 ? ` and ${changes.length - 1} more` : "";
    return [String(back), String(number), when, cut(first, 36 - more.length) + more];
  });
  return [...trial, ...table(["Back", "Number", "Committed (UTC)", "Changes"], rows)];
}

export function helpLines(candidates: readonly Candidate[]): readonly string[] {
  if (candidates.length === 0) return ["  Nothing can follow here."];
  const width = Math.min(20, Math.max(...candidates.map(({ word }) => word.length)));
  return candidates.flatMap(({ word, help }) => {
    const [first = "", ...more] = wrap(help, " ".repeat(width + 4));
    return [`  ${word.padEnd(width)}  ${first.trimStart()}`, ...more];
  });
}

/** Cut at blanks; every line begins with `indent`. A word longer than a line stays whole. */
export function wrap(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length >= WIDTH) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, indent + line];
}

/** `0:00:07`, `26:03:59`. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function bytes(count: number): string {
  if (count < 10_000) return `${count} B`;
  if (count < 10_000_000) return `${Math.round(count / 1000)} kB`;
  return `${Math.round(count / 1_000_000)} MB`;
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}~` : text;
}

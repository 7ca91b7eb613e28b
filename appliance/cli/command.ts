/** What each command does, once it is understood. */

import { entriesOf, locate } from "../config/config.ts";
import { toLines } from "../config/diff.ts";
import type { Appliance } from "../service/appliance.ts";
import type { Committed, Edit, Refusal } from "../service/edit.ts";
import type { Loading } from "../service/loading.ts";
import type { FirewallRule } from "../service/router-views.ts";
import { windowsLines } from "../service/windows-client.ts";
import type { CommandName } from "./commands.ts";
import { firmwareLines } from "./firmware-output.ts";
import {
  historyLines,
  interfaceLines,
  logLines,
  portLines,
  problemLines,
  radiusLines,
  sessionLines,
  sshLines,
  userLines,
  wrap,
} from "./output.ts";
import { firewallLines, leaseLines, natLines, routeLines, timeLines, wanLines } from "./router-output.ts";
import { crashLines, systemLines } from "./system-output.ts";
import { pcapngLines, traceLines } from "./trace-output.ts";
import { outcomeLines, updateLines } from "./update-output.ts";

/** What a login remembers between commands. */
export interface Shell {
  /** Lines on the screen; 0 never stops. */
  length: number;
  /** `terminal length` has set it: it does not follow the window any more. */
  hasOwnLength: boolean;
  /** Present in configure mode. */
  edit: Edit | undefined;
  /** In the words of the log: `SSH from 192.168.1.10`. */
  readonly who: string;
  /** `console`: somebody stands at the device, or has a line to where it is. */
  readonly way: "console" | "ssh";
}

export type CommandOutcome =
  | { readonly result: "show"; readonly lines: readonly string[] }
  /** `at`: which of the words behind the command is wrong; undefined when it is none of them. */
  | { readonly result: "refuse"; readonly at: number | undefined; readonly problem: string; readonly hint: string }
  /** Asks before it does what cannot be undone: `run` follows when the answer is `yes`. */
  | { readonly result: "ask"; readonly question: string; readonly run: () => readonly string[] }
  /** The lines that follow are a configuration, up to `end`. */
  | { readonly result: "load"; readonly loading: Loading }
  /** The lines come later; keys wait until then. */
  | { readonly result: "wait"; readonly lines: Promise<readonly string[]> }
  /** Lines come one by one until it ends, or Ctrl-C ends it. */
  | { readonly result: "stream"; readonly start: (stream: LineStream) => { stop(): void } }
  /** A file for a program at the far end; a person reads `lines` instead. */
  | { readonly result: "file"; readonly bytes: Buffer; readonly lines: readonly string[] }
  /**
   * Takes the raw bytes that come on the input, each piece when it asks for it, and says lines meanwhile; false is a failure.
   * The iteration throws when the connection is cut before the end. `usage`: what to type where there is no such input.
   */
  | { readonly result: "receive"; readonly usage: string; readonly run: Receive }
  | { readonly result: "log-out" };

export type Receive = (input: AsyncIterable<Buffer>, say: (line: string) => void) => Promise<boolean>;

export interface LineStream {
  line(text: string): void;
  end(): void;
}

export interface Call {
  readonly command: CommandName;
  readonly number: number | undefined;
  readonly words: readonly string[];
}

const DEFAULT_LOG_LINES = 100;

const show = (...lines: readonly string[]): CommandOutcome => ({ result: "show", lines });
const refuse = (problem: string, hint: string): CommandOutcome => ({ result: "refuse", at: undefined, problem, hint });

const file = (bytes: Buffer, linesOf: (bytes: Buffer) => readonly string[]): CommandOutcome => ({
  result: "file",
  bytes,
  lines: linesOf(bytes),
});

export function runCommand(call: Call, appliance: Appliance, shell: Shell): CommandOutcome {
  return shell.edit === undefined ? operate(call, appliance, shell) : configure(call, shell.edit, shell);
}

function operate({ command, number, words: [word = ""] }: Call, appliance: Appliance, shell: Shell): CommandOutcome {
  switch (command) {
    case "configure":
      shell.edit = appliance.beginEdit(shell.who);
      return show(...noticeLines(appliance, shell.edit));
    case "show-vpn":
      return show(...sessionLines(appliance.sessions()));
    case "show-vpn-radius":
      return show(...radiusLines(appliance.radius()));
    case "show-log":
      return show(...logLines(appliance.lastLog(number ?? DEFAULT_LOG_LINES)));
    case "show-configuration":
      return show(...listing(toLines(appliance.running, "hide")));
    case "show-secrets":
      return show(...listing(toLines(appliance.running, "show")));
    case "show-history":
      return history(number, appliance);
    case "show-vpn-windows":
      return windows(word, appliance);
    case "show-trace":
      return show(...traceLines(appliance.tracer.status));
    case "show-trace-pcapng":
      return file(appliance.tracer.pcapng(), pcapngLines);
    case "trace-start":
      return trace(word, appliance);
    case "trace-all":
      appliance.tracer.start(undefined);
      return show("Recording the control and GRE packets of every peer.");
    case "trace-stop":
      appliance.tracer.stop();
      return show(...traceLines(appliance.tracer.status).slice(0, 1));
    case "show-interfaces":
      return show(...wanLines(appliance.router.wan()), ...interfaceLines(appliance.interfaces()));
    case "show-ports":
      return show(...portLines(appliance.ports()), ...appliance.hardwareNotices.flatMap((notice) => wrap(notice, "")));
    case "show-routes":
      return show(...routeLines(appliance.router.routes()));
    case "show-dhcp-leases":
      return show(...leaseLines(appliance.router.leases()));
    case "show-nat":
      return rules(appliance, natLines);
    case "show-firewall":
      return rules(appliance, firewallLines);
    case "show-ntp":
      return show(...timeLines(appliance.router.timeServers(), appliance.router.time()));
    case "ping":
    case "traceroute":
      return probe(command, word, appliance);
    case "show-ssh":
      return show(...sshLines(appliance.ssh.view()));
    case "show-users":
      return show(...userLines(appliance.logins.views()));
    case "show-system":
      return show(...systemLines(appliance.name, appliance.supervision.status()));
    case "show-crash":
      return show(...crashLines(appliance.supervision.status().reports, number ?? 0));
    case "show-version":
      return show(...firmwareLines(appliance.firmware, appliance.updates.view()));
    case "vpn-dial":
      return dial(word, appliance);
    case "vpn-hangup":
      return hangUp(word, appliance);
    case "terminal-length":
      shell.length = number ?? 0;
      shell.hasOwnLength = true;
      return show();
    case "update":
      return show(...updateLines(appliance.updates.view(), appliance.updates.isReading));
    case "update-install":
      return installUpdate(appliance);
    case "update-commit":
      return { result: "wait", lines: appliance.updates.commit().then(outcomeLines) };
    case "update-rollback":
      return { result: "wait", lines: appliance.updates.rollback().then(outcomeLines) };
    case "update-allow-downgrade":
      if (shell.way !== "console")
        return refuse("an older firmware is let in on the serial console only", "somebody has to be at the device");
      return show(...outcomeLines(appliance.updates.allowDowngrade()));
    case "reboot":
      appliance.reboot();
      return show("Restarting.");
    case "poweroff":
      appliance.powerOff();
      return show("Switching off.");
    case "factory-reset":
      return {
        result: "ask",
        question: "Every setting and password is forgotten and all sessions end. Type yes to go on: ",
        run: () => {
          appliance.factoryReset();
          return ["Restarting as a new device."];
        },
      };
    default:
      return { result: "log-out" };
  }
}

const MIB = 1 << 20;

function installUpdate(appliance: Appliance): CommandOutcome {
  return {
    result: "receive",
    usage: "ssh admin@DEVICE update install < culvert-BOARD.bundle, from another computer; or culvert flash there",
    run: async (input, say) => {
      const outcome = await appliance.updates.install(input, ({ step, bytes, ofBytes }) =>
        say(`${step}: ${Math.ceil(bytes / MIB)} of ${Math.ceil(ofBytes / MIB)} MiB`),
      );
      say(outcomeLines(outcome).join("\n"));
      return outcome.ok;
    },
  };
}

function rules(appliance: Appliance, linesOf: (rules: readonly FirewallRule[]) => readonly string[]): CommandOutcome {
  const lines = appliance.router
    .firewallRules()
    .then((found) => (typeof found === "string" ? [`% ${found}`] : linesOf(found)));
  return { result: "wait", lines };
}

/** A word that begins with a hyphen would be an option of the tool. */
const HOST = /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/;

function probe(tool: "ping" | "traceroute", host: string, appliance: Appliance): CommandOutcome {
  if (!HOST.test(host))
    return { result: "refuse", at: 0, problem: `"${host}" is no host`, hint: "expected: an address or a name" };
  return {
    result: "stream",
    start: ({ line, end }) =>
      appliance.router.probe(tool, host, {
        line,
        ended: (how) => {
          // Status 1 is an answer: nobody is there.
          if (how !== undefined && how !== "status 1") line(`% ${tool} ended: ${how}`);
          end();
        },
      }),
  };
}

function history(back: number | undefined, appliance: Appliance): CommandOutcome {
  const entries = appliance.history();
  if (back === undefined) return show(...historyLines(entries, appliance.trialMinutes));
  const entry = entries[back];
  if (entry === undefined) return refuse("there is no commit that far back", "show history lists what is kept");
  return show(`Configuration ${entry.number}, ${entry.committedAt}:`, ...listing(entry.changes));
}

function windows(user: string, appliance: Appliance): CommandOutcome {
  const lines = windowsLines(appliance.running, user);
  if (lines !== undefined) return show(...lines);
  const names = entriesOf(appliance.running, "vpn account").join(", ");
  const hint = names === "" ? "none is configured: set vpn account NAME password PASSWORD" : `accounts: ${names}`;
  return { result: "refuse", at: 0, problem: `there is no account ${user}`, hint };
}

function trace(who: string, appliance: Appliance): CommandOutcome {
  const peer = appliance.startTrace(who);
  if (peer !== undefined) return show(`Recording the control and GRE packets of ${peer}.`);
  const hint = "show vpn lists sessions and clients; the address of a peer will do too";
  return { result: "refuse", at: 0, problem: `there is no session, client or address ${who}`, hint };
}

function dial(name: string, appliance: Appliance): CommandOutcome {
  switch (appliance.dial(name)) {
    case "listening":
    case "waiting":
      return show(`Dialing ${name}.`);
    case "dialing":
      return show(`${name} is being dialed already.`);
    case "connected":
      return show(`${name} is connected already.`);
    case "disconnecting":
      return show(`${name} is hanging up: dial again in a moment.`);
    case undefined:
      return { result: "refuse", at: 0, problem: `there is no client ${name}`, hint: clientsHint(name, appliance) };
  }
}

/** `word`: the number of a row in `show vpn`, or the name of a client; a name never is all digits. */
function hangUp(word: string, appliance: Appliance): CommandOutcome {
  const rows = appliance.sessions();
  const row = rows.find((each) => each.name === word || String(each.id) === word);
  if (row === undefined || !appliance.hangUp(row.id)) {
    const hint = "show vpn lists the sessions and clients";
    return { result: "refuse", at: 0, problem: `there is no session or client ${word}`, hint };
  }
  const { id, name, state } = row;
  if (name === undefined) return show(`Session ${id} is being ended.`);
  if (state === "listening") return show(`${name} is not connected.`);
  if (state === "waiting") return show(`${name} dials no more until vpn dial ${name}.`);
  return show(`${name} is being hung up.`);
}

function clientsHint(name: string, appliance: Appliance): string {
  const names = entriesOf(appliance.running, "vpn client");
  if (names.includes(name)) return `it is disabled: delete vpn client ${name} enabled`;
  return names.length === 0 ? "none is configured: set vpn client NAME" : `clients: ${names.join(", ")}`;
}

function configure({ command, number, words }: Call, edit: Edit, shell: Shell): CommandOutcome {
  switch (command) {
    case "set":
      return afterChange(edit.set(words));
    case "delete":
      return afterChange(edit.delete(words));
    case "show":
      return showPart(edit, words);
    case "compare":
      return compare(number, edit);
    case "commit":
      return show(...committedLines(edit.commit(), edit));
    case "commit-confirm":
      return show(...committedLines(edit.commit(number), edit));
    case "load-merge":
      return { result: "load", loading: edit.load("merge") };
    case "load-replace":
      return { result: "load", loading: edit.load("replace") };
    case "rollback":
      if (!edit.rollback(number ?? 1))
        return refuse("there is no commit that far back", "rollback 0 is the running one");
      return show(...(edit.changed ? [...edit.compare(), "commit puts this in force."] : ["No changes."]));
    case "discard":
      edit.discard();
      return show();
    case "rebase":
      return rebase(edit);
    default:
      if (edit.changed) return refuse("there are uncommitted changes", "commit them, or discard them");
      shell.edit = undefined;
      return show();
  }
}

function rebase(edit: Edit): CommandOutcome {
  if (!edit.isOvertaken) return show("Nobody has committed since you began.");
  const both = edit.rebase();
  const conflicts =
    both.length === 0 ? [] : ["Both sides have changed these; yours stand:", ...both.map((p) => `  ${p}`)];
  return show(...conflicts, "Your changes are on top of what is in force now: compare shows them.");
}

/** What somebody else is doing while this edit begins. */
function noticeLines(appliance: Appliance, edit: Edit): readonly string[] {
  const { trialMinutes } = appliance;
  const trial =
    trialMinutes === undefined ? [] : [`A configuration is on trial for ${trialMinutes} min: a commit keeps it too.`];
  const others = appliance.logins
    .changingBesides(edit)
    .flatMap((who) => wrap(`${who} has changes that are not committed. Whoever commits second is told.`, ""));
  return [...trial, ...others];
}

/** For whoever is about to commit on top of something that has changed. */
export function overtakenLines(edit: Edit): readonly string[] {
  const who = edit.overtakenBy ?? "the end of a trial";
  const what = edit.changed
    ? "rebase keeps your changes and puts them on top of it; discard forgets them."
    : "discard takes it over.";
  return wrap(`The configuration was changed by ${who} since you began: ${what}`, "");
}

function compare(back: number | undefined, edit: Edit): CommandOutcome {
  const lines = back === undefined ? edit.compare() : edit.compareWith(back);
  if (lines === undefined) return refuse("there is no commit that far back", "show history lists what is kept");
  return show(...(lines.length > 0 ? lines : ["No changes."]));
}

function afterChange(refusal: Refusal | undefined): CommandOutcome {
  return refusal === undefined ? show() : { ...refusal, result: "refuse" };
}

function showPart(edit: Edit, words: readonly string[]): CommandOutcome {
  const located = locate(words);
  if (located.at === "nowhere")
    return { result: "refuse", at: located.index, problem: located.problem, hint: "? lists what there is" };
  return show(...listing(toLines(edit.candidate, "hide", located.path)));
}

function listing(lines: readonly string[]): readonly string[] {
  return lines.length > 0 ? lines : ["Nothing is set."];
}

export function committedLines(committed: Committed, edit: Edit): readonly string[] {
  switch (committed.result) {
    case "unchanged":
      return ["No changes."];
    case "overtaken":
      return ["% Not committed.", ...overtakenLines(edit).map((line) => `  ${line}`)];
    case "refused":
      return problemLines(committed.problems);
    case "not-stored":
      return [
        `% Not committed: ${committed.reason}`,
        "  The disk does not take it: what runs and what is stored are as before.",
      ];
    case "confirmed":
      return ["Confirmed: what was on trial is stored."];
    case "on-trial":
      return [
        ...told(committed, "On trial"),
        ...wrap(
          `On trial: \`commit\` within ${committed.minutes} min keeps it. Otherwise, or after a restart, the ` +
            "configuration before is in force again.",
          "",
        ),
      ];
    case "committed":
      return [...told(committed, "Stored"), "Committed."];
  }
}

function told(
  { warnings, failures }: { readonly warnings: readonly string[]; readonly failures: readonly string[] },
  state: string,
): readonly string[] {
  return [
    ...warnings.flatMap((warning) => wrap(`Warning: ${warning}`, "")),
    ...failures.map((failure) => `% ${state}, but not in force: ${failure}`),
  ];
}

/** Every command of the console, as data: its words, its argument, its help, and where it can be typed. */
import type { Path } from "../config/config.ts";

/** `exec`: one command without a prompt, as SSH brings it. */
export type Mode = "operational" | "configure" | "exec";

export type CommandName =
  | "configure"
  | "show-vpn"
  | "show-vpn-radius"
  | "show-log"
  | "show-configuration"
  | "show-secrets"
  | "show-history"
  | "show-trace"
  | "show-trace-pcapng"
  | "trace-start"
  | "trace-all"
  | "trace-stop"
  | "show-vpn-windows"
  | "show-interfaces"
  | "show-ports"
  | "show-routes"
  | "show-dhcp-leases"
  | "show-nat"
  | "show-firewall"
  | "show-ntp"
  | "ping"
  | "traceroute"
  | "show-version"
  | "show-ssh"
  | "show-users"
  | "show-system"
  | "show-crash"
  | "vpn-dial"
  | "vpn-hangup"
  | "terminal-length"
  | "update"
  | "update-install"
  | "update-commit"
  | "update-rollback"
  | "update-allow-downgrade"
  | "reboot"
  | "poweroff"
  | "factory-reset"
  | "exit"
  | "set"
  | "delete"
  | "show"
  | "compare"
  | "commit"
  | "commit-confirm"
  | "load-merge"
  | "load-replace"
  | "rollback"
  | "rebase"
  | "discard";

export interface NumberArgument {
  readonly kind: "number";
  readonly word: string;
  readonly help: string;
  readonly low: number;
  readonly high: number;
  readonly optional: boolean;
}
/** One word: a name out of a list of the configuration, or something else that the command understands. */
interface NameArgument {
  readonly kind: "name";
  readonly word: string;
  readonly help: string;
  /** Where the names to offer come from; undefined: there are none to offer. */
  readonly list: Path | undefined;
}
/** A place in the configuration: with a value, of something that is set, or of a part to show. */
export interface SettingArgument {
  readonly kind: "setting";
  readonly use: "set" | "delete" | "show";
}

export interface Command {
  readonly name: CommandName;
  readonly words: readonly string[];
  readonly help: string;
  readonly argument?: NumberArgument | NameArgument | SettingArgument;
}

const number = (word: string, help: string, low: number, high: number, optional = false): NumberArgument => ({
  kind: "number",
  word,
  help,
  low,
  high,
  optional,
});

/** Nothing to do where nobody sits at a terminal, or done otherwise. */
const INTERACTIVE: ReadonlySet<CommandName> = new Set(["configure", "terminal-length", "exit"]);

const OPERATIONAL: readonly Command[] = [
  { name: "configure", words: ["configure"], help: "change the configuration" },
  { name: "show-vpn", words: ["show", "vpn"], help: "PPTP sessions and clients" },
  { name: "show-vpn-radius", words: ["show", "vpn", "radius"], help: "RADIUS servers and what they answered" },
  {
    name: "show-log",
    words: ["show", "log"],
    help: "the last messages",
    argument: number("COUNT", "how many lines, 100 if not said", 1, 1000, true),
  },
  {
    name: "show-vpn-windows",
    words: ["show", "vpn", "windows"],
    help: "what to type on a Windows PC to connect an account",
    argument: { kind: "name", word: "USER", help: "an account", list: "vpn account" },
  },
  { name: "show-configuration", words: ["show", "configuration"], help: "what is set, as commands" },
  {
    name: "show-secrets",
    words: ["show", "configuration", "secrets"],
    help: "the same with every password in the clear: to keep it elsewhere",
  },
  {
    name: "show-history",
    words: ["show", "history"],
    help: "the last commits and what they changed",
    argument: number("N", "one commit: how many back, 0 for the running one", 0, 20, true),
  },
  { name: "show-interfaces", words: ["show", "interfaces"], help: "interfaces with their addresses" },
  { name: "show-ports", words: ["show", "ports"], help: "the board's sockets and their network cards" },
  { name: "show-routes", words: ["show", "routes"], help: "the ways to other networks" },
  { name: "show-dhcp-leases", words: ["show", "dhcp", "leases"], help: "addresses lent to hosts on the LAN" },
  { name: "show-nat", words: ["show", "nat"], help: "translated connections, by port mapping" },
  { name: "show-firewall", words: ["show", "firewall"], help: "what was let in and what was not" },
  { name: "show-ntp", words: ["show", "ntp"], help: "time of day and time servers" },
  { name: "show-ssh", words: ["show", "ssh"], help: "remote login: host key, keys that will do" },
  { name: "show-users", words: ["show", "users"], help: "who is logged in" },
  { name: "show-system", words: ["show", "system"], help: "since when it runs, how it ended before, watchdog, memory" },
  {
    name: "show-crash",
    words: ["show", "crash"],
    help: "what the app said when it ended because of an error of its own",
    argument: number("BACK", "which one, the newest is 0", 0, 4, true),
  },
  { name: "show-version", words: ["show", "version"], help: "firmware version" },
  {
    name: "vpn-dial",
    words: ["vpn", "dial"],
    help: "connect a client now",
    argument: { kind: "name", word: "NAME", help: "a client", list: "vpn client" },
  },
  {
    name: "vpn-hangup",
    words: ["vpn", "hangup"],
    help: "end a session, or a client's dialing",
    argument: { kind: "name", word: "ID|NAME", help: "number in `show vpn`, or a client", list: "vpn client" },
  },
  {
    name: "trace-start",
    words: ["trace", "start"],
    help: "record the packets between us and one peer",
    argument: { kind: "name", word: "ID|NAME|ADDRESS", help: "a session, client or address", list: "vpn client" },
  },
  { name: "trace-all", words: ["trace", "all"], help: "record the packets of every peer" },
  { name: "trace-stop", words: ["trace", "stop"], help: "record no more; what there is stays" },
  { name: "show-trace", words: ["show", "trace"], help: "what was recorded, a line a packet" },
  {
    name: "show-trace-pcapng",
    words: ["show", "trace", "pcapng"],
    help: "the same as a file for Wireshark, in base64",
  },
  {
    name: "ping",
    words: ["ping"],
    help: "send five pings; Ctrl-C ends it",
    argument: { kind: "name", word: "HOST", help: "an address or a name", list: undefined },
  },
  {
    name: "traceroute",
    words: ["traceroute"],
    help: "the routers on the way to a host; Ctrl-C ends it",
    argument: { kind: "name", word: "HOST", help: "an address or a name", list: undefined },
  },
  {
    name: "terminal-length",
    words: ["terminal", "length"],
    help: "lines on the screen",
    argument: number("LINES", "0: never stop at --more--", 0, 512),
  },
  { name: "update", words: ["update"], help: "the firmware in both slots, and what became of the last update" },
  {
    name: "update-install",
    words: ["update", "install"],
    help: "take an update: ssh admin@DEVICE update install < FILE",
  },
  { name: "update-commit", words: ["update", "commit"], help: "keep the firmware that is on trial" },
  {
    name: "update-rollback",
    words: ["update", "rollback"],
    help: "back to the firmware in the other slot; restarts the device",
  },
  {
    name: "update-allow-downgrade",
    words: ["update", "allow-downgrade"],
    help: "let an older firmware in, for ten minutes; on the serial console only",
  },
  { name: "reboot", words: ["reboot"], help: "restart the device; all sessions end" },
  { name: "poweroff", words: ["poweroff"], help: "switch the device off" },
  {
    name: "factory-reset",
    words: ["factory-reset"],
    help: "forget every setting and password, and restart as new",
  },
  { name: "exit", words: ["exit"], help: "log out" },
];

const onTrial = number("MINUTES", "on trial: taken back unless `commit` follows in time", 1, 60, true);

export const COMMANDS: Readonly<Record<Mode, readonly Command[]>> = {
  operational: OPERATIONAL,
  configure: [
    { name: "set", words: ["set"], help: "change a setting", argument: { kind: "setting", use: "set" } },
    { name: "delete", words: ["delete"], help: "back to the default", argument: { kind: "setting", use: "delete" } },
    { name: "show", words: ["show"], help: "what is set, as commands", argument: { kind: "setting", use: "show" } },
    {
      name: "compare",
      words: ["compare"],
      help: "what commit would change",
      argument: number("N", "against the configuration of N commits ago instead", 0, 20, true),
    },
    { name: "commit", words: ["commit"], help: "check, store and apply the changes; confirm what is on trial" },
    {
      name: "commit-confirm",
      words: ["commit", "confirm"],
      help: "apply on trial: taken back unless `commit` follows in time",
      argument: number("MINUTES", "time to confirm in", 1, 60),
    },
    {
      name: "load-merge",
      words: ["load", "merge"],
      help: "take settings as lines, on top of what is set",
    },
    {
      name: "load-replace",
      words: ["load", "replace"],
      help: "take settings as lines, in the place of all that is set",
    },
    {
      name: "rollback",
      words: ["rollback"],
      help: "take back the configuration of an earlier commit",
      argument: number("N", "commits to go back, 1 if not said; 0: the running one", 0, 20, true),
    },
    {
      name: "rebase",
      words: ["rebase"],
      help: "keep the changes, on top of what somebody else has committed meanwhile",
    },
    { name: "discard", words: ["discard"], help: "forget the changes" },
    { name: "exit", words: ["exit"], help: "leave the configuration" },
  ],
  exec: [
    ...OPERATIONAL.filter(({ name }) => !INTERACTIVE.has(name)),
    {
      name: "load-merge",
      words: ["load", "merge"],
      help: "take settings as lines of the input, on top of what is set, and commit",
      argument: onTrial,
    },
    {
      name: "load-replace",
      words: ["load", "replace"],
      help: "take settings as lines of the input, in the place of all that is set, and commit",
      argument: onTrial,
    },
    { name: "commit", words: ["commit"], help: "confirm what is on trial" },
  ],
};

/** What the first words of several commands have in common. */
export const GROUPS: Readonly<Record<string, string>> = {
  show: "look at something",
  dhcp: "the DHCP server",
  vpn: "PPTP sessions",
  trace: "record control and GRE packets",
  configuration: "what is set, as commands",
  commit: "check, store and apply the changes",
  load: "take a whole configuration, such as one that show printed",
  terminal: "this console",
  update: "the firmware, its slots and its trial",
};

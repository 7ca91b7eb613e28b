/** What hands, modems and scripts send to a command line: words it knows, words it almost knows, keys, and noise. */
import type { Mode } from "../../appliance/cli/commands.ts";
import { complete } from "../../appliance/cli/grammar.ts";
import type { Config } from "../../appliance/config/config.ts";
import { mutate } from "./mutation.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Letters, control keys, cursor keys whole and broken, characters of UTF-8 whole and torn. */
const KEYS: readonly (string | Buffer)[] = [
  ...' ?abcdeghimnoqsuvwxyz.-/\\"0129\t\r\n\b\x7f',
  ...Array.from({ length: 27 }, (_, code) => String.fromCharCode(code)),
  ...[
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1bOA",
    "\x1b[H",
    "\x1b[F",
    "\x1b[3~",
    "\x1b[1;5C",
    "\x1b[99",
    "\x1b",
    "\x1b[",
  ],
  ...["ü", "€", "😀", "e\u0301", "\u200b", "\u202e"],
  ...[Buffer.from([0xc3]), Buffer.from([0xe2, 0x82]), Buffer.from([0xff]), Buffer.from([0x80]), Buffer.from([0])],
];
const VALUES = [
  "true",
  "false",
  "1400",
  "0",
  "-1",
  "99999999999",
  "10.0.0.1",
  "10.0.0.0/8",
  "fe80::1",
  "munich",
  "alice",
  '"a b"',
  "yes",
];
/** Lines that do something, and their kin. */
const LINES = [
  ...["configure", "show", "show log 5", "show configuration", "show history", "compare", "commit", "commit confirm 5"],
  ...[
    "rollback 1",
    "rollback 0",
    "discard",
    "rebase",
    "exit",
    "show nat",
    "ping 10.0.0.1",
    "load merge",
    "load replace",
    "end",
  ],
  ...[
    "set vpn server mtu 1300",
    "set system name other",
    "set vpn account bob password s3cret99",
    "delete vpn account alice",
  ],
  ...[
    "delete vpn",
    "set interfaces lan address 10.0.0.1/24",
    "terminal length 5",
    "terminal length 0",
    "factory-reset",
    "no",
  ],
  ...[
    "trace all",
    "show trace pcapng",
    "vpn dial munich",
    "vpn hangup munich",
    "show users",
    "show system",
    "update status",
  ],
];
const MODES: readonly Mode[] = ["operational", "configure"];
const LONGEST_LINE = 6000;

/** A line that the grammar allows, as far as luck leads; places for values get some that fit and some that do not. */
function allowedLine(random: SeededRandom, config: Config): string {
  const mode = random.pick(MODES);
  let line = "";
  for (let words = 1 + random.below(8); words > 0; words--) {
    const { candidates } = complete(line, mode, config);
    const words = candidates.filter(({ word }) => word !== "<enter>");
    if (words.length === 0) break;
    const { word, placeholder } = random.pick(words);
    line += `${placeholder ? random.pick(VALUES) : word} `;
  }
  return line.trimEnd();
}

function line(random: SeededRandom, config: Config): string {
  return random.chance(0.5) ? random.pick(LINES) : allowedLine(random, config);
}

/** One thing that is sent, mostly ended by Enter. */
function piece(random: SeededRandom, config: Config): Buffer {
  const enter = random.chance(0.8) ? random.pick(["\r", "\r", "\n", "\r\n"]) : "";
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return Buffer.from(line(random, config) + enter);
    case 3:
      return Buffer.concat([mutate(random, Buffer.from(line(random, config))), Buffer.from(enter)]);
    case 4: {
      // Help or completion somewhere in a line, and then the rest of it.
      const text = line(random, config);
      const at = random.below(text.length + 1);
      return Buffer.from(text.slice(0, at) + random.pick(["\t", "\t\t", "?"]) + text.slice(at) + enter);
    }
    case 5:
      return Buffer.from(random.pick([" ", "q", "\r", " q", "   ", "b", "Q"]));
    case 6:
      return Buffer.concat(Array.from({ length: 1 + random.below(12) }, () => Buffer.from(random.pick(KEYS))));
    case 7:
      return random.bytes(1 + random.below(40));
    default:
      return random.chance(0.9) ? Buffer.from(random.pick(KEYS)) : longLine(random);
  }
}

function longLine(random: SeededRandom): Buffer {
  const unit = random.pick(["x", "set ", "ü", '"', "vpn account a ", "\\"]);
  return Buffer.from(
    unit.repeat(Math.ceil((1 + random.below(LONGEST_LINE)) / unit.length)) + random.pick(["", "\r", "\t", "?"]),
  );
}

/** What one sitting at a console sends, in the pieces in which it arrives. */
export function typed(random: SeededRandom, config: Config): Buffer[] {
  const all = Buffer.concat(Array.from({ length: 1 + random.below(14) }, () => piece(random, config)));
  const packets: Buffer[] = [];
  const longest = random.pick([1, 3, 16, 4096]);
  for (let at = 0; at < all.length; ) {
    const length = 1 + random.below(longest);
    packets.push(all.subarray(at, at + length));
    at += length;
  }
  return packets;
}

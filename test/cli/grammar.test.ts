import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Mode } from "../../appliance/cli/commands.ts";
import { complete, tokenize, understand } from "../../appliance/cli/grammar.ts";
import { BRANCH, configOf, OFFICE } from "../support/config-text.ts";

const CONFIG = configOf(...OFFICE, ...BRANCH, "vpn account DOMAIN\\bob password x");

test("words are cut at blanks, and quotes hold them together", () => {
  const texts = (line: string): string[] => tokenize(line).map(({ text }) => text);
  assert.deepEqual(texts("  set  vpn "), ["set", "vpn"]);
  assert.deepEqual(texts('a "b c" "d\\"e\\\\" ""'), ["a", "b c", 'd"e\\', ""]);
  assert.deepEqual(texts("DOMAIN\\bob"), ["DOMAIN\\bob"]);
  assert.deepEqual(
    tokenize('set "x y').map(({ start, end, open }) => [start, end, open]),
    [
      [0, 3, false],
      [4, 8, true],
    ],
  );
});

/** [mode, line, command, number, words]. */
const GOOD: readonly (readonly [Mode, string, string, (number | undefined)?, string?])[] = [
  ["operational", "configure", "configure"],
  ["operational", "conf", "configure"],
  ["operational", "show vpn", "show-vpn"],
  ["operational", "sh int", "show-interfaces"],
  ["operational", "show log", "show-log"],
  ["operational", "show log 7", "show-log", 7],
  ["operational", "vpn hangup 1001", "vpn-hangup", undefined, "1001"],
  ["operational", "vpn hang munich", "vpn-hangup", undefined, "munich"],
  ["operational", "vpn dial munich", "vpn-dial", undefined, "munich"],
  ["operational", "terminal length 0", "terminal-length", 0],
  ["operational", " exit ", "exit"],
  ["configure", "set vpn server mtu 1300", "set", undefined, "vpn server mtu 1300"],
  ["configure", "se v s mtu 1300", "set", undefined, "v s mtu 1300"],
  ["configure", "show", "show", undefined, ""],
  ["configure", "rollback", "rollback"],
  ["configure", "rollback 3", "rollback", 3],
  ["configure", "comm", "commit"],
  ["configure", "commit confirm 5", "commit-confirm", 5],
  ["configure", "compare 2", "compare", 2],
  ["configure", "load merge", "load-merge", undefined],
  ["operational", "show vpn", "show-vpn", undefined],
  ["operational", "show vpn win alice", "show-vpn-windows", undefined, "alice"],
  ["operational", "show configuration secrets", "show-secrets", undefined],
];
for (const [mode, line, command, number, words = ""] of GOOD) {
  test(`${mode}: "${line}" is ${command}`, () => {
    assert.deepEqual(understand(line, mode), {
      ok: true,
      command,
      number,
      words: words === "" ? [] : words.split(" "),
    });
  });
}

/** [mode, line, column, problem, hint]. */
const BAD: readonly (readonly [Mode, string, number, RegExp, RegExp])[] = [
  ["operational", "shwo vpn", 0, /"shwo" is no command/, /configure, show, vpn/],
  ["operational", "show vpm", 5, /"vpm" is no command/, /vpn, log, configuration/],
  ["operational", "show v", 5, /not clear/, /vpn, version/],
  ["operational", "show", 5, /incomplete/, /vpn, log/],
  ["operational", "show vpn now", 9, /"now" is no command/, /windows/],
  ["operational", "show version now", 13, /one word too many/, /usage: show version/],
  ["configure", "commit confirm", 15, /MINUTES is missing/, /1 to 60/],
  ["configure", "load", 5, /incomplete/, /merge, replace/],
  ["operational", "show log 0", 9, /"0" is not possible/, /1 to 1000/],
  ["operational", "show log 5 6", 11, /one word too many/, /usage: show log COUNT/],
  ["operational", "vpn hangup", 11, /ID\|NAME is missing/, /number in `show vpn`, or a client/],
  ["operational", "vpn dial", 9, /NAME is missing/, /a client/],
  ["operational", "vpn dial a b", 11, /one word too many/, /usage: vpn dial NAME/],
  ["operational", "set system name x", 0, /no command here/, /configure/],
  ["configure", "co", 0, /not clear/, /compare, commit/],
  ["configure", 'set system name "x', 16, /quote is not closed/, /"/],
];
for (const [mode, line, column, problem, hint] of BAD) {
  test(`${mode}: "${line}" is refused at column ${column}`, () => {
    const understood = understand(line, mode);
    assert.ok(understood !== undefined && !understood.ok);
    assert.equal(understood.column, column);
    assert.match(understood.problem, problem);
    assert.match(understood.hint, hint);
  });
}

/** [mode, line up to the cursor, the words to offer; those in angle brackets only explain]. */
const OFFERS: readonly (readonly [Mode, string, string])[] = [
  ["operational", "", "configure show vpn trace ping traceroute terminal update reboot poweroff factory-reset exit"],
  ["operational", "sh", "show"],
  [
    "operational",
    "show ",
    "vpn log configuration history interfaces ports routes dhcp nat firewall ntp ssh users system crash version trace",
  ],
  ["operational", "show v", "vpn version"],
  ["operational", "show vpn ", "radius windows <<enter>>"],
  ["operational", "show vpn windows ", "DOMAIN\\bob alice <USER>"],
  ["operational", "show configuration ", "secrets <<enter>>"],
  ["configure", "commit ", "confirm <<enter>>"],
  ["operational", "show log ", "<COUNT> <<enter>>"],
  ["operational", "vpn ", "dial hangup"],
  ["operational", "vpn hangup ", "munich <ID|NAME>"],
  ["operational", "vpn dial mu", "munich <NAME>"],
  ["operational", "vpn dial munich ", "<<enter>>"],
  ["operational", "nonsense ", ""],
  ["configure", "set ", "system interfaces vpn dhcp-server dns nat firewall routes syslog ntp"],
  ["configure", "set vpn server p", "pool"],
  ["configure", "set vpn server enabled ", "true false"],
  ["configure", "set vpn server enabled true ", "<<enter>>"],
  ["configure", "set vpn server encryption o", "optional"],
  ["configure", "set vpn server authentication pap ", "mschap-v2 mschap-v1 chap-md5 <<enter>>"],
  ["configure", "set vpn server dns ", "<VALUE>"],
  ["configure", "set vpn server dns 10.0.0.1 ", "<VALUE> <<enter>>"],
  ["configure", "set vpn account ", "DOMAIN\\bob alice <NAME>"],
  ["configure", "set vpn account DOM", "DOMAIN\\bob <NAME>"],
  ["configure", "set vpn account alice ", "password address route enabled one-session session-timeout rate-limit"],
  ["configure", "set vpn client munich dial ", "always on-demand manual"],
  ["configure", "set vpn client munich route 10.0.0.0/8 ", "<VALUE> <<enter>>"],
  ["configure", "delete vpn account al", "alice <NAME> <<enter>>"],
  ["configure", "delete vpn server mtu ", "<<enter>>"],
  ["configure", "show ", "system interfaces vpn dhcp-server dns nat firewall routes syslog ntp <<enter>>"],
  ["configure", "set vpn nothing ", ""],
];
for (const [mode, line, words] of OFFERS) {
  test(`${mode}: behind "${line}" can stand: ${words}`, () => {
    const { candidates } = complete(line, mode, CONFIG);
    const shown = candidates.map(({ word, placeholder }) => (placeholder ? `<${word}>` : word));
    assert.equal(shown.join(" "), words);
    for (const { help } of candidates) assert.notEqual(help, "");
  });
}

test("a value's help names its range, its unit and its default", () => {
  const [place] = complete("set vpn server mtu ", "configure", CONFIG).candidates;
  assert.equal(place?.help, "a number from 576 to 1460 bytes; 1400 if nothing is set");
});

test("following the offers always leads to a line that is understood or may go on", () => {
  const values: Readonly<Record<string, string>> = {
    VALUE: "10.0.0.1",
    NAME: "carol",
    COUNT: "5",
    MINUTES: "5",
    USER: "alice",
    "ID|NAME|ADDRESS": "1",
    "ID|NAME": "1",
    LINES: "10",
    N: "1",
    BACK: "0",
  };
  fc.assert(
    fc.property(
      fc.constantFrom<Mode>("operational", "configure"),
      fc.array(fc.nat(), { maxLength: 10 }),
      (mode, choices) => {
        let line = "";
        for (const choice of choices) {
          const { candidates } = complete(line, mode, CONFIG);
          const chosen = candidates[choice % Math.max(1, candidates.length)];
          if (chosen === undefined) return;
          if (chosen.word === "<enter>") {
            assert.equal(understand(line, mode)?.ok, true, line);
            return;
          }
          line += `${chosen.placeholder ? values[chosen.word] : chosen.word} `;
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test("never throws, whatever the line", () =>
  fc.assert(
    fc.property(fc.constantFrom<Mode>("operational", "configure"), fc.string({ maxLength: 60 }), (mode, line) => {
      understand(line, mode);
      complete(line, mode, CONFIG);
      tokenize(line);
    }),
    { numRuns: 2000 },
  ));

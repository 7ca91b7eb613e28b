/** `culvert image ...`: mistakes on the command line are told in one line, exit status 2. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runImageCommand } from "../../image/command.ts";

const MISTAKES: readonly [string, RegExp][] = [
  ["bild", /'image bild' is not a command; there are image build/],
  ["build --bord x86_64", /Unknown option '--bord'; there are --board NAME/],
  ["build --board", /argument missing/],
  ["build --board z80", /no board 'z80'; there is arm64, mipsel, x86_64/],
  ["diff one", /give the folders of two built images/],
  ["diff one two three", /'three' is one word too many/],
  ["verify --all", /Unknown option '--all'; there are --board NAME, --published FILE$/],
  ["cve --tracker", /argument missing; there are --board NAME, --tracker FILE, --all/],
  ["build now", /'now' is one word too many/],
  ["inspect --locked", /Unknown option '--locked'; there are --board NAME$/],
];

describe("image command", () => {
  for (const [line, expected] of MISTAKES) {
    test(`"${line}" is a mistake`, async (context) => {
      const said: string[] = [];
      context.mock.method(console, "error", (text: string) => said.push(text));
      assert.equal(await runImageCommand(line.split(" ")), 2);
      assert.equal(said.length, 1);
      assert.match(said[0] ?? "", expected);
      assert.doesNotMatch(said[0] ?? "", /\n/);
    });
  }

  test("help names every command and exits 0", async (context) => {
    const said: string[] = [];
    context.mock.method(console, "log", (text: string) => said.push(text));
    assert.equal(await runImageCommand(["help"]), 0);
    for (const word of [
      "build",
      "lock",
      "inspect",
      "cve",
      "verify",
      "diff",
      "--locked",
      "--tracker",
      "CULVERT_DEBIAN_MIRROR",
    ])
      assert.ok(said.join("\n").includes(word));
  });
});

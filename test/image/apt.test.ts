/** Which Debian archive is used, and how apt's records are read. Talking to a mirror is tested at system level. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseMirror, parseControl } from "../../image/apt.ts";

const DEB822 = "Types: deb\n# URIs: http://old.example/debian\nURIs: http://mirror.example/debian/\nSuites: trixie\n";
const SECURITY = "Types: deb\nURIs: https://other.example/debian-security\nSuites: trixie-security\n";

describe("the Debian archive", () => {
  test("is the one in the host's deb822 sources, comments left out", () => {
    assert.deepEqual(chooseMirror([DEB822, SECURITY], undefined), {
      main: "http://mirror.example/debian",
      security: "https://other.example/debian-security",
    });
  });

  test("is found in one-line sources with options, behind other archives", () => {
    const text =
      "deb https://packages.example/node nodistro main\ndeb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm main\n";
    assert.equal(chooseMirror([text], undefined).main, "http://m.example/debian");
  });

  test("security updates lie beside the main archive unless the host says otherwise", () => {
    assert.equal(chooseMirror([DEB822], undefined).security, "http://mirror.example/debian-security");
  });

  test("CULVERT_DEBIAN_MIRROR wins over the host", () => {
    assert.deepEqual(chooseMirror([DEB822], "http://mine.example/debian/"), {
      main: "http://mine.example/debian",
      security: "http://mine.example/debian-security",
    });
  });

  test("a host without one, such as Ubuntu, is told what to set", () => {
    const ubuntu = "Types: deb\nURIs: http://archive.example/ubuntu/\nSuites: noble\n";
    assert.throws(() => chooseMirror([ubuntu], undefined), /set CULVERT_DEBIAN_MIRROR/);
  });

  test("records are fields; continuation lines belong to nobody", () => {
    const record = parseControl("Package: ppp\nDescription: one\n two: three\nSize: 7\n");
    assert.deepEqual(
      [...record],
      [
        ["Package", "ppp"],
        ["Description", "one"],
        ["Size", "7"],
      ],
    );
  });
});

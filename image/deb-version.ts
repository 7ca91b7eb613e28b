/** Debian version numbers in order (Debian policy §5.6.12; deb-version(7)). */

/** Negative when `a` is older than `b`, positive when newer, 0 when they mean the same. */
export function compareDebVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

/** The version of the source: a package that was only built again has `+bN` behind it (binary-only uploads). */
export function sourceVersion(version: string): string {
  return version.replace(/\+b\d+$/, "");
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const [, epoch = "0", rest = ""] = /^(?:(\d+):)?(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf("-");
  return dash < 0
    ? { epoch: Number(epoch), upstream: rest, revision: "" }
    : { epoch: Number(epoch), upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) };
}

/** By turns what is no digit, character by character, and numbers by their value. */
function compareParts(a: string, b: string): number {
  const [left, right] = [turns(a), turns(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [x, y] = [left[at] ?? "", right[at] ?? ""];
    const difference = at % 2 === 0 ? compareText(x, y) : compareNumbers(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `a1.0` -> `a`, `1`, `.`, `0`: what is no digit comes first, be it nothing. */
function turns(part: string): string[] {
  const parts: string[] = part.match(/\d+|\D+/g) ?? [];
  return /^\d/.test(part) ? ["", ...parts] : parts;
}

/** `~` stands before the end, letters before everything else. */
function compareText(a: string, b: string): number {
  const rank = (text: string, at: number): number => {
    const code = text.charCodeAt(at);
    if (Number.isNaN(code)) return 0;
    if (text[at] === "~") return -1;
    return /[A-Za-z]/.test(text[at] ?? "") ? code : code + 256;
  };
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = rank(a, at) - rank(b, at);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A date as a version number may be longer than a double is exact. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a, b].map((digits) => digits.replace(/^0+/, "")) as [string, string];
  return x.length - y.length || (x < y ? -1 : Number(x > y));
}

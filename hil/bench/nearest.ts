/** The word a person probably meant. */

/** The candidate with the fewest edits, if a third of its letters or fewer are wrong. */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  let best: { readonly candidate: string; readonly edits: number } | undefined;
  for (const candidate of candidates) {
    const edits = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (edits * 3 <= Math.max(candidate.length, 3) && (best === undefined || edits < best.edits)) {
      best = { candidate, edits };
    }
  }
  return best?.candidate;
}

/** `; allowed: a, b (did you mean a?)` */
export function allowed(word: string, candidates: readonly string[]): string {
  const meant = nearestWord(word, candidates);
  return `allowed: ${candidates.join(", ")}${meant === undefined ? "" : ` (did you mean ${meant}?)`}`;
}

/** Levenshtein's, one row at a time. Words longer than any name here are far from all of them. */
function editDistance(from: string, to: string): number {
  if (from.length > 64 || to.length > 64) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

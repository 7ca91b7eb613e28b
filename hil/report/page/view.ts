/** The part of a run that is in sight: zooming and panning as arithmetic. */

/** Seconds. */
export interface View {
  readonly from: number;
  readonly to: number;
}

/** No closer than this: a millisecond fills the screen. */
const SHORTEST = 0.001;

/** `view` moved and stretched so that it lies within a run of `length` seconds. */
export function clampView({ from, to }: View, length: number): View {
  const span = Math.min(Math.max(to - from, SHORTEST), Math.max(length, SHORTEST));
  const start = Math.min(Math.max(from, 0), Math.max(length, SHORTEST) - span);
  return { from: start, to: start + span };
}

/** `factor` below 1 comes closer; what is at `around` stays where it is. */
export function zoomView(view: View, factor: number, around: number, length: number): View {
  const span = Math.min(Math.max((view.to - view.from) * factor, SHORTEST), Math.max(length, SHORTEST));
  const share = (around - view.from) / (view.to - view.from);
  return clampView({ from: around - share * span, to: around + (1 - share) * span }, length);
}

/** `share` of what is in sight, to the right when positive. */
export function panView({ from, to }: View, share: number, length: number): View {
  const by = (to - from) * share;
  return clampView({ from: from + by, to: to + by }, length);
}

/** Shows `at`: as it is when that is in sight, else moved so that it is in the middle. */
export function reveal(view: View, at: number, length: number): View {
  if (at >= view.from && at <= view.to) return view;
  const half = (view.to - view.from) / 2;
  return clampView({ from: at - half, to: at + half }, length);
}

/** Round times to write on the ruler, about `count` of them. */
export function ticks({ from, to }: View, count: number): number[] {
  const raw = (to - from) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= raw) ?? raw;
  const marks: number[] = [];
  for (let n = Math.ceil(from / step); n * step <= to; n++) marks.push(n * step);
  return marks;
}

/** As many decimals as the scale needs: `83 s`, `83.42 s`, `83.4215 s`. */
export function timeText(at: number, span: number): string {
  const decimals = span > 100 ? 0 : span > 10 ? 1 : span > 1 ? 2 : span > 0.1 ? 3 : 4;
  return `${at.toFixed(decimals)} s`;
}

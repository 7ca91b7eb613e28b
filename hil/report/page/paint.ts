/** Draws the lanes of the time line on a canvas. */
import type { Colours } from "./colours.ts";
import type { PageMark } from "./data.ts";
import { GUTTER, type PlacedLane } from "./lanes.ts";
import type { Store } from "./store.ts";
import { firstNotBefore, type Track } from "./track.ts";
import { ticks, timeText, type View } from "./view.ts";

export interface Canvas {
  readonly context: CanvasRenderingContext2D;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly colours: Colours;
}

const MARK: Readonly<Record<PageMark["kind"], readonly [glyph: string, colour: string]>> = {
  trap: ["◆", "trap"],
  fault: ["▾", "trap"],
  line: ["≈", "trap"],
  power: ["○", "dim"],
  omen: ["▲", "warn"],
  snapshot: ["●", "accent"],
  message: ["·", "dim"],
  failure: ["✖", "fail"],
};
/** Pixels of one bar of a density. */
const BAR = 2;

export function xOf(at: number, { from, to }: View, width: number): number {
  return GUTTER + ((at - from) / (to - from)) * (width - GUTTER);
}

export function timeAt(x: number, { from, to }: View, width: number): number {
  return from + ((x - GUTTER) / (width - GUTTER)) * (to - from);
}

export function paintLanes(canvas: Canvas, store: Store, lanes: readonly PlacedLane[]): void {
  const { context, width, height, colours } = canvas;
  context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  shadeOutside(canvas, store);
  for (const placed of lanes) {
    const { lane, top, height: laneHeight, name } = placed;
    if (lane.kind !== "ruler") {
      context.fillStyle = colours.of("lane");
      context.fillRect(GUTTER, top, width - GUTTER, laneHeight);
    }
    context.save();
    context.beginPath();
    context.rect(GUTTER, top, width - GUTTER, laneHeight);
    context.clip();
    if (lane.kind === "ruler") paintRuler(canvas, store.view, placed, height);
    else if (lane.kind === "scenarios") paintScenarios(canvas, store, placed);
    else if (lane.kind === "steps") paintSteps(canvas, store, placed);
    else if (lane.kind === "marks") paintMarks(canvas, store, placed);
    else if (lane.kind === "node") paintNode(canvas, store, placed, lane.index);
    else if (lane.kind === "link") paintLink(canvas, store, placed, lane.index);
    context.restore();
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "right";
    context.fillStyle = colours.of("dim");
    context.fillText(clipText(context, name, GUTTER - 14), GUTTER - 8, top + laneHeight / 2);
  }
  paintCursor(canvas, store);
}

/** What a scenario filter leaves out is grey. */
function shadeOutside({ context, width, height, colours }: Canvas, store: Store): void {
  const { scenario } = store.filter;
  const span = scenario === undefined ? undefined : store.scenarioSpan(scenario);
  if (span === undefined) return;
  const from = Math.max(GUTTER, xOf(span.from, store.view, width));
  const to = Math.min(width, xOf(span.to, store.view, width));
  context.fillStyle = colours.of("soft");
  context.fillRect(GUTTER, 0, Math.max(0, from - GUTTER), height);
  context.fillRect(to, 0, Math.max(0, width - to), height);
}

function paintRuler({ context, width, colours }: Canvas, view: View, { top, height }: PlacedLane, whole: number): void {
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "left";
  for (const at of ticks(view, (width - GUTTER) / 110)) {
    const x = Math.round(xOf(at, view, width)) + 0.5;
    context.fillStyle = colours.of("line");
    context.fillRect(x - 0.5, top, 1, whole);
    context.fillStyle = colours.of("dim");
    context.fillText(timeText(at, view.to - view.from), x + 4, top + height / 2);
  }
}

function bar(
  canvas: Canvas,
  view: View,
  placed: PlacedLane,
  from: number,
  to: number,
  colour: string,
  text: string,
): void {
  const { context, width, colours } = canvas;
  const left = Math.max(GUTTER - 4, xOf(from, view, width));
  const right = Math.min(width + 4, xOf(to, view, width));
  if (right < GUTTER || left > width) return;
  const wide = Math.max(2, right - left - 1);
  context.fillStyle = colours.of(colour);
  context.beginPath();
  context.roundRect(left, placed.top + 1, wide, placed.height - 2, 3);
  context.fill();
  const room = right - Math.max(left, GUTTER) - 10;
  if (room < 24) return;
  context.font = "11.5px system-ui, sans-serif";
  context.textAlign = "left";
  context.fillStyle = colours.of("on-bar");
  context.fillText(clipText(context, text, room), Math.max(left, GUTTER) + 5, placed.top + placed.height / 2 + 0.5);
}

function paintScenarios(canvas: Canvas, store: Store, placed: PlacedLane): void {
  const bars = store.data.scenarios.flatMap(({ name, verdict, attempts }) =>
    attempts.map(({ from, to }, index) => ({
      name,
      from,
      to,
      verdict: index < attempts.length - 1 ? "flaky" : verdict,
    })),
  );
  for (const { name, from, to, verdict } of bars.sort(byBeginning)) {
    bar(canvas, store.view, placed, from, to, `v-${verdict}`, name);
  }
}

/** What lies within another comes later, so it is drawn over it. */
function byBeginning(a: { from: number }, b: { from: number }): number {
  return a.from - b.from;
}

function paintSteps(canvas: Canvas, store: Store, placed: PlacedLane): void {
  const all = store.data.scenarios.flatMap(({ attempts }) => attempts.flatMap(({ steps }) => steps));
  for (const step of all.sort(byBeginning)) {
    const colour = step.failure !== undefined ? "v-fail" : step.open ? "v-interrupted" : "step";
    bar(canvas, store.view, placed, step.from, step.to, colour, step.name);
  }
}

function paintMarks({ context, width, colours }: Canvas, store: Store, { top, height }: PlacedLane): void {
  context.font = "13px system-ui, sans-serif";
  context.textAlign = "center";
  for (const { at, kind, where } of store.data.marks) {
    const x = xOf(at, store.view, width);
    if (x < GUTTER - 8 || x > width + 8 || !store.isPlaceShown(where)) continue;
    const [glyph, colour] = MARK[kind];
    context.fillStyle = colours.of(colour);
    context.fillText(glyph, x, top + height / 2 + 0.5);
  }
}

/** Above how much the console said, below what the machine was in. */
function paintNode(canvas: Canvas, store: Store, { top, height }: PlacedLane, index: number): void {
  const { context, width, colours } = canvas;
  const node = store.data.nodes[index];
  if (node === undefined) return;
  const band = 4;
  for (const [at, [from, name, kind]] of node.states.entries()) {
    const to = node.states[at + 1]?.[0] ?? store.data.length;
    const left = xOf(from, store.view, width);
    context.fillStyle = colours.of(
      kind === "bad" ? "fail" : kind === "off" ? "line" : kind === "on" ? "pass" : "accent",
    );
    context.fillRect(left, top + height - band, Math.max(1, xOf(to, store.view, width) - left - 1), band);
    context.font = "10px system-ui, sans-serif";
    context.textAlign = "left";
    context.fillStyle = colours.of("dim");
    if (xOf(to, store.view, width) - left > 50) context.fillText(name, left + 3, top + 6);
  }
  const counts = new Float64Array(Math.ceil((width - GUTTER) / BAR));
  const dying = new Set<number>();
  for (
    let at = firstNotBefore(node.lines.length, (n) => node.lines[n]?.[0] ?? 0, store.view.from);
    at < node.lines.length;
    at++
  ) {
    const line = node.lines[at];
    if (line === undefined || line[0] > store.view.to) break;
    const column = Math.floor((xOf(line[0], store.view, width) - GUTTER) / BAR);
    counts[column] = (counts[column] ?? 0) + 1;
    if (line[1] === 2) dying.add(column);
  }
  const room = height - band - 2;
  for (const [column, count] of counts.entries()) {
    if (count === 0) continue;
    const tall = Math.min(room, 3 + Math.sqrt(count) * 4);
    context.fillStyle = colours.of(dying.has(column) ? "fail" : "console");
    context.fillRect(GUTTER + column * BAR, top + height - band - 1 - tall, BAR, tall);
  }
}

/** Each kind of traffic in its colour; the height is the square root of how much, so that a single packet is seen beside a download. */
function paintLink(canvas: Canvas, store: Store, { top, height }: PlacedLane, index: number): void {
  const { context, width, colours } = canvas;
  const track = store.tracks[index];
  if (track === undefined || store.filter.hiddenLinks.has(index)) return;
  const { columns, kinds } = density(track, store, width - GUTTER);
  const most = columns.reduce(
    (max, column) => Math.max(max, column?.reduce((sum, count) => sum + Math.sqrt(count), 0) ?? 0),
    1,
  );
  const scale = (height - 2) / Math.max(most, 4);
  for (const [at, column] of columns.entries()) {
    if (column === undefined) continue;
    let bottom = top + height;
    for (let kind = 0; kind < kinds; kind++) {
      const count = column[kind] ?? 0;
      if (count === 0) continue;
      const tall = Math.max(2, Math.sqrt(count) * scale);
      context.fillStyle = colours.traffic[kind] ?? "grey";
      context.fillRect(GUTTER + at * BAR, bottom - tall, BAR, tall);
      bottom -= tall;
    }
  }
}

function density({ times, kinds: kindOf, sides }: Track, store: Store, width: number) {
  const kinds = store.data.traffic.length;
  const columns: (Float64Array | undefined)[] = new Array(Math.ceil(width / BAR)).fill(undefined);
  const { from, to } = store.view;
  const { hiddenTraffic, hiddenNodes } = store.filter;
  const link = store.tracks.findIndex((track) => track.times === times);
  const senders = store.data.links[link]?.nodes ?? [];
  const scale = width / (to - from) / BAR;
  for (let at = firstNotBefore(times.length, (n) => times[n] ?? 0, from); at < times.length; at++) {
    const time = times[at] ?? 0;
    if (time > to) break;
    const kind = kindOf[at] ?? 0;
    if (hiddenTraffic.has(kind) || hiddenNodes.has(senders[sides[at] ?? 0] ?? -1)) continue;
    const index = Math.min(columns.length - 1, Math.floor((time - from) * scale));
    let column = columns[index];
    if (column === undefined) {
      column = new Float64Array(kinds);
      columns[index] = column;
    }
    column[kind] = (column[kind] ?? 0) + 1;
  }
  return { columns, kinds };
}

function paintCursor({ context, width, height, colours }: Canvas, { cursor, view }: Store): void {
  if (cursor === undefined) return;
  const x = xOf(cursor, view, width);
  if (x < GUTTER || x > width) return;
  context.fillStyle = colours.of("cursor");
  context.fillRect(x - 0.75, 0, 1.5, height);
}

/** The whole run in a strip, with a frame around what is in sight. */
export function paintMinimap(canvas: Canvas, store: Store): void {
  const { context, width, height, colours } = canvas;
  const whole = { from: 0, to: store.data.length };
  context.clearRect(0, 0, width, height);
  context.fillStyle = colours.of("lane");
  context.fillRect(GUTTER, 0, width - GUTTER, height);
  for (const { verdict, attempts } of store.data.scenarios) {
    for (const { from, to } of attempts) {
      context.globalAlpha = 0.35;
      context.fillStyle = colours.of(`v-${verdict}`);
      const left = xOf(from, whole, width);
      context.fillRect(left, 0, Math.max(1, xOf(to, whole, width) - left), height);
    }
  }
  context.globalAlpha = 1;
  const counts = new Float64Array(width - GUTTER);
  for (const { times } of store.tracks) {
    for (const time of times) {
      const column = Math.min(counts.length - 1, Math.floor((time / store.data.length) * counts.length));
      counts[column] = (counts[column] ?? 0) + 1;
    }
  }
  const most = Math.sqrt(counts.reduce((max, count) => Math.max(max, count), 1));
  context.fillStyle = colours.of("dim");
  for (const [column, count] of counts.entries()) {
    if (count === 0) continue;
    const tall = Math.max(1, (Math.sqrt(count) / most) * (height - 2));
    context.fillRect(GUTTER + column, height - tall, 1, tall);
  }
  const left = xOf(store.view.from, whole, width);
  const wide = Math.max(3, xOf(store.view.to, whole, width) - left);
  context.strokeStyle = colours.of("cursor");
  context.lineWidth = 2;
  context.strokeRect(left + 1, 1, wide - 2, height - 2);
}

export function clipText(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let keep = Math.max(0, Math.floor((text.length * room) / context.measureText(text).width) - 1);
  while (keep > 0 && context.measureText(`${text.slice(0, keep)}…`).width > room) keep--;
  return keep === 0 ? "" : `${text.slice(0, keep)}…`;
}

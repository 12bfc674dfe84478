import type { Arrow } from './arrows.ts';
import { START } from './dot.ts';
import type { Layout, Point, Route } from './layout.ts';
import { lineView } from './lines-view.ts';
import { escapeText, rounded } from './markup.ts';
import { arrowLines, linesSize, sizes } from './measure.ts';

/** An arrow, its route and its hue. */
export interface PlacedArrow {
  readonly arrow: Arrow;
  readonly route: Route;
  readonly isMain: boolean;
  readonly tone: string | undefined;
}

/** Draws an arrow with all its facts. */
export function arrowView(chartId: string, placed: PlacedArrow): string {
  const { arrow, isMain, tone } = placed;
  const facts = [...new Set(arrow.transitions.map(({ fact }) => fact))];
  const attributes = [
    `class="${['arrow', isMain ? 'main' : tone].filter(Boolean).join(' ')}"`,
    `id="${escapeText(`${chartId}.${arrow.id}`)}"`,
    `data-from="${arrow.from}" data-to="${arrow.to}" data-facts="${escapeText(facts.join(' '))}"`,
  ];
  return `<g ${attributes.join(' ')}>${arrowParts(placed)}</g>`;
}

/** Draws an arrow that a step of an example takes. It has no id, because the arrow below it has that. */
export function takenArrowView(placed: PlacedArrow): string {
  return `<g class="arrow is-taken">${arrowParts(placed)}</g>`;
}

function arrowParts({ arrow, route }: PlacedArrow): string {
  return `${line(route)}${head(route)}${arrow.isInward ? anywhere(route) : ''}${labelView(arrow, route)}`;
}

/** The place for the number of a step: before the text of the arrow, or halfway along the arrow. */
export function numberPlace({ arrow, route: { label, points, tip } }: PlacedArrow): Point {
  if (label === undefined) return points[Math.floor(points.length / 2)] ?? tip;
  return { x: label.x - linesSize(arrowLines(arrow)).width / 2 - 11, y: label.y };
}

/** The ring at the start of an arrow that leaves any active state inside the state. */
function anywhere({ points: [first] }: Route): string {
  return first === undefined
    ? ''
    : `<circle class="anywhere" cx="${rounded(first.x)}" cy="${rounded(first.y)}" r="3.5"/>`;
}

/** Draws the dot where the chart starts, and the arrow to its first state. */
export function startView({ boxes, routes }: Layout): string {
  const [dot, route] = [boxes.get(START), routes.get(START)];
  if (dot === undefined || route === undefined) throw new Error('no place to start');
  const r = dot.width / 2;
  const circle = `<circle class="start" cx="${rounded(dot.x + r)}" cy="${rounded(dot.y + r)}" r="${rounded(r)}"/>`;
  return `<g class="arrow main">${line(route)}${head(route)}${circle}</g>`;
}

function line({ lead, points }: Route): string {
  const [first, ...curves] = points;
  if (first === undefined) throw new Error('an arrow without points');
  const start = lead === undefined ? at(first) : `${at(lead)}${bend(lead, first)}`;
  return `<path d="M${start}C${curves.map(at).join(' ')}"/>`;
}

/** Straight down where possible, otherwise in an S. */
function bend(from: Point, to: Point): string {
  const y = (from.y + to.y) / 2;
  return `C${[{ x: from.x, y }, { x: to.x, y }, to].map(at).join(' ')}`;
}

const HEAD_HALF = 4;

/** A triangle from the end of the line to the tip. */
function head({ points, tip }: Route): string {
  const end = points.at(-1) ?? tip;
  const length = Math.hypot(tip.x - end.x, tip.y - end.y) || 1;
  const [dx, dy] = [((tip.x - end.x) / length) * HEAD_HALF, ((tip.y - end.y) / length) * HEAD_HALF];
  const corners = [tip, { x: end.x - dy, y: end.y + dx }, { x: end.x + dy, y: end.y - dx }];
  return `<polygon points="${corners.map(at).join(' ')}"/>`;
}

function labelView(arrow: Arrow, { label }: Route): string {
  if (label === undefined) return '';
  const lines = arrowLines(arrow);
  const { width, height } = linesSize(lines);
  return lines
    .map((text, index) =>
      lineView(text, label.x - width / 2, label.y - height / 2 + (index + 0.76) * sizes.line),
    )
    .join('');
}

function at({ x, y }: Point): string {
  return `${rounded(x)},${rounded(y)}`;
}

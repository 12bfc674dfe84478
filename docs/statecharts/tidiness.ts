import type { Box, Layout, Point, Route } from './layout.ts';

/** Flaws of a picture, and their weights. A pixel of length or width is a small one. */
const costs = { crossing: 50, struckLabel: 60, struckBox: 120, length: 0.06, width: 0.6 } as const;

/** What lines should not run through. */
export interface Obstacles {
  boxesIn(layout: Layout): readonly Box[];
  /** The label of an arrow, around its middle. */
  labelBox(id: string, middle: Point): Box;
}

interface Line {
  readonly id: string;
  readonly points: readonly Point[];
}

/** How confusing a layout is: lines that cross each other or a text, and sheer size. */
export function untidiness(layout: Layout, obstacles: Obstacles): number {
  const lines = [...layout.routes].map(([id, route]) => ({ id, points: polyline(route) }));
  const length = lines.reduce((sum, { points }) => sum + lengthOf(points), 0);
  const faults = faultsIn(layout, obstacles);
  return faults + costs.length * length + costs.width * layout.width;
}

/** The part of the untidiness that another layout might avoid. */
export function faultsIn(layout: Layout, obstacles: Obstacles): number {
  const lines = [...layout.routes].map(([id, route]) => ({ id, points: polyline(route) }));
  const boxes = obstacles.boxesIn(layout);
  const labels = [...layout.routes].flatMap(([id, { label }]) =>
    label === undefined ? [] : [{ id, box: obstacles.labelBox(id, label) }],
  );
  const struckBoxes = lines.flatMap(({ points }) =>
    boxes.filter((box) => strikes(points.slice(2, -2), box)),
  );
  const struckLabels = lines.flatMap(({ id, points }) =>
    labels.filter((label) => label.id !== id && strikes(points, label.box)),
  );
  return (
    costs.crossing * crossingsOf(lines) +
    costs.struckBox * struckBoxes.length +
    costs.struckLabel * struckLabels.length
  );
}

function crossingsOf(lines: readonly Line[]): number {
  return lines
    .flatMap(({ points }, index) => lines.slice(index + 1).map((other) => [points, other.points]))
    .reduce((sum, [one = [], other = []]) => sum + crossings(one, other), 0);
}

const STEPS = 8;

/** A route as short straight pieces. */
function polyline({ points, tip }: Route): readonly Point[] {
  const pieces: Point[] = points.slice(0, 1);
  for (let index = 0; index + 3 < points.length; index += 3) {
    const curve = points.slice(index, index + 4);
    for (let step = 1; step <= STEPS; step += 1) pieces.push(onCurve(curve, step / STEPS));
  }
  return [...pieces, tip];
}

/** A point of a cubic Bézier curve. */
function onCurve(curve: readonly Point[], t: number): Point {
  const weights = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
  const sum = (of: (point: Point) => number) =>
    curve.reduce((total, point, index) => total + of(point) * (weights[index] ?? 0), 0);
  return { x: sum(({ x }) => x), y: sum(({ y }) => y) };
}

function pairs(points: readonly Point[]): readonly Piece[] {
  return points.slice(1).map((point, index) => [points[index] ?? point, point] as const);
}

function lengthOf(points: readonly Point[]): number {
  return pairs(points).reduce((sum, [a, b]) => sum + Math.hypot(b.x - a.x, b.y - a.y), 0);
}

function crossings(one: readonly Point[], other: readonly Point[]): number {
  const pieces = pairs(other);
  return pairs(one).reduce(
    (sum, piece) => sum + pieces.filter((another) => doCross(piece, another)).length,
    0,
  );
}

type Piece = readonly [Point, Point];

function doCross([a, b]: Piece, [c, d]: Piece): boolean {
  return isLeft(a, b, c) !== isLeft(a, b, d) && isLeft(c, d, a) !== isLeft(c, d, b);
}

/** On which side of the line from one point to another a third one is. */
function isLeft(a: Point, b: Point, c: Point): boolean {
  return (c.y - a.y) * (b.x - a.x) > (b.y - a.y) * (c.x - a.x);
}

function strikes(points: readonly Point[], { x, y, width, height }: Box): boolean {
  return points.some(
    (point) => point.x > x && point.x < x + width && point.y > y && point.y < y + height,
  );
}

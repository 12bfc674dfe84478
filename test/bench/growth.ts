import { growthPicture, type Panel } from './panels.ts';
import type { Curve } from './row.ts';
import { figureText } from './table.ts';

/** The most that the cost of a unit may grow: with a hundred times as many units, by a half. */
const EXPONENT_MAX = 0.09;

type Points = Curve['points'];

/** The exponent with which a cost grows, by least squares over the logarithms: 0 for a constant, 1 for a line. */
export function growthExponent(points: Points): number {
  const logs = points.map(([size, cost]) => [Math.log(size), Math.log(cost)] as const);
  const meanX = mean(logs.map(([x]) => x));
  const meanY = mean(logs.map(([, y]) => y));
  const across = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const along = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return across / along;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A sentence for each promise, and whether its curve keeps it. */
export function growthTexts(curves: readonly Curve[]): readonly string[] {
  return growthPicture.panels.flatMap((panel) => {
    const curve = curves.find(({ plot, subject }) => plot === panel.plot && subject === 'mooring');
    return curve === undefined ? [] : textOf(panel, curve.points);
  });
}

function textOf({ axis, promise }: Panel, points: Points): readonly string[] {
  const [first, last] = [points[0], points.at(-1)];
  if (promise === undefined || first === undefined || last === undefined) return [];
  const exponent = growthExponent(points);
  const verdict =
    exponent <= EXPONENT_MAX
      ? 'it holds'
      : `it does not hold: the cost of one grows as n^${exponent.toFixed(2)}`;
  const figures =
    `${promise.cost} takes ${figureText(first[1])} µs at ${countText(first[0])} and ` +
    `${figureText(last[1])} µs at ${countText(last[0])} ${axis}`;
  return [`${promise.text}: ${verdict}. ${figures}.`];
}

function countText(count: number): string {
  return count.toLocaleString('en');
}

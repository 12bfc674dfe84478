import { escapeText, rounded } from '../../docs/statecharts/markup.ts';
import type { Panel, Picture } from './panels.ts';
import { plotStyle } from './plot-style.ts';
import type { Curve } from './row.ts';
import { figureText } from './table.ts';

const MARGIN = 24;
const PANEL = { width: 220, height: 190, top: 56, left: 30, right: 116, bottom: 52 } as const;
const PANEL_WIDTH = PANEL.left + PANEL.width + PANEL.right;
const PANEL_HEIGHT = PANEL.top + PANEL.height + PANEL.bottom;
const LABEL_GAP = 15;

/** The names of the subjects, and how their curves are drawn. */
const looks: Readonly<Record<string, readonly [kind: string, label: string]>> = {
  mooring: ['mooring', 'Mooring'],
  ws: ['ws', 'ws'],
  'bare socket.write': ['bare', 'bare write'],
};

/** Draws costs against numbers. */
export function drawPlots(curves: readonly Curve[], { label, columns, panels }: Picture): string {
  const width = columns * PANEL_WIDTH + 2 * MARGIN;
  const height = Math.ceil(panels.length / columns) * PANEL_HEIGHT + MARGIN;
  const drawn = panels.map((panel, index) => {
    const shown = curves.filter(({ plot, points }) => plot === panel.plot && points.length > 0);
    const x = MARGIN + (index % columns) * PANEL_WIDTH;
    const y = MARGIN / 2 + Math.floor(index / columns) * PANEL_HEIGHT;
    return `<g transform="translate(${x} ${y})">${heading(panel)}\n${plotted(panel, shown)}</g>`;
  });
  const attributes = [
    'xmlns="http://www.w3.org/2000/svg" class="benchmarks" role="img"',
    `aria-label="${label}"`,
    `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
  ];
  return `<svg ${attributes.join(' ')}>
<style>
${plotStyle()}
</style>
<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="16"/>
${drawn.join('\n')}
</svg>
`;
}

function heading({ title, unit }: Panel): string {
  return `<text class="title" y="20">${title}</text><text class="unit" y="38">${unit}</text>`;
}

/** One plot: the positions of its values. */
interface Scale {
  readonly sizes: readonly number[];
  readonly highest: number;
  readonly step: number;
}

function plotted({ axis }: Panel, curves: readonly Curve[]): string {
  if (curves.length === 0)
    return `<text x="${PANEL.left}" y="${PANEL.top + 20}">not measured</text>`;
  const scale = scaleOf(curves);
  return [
    grid(scale, axis),
    ...curves.map((curve) => drawCurve(curve, scale)),
    labels(curves, scale),
  ].join('\n');
}

function scaleOf(curves: readonly Curve[]): Scale {
  const points = curves.flatMap(({ points: own }) => own);
  const sizes = [...new Set(points.map(([size]) => size))].sort((a, b) => a - b);
  const step = niceStep(Math.max(...points.map(([, cost]) => cost)));
  const highest = Math.ceil(Math.max(...points.map(([, cost]) => cost)) / step) * step;
  return { sizes, highest, step };
}

const STEPS_MAX = 5;

/** The smallest of 1, 2 and 5 and their multiples by powers of ten that divides an axis into a few parts. */
export function niceStep(highest: number): number {
  const power = 10 ** Math.floor(Math.log10(highest / STEPS_MAX));
  return (
    [1, 2, 5, 10].map((digit) => digit * power).find((step) => highest / step <= STEPS_MAX) ?? 1
  );
}

/** Sizes multiply from one to the next, so their distances are equal. */
function xOf(size: number, { sizes }: Scale): number {
  const share = sizes.length < 2 ? 0 : sizes.indexOf(size) / (sizes.length - 1);
  return rounded(PANEL.left + 10 + share * (PANEL.width - 20));
}

function yOf(cost: number, { highest }: Scale): number {
  return rounded(PANEL.top + PANEL.height * (1 - cost / highest));
}

function grid(scale: Scale, axis: string): string {
  const { left, width, top, height } = PANEL;
  const levels: string[] = [];
  for (let step = 0; step * scale.step <= scale.highest; step += 1) {
    const cost = step * scale.step;
    const y = yOf(cost, scale);
    levels.push(
      `<path class="grid" d="M${left} ${y}h${width}"/>`,
      `<text class="level" x="${left - 7}" y="${y + 4}">${Number(cost.toPrecision(3))}</text>`,
    );
  }
  const ticks = scale.sizes.map(
    (size) =>
      `<text class="tick" x="${xOf(size, scale)}" y="${top + height + 19}">${sizeText(size)}</text>`,
  );
  const under = `<text class="unit tick" x="${left + width / 2}" y="${top + height + 40}">${axis}</text>`;
  return [...levels, ...ticks, under].join('');
}

function sizeText(size: number): string {
  return size >= 1_000 ? `${size / 1_000}k` : String(size);
}

function drawCurve({ subject, points }: Curve, scale: Scale): string {
  const [kind] = looks[subject] ?? ['bare'];
  const places = points.map(([size, cost]) => [xOf(size, scale), yOf(cost, scale)] as const);
  const dots = places.map(([x, y]) => `<circle class="dot" cx="${x}" cy="${y}" r="3"/>`);
  const path = places.map(([x, y]) => `${x} ${y}`).join('L');
  return `<g class="${kind}"><path class="curve" d="M${path}"/>${dots.join('')}</g>`;
}

/** The name of each curve beside its end, with the cost there. Overlapping names move apart. */
function labels(curves: readonly Curve[], scale: Scale): string {
  const wanted = curves
    .map((curve) => ({ curve, y: yOf(lastCost(curve), scale) + 4 }))
    .sort((one, other) => one.y - other.y);
  const ys = spread(wanted.map(({ y }) => y));
  return wanted.map(({ curve }, index) => label(curve, ys[index] ?? 0)).join('');
}

function label(curve: Curve, y: number): string {
  const [kind, name] = looks[curve.subject] ?? ['bare', curve.subject];
  const text = `${name} ${figureText(lastCost(curve))}`;
  const x = PANEL.left + PANEL.width + 2;
  return `<g class="${kind}"><text class="label" x="${x}" y="${rounded(y)}">${escapeText(text)}</text></g>`;
}

function lastCost({ points }: Curve): number {
  return points.at(-1)?.[1] ?? 0;
}

/** Moves overlapping labels apart, downwards, and all of them back up if they would leave the plot. */
function spread(ys: readonly number[]): readonly number[] {
  const places: number[] = [];
  for (const y of ys)
    places.push(Math.max(y, (places.at(-1) ?? Number.NEGATIVE_INFINITY) + LABEL_GAP));
  const bottom = PANEL.top + PANEL.height + 4;
  let limit = bottom;
  for (let index = places.length - 1; index >= 0; index -= 1) {
    places[index] = Math.min(places[index] ?? 0, limit);
    limit = (places[index] ?? 0) - LABEL_GAP;
  }
  return places;
}

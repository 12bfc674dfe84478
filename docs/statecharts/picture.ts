import { arrowView, type PlacedArrow, startView } from './arrow-view.ts';
import { type Arrow, arrowsOf } from './arrows.ts';
import { type Chart, type ChartState, isLeaf, leavesBelow, statesBelow } from './chart.ts';
import type { Layout } from './layout.ts';
import { LEGEND_GAP, legend } from './legend.ts';
import { escapeText, rounded } from './markup.ts';
import type { Size } from './measure.ts';
import { boxOf, place, type Wishes } from './placement.ts';
import { type PlacedState, stateView } from './state-view.ts';
import { pictureStyle } from './style.ts';

const MARGIN = 20;

/** What a picture adds to a chart. */
export interface Looks extends Wishes {
  readonly tones: Readonly<Record<string, string>>;
}

/** A chart, its look, and the positions of everything in it. */
export interface PlacedChart {
  readonly chart: Chart;
  readonly looks: Looks;
  readonly layout: Layout;
}

/** The drawn elements, and their size without a margin. */
export interface Drawing {
  readonly views: readonly string[];
  readonly size: Size;
}

/** Finds a place for everything. @throws Error when a main arrow or a tone refers to nothing in the chart. */
export async function placeChart(chart: Chart, looks: Looks): Promise<PlacedChart> {
  checkLooks(chart, looks);
  return { chart, looks, layout: await place(chart, chart.root, looks) };
}

/** Draws a chart as SVG. @throws Error when a main arrow or a tone refers to nothing in the chart. */
export async function drawChart(chart: Chart, looks: Looks): Promise<string> {
  return drawPlaced(await placeChart(chart, looks));
}

/** Draws a chart with known positions. */
export function drawPlaced(placed: PlacedChart): string {
  const { views, size } = drawingOf(placed);
  const { id } = placed.chart;
  return framed({ id, label: `Statechart: ${id}`, size, style: pictureStyle(), views });
}

/** Everything in a chart, and its legend. */
export function drawingOf(placed: PlacedChart): Drawing {
  const { chart, layout } = placed;
  const { view: signs, height } = legend(chart, layout.width);
  const views = [
    ...statesBelow(chart.root).flatMap((state) => (isLeaf(state) ? [] : [viewOf(placed, state)])),
    startView(layout),
    ...arrowsOf(chart).map((arrow) => arrowView(chart.id, placedArrow(placed, arrow))),
    // Small things come last, so that no arrow runs over them.
    ...leavesBelow(chart.root).map((state) => viewOf(placed, state)),
    `<g transform="translate(0 ${rounded(layout.height + LEGEND_GAP)})">${signs}</g>`,
  ];
  return { views, size: { width: layout.width, height: layout.height + LEGEND_GAP + height } };
}

function viewOf(placed: PlacedChart, state: ChartState): string {
  return stateView(placed.chart, placedState(placed, state));
}

/** The position of a state, and its hue. */
export function placedState({ layout, looks }: PlacedChart, state: ChartState): PlacedState {
  return { state, box: boxOf(layout, state), tone: toneOf(looks, state.path) };
}

/** The route of an arrow, and its hue. */
export function placedArrow({ layout, looks }: PlacedChart, arrow: Arrow): PlacedArrow {
  const isMain = looks.mainArrows.includes(arrow.id);
  const route = layout.routes.get(arrow.id);
  if (route === undefined) throw new Error(`no route for ${arrow.id}`);
  return { arrow, route, isMain, tone: arrowTone(looks, arrow) };
}

/** The parts around a drawing. */
export interface Frame extends Drawing {
  readonly id: string;
  /** The text for screen readers. */
  readonly label: string;
  readonly style: string;
  /** Classes in addition to that of every picture. */
  readonly classes?: string;
}

/** Puts a drawing on its background. */
export function framed({ id, label, style, classes, size, views }: Frame): string {
  const width = rounded(size.width + 2 * MARGIN);
  const height = rounded(size.height + 2 * MARGIN);
  const attributes = [
    'xmlns="http://www.w3.org/2000/svg"',
    `class="${['statechart', classes].filter(Boolean).join(' ')}" id="${id}" role="img" aria-label="${escapeText(label)}"`,
    `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
  ];
  return `<svg ${attributes.join(' ')}>
<style>
${style}
</style>
<rect class="ground" x="0.5" y="0.5" width="${rounded(width - 1)}" height="${rounded(height - 1)}" rx="16"/>
<g transform="translate(${MARGIN} ${MARGIN})">
${views.join('\n')}
</g>
</svg>
`;
}

function toneOf({ tones }: Looks, path: string): string {
  return tones[path.split('.')[0] ?? ''] ?? 'gray';
}

/** Only arrows into trouble have a color of their own. More would be a rainbow. */
function arrowTone(looks: Looks, { to }: Arrow): string | undefined {
  const tone = toneOf(looks, to);
  return tone === 'red' || tone === 'pink' ? tone : undefined;
}

function checkLooks(chart: Chart, { mainArrows, tones }: Looks): void {
  const ids = new Set(arrowsOf(chart).map(({ id }) => id));
  const names = new Set(chart.root.states.map(({ name }) => name));
  const strange = [
    ...mainArrows.filter((id) => !ids.has(id)),
    ...Object.keys(tones).filter((name) => !names.has(name)),
  ];
  if (strange.length > 0) throw new Error(`not in ${chart.id}: ${strange.join(', ')}`);
}

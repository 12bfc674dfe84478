import { arrowView, startView } from './arrow-view.ts';
import { type Arrow, arrowsOf } from './arrows.ts';
import { type Chart, type ChartState, isLeaf, leavesBelow, statesBelow } from './chart.ts';
import { LEGEND_GAP, legend } from './legend.ts';
import { escapeText, rounded } from './markup.ts';
import type { Size } from './measure.ts';
import { boxOf, place, type Wishes } from './placement.ts';
import { stateView } from './state-view.ts';
import { pictureStyle } from './style.ts';

const MARGIN = 20;

/** What a picture adds to a chart. */
export interface Looks extends Wishes {
  readonly tones: Readonly<Record<string, string>>;
}

/** Draws a chart as SVG. @throws Error when a main arrow or a tone is about nothing in the chart. */
export async function drawChart(chart: Chart, looks: Looks): Promise<string> {
  checkLooks(chart, looks);
  const layout = await place(chart, chart.root, looks);
  const { view: signs, height } = legend(chart, layout.width);
  const size = { width: layout.width, height: layout.height + LEGEND_GAP + height };
  const views = [
    ...statesBelow(chart.root).flatMap((state) => (isLeaf(state) ? [] : [drawState(state)])),
    startView(layout),
    ...arrowsOf(chart).map(drawArrow),
    // What is small comes last, so that no arrow runs over it.
    ...leavesBelow(chart.root).map(drawState),
    `<g transform="translate(0 ${rounded(layout.height + LEGEND_GAP)})">${signs}</g>`,
  ];
  return framed(chart.id, size, views);

  function drawState(state: ChartState): string {
    const tone = toneOf(looks, state.path);
    return stateView(chart, { state, box: boxOf(layout, state), tone });
  }

  function drawArrow(arrow: Arrow): string {
    const isMain = looks.mainArrows.includes(arrow.id);
    const route = layout.routes.get(arrow.id);
    if (route === undefined) throw new Error(`no route for ${arrow.id}`);
    return arrowView(chart.id, { arrow, route, isMain, tone: arrowTone(looks, arrow) });
  }
}

function framed(id: string, size: Size, views: readonly string[]): string {
  const width = rounded(size.width + 2 * MARGIN);
  const height = rounded(size.height + 2 * MARGIN);
  const attributes = [
    'xmlns="http://www.w3.org/2000/svg"',
    `class="statechart" id="${id}" role="img" aria-label="Statechart: ${escapeText(id)}"`,
    `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
  ];
  return `<svg ${attributes.join(' ')}>
<style>
${pictureStyle()}
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

/** Only what leads into trouble has a color of its own; more would be a rainbow. */
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

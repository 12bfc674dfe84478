import { type Arrow, arrowsOf, staysOf } from './arrows.ts';
import { type Chart, statesBelow } from './chart.ts';
import { lineView } from './lines-view.ts';
import { escapeText, rounded } from './markup.ts';
import { type Line, stateLines } from './measure.ts';

/** The content below a chart, and its height. */
export interface Legend {
  readonly view: string;
  readonly height: number;
}

interface Sign {
  /** Draws the sign around a point, within 20 pixels. */
  draw(x: number, y: number): string;
  readonly meaning: string;
}

const SIGN_WIDTH = 24;
const TEXT_WIDTH = 6.5;
const GAP = 14;
const ROW = 22;
/** The space between a chart and its legend. */
export const LEGEND_GAP = 16;

/** Explains the signs that a chart uses, after the facts that every state notes. */
export function legend(chart: Chart, width: number): Legend {
  const rows = [...everywhereRows(chart), ...signRows(signsOf(chart), width)];
  const views = rows.map((row, index) => row((index + 1) * ROW));
  return { view: `<g class="legend">${views.join('\n')}</g>`, height: rows.length * ROW };
}

type Row = (y: number) => string;

function everywhereRows(chart: Chart): readonly Row[] {
  const stays = staysOf(chart, '');
  if (stays.length === 0) return [];
  const lines = stays.map(
    ({ fact, orders }): Line => ({ kind: 'stay', text: [fact, ...orders].join(' / ') }),
  );
  return [
    (y) => text(0, y, 'In every state:'),
    ...lines.map(
      (line): Row =>
        (y) =>
          lineView(line, 0, y),
    ),
  ];
}

function signsOf(chart: Chart): readonly Sign[] {
  const states = statesBelow(chart.root);
  const lines = states.flatMap((state) => stateLines(chart, state));
  const has = (kind: Line['kind']) => lines.some((line) => line.kind === kind);
  const isAbout = (test: (arrow: Arrow) => boolean) => arrowsOf(chart).some(test);
  const stays = staysOf(chart, '').length > 0 || has('stay');
  return [
    sign(thickLine, 'a life without incidents'),
    sign(dot, 'initial state'),
    sign(slash, 'an order'),
    ...(has('deadline') ? [sign(icon('deadline'), 'a deadline, by its option')] : []),
    ...(isAbout(({ isInward }) => isInward) ? [sign(ring, 'from any state inside')] : []),
    ...(stays ? [sign(icon('stay'), 'handled, no change of state')] : []),
  ];
}

function sign(draw: Sign['draw'], meaning: string): Sign {
  return { draw, meaning };
}

const thickLine = (x: number, y: number) => `<path class="thick" d="M${x - 9},${y}h18"/>`;
const dot = (x: number, y: number) => `<circle class="first" cx="${x}" cy="${y}" r="3"/>`;
const ring = (x: number, y: number) => `<circle class="anywhere" cx="${x}" cy="${y}" r="3.5"/>`;
const slash = (x: number, y: number) => text(x - 3, y + 4, '/');
const icon = (kind: 'deadline' | 'stay') => (x: number, y: number) =>
  lineView({ kind, text: '' }, x - 4.5, y + 3.5);

/** As many signs in a row as fit. */
function signRows(signs: readonly Sign[], width: number): readonly Row[] {
  const rows: { readonly x: number; readonly sign: Sign }[][] = [];
  let x = 0;
  for (const one of signs) {
    const needed = SIGN_WIDTH + one.meaning.length * TEXT_WIDTH + GAP;
    if (x === 0 || x + needed > width) {
      rows.push([]);
      x = 0;
    }
    rows.at(-1)?.push({ x, sign: one });
    x += needed;
  }
  return rows.map((row) => (y) => row.map((placed) => signView(placed.sign, placed.x, y)).join(''));
}

function signView({ draw, meaning }: Sign, x: number, y: number): string {
  return draw(rounded(x + 9), y - 4) + text(x + SIGN_WIDTH, y, meaning);
}

function text(x: number, y: number, words: string): string {
  return `<text x="${rounded(x)}" y="${rounded(y)}">${escapeText(words)}</text>`;
}

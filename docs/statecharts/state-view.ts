import { type Chart, type ChartState, isLeaf } from './chart.ts';
import type { Box } from './layout.ts';
import { lineView } from './lines-view.ts';
import { escapeText, rounded } from './markup.ts';
import { lineWidth, sizes, stateLines } from './measure.ts';

/** A state, its position and its hue. */
export interface PlacedState {
  readonly state: ChartState;
  readonly box: Box;
  readonly tone: string;
}

const BADGE = { width: 32, height: 16 } as const;

/** Draws a state: its box, its name, its orders and its deadline, and a place for a count. */
export function stateView(chart: Chart, { state, box, tone }: PlacedState): string {
  const leaf = isLeaf(state);
  const kind = leaf ? 'leaf' : 'outer';
  const classes = ['state', kind, tone, ...(state.isRegion ? ['region'] : [])];
  const parts = [
    `<title>${escapeText(`${state.path}: ${state.description}`)}</title>`,
    boxView(state, box),
    leaf ? leafText(chart, state, box) : headerText(chart, state, box),
    badge(box, leaf),
  ];
  const id = `${chart.id}.${state.path}`;
  return `<g class="${classes.join(' ')}" id="${escapeText(id)}">${parts.join('')}</g>`;
}

/** Draws a state that a step of an example lights. It has no id, because the state below it has that. */
export function litStateView(chart: Chart, { state, box, tone }: PlacedState): string {
  const leaf = isLeaf(state);
  const classes = ['state', leaf ? 'leaf' : 'outer', tone, ...(state.isRegion ? ['region'] : [])];
  const text = leaf ? leafText(chart, state, box) : '';
  return `<g class="${classes.join(' ')} is-active">${boxView(state, box)}${text}</g>`;
}

function boxView(state: ChartState, box: Box): string {
  const inner = state.type === 'final' ? rectangle('inner', shrunk(box, 3.5), 5.5) : '';
  return rectangle('box', box, isLeaf(state) ? 8 : 12) + inner;
}

function leafText(chart: Chart, state: ChartState, box: Box): string {
  const middle = box.x + box.width / 2;
  const y = box.y + sizes.padY + 13;
  const name = `<text class="name" x="${rounded(middle)}" y="${rounded(y)}" text-anchor="middle">${escapeText(state.name)}</text>`;
  const lines = stateLines(chart, state).map((line, index) =>
    lineView(line, middle - lineWidth(line) / 2, y + 4 + (index + 1) * sizes.line),
  );
  const dot = state.isFirst ? firstDot(box.x + 10, box.y + 10) : '';
  return [dot, name, ...lines].join('');
}

function headerText(chart: Chart, state: ChartState, box: Box): string {
  const y = box.y + 21;
  const start = box.x + 14;
  const name = `<text class="name" x="${rounded(start)}" y="${rounded(y)}">${escapeText(state.name)}</text>`;
  let x = start;
  const lines = stateLines(chart, state).map((line) => {
    const view = lineView(line, x, y + sizes.line + 1);
    x += lineWidth(line) + sizes.padX;
    return view;
  });
  return [name, ...lines].join('');
}

/** The initial state of its parent. */
function firstDot(x: number, y: number): string {
  return `<circle class="first" cx="${rounded(x)}" cy="${rounded(y)}" r="3"/>`;
}

/** Hidden until the state gets a count. */
function badge(box: Box, leaf: boolean): string {
  const x = box.x + box.width - BADGE.width + (leaf ? 9 : -9);
  const y = box.y + (leaf ? -8 : 9);
  const pill = `<rect x="${rounded(x)}" y="${rounded(y)}" width="${BADGE.width}" height="${BADGE.height}" rx="8"/>`;
  const text = `<text class="count" x="${rounded(x + BADGE.width / 2)}" y="${rounded(y + 11.6)}"></text>`;
  return `<g class="badge">${pill}${text}</g>`;
}

function rectangle(className: string, { x, y, width, height }: Box, radius: number): string {
  return `<rect class="${className}" x="${rounded(x)}" y="${rounded(y)}" width="${rounded(width)}" height="${rounded(height)}" rx="${radius}"/>`;
}

function shrunk({ x, y, width, height }: Box, by: number): Box {
  return { x: x + by, y: y + by, width: width - 2 * by, height: height - 2 * by };
}

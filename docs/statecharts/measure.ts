import { type Arrow, staysOf } from './arrows.ts';
import type { Chart, ChartState, ChartTransition } from './chart.ts';

/** Sizes of the picture, in pixels. Text is measured generously, because every reader has other fonts. */
export const sizes = {
  name: 14,
  nameWidth: 8.8,
  small: 11,
  smallWidth: 6.65,
  line: 14.5,
  padX: 12,
  padY: 9,
  header: 18,
  icon: 13,
  stateWidthMin: 100,
} as const;

/** A line of small text in a state or at an arrow. */
export interface Line {
  readonly kind: 'fact' | 'order' | 'deadline' | 'stay';
  readonly text: string;
  /** An order on the same line, after the fact. */
  readonly order?: string;
}

/** Width and height of something to be placed. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The content of a state below its name, or beside it when the state has substates. */
export function stateLines(chart: Chart, state: ChartState): readonly Line[] {
  const orders = state.orders
    // The line of the deadline already shows it.
    .filter((order) => !order.startsWith('startDeadline('))
    .map((order): Line => ({ kind: 'order', text: `/ ${order}` }));
  const deadline: Line[] =
    state.deadline === undefined ? [] : [{ kind: 'deadline', text: state.deadline }];
  const stays = staysOf(chart, state.path).map(
    ({ fact, orders: given }): Line => ({ kind: 'stay', text: [fact, ...given].join(' / ') }),
  );
  return [...orders, ...deadline, ...stays];
}

const ONE_LINE_MAX = 28;

/** The text at an arrow: a line for each fact, with the orders given on the way. */
export function arrowLines({ transitions }: Arrow): readonly Line[] {
  return transitions.flatMap(({ fact, orders }) => factLines(fact, orders));
}

function factLines(fact: string, orders: ChartTransition['orders']): readonly Line[] {
  const order = orders.map((name) => `/ ${name}`).join(' ');
  if (order === '') return [{ kind: 'fact', text: fact }];
  if (fact.length + order.length < ONE_LINE_MAX) return [{ kind: 'fact', text: fact, order }];
  return [
    { kind: 'fact', text: fact },
    { kind: 'order', text: order },
  ];
}

/** The size of some lines, one below the other. */
export function linesSize(lines: readonly Line[]): Size {
  return {
    width: Math.max(0, ...lines.map(lineWidth)),
    height: lines.length * sizes.line,
  };
}

/** The width of a line, including its icon. */
export function lineWidth({ kind, text, order }: Line): number {
  const icon = kind === 'deadline' || kind === 'stay' ? sizes.icon : 0;
  const length = text.length + (order === undefined ? 0 : order.length + 1);
  return icon + length * sizes.smallWidth;
}

/** The size of the box of a state without substates. */
export function boxSize(chart: Chart, state: ChartState): Size {
  const inner = linesSize(stateLines(chart, state));
  const width = Math.max(nameWidth(state), inner.width) + 2 * sizes.padX;
  const height = sizes.header + inner.height + 2 * sizes.padY;
  return { width: Math.max(width, sizes.stateWidthMin), height };
}

/** The size of the head of a state with substates: its name, and a line below. */
export function headerSize(chart: Chart, state: ChartState): Size {
  const lines = stateLines(chart, state).map((line) => lineWidth(line) + sizes.padX);
  const width = lines.reduce((sum, lineWide) => sum + lineWide, 0);
  return {
    width: Math.max(nameWidth(state), width) + 34,
    height: sizes.header + 4 + (lines.length > 0 ? sizes.line : 0),
  };
}

/** The width of the name of a state, including its dot. */
export function nameWidth({ name, isFirst }: ChartState): number {
  return name.length * sizes.nameWidth + (isFirst ? 12 : 0);
}

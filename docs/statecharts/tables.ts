import * as topicLog from '../../src/bus/topic-log.ts';
import { LINGER_MS } from '../../src/core/limits.ts';
import {
  type Chart,
  type ChartState,
  type ChartTransition,
  isWithin,
  stateAt,
  statesBelow,
} from './chart.ts';
import type { Meanings } from './words.ts';

/** The cells of a row. */
export type Row = readonly string[];

/** A table, with the headings first. */
export type Table = readonly Row[];

const NOTHING = '–';
const BREAK = '<br>';
const OPTIONS_PAGE = '../reference/options.md';
const CLIENT_PAGE = '../guide/client.md#options';

/** Options that only a client has. */
const clientDeadlines: ReadonlySet<string> = new Set(['backoff', 'stableMs']);

/** Limits that users cannot set. */
const fixedDeadlines: ReadonlyMap<string, string> = new Map([
  ['refusalMs', `always ${LINGER_MS / 1_000} s`],
  ['answerMs', `always ${topicLog.ANSWER_MS / 1_000} s`],
  ['retryMs', `${topicLog.RETRY_MS.min} ms, doubled up to ${topicLog.RETRY_MS.max / 1_000} s`],
  ['graceMs', `always ${topicLog.GRACE_MS} ms`],
  ['lingerMs', `always ${topicLog.LINGER_MS / 1_000} s`],
  ['checkMs', checksText()],
]);

function checksText(): string {
  const [first, second] = topicLog.CHECK_DELAYS_MS;
  const later = `then \`forMs\` / ${topicLog.CHECKS_PER_RETENTION}`;
  return `${first} ms, ${(first + second) / 1_000} s, ${later}`;
}

/** Every state: its meaning, its orders on entry, its deadline. */
export function statesTable(chart: Chart): Table {
  const rows = statesBelow(chart.root).map(({ path, description, orders, deadline }) => [
    code(path),
    description,
    listOf(orders.map(code)),
    deadline === undefined ? NOTHING : deadlineText(deadline),
  ]);
  return [['State', 'Meaning', 'Orders on entry', 'Deadline'], ...rows];
}

/** Every fact: its meaning, and its effect in each state. @throws Error when a fact has no meaning. */
export function factsTable(chart: Chart, meanings: Meanings): Table {
  const known = [...meanings.keys()];
  const unknown = chart.transitions.filter(({ fact }) => !meanings.has(fact));
  if (unknown.length > 0) throw new Error(`no meaning for ${unknown.map(({ fact }) => fact)}`);
  const rows = known.map((fact) => [
    code(fact),
    meanings.get(fact) ?? '',
    chart.transitions
      .filter((transition) => transition.fact === fact)
      .map(taken)
      .join(BREAK),
  ]);
  return [['Fact', 'Meaning', 'Taken in'], ...rows];
}

/** `open` → `errored` / `destroy`. */
function taken({ from, to, orders, description }: ChartTransition): string {
  const place = from === '' ? 'every state' : code(from);
  const way = to === undefined ? `${place}, unchanged` : `${place} → ${code(to)}`;
  const given = orders.map((order) => ` / ${code(order)}`).join('');
  return `${way}${given}${description === '' ? '' : `. ${description}`}`;
}

/** Every order: its meaning and when it is given. @throws Error when a chart gives an unknown one. */
export function ordersTable(chart: Chart, meanings: Meanings): Table {
  const given = [
    ...statesBelow(chart.root).flatMap(({ orders, path }) =>
      orders.map((order) => ({ order, when: `on entry to ${code(path)}` })),
    ),
    ...chart.transitions.flatMap(({ orders, fact, from }) =>
      orders.map((order) => ({ order, when: `on ${code(fact)} in ${place(from)}` })),
    ),
  ].map(({ order, when }) => ({ name: bare(order), when: withParameters(order, when) }));
  const unknown = given.filter(({ name }) => !meanings.has(name));
  if (unknown.length > 0) throw new Error(`no meaning for ${unknown.map(({ name }) => name)}`);
  const rows = [...meanings].map(([name, meaning]) => {
    const whens = given.filter((one) => one.name === name).map(({ when }) => when);
    // An order outside all states and arrows is given once, when the chart has ended.
    return [code(name), meaning, whens.join(BREAK) || 'at the end, for the output of the chart'];
  });
  return [['Order', 'Meaning', 'Given'], ...rows];
}

/** Every deadline: the state that it limits, and what follows its expiry. */
export function deadlinesTable(chart: Chart, meanings: Meanings): Table {
  const rows = statesBelow(chart.root).flatMap((state) => {
    const { deadline, path } = state;
    if (deadline === undefined) return [];
    const ends = expiries(chart, state, meanings).map(
      (transition) => `${code(transition.fact)}: ${taken(transition)}`,
    );
    return [[deadlineText(deadline), code(path), ends.join(BREAK) || NOTHING]];
  });
  return [['Deadline', 'State', 'When it passes'], ...rows];
}

/**
 * What the expiry of a deadline causes: a fact of its own if the fact's meaning names the option or the fact
 * has its name, otherwise `deadline.passed`.
 */
function expiries(chart: Chart, state: ChartState, meanings: Meanings): readonly ChartTransition[] {
  const own = chart.transitions.filter(
    ({ from, fact }) =>
      isWithin(state.path, from) &&
      (fact.startsWith(`${state.deadline}.`) ||
        meanings.get(fact)?.includes(code(state.deadline ?? '')) === true),
  );
  if (own.length > 0) return own;
  const passed = chart.transitions.filter(({ fact }) => fact === 'deadline.passed');
  const bound = passed.filter(({ from }) => isBoundBy(chart, from, state));
  return bound.length > 0 ? bound : passed.filter(({ from }) => isWithin(state.path, from));
}

/**
 * Whether the deadline of a state runs in another state: the same one, or one inside it without a
 * deadline of its own.
 */
function isBoundBy(chart: Chart, path: string, state: ChartState): boolean {
  if (path === state.path) return true;
  return isWithin(path, state.path) && stateAt(chart, path).deadline === undefined;
}

function place(path: string): string {
  return path === '' ? 'every state' : code(path);
}

function bare(order: string): string {
  return order.split('(')[0] ?? order;
}

function withParameters(order: string, when: string): string {
  return order === bare(order) ? when : `${code(order)} ${when}`;
}

/** A link to the option. Some deadlines are not options, and those of a client are on another page. */
function deadlineText(deadline: string): string {
  const fixed = fixedDeadlines.get(deadline);
  if (fixed !== undefined) return fixed;
  return `[${code(deadline)}](${clientDeadlines.has(deadline) ? CLIENT_PAGE : OPTIONS_PAGE})`;
}

function listOf(items: readonly string[]): string {
  return items.length === 0 ? NOTHING : items.join(', ');
}

function code(text: string): string {
  return `\`${text}\``;
}

import type { Observation } from './observe.ts';
import type { Comparison } from './page.ts';

/** Narrower columns than this are unreadable. */
const COLUMN_MIN = 16;
const GAP = ' │ ';

/**
 * Writes the traces of a comparison for a terminal: one column for each library, with its reports from top to
 * bottom.
 */
export function sideBySide(comparison: Comparison, columns: number): string {
  const { situations, subjects } = comparison;
  const room = columns - GAP.length * (subjects.length - 1);
  const width = Math.max(COLUMN_MIN, Math.floor(room / subjects.length));
  return situations
    .map(({ name, about }) => {
      const own = subjects.map((subject) => traceOf(comparison, name, subject.name));
      return `${name}\n${about}\n\n${table(own, width)}`;
    })
    .join('\n\n');
}

function traceOf({ observations }: Comparison, situation: string, subject: string): string[] {
  const isMeant = (one: Observation) => one.situation === situation && one.subject === subject;
  const { trace, sent } = observations.find(isMeant) ?? { trace: [], sent: '' };
  return [subject, ...(trace.length === 0 ? ['nothing'] : trace), `send: ${sent}`];
}

/** The headings in the first row, and the rest below. */
function table(cells: readonly (readonly string[])[], width: number): string {
  const heads = cells.map(([head = '']) => wrap(head, width));
  const told = cells.map(([, ...rest]) => rest.flatMap((text) => wrap(text, width)));
  const rule = cells.map(() => '─'.repeat(width)).join('─┼─');
  return [...rows(heads, width), rule, ...rows(told, width)].join('\n');
}

function rows(columns: readonly (readonly string[])[], width: number): string[] {
  const height = Math.max(...columns.map(({ length }) => length));
  return Array.from({ length: height }, (_, row) =>
    columns
      .map((column) => (column[row] ?? '').padEnd(width))
      .join(GAP)
      .trimEnd(),
  );
}

/** Breaks a text at spaces where possible. Continuation lines are indented. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text.replaceAll(/\s+/g, ' ').trim();
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const end = space > 2 ? space : width;
    lines.push(rest.slice(0, end));
    rest = `  ${rest.slice(end).trim()}`;
  }
  return [...lines, rest];
}

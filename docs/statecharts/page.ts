import { type Chart, statesBelow } from './chart.ts';
import type { Subject } from './subjects.ts';
import { deadlinesTable, factsTable, ordersTable, statesTable, type Table } from './tables.ts';
import { machineStory, orderMeanings } from './words.ts';

/** Writes the page of a chart: the picture, how to use it, and its tables. */
export function chartPage(chart: Chart, subject: Subject): string {
  const facts = new Map(Object.entries(subject.facts));
  const orders = orderMeanings(subject.orders);
  const [first = '', ...others] = machineStory(subject.source);
  const { id } = chart;
  return `<!-- Made by \`npm run docs\` from ${subject.source}; change that, not this. -->

# ${subject.title}

${wrapped(first)}

![Statechart: ${id}](${id}.svg)

${others.map(wrapped).join('\n\n')}

${wrapped(howToUse(chart))}

## States

${markdown(statesTable(chart))}

## Facts

${markdown(factsTable(chart, facts))}

## Orders

${markdown(ordersTable(chart, orders))}

## Deadlines

${markdown(deadlinesTable(chart, facts))}
`;
}

function howToUse(chart: Chart): string {
  const { id } = chart;
  return [
    `The picture, [${id}.svg](${id}.svg), can be part of a page: each state is a group whose id is its path,`,
    `\`${idExample(chart)}\`, which lights up with the class \`is-active\` and shows a count with the`,
    'attribute `data-count` and the same text in its `.count`; each arrow is a group with `data-from`,',
    '`data-to` and `data-facts`.',
  ].join(' ');
}

/** The id of the state that is deepest inside. */
function idExample({ id, root }: Chart): string {
  const depth = (path: string) => path.split('.').length;
  const paths = statesBelow(root).map(({ path }) => path);
  return `${id}.${paths.reduce((one, other) => (depth(other) >= depth(one) ? other : one), '')}`;
}

/** A table whose columns line up in the source. */
function markdown(table: Table): string {
  const [headings = [], ...rows] = table;
  const widths = headings.map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  );
}

const LINE_MAX = 108;

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= LINE_MAX) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}

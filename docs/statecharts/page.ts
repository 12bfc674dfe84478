import { type Chart, statesBelow } from './chart.ts';
import { markdownTable, wrapped } from './markdown.ts';
import type { Subject } from './subjects.ts';
import { deadlinesTable, factsTable, ordersTable, statesTable } from './tables.ts';
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

${others.map((text) => wrapped(text)).join('\n\n')}

${wrapped(howToUse(chart))}

## States

${markdownTable(statesTable(chart))}

## Facts

${markdownTable(factsTable(chart, facts))}

## Orders

${markdownTable(ordersTable(chart, orders))}

## Deadlines

${markdownTable(deadlinesTable(chart, facts))}
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

import { type Chart, statesBelow } from './chart.ts';
import { STILL_ID } from './example-picture.ts';
import { markdownTable, wrapped } from './markdown.ts';
import type { Subject } from './subjects.ts';
import { deadlinesTable, factsTable, ordersTable, statesTable } from './tables.ts';
import { innermost, type WalkedExample } from './walk.ts';
import { machineStory, orderMeanings } from './words.ts';

/** Writes the page of a chart: the picture, its usage, its tables, and its examples. */
export function chartPage(
  chart: Chart,
  subject: Subject,
  examples: readonly WalkedExample[],
): string {
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

## Examples

${wrapped(howToWatch(examples))}

${examples.map((walked) => exampleSection(chart, walked)).join('\n\n')}
`;
}

function howToWatch(examples: readonly WalkedExample[]): string {
  const them = examples.length === 1 ? 'The picture plays its' : 'Each picture plays its';
  return [
    `${them} steps in a loop. If your system is set to reduce motion, it shows the whole path with numbers instead.`,
    'To step through a picture with buttons or the arrow keys, open its file in a browser, for example from a clone.',
  ].join(' ');
}

function exampleSection(chart: Chart, { example, stages }: WalkedExample): string {
  const { id } = chart;
  const file = `${id}-${example.name}.svg`;
  const rows = stages.map(({ fact, text, active }, index) => [
    String(index),
    fact === undefined ? '–' : `\`${fact}\``,
    text,
    innermost(chart, active)
      .map((path) => `\`${path}\``)
      .join(', '),
  ]);
  return [
    `### ${example.title}`,
    `<a href="${file}"><picture>
<source media="(prefers-reduced-motion: reduce)" srcset="${file}#${STILL_ID}">
<img src="${file}" alt="${example.title}, step by step">
</picture></a>`,
    markdownTable([['Step', 'Fact', 'What happens', 'Active states'], ...rows]),
  ].join('\n\n');
}

function howToUse(chart: Chart): string {
  const { id } = chart;
  return [
    `You can embed the picture, [${id}.svg](${id}.svg), in a page. Each state is a group whose id is its path, such`,
    `as \`${idExample(chart)}\`. To highlight a state, add the class \`is-active\`. To show a count in it, set its`,
    'attribute `data-count`, and the same text in its `.count`. Each arrow is a group with `data-from`, `data-to`',
    'and `data-facts`. To highlight an arrow, add the class `is-taken`. The [examples](#examples) show paths',
    'through the chart step by step.',
  ].join(' ');
}

/** The id of the innermost state. */
function idExample({ id, root }: Chart): string {
  const depth = (path: string) => path.split('.').length;
  const paths = statesBelow(root).map(({ path }) => path);
  return `${id}.${paths.reduce((one, other) => (depth(other) >= depth(one) ? other : one), '')}`;
}

import { readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { fileURLToPath } from 'node:url';

/** What is profiled. */
export type Scenario = keyof typeof scenarios;

/** Shares of the samples, from 0 to 1: by the owner of the code, and by function for Mooring's own. */
export interface Figures {
  readonly owners: Readonly<Record<string, number>>;
  readonly functions: Readonly<Record<string, number>>;
}

/** The profile of one scenario. */
export interface Measured {
  readonly scenario: Scenario;
  /** CPU for each operation, in microseconds. */
  readonly micros: number;
  readonly figures: Figures;
}

const FUNCTIONS_SHOWN = 8;

/** Whose code a function is, by its URL. Native functions of Node.js have none. */
const owners: readonly [owner: string, url: RegExp][] = [
  ['Mooring', /\/\.test\/(src|machines)\//],
  ['ws', /\/node_modules\/ws\//],
  ['XState', /\/node_modules\/xstate\//],
  ['RxJS', /\/node_modules\/rxjs\//],
  ['Node.js', /^node:/],
];

/** Sums up a profile. Waiting does not count. */
export function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Figures {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const figures = { owners: {} as Record<string, number>, functions: {} as Record<string, number> };
  let total = 0;
  for (const [index, id] of samples.entries()) {
    const frame = byId.get(id);
    if (frame === undefined || isOfNobody(frame)) continue;
    const micros = timeDeltas[index] ?? 0;
    const owner = ownerOf(frame);
    total += micros;
    add(figures.owners, owner, micros);
    if (owner === 'Mooring') add(figures.functions, nameOf(frame), micros);
  }
  for (const sums of Object.values(figures))
    for (const name of Object.keys(sums)) sums[name] = (sums[name] ?? 0) / total;
  return figures;
}

type Frame = Profiler.ProfileNode['callFrame'];

/** Waiting, and the profiler itself. */
function isOfNobody({ functionName, url }: Frame): boolean {
  return url === '' && ['(idle)', 'dispatch'].includes(functionName);
}

function ownerOf({ functionName, url }: Frame): string {
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(program)') return 'the rest of the process';
  if (url === '') return `\`${functionName}\` and the kernel`;
  return owners.find(([, pattern]) => pattern.test(url))?.[0] ?? 'others';
}

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const file = url.replace(/^.*\/\.test\//, '').replace(/\.js$/, '.ts');
  return `\`${functionName || nameInSource(url, lineNumber)}\` in ${file}`;
}

/** V8 does not name private methods. */
function nameInSource(url: string, lineNumber: number): string {
  const line = readFileSync(fileURLToPath(url), 'utf8').split('\n')[lineNumber] ?? '';
  return (
    /^\s*(?:static |async |get |set |function )*([#\w]+)\([^=]*\) \{$/.exec(line)?.[1] ??
    'a callback'
  );
}

function add(sums: Record<string, number>, name: string, micros: number): void {
  sums[name] = (sums[name] ?? 0) + micros;
}

const scenarios = {
  single: {
    title: 'A delivery',
    about:
      'One message of 128 bytes is published in each turn of the event loop, to 1,000 members of a topic. The costs are those of ' +
      'one delivery to one member.',
  },
  burst: {
    title: 'A delivery in a burst',
    about:
      'Sixteen messages are published in each turn, to 1,000 members. Each member gets them in one write, so one delivery costs a ' +
      'fraction of the one above.',
  },
  accept: {
    title: 'An accept',
    about:
      'A client connects, joins a topic, and leaves with the closing handshake. The costs are those of the whole life of one ' +
      'connection.',
  },
  reset: {
    title: 'A close',
    about:
      'Four thousand connections are reset at the same moment. The costs are those of one ending.',
  },
  flood: {
    title: 'A message of a flood',
    about:
      '200 clients send messages of 100 bytes of JSON, as fast as the server reads them, to a handler that counts. The costs are ' +
      'those of one message.',
  },
  heartbeat: {
    title: 'A heartbeat',
    about:
      'Four thousand silent connections are pinged once a second, and answer. The costs are those of one ping and its answer.',
  },
};

/** The page. */
export function page(results: readonly Measured[]): string {
  return `<!-- Made by \`npm run profile\`; change test/bench/profile-page.ts, not this. -->

# Performance

This page shows where Mooring spends its CPU time, so that you know where to begin if you want to make it faster. The
[benchmarks](../benchmarks.md) compare it with others; this page looks inside. Only shares count: a profiler makes everything slower, and
another machine has other times.

- A share below one percent is left out.
- "\`write…\` and the kernel" is a system call, in which Node.js waits for the kernel. No code in JavaScript can make it cheaper; fewer calls
  can.

${results.map(section).join('\n')}`;
}

function section({ scenario, micros, figures }: Measured): string {
  const { title, about } = scenarios[scenario];
  const rows = (shares: Readonly<Record<string, number>>, most = Number.POSITIVE_INFINITY) =>
    Object.entries(shares)
      .filter(([, share]) => share >= 0.01)
      .sort(([, one], [, other]) => other - one)
      .slice(0, most)
      .map(([name, share]) => [name, `${(share * 100).toFixed(0)} %`, (share * micros).toFixed(2)]);
  const own = rows(figures.functions, FUNCTIONS_SHOWN);
  const functions =
    own.length === 0
      ? 'No function of Mooring takes one percent.\n'
      : table(['Functions of Mooring', 'Share', 'µs'], own);
  return `## ${title}

${wrapped(about)}

${table(['Whose code', 'Share', 'µs'], rows(figures.owners))}
${functions}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return `${[line(head), line(rule), ...rows.map(line)].join('\n')}\n`;
}

const COLUMNS = 140;

function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length >= COLUMNS) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}

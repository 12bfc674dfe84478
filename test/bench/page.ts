import { markdownTable, wrapped } from '../../docs/statecharts/markdown.ts';
import { growthTexts } from './growth.ts';
import { growthPicture } from './panels.ts';
import type { Results } from './results.ts';
import { type BenchRow, type Curve, type LeftOut, median, targeted } from './row.ts';
import { figureText, limitText, ratioText } from './table.ts';
import type { Workload } from './workload.ts';

/** The path of the page, from the root of the sources. */
export const PAGE = 'docs/benchmarks.md';

/** Writes the page of the benchmarks. */
export function benchmarksPage(measured: Results, workloads: readonly Workload[]): string {
  // Rows that were measured again later are at the end.
  const order = workloads.flatMap(({ rows }) => rows.map(({ name }) => name));
  const place = ({ name }: BenchRow) => order.indexOf(name);
  const rows = [...measured.rows].sort((one, other) => place(one) - place(other));
  const results = { ...measured, rows };
  return `<!-- Made by \`npm run bench -- --write\`; change test/bench/page.ts, not this. -->

# Benchmarks

${wrapped(INTRODUCTION)}

${wrapped(machineText(results))}

## Figures

${wrapped(summary(results.rows))}

${figuresTable(results.rows)}
${notes(results.rows)}${leftOutText(results.leftOut)}${missedText(results.rows)}
## Scaling

${wrapped(PICTURE_TEXT)}

![Cost against the number of connections](benchmarks.svg)
${growthText(results.curves)}
## How it is measured

${METHOD.map((text) => wrapped(text, '- ')).join('\n')}

## Workloads

${workloads.map(({ name, about }) => wrapped(`\`${name}\`: ${about}`, '- ')).join('\n')}
`;
}

const INTRODUCTION =
  'This page shows what Mooring costs beside other libraries. `npm run bench` measures it. Figures from ' +
  'one machine do not hold for another, so each row has a ratio: the figure of Mooring, divided by the ' +
  'figure of a peer in the same run. The ratio must not exceed the target of its row; a target such as ' +
  '“ws + 2.0 KiB” limits the difference. The page also shows the targets that Mooring misses.';

const PICTURE_TEXT =
  'The cost of one delivery, and the cost of one connection that comes and goes, must not depend on the ' +
  'number of other connections.';

const METHOD = [
  'Each server runs in a fresh process, and so do its clients. CPU figures are the user and system time ' +
    'of the server, from `process.cpuUsage`. Clients measure latency.',
  'Subjects take turns, and their order rotates from round to round. A figure is the median of the ' +
    'rounds, and a ratio is that of the medians.',
  'Every server is warmed up first, so the figures are those of compiled code.',
  'A loop runs on every core before each round. If it waits for a core or takes longer than before, or if the ' +
    'rounds of the peer differ too much, the machine was busy. The row then has no figure.',
  'Clients are plain sockets that complete the handshake, count messages and answer pings. In `storm`, ' +
    '`dialed-heap`, `resume` and `node-kill`, they are those of the libraries. Everything runs over the loopback interface ' +
    'of one machine, and its kernel time is part of every figure.',
  'Mooring runs with its defaults. Only the limits on connections and on messages per second are raised, ' +
    'because clients in a closed loop on loopback would reach them.',
  'ws broadcasts and pings as its README shows. Compression is off everywhere. Bun takes part if the ' +
    'environment variable `BENCH_BUN` names its binary.',
  'The rows of the bus use a real nats-server and a real redis-server, which are found on the PATH, or come from ' +
    'the packages of Debian. `NATS_SERVER` and `REDIS_SERVER` can name others.',
];

function machineText({ machine, rows }: Results): string {
  const { cpu, cores, memoryGib, node, system } = machine;
  // Most rows have the same; those of slow workloads have fewer.
  const rounds = median(rows.map((row) => row.rounds.ours.length));
  const size = `${cores} cores, ${memoryGib} GiB of memory`;
  return `Measured on ${cpu}, ${size}, ${system}, Node.js ${node.slice(1)}; median of ${rounds} rounds.`;
}

function summary(rows: readonly BenchRow[]): string {
  const targets = targeted(rows);
  const held = targets.filter(({ holds }) => holds).length;
  return (
    `${held} of ${targets.length} targets hold. Smaller is better in every row. µs and ms/s are CPU time of the server, ` +
    'for each unit of work and per second. The rows `latency`, `heartbeat-pause`, `slow-reader-p99`, `churn`, `storm-pause`, ' +
    '`storm-open`, `bus-pause`, `append`, `sleepers` and `resume` show elapsed time instead. `sleepers-engine` is CPU of the ' +
    'nats-server. A row without a target is only a comparison.'
  );
}

function figuresTable(rows: readonly BenchRow[]): string {
  const head = ['Row', 'Mooring', 'Peer', 'Unit', 'Compared to', 'Ratio', 'Target', 'Holds'];
  return markdownTable([head, ...rows.map(cellsOf)]);
}

function cellsOf({ name, ...row }: BenchRow): readonly string[] {
  const figures = [figureText(row.ours), figureText(row.peer), row.unit, row.peerName];
  return [`\`${name}\``, ...figures, ratioText(row.ratio), ...verdictOf(row)];
}

function verdictOf(row: Omit<BenchRow, 'name'>): readonly string[] {
  const verdict = row.holds ? '✓' : '✗ missed';
  return [limitText(row), row.target === undefined ? '–' : verdict];
}

function notes(rows: readonly BenchRow[]): string {
  const noted = rows.filter(({ note }) => note !== undefined);
  if (noted.length === 0) return '';
  return `\n${noted.map(({ name, note }) => wrapped(`\`${name}\`: ${note}`, '- ')).join('\n')}\n`;
}

/**
 * Reasons why figures are above their targets, by the workload that the row name begins with. The shares are those of
 * docs/internals/performance.md.
 */
const HELD_BY: Readonly<Record<string, string>> = {
  'burst-ws':
    'Nine tenths of the cost is one system call for each member, a write of 2 KiB. A bare `socket.write` of the same ' +
    'bytes, joined beforehand, costs 0.056 of ws, so 0.060 leaves Mooring 7 % more than the bare write. 0.067 would be right.',
  'burst-bun':
    'Bun writes without the stream layer of Node.js. The bare `socket.write` already costs 1.27 of Bun, so 1.15 is out of reach.',
  'burst-joined':
    'The visit of a member costs 1.6 µs beyond its write, in `single` as well as here. In the profile, 6 % of a delivery ' +
    'is code of Mooring, nearly all of it in the loop over the members, and 6 % is code of Node.js around the write.',
  single:
    'Nearly all of the cost is one write for each member. The visit costs 1.6 µs beyond it, see `burst-joined`, as it did ' +
    'before publications were collected. With nothing to join, the ratio to ws depends on how long the system call takes: it was ' +
    '0.67 on another machine.',
  echo:
    'Rate limit, depth check, codec and guarded handler take one to two microseconds for each message. The ' +
    'rest is the same system calls, and varies by a tenth from run to run.',
  flood:
    'The limits cost 0.7 µs for each message: the time that a rate needs, the look for depth and size, the guard around ' +
    'the handler, and the count of promises in flight. ws has none of them. 1.40 would be right.',
  latency:
    'A turn of the event loop ends one callback later. The rest of the difference is noise of two busy ' +
    'cores.',
  accept:
    "Each socket costs an XState actor (about 8 µs and 1.2 KB, which `actors: 'on-demand'` saves), the address of the peer " +
    '(a system call, 8 % of an accept), the bookkeeping of the registry, and the garbage of all that, which is 15 %. Mooring ' +
    'itself has 11 %, and XState 8 %. ws keeps no registry, no limits and no verdict.',
  'mass-close':
    'Each connection costs four facts for its chart, a verdict with its error and its trail, and the end of its actor: ' +
    'Mooring has 14 %, the collection of garbage 9 % and XState 4 % of an ending, and the system calls 45 %. ws only notes a code.',
  'mass-close-flat':
    'A thousand connections cost between 20 and 33 µs each, depending on the round (14 to 23 with ws), ' +
    'because the whole measurement takes only 25 ms. Ten thousand cost nearly the same in every round.',
  'idle-heap':
    'The actor of XState takes 1.2 KB, more than half of the difference to ws. 2.3 KiB more than ws would be right.',
  heartbeat:
    'Mooring sends the same pings and reads the same pongs, in the same system calls, which are 80 % of the cost; Mooring has 2 %. ws ' +
    'visits all connections at once, in the order in which they lie in memory, and blocks the event loop for 300 ms ' +
    'meanwhile. Mooring spreads its pings, so what a ping needs is no longer in the caches.',
  'slow-reader': 'Not Mooring: the other members are written to in the same turn.',
  churn:
    'The clients that come and go need CPU of the two cores, too: the p99 of ws also grows, by 38 %. The rest is the cost of ' +
    '500 accepts and closes a second, see `accept`.',
  'dialed-heap':
    'The XState actor of the connection takes 1.2 KB, and the subscription to messages, which RxJS makes, ' +
    '0.8 KB. The client keeps its policy, its queue and its streams beside the connection, and ws has nothing like them.',
};

/** The reasons for missed targets, once for all rows of a workload. */
function missedText(rows: readonly BenchRow[]): string {
  const isMissed = (name: string) => rows.some((row) => !row.holds && row.name.startsWith(name));
  const missed = Object.entries(HELD_BY).filter(([name]) => isMissed(name));
  if (missed.length === 0) return '';
  const lines = missed.map(([name, reason]) => wrapped(`\`${name}\`: ${reason}`, '- '));
  return `\n## Why targets are missed\n\n${lines.join('\n')}\n`;
}

const GROWTH_TEXT =
  'A large service has many members in many topics, and many leave at once. Each curve shows the cost of ' +
  'one unit, so a cost that is linear in their number is a level line.';

/** The second picture, and whether the promises hold that it shows. */
function growthText(curves: readonly Curve[]): string {
  const texts = growthTexts(curves);
  if (texts.length === 0) return '';
  const lines = texts.map((text) => wrapped(text, '- '));
  const picture = `![${growthPicture.label}](benchmarks-growth.svg)`;
  return `\n${wrapped(GROWTH_TEXT)}\n\n${lines.join('\n')}\n\n${picture}\n`;
}

function leftOutText(leftOut: readonly LeftOut[]): string {
  if (leftOut.length === 0) return '';
  const lines = leftOut.map(({ name, reason }) => wrapped(`\`${name}\`: ${reason}`, '- '));
  return `\nNot measured here:\n\n${lines.join('\n')}\n`;
}

import { markdownTable, wrapped } from '../../docs/statecharts/markdown.ts';
import type { Results } from './results.ts';
import { type BenchRow, type LeftOut, targeted } from './row.ts';
import { figureText, ratioText } from './table.ts';
import type { Workload } from './workload.ts';

/** The paths of the page and its picture, from the root of the sources. */
export const PAGE = 'docs/benchmarks.md';
export const PICTURE = 'docs/benchmarks.svg';

/** Writes the page of the benchmarks. */
export function benchmarksPage(results: Results, workloads: readonly Workload[]): string {
  return `<!-- Made by \`npm run bench -- --write\`; change test/bench/page.ts, not this. -->

# Benchmarks

${wrapped(INTRODUCTION)}

${wrapped(machineText(results))}

## Figures

${wrapped(summary(results.rows))}

${figuresTable(results.rows)}
${notes(results.rows)}${leftOutText(results.leftOut)}${missedText(results.rows)}
## Does it grow with the crowd?

${wrapped(PICTURE_TEXT)}

![Cost against the number of connections](benchmarks.svg)

## How it is measured

${METHOD.map((text) => wrapped(text, '- ')).join('\n')}

## What is done

${workloads.map(({ name, about }) => wrapped(`\`${name}\`: ${about}`, '- ')).join('\n')}
`;
}

const INTRODUCTION =
  'What Mooring costs beside what else one could use, by `npm run bench`. Figures of one machine say little ' +
  'about another, so each is a ratio to a peer in the same run, with a target that the ratio must not exceed. ' +
  'A target that is missed is shown as missed.';

const PICTURE_TEXT =
  'The cost of one delivery, and of one connection that comes and goes, must not depend on how many others ' +
  'there are.';

const METHOD = [
  'Each server is a fresh process, and so are its clients. What is counted is the CPU of the server, user ' +
    'and system, by `process.cpuUsage`; latency is what the client sees.',
  'Subjects take turns, round after round, and the order rotates. A figure is the median of the rounds, and ' +
    'the ratio is that of the medians.',
  'Every server is warmed up before it is measured: what is measured is code that has been compiled.',
  'Clients are plain sockets that complete the handshake, count messages and answer pings, except in `storm` and ' +
    '`dialed-heap`, where they are what is compared. Everything runs over the loopback interface of one machine; ' +
    'kernel time for it is part of every figure.',
  'Mooring runs with its defaults. Only the limits on connections and on messages per second are raised, ' +
    'because clients in a closed loop on loopback would reach them.',
  'ws does what its README says for broadcast and heartbeat. Compression is off everywhere. Bun takes part ' +
    'when the environment variable `BENCH_BUN` names its binary.',
];

function machineText({ machine, rows }: Results): string {
  const { cpu, cores, memoryGib, node, system } = machine;
  const rounds = Math.min(...rows.map((row) => row.rounds.ours.length));
  const size = `${cores} cores, ${memoryGib} GiB of memory`;
  return `Measured on ${cpu}, ${size}, ${system}, Node.js ${node.slice(1)}; median of ${rounds} rounds.`;
}

function summary(rows: readonly BenchRow[]): string {
  const targets = targeted(rows);
  const held = targets.filter(({ holds }) => holds).length;
  return (
    `${held} of ${targets.length} targets hold. Smaller is better throughout. µs and ms/s are CPU of the server, ` +
    'for each unit of work and per second; `latency`, `heartbeat-pause`, `slow-reader-p99`, `storm-pause` and ' +
    '`storm-open` are time that passed. A row without a target compares and promises nothing.'
  );
}

function figuresTable(rows: readonly BenchRow[]): string {
  const head = ['Row', 'Ours', 'Peer', 'Unit', 'Compared to', 'Ratio', 'Target', 'Holds'];
  return markdownTable([head, ...rows.map(cellsOf)]);
}

function cellsOf({ name, ours, peer, unit, peerName, ...row }: BenchRow): readonly string[] {
  const figures = [figureText(ours), figureText(peer), unit, peerName];
  return [`\`${name}\``, ...figures, ratioText(row.ratio), ...verdictOf(row)];
}

function verdictOf({ target, holds }: Pick<BenchRow, 'target' | 'holds'>): readonly string[] {
  if (target === undefined) return ['–', '–'];
  return [`≤ ${ratioText(target)}`, holds ? '✓' : '✗ missed'];
}

function notes(rows: readonly BenchRow[]): string {
  const told = rows.filter(({ note }) => note !== undefined);
  if (told.length === 0) return '';
  return `\n${told.map(({ name, note }) => wrapped(`\`${name}\`: ${note}`, '- ')).join('\n')}\n`;
}

/** Reasons why figures are above their targets, by the workload that the row name begins with. */
const HELD_BY: Readonly<Record<string, string>> = {
  burst:
    'nine tenths of it are one system call for each member, a write of 2 KiB: a bare `socket.write` of the same ' +
    'bytes, joined beforehand, costs 0.055 to 0.06 of ws. Bun writes without the stream layer of Node.js.',
  single: 'a write for each member is nearly all of it, for the bare `socket.write` as well.',
  echo:
    'the way of a message through rate limit, depth check, codec and guarded handler takes one to two ' +
    'microseconds; the rest is the same system calls, and varies by a tenth from run to run.',
  latency:
    'the end of a turn is one callback later; what is above that is noise of two busy cores.',
  accept:
    'an XState actor for each socket (some 15 µs and 1.3 KB), the address of the peer (a system call, 5 µs), the ' +
    'books of the registry, and the garbage of all that. Remembering the steps of the chart, sparing the ' +
    'supervisor the signal of a normal end and making objects only when they are needed took a third off.',
  'mass-close':
    'four facts for each chart, a verdict with its error, and the end of the actor; ws alone notes a code.',
  'mass-close-flat':
    'a thousand cost between 20 and 33 µs each from round to round (those of ws 14 to 23), because all of it is over ' +
    'in 25 ms; ten thousand cost nearly the same in every round.',
  'idle-heap': 'the actor is half of what is beyond ws.',
  heartbeat:
    'the same pings and pongs, in the same system calls. What costs more is memory that has gone cold: the recipe ' +
    'walks through all connections at once, in the order in which they lie in memory, and stops the event loop ' +
    'for it. Pinging sixteen neighbours in turn instead of each in a tick of its own took a third off.',
  'slow-reader': 'nothing of ours: the others are written to in the same turn.',
  'dialed-heap':
    'the XState actor of the connection is 1.3 KB, the subscription to messages, which RxJS makes, 0.8 KB.',
};

/** The reasons for missed targets, once for all rows of a workload. */
function missedText(rows: readonly BenchRow[]): string {
  const isMissed = (name: string) => rows.some((row) => !row.holds && row.name.startsWith(name));
  const missed = Object.entries(HELD_BY).filter(([name]) => isMissed(name));
  if (missed.length === 0) return '';
  const lines = missed.map(([name, reason]) => wrapped(`\`${name}\`: ${reason}`, '- '));
  return `\n## What holds the missed ones\n\n${lines.join('\n')}\n`;
}

function leftOutText(leftOut: readonly LeftOut[]): string {
  if (leftOut.length === 0) return '';
  const lines = leftOut.map(({ name, reason }) => wrapped(`\`${name}\`: ${reason}`, '- '));
  return `\nNot measured here:\n\n${lines.join('\n')}\n`;
}

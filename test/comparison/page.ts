import { markdownTable, wrapped } from '../../docs/statecharts/markdown.ts';
import { EVENTS_MAX, OBSERVED_MS, type Observation, SEND_AT_MS } from './observe.ts';
import type { Situation } from './situations.ts';
import type { Subject } from './subject.ts';

/** Where the page is, from the root of the sources. */
export const PAGE = 'docs/comparison.md';

/** Everything that the page is made of. */
export interface Comparison {
  readonly subjects: readonly Subject[];
  readonly situations: readonly Situation[];
  readonly observations: readonly Observation[];
  /** The versions of the libraries, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly node: string;
}

/** Writes the page of the comparison. */
export function comparisonPage(comparison: Comparison): string {
  const { node, situations } = comparison;
  return `<!-- Made by \`npm run compare -- --write\`; change test/comparison/, not this. -->

# Comparison

${wrapped(INTRODUCTION)}

## Who takes part

${wrapped(`Observed on Node.js ${node}. What is not named here has its default.`)}

${setupText(comparison)}

## How it is observed

${METHOD.map((text) => wrapped(text, '- ')).join('\n')}

${situations.map((situation) => situationText(situation, comparison)).join('\n\n')}

## What to make of it

${wrapped(SUMMARY)}

${summaryTable(comparison)}

${FACTS.map((text) => wrapped(text, '- ')).join('\n')}
`;
}

const INTRODUCTION =
  'What libraries for the client side tell their users when something goes wrong. `npm run compare` leads each ' +
  'of them, on real sockets, into the same situations and notes every event in its own words. The libraries have ' +
  'different aims: ws is the protocol alone, reconnecting-websocket and partysocket keep to the interface of the ' +
  "browser's `WebSocket`, and socket.io-client has a protocol of its own and needs a server that speaks it.";

const METHOD = [
  `Each library is alone in each situation, for ${OBSERVED_MS} ms. What comes later is not seen; a trace of more ` +
    `than ${EVENTS_MAX} events is cut short. No library gets to a second attempt in that time.`,
  'Peers that never accept a connection are bare TCP servers, the same for all. Behind a connection that opens ' +
    'is a sound server, that of ws or of socket.io, and between both a TCP proxy that breaks it.',
  'Reports are the events that tell of the failure or the end: `error`, `close`, `connect_error`, `disconnect` ' +
    'and `endings$`. `status$` of Mooring is not counted: it says what the client does next. Nor is an ' +
    'uncaught exception, of which only the process is told.',
  `One message is sent ${SEND_AT_MS} ms after dialing, unless the situation says when. The last column shows what ` +
    '`send` returned or threw, or what its callback got.',
  'An error is shown by its code when it has one, else by its text. Long texts are cut.',
];

const SUMMARY =
  'In how many situations a failure or an end was told how often, and how many raised an exception that no ' +
  'listener and no `catch` of the user can get hold of, which ends a process by default.';

const FACTS = [
  '`error` and then `close` is what the standard of the browser asks for, so two reports are no mistake of ws. ' +
    'Its `close` alone comes exactly once in every situation but the silent peer, and its `error` says why.',
  'Silence is found by socket.io-client and Mooring, which have a heartbeat. The others leave it to the ' +
    'application, as the documentation of ws shows; here their `send` took a message for a peer that was gone.',
  'socket.io-client tells each failure once, with a reason, and hands out the error below it. It says nothing of ' +
    'an attempt that its user gave up.',
  'reconnecting-websocket and partysocket report a `close` with 1000, a normal end, for attempts that failed; the ' +
    '`error` behind it has the reason.',
  'After its connection timeout reconnecting-websocket closes a socket of ws to which it no longer listens. The ' +
    'WebSocket of a browser lets an `error` without listeners pass; that of ws throws it. partysocket, which comes ' +
    'from the same code, has mended that.',
  'After an open connection is lost, ws, reconnecting-websocket, partysocket and socket.io-client tell RST and ' +
    'FIN alike. Mooring tells them apart.',
  'What `send` says: the callback of ws says that a message cannot leave and why; partysocket returns whether it ' +
    'left at once, and warns after `close`; reconnecting-websocket returns nothing; socket.io-client ' +
    'returns the socket, and offers acknowledgements; Mooring returns `queued` or `refused`.',
  'Mooring tells each attempt once, on `endings$`. Whoever listens to `status$` as well hears of it again: each ' +
    'status holds the last ending.',
];

function setupText({ subjects, versions }: Comparison): string {
  return subjects
    .map(({ name, setup }) => wrapped(`${name} ${versions[name]}: ${setup}`, '- '))
    .join('\n');
}

function situationText({ name, about }: Situation, { observations }: Comparison): string {
  const rows = observations.filter(({ situation }) => situation === name).map(cellsOf);
  const head = ['Library', 'What its user is told, in order', 'Reports', '`send` then'];
  return `## ${name}\n\n${wrapped(about)}\n\n${markdownTable([head, ...rows])}`;
}

function cellsOf({ subject, trace, reports, sent }: Observation): readonly string[] {
  const told = trace.length === 0 ? 'nothing' : trace.map(codeOf).join(' → ');
  return [subject, told, String(reports), codeOf(sent)];
}

function summaryTable({ subjects, observations }: Comparison): string {
  const head = ['Library', 'Once', 'More than once', 'Not at all', 'Uncaught exceptions'];
  const rows = subjects.map(({ name }) => {
    const own = observations.filter(({ subject }) => subject === name);
    const count = (holds: (one: Observation) => boolean) => String(own.filter(holds).length);
    return [
      name,
      count(({ reports }) => reports === 1),
      count(({ reports }) => reports > 1),
      count(({ reports }) => reports === 0),
      count(({ hasUncaught }) => hasUncaught),
    ];
  });
  return markdownTable([head, ...rows]);
}

const TEXT_MAX = 64;

/** Foreign text as code in a cell of a table: in one line, not too long, and without marks that end either. */
export function codeOf(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('`', "'").trim();
  const short =
    line.length <= TEXT_MAX ? line : `${line.slice(0, TEXT_MAX).replace(/ \S*$/, '')} …`;
  return `\`${short.replaceAll('|', '\\|')}\``;
}

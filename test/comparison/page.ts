import { markdownTable, wrapped } from '../../docs/statecharts/markdown.ts';
import { EVENTS_MAX, OBSERVED_MS, type Observation, SEND_AT_MS } from './observe.ts';
import type { Situation } from './situations.ts';
import type { Subject } from './subject.ts';

/** The path of the page, from the root of the sources. */
export const PAGE = 'docs/comparison.md';

/** The content of the page. */
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

## Libraries

${wrapped(`Observed on Node.js ${node}. Options that are not listed here have their defaults.`)}

${setupText(comparison)}

## Method

${METHOD.map((text) => wrapped(text, '- ')).join('\n')}

${situations.map((situation) => situationText(situation, comparison)).join('\n\n')}

## Summary

${wrapped(SUMMARY)}

${summaryTable(comparison)}

${FACTS.map((text) => wrapped(text, '- ')).join('\n')}
`;
}

const INTRODUCTION =
  'This page compares what client libraries report to their users when something goes wrong. `npm run compare` puts ' +
  'each library into the same situations, on real sockets, and records every event in the words of the library. The ' +
  'libraries have different aims: ws implements the protocol alone, reconnecting-websocket and partysocket keep to ' +
  "the interface of the browser's `WebSocket`, and socket.io-client has a protocol of its own and needs a server " +
  'that speaks it.';

const METHOD = [
  `Each library runs alone in each situation, for ${OBSERVED_MS} ms. The page does not show what comes later, and ` +
    `cuts a trace after ${EVENTS_MAX} events. No library makes a second attempt in that time.`,
  'Peers that never accept a connection are bare TCP servers, the same for all libraries. A connection that opens ' +
    'leads to a working server, of ws or of socket.io. A TCP proxy between client and server breaks the connection.',
  'Reports are the events that announce the failure or the end: `error`, `close`, `connect_error`, `disconnect` ' +
    'and `endings$`. `status$` of Mooring does not count, because it shows what the client does next. An uncaught ' +
    'exception does not count either, because only the process sees it.',
  `The user sends one message ${SEND_AT_MS} ms after dialing, unless the situation names another time. The last ` +
    'column shows what `send` returned or threw, or what its callback got.',
  'The page shows an error by its code, or by its text if it has no code. It cuts long texts.',
];

const SUMMARY =
  'The table counts situations by how often a library reported the failure or the end. The last column counts the ' +
  'situations that raised an exception that no listener and no `catch` of the user can handle. By default, such an ' +
  'exception ends a process.';

const FACTS = [
  'The browser standard requires `error` and then `close`, so two reports are not a mistake of ws. Its `close` ' +
    'comes exactly once in every situation except the silent peer, and its `error` gives the reason.',
  'socket.io-client and Mooring have a heartbeat and find a silent peer. The others leave this to the application, ' +
    'as the documentation of ws shows. Here, their `send` accepted a message for a peer that was gone.',
  'socket.io-client reports each failure once, with a reason, and passes on the underlying error. It reports nothing ' +
    'about an attempt that its user ended.',
  'reconnecting-websocket and partysocket report a `close` with 1000, a normal end, for attempts that failed. The ' +
    '`error` that follows has the reason.',
  'After its connection timeout, reconnecting-websocket closes a ws socket on which it no longer has listeners. The ' +
    'WebSocket of a browser ignores an `error` without listeners, but the WebSocket of ws throws it. partysocket, ' +
    'which comes from the same code, has fixed this.',
  'After an open connection is lost, ws, reconnecting-websocket, partysocket and socket.io-client report RST and ' +
    'FIN in the same way. Mooring distinguishes them.',
  '`send` reports different things. The callback of ws gets an error with the reason if a message cannot leave. ' +
    'partysocket returns whether the message left at once, and warns after `close`. reconnecting-websocket returns ' +
    'nothing. socket.io-client returns the socket and offers acknowledgements. Mooring returns `queued` or `refused`.',
  'Mooring reports each attempt once, on `endings$`. If you also subscribe to `status$`, you see the ending again, ' +
    'because each status holds the last ending.',
];

function setupText({ subjects, versions }: Comparison): string {
  return subjects
    .map(({ name, setup }) => wrapped(`${name} ${versions[name]}: ${setup}`, '- '))
    .join('\n');
}

function situationText({ name, about }: Situation, { observations }: Comparison): string {
  const rows = observations.filter(({ situation }) => situation === name).map(cellsOf);
  const head = ['Library', 'What its user sees, in order', 'Reports', '`send` then'];
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

/** How a connection that was open ended, by cause. Each text continues a sentence that begins with a name. */
const endings = new Map([
  ['peer-close', 'closed the connection'],
  ['close', 'was closed by the server'],
  ['drain', 'was closed because the server drained'],
  ['terminate', 'was terminated by the server'],
  ['fail', 'was closed after an error of the server'],
  ['handler-error', 'was closed because a handler threw'],
  ['handler-stalled', 'was closed because a handler was stuck'],
  ['crash', 'ended because its statechart threw'],
  ['welcome-timeout', 'was closed because onOpen took too long'],
  ['expired', 'was closed because its time expired'],
  ['invalid-message', 'sent invalid messages'],
  ['message-rate', 'sent too many messages'],
  ['message-limit', 'sent a message in too many parts'],
  ['message-timeout', 'sent a message too slowly'],
  ['overload', 'was closed to free memory'],
  ['slow-consumer', 'stopped reading'],
  ['missed-messages', 'was closed because it has missed messages'],
  ['heartbeat-timeout', 'stopped answering heartbeats'],
  ['ping-flood', 'sent too many pings'],
  ['close-timeout', 'did not answer the close frame'],
  ['protocol-error', 'broke the protocol or a size limit'],
  ['taken-away', 'lost its socket to other code'],
  ['send-error', 'could not be written to'],
  ['tcp-fin', 'ended TCP without a close frame'],
  ['tcp-fin-backlog', 'ended TCP and left data unread'],
  ['tcp-reset', 'reset TCP'],
  ['tcp-timeout', 'was lost: TCP timed out'],
  ['tcp-error', 'was lost: the socket failed'],
  ['unknown', 'ended for an unknown reason'],
]);

/** Why a connection never opened, by cause. */
const failures = new Map([
  ['bad-request', 'sent an invalid handshake'],
  ['wrong-method', 'sent a handshake that is not a GET'],
  ['wrong-version', 'asked for another WebSocket version'],
  ['wrong-path', 'asked for a wrong path'],
  ['wrong-host', 'asked for a wrong host'],
  ['wrong-origin', 'came from an origin that is not allowed'],
  ['wrong-subprotocol', 'offered no supported subprotocol'],
  ['unauthorized', 'was not authenticated'],
  ['refused', 'was refused'],
  ['authenticate-error', 'was refused because authenticate threw'],
  ['connections-max', 'was refused: too many connections'],
  ['address-max', 'was refused: too many connections from its address'],
  ['address-rate', 'was refused: too many attempts from its address'],
  ['accept-rate', 'was refused: too many attempts at once'],
  ['suspended', 'was refused: the server is suspended'],
  ['draining', 'was refused: the server drains'],
  ['handshake-timeout', 'did not open in time'],
  ['abandoned', 'left before the connection was open'],
  ['tcp-reset', 'reset TCP during the handshake'],
  ['tcp-timeout', 'was lost during the handshake: TCP timed out'],
  ['tcp-error', 'was lost during the handshake: the socket failed'],
  ['taken-away', 'lost its socket to other code'],
  ['not-upgraded', 'sent a plain HTTP request'],
  ['crash', 'failed because its statechart threw'],
]);

/** How this tab lost its connection, by close code. */
const codes = new Map([
  [1000, 'The server closed the connection'],
  [1001, 'The server went away'],
  [1002, 'This tab broke the WebSocket protocol'],
  [1005, 'The server closed without a close code'],
  [1006, 'The connection was lost without a close frame'],
  [1008, 'This tab broke a rule of the server'],
  [1009, 'This tab sent a message that is too large'],
  [1011, 'The server closed after an internal error'],
  [1012, 'The server is restarting'],
  [1013, 'This tab read too slowly'],
]);

/** Causes that say more than the close code. */
const causes = new Map([['heartbeat-timeout', 'The server stopped answering']]);

/** The texts of `codes` if the tab is connected again and the server has restarted meanwhile. */
const restarts = new Map([
  [1006, 'The server ended without a close frame and was started again'],
  [1001, 'The server restarted'],
]);

export function endingWords(cause) {
  return endings.get(cause) ?? cause;
}

export function failureWords(cause) {
  return failures.get(cause) ?? cause;
}

/** How this tab lost its connection: `The server restarted (1001)`, or the worker that it was on. */
export function lossWords({ code, reason, origin, cause }, worker, hasRestarted = false) {
  if (origin === 'local') return `This tab closed the connection (${cause})`;
  if (causes.has(cause)) return `${withWorker(causes.get(cause), worker)} (${cause})`;
  const words =
    (hasRestarted && restarts.get(code)) || codes.get(code) || 'The connection was closed';
  return `${withWorker(words, worker)} (${reason === '' ? code : `${code} “${reason}”`})`;
}

/** What a tab that is back in a room has missed there, by the cause of its recovery. */
export function recoveryWords(cause, missed) {
  switch (cause) {
    case 'resumed':
      if (missed === 0) return 'You missed no messages.';
      return `This is what you missed: ${plural(missed, 'message', 'messages')}.`;
    case 'expired':
      return 'You were away for longer than the lobby keeps messages. These are the latest ones; some before them may be missing.';
    case 'reset':
      return 'The lobby has lost its earlier messages. Those above are only in this tab.';
    default:
      return '';
  }
}

function withWorker(words, worker) {
  if (worker === '') return words;
  const name = worker.charAt(0).toUpperCase() + worker.slice(1);
  return words
    .replace(/^The server/, name)
    .replace(/^The connection/, `The connection to ${worker}`);
}

/** `850 ms`, `9.4 s`, `2 min 05 s`, `3 h 20 min`. Below a minute, a no-break space keeps it on one line. */
export function duration(ms) {
  if (ms < 1_000) return `${Math.round(ms)}\u00a0ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}\u00a0s`;
  return longDuration(ms);
}

/** As {@link duration}, in whole seconds, for a clock that ticks. */
export function ticking(ms) {
  return ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1_000))} s` : longDuration(ms);
}

function longDuration(ms) {
  const seconds = Math.floor(ms / 1_000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

export function byteCount(bytes) {
  if (bytes === 0) return '0';
  if (bytes < 1_000) return `${bytes} B`;
  return `${(bytes / 1_000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

export function clockTime(at) {
  return clock.format(at);
}

export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

const adjectives = 'Calm Brisk Salty Sunny Quiet Merry Bold Misty Steady Nimble'.split(' ');
const animals = 'Otter Heron Tern Seal Cormorant Plover Gannet Petrel Osprey Turnstone'.split(' ');

/** A random name for a tab that has none yet. */
export function inventedName() {
  const pick = (words) => words[Math.floor(Math.random() * words.length)];
  return `${pick(adjectives)} ${pick(animals)}`;
}

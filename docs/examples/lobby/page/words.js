/** What each cause means, as the end of a sentence that begins with a name. */
const endings = new Map([
  ['peer-close', 'said goodbye'],
  ['close', 'was sent off'],
  ['drain', 'was let go because the lobby closes'],
  ['terminate', 'was cut off'],
  ['fail', 'was ended by an error'],
  ['handler-error', 'made a handler throw'],
  ['crash', 'ended because its chart crashed'],
  ['welcome-timeout', 'waited too long for its welcome'],
  ['invalid-message', 'broke the contract'],
  ['message-rate', 'sent too much'],
  ['slow-consumer', 'stopped reading'],
  ['heartbeat-timeout', 'stopped answering'],
  ['ping-flood', 'sent too many pings'],
  ['close-timeout', 'did not finish saying goodbye'],
  ['protocol-error', 'sent what is not WebSocket'],
  ['send-error', 'could not be written to'],
  ['tcp-fin', 'hung up without a goodbye'],
  ['tcp-fin-backlog', 'hung up with messages still on their way'],
  ['tcp-reset', 'vanished without a word'],
  ['tcp-timeout', 'fell silent on the network'],
  ['tcp-error', 'was lost by the network'],
  ['unknown', 'is gone, nobody knows why'],
]);

const failures = new Map([
  ['bad-request', 'sent a handshake that is none'],
  ['wrong-method', 'knocked with the wrong method'],
  ['wrong-version', 'speaks another version'],
  ['wrong-path', 'knocked at the wrong door'],
  ['wrong-host', 'asked for another host'],
  ['wrong-origin', 'came from a foreign page'],
  ['wrong-subprotocol', 'speaks another language'],
  ['unauthorized', 'is not known here'],
  ['refused', 'was turned away'],
  ['connections-max', 'found no berth free'],
  ['address-max', 'came once too often from one address'],
  ['address-rate', 'came too fast from one address'],
  ['accept-rate', 'came in too great a crowd'],
  ['draining', 'came while the lobby was closing'],
  ['handshake-timeout', 'took too long to come aboard'],
  ['abandoned', 'turned back at the door'],
]);

/** What a close code means to the tab that got it. */
const codes = new Map([
  [1000, 'The server said goodbye'],
  [1001, 'The server went away'],
  [1002, 'The server did not understand the bytes'],
  [1005, 'The server closed without a code'],
  [1006, 'The connection was lost without a word'],
  [1008, 'The server did not like what this tab did'],
  [1009, 'A message was too big'],
  [1011, 'A handler of the server threw'],
  [1012, 'The server began a restart'],
  [1013, 'This tab read too slowly'],
]);

/** What the network did to it, where the code alone would say less. */
const losses = new Map([['heartbeat-timeout', 'The server fell silent']]);

/** The same, when the server that is back is another one. */
const restarts = new Map([
  [1006, 'The server died without a word and was started again'],
  [1001, 'The server restarted'],
]);

export function endingWords(cause) {
  return endings.get(cause) ?? cause;
}

export function failureWords(cause) {
  return failures.get(cause) ?? cause;
}

/** How a connection of this tab was lost: `The server restarted (1001)`. */
export function lossWords({ code, reason, origin, cause }, isAnotherServer = false) {
  if (origin === 'local') return `This tab ended the connection (${cause})`;
  if (losses.has(cause)) return `${losses.get(cause)} (${cause})`;
  const words =
    (isAnotherServer && restarts.get(code)) || codes.get(code) || 'The connection was closed';
  return `${words} (${reason === '' ? code : `${code} “${reason}”`})`;
}

/** `850 ms`, `9.4 s`, `2 min 05 s`, `3 h 20 min`. What is short never breaks over two lines. */
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
const seafarers = 'Otter Heron Tern Seal Cormorant Plover Gannet Petrel Osprey Turnstone'.split(
  ' ',
);

/** A name for a tab that has none yet. */
export function inventedName() {
  const pick = (words) => words[Math.floor(Math.random() * words.length)];
  return `${pick(adjectives)} ${pick(seafarers)}`;
}

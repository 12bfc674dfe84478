import type { CloseVerdict } from '../../src/index.ts';
import { closePayload, type FrameSpec } from './frames.ts';
import { faultless } from './verdicts.ts';

/** Short, for services whose connections are to close. */
export const closingTimeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200 };

/** The states of an accepted connection until it is open. */
export const opening = ['handshaking.admitting', 'handshaking.upgrading', 'open'];

/** The states after `open` of a connection that this side closes, and of one that the peer closes. */
export const byUs = ['closing.local', 'closing.reaping', 'closed'];
export const byPeer = ['closing.peer', 'closing.reaping', 'closed'];

/** The same when the time for closing runs out. */
export const byUsForced = ['closing.local', 'closing.forced', 'closing.reaping', 'closed'];
export const byPeerForced = ['closing.peer', 'closing.forced', 'closing.reaping', 'closed'];

/** The states of a connection that broke, and of one whose peer then stays. */
export const byError = ['errored', 'closing.reaping', 'closed'];
export const byErrorForced = ['errored', 'closing.forced', 'closing.reaping', 'closed'];

/** The states of an accepted connection that this side closes and whose peer answers, from the start. */
export const closedByHandshake = [...opening, ...byUs];

export const sent = (code: number, reason = '') => ({ code, reason });

/** The verdict of a connection that this side closed and whose peer answered, without code and reason. */
export const handshake = {
  ...faultless,
  origin: 'local',
  layer: 'websocket',
  clean: true,
  cause: 'close',
  level: 'info',
} as const;

/** The verdict of a connection that the peer closed. */
export const peerClose = {
  ...faultless,
  origin: 'peer',
  layer: 'websocket',
  clean: true,
  cause: 'peer-close',
} as const;

/** The verdict of a connection that this side ends without a close frame of the peer. */
const forced = {
  ...faultless,
  code: 1006,
  reason: '',
  origin: 'local',
  layer: 'tcp',
  clean: false,
  retry: 'backoff',
} as const;

export const timedOut = { ...forced, cause: 'close-timeout', level: 'warn' } as const;
export const terminated = { ...forced, cause: 'terminate', level: 'info' } as const;

/** What receiving each code means: its level, and whether a client reconnects. */
export const closeMeanings: readonly [number, CloseVerdict['level'], CloseVerdict['retry']][] = [
  [1000, 'info', 'backoff'],
  [1001, 'info', 'backoff'],
  [1002, 'error', 'backoff'],
  [1003, 'error', 'backoff'],
  [1007, 'error', 'backoff'],
  [1008, 'warn', 'backoff'],
  [1009, 'error', 'backoff'],
  [1010, 'error', 'backoff'],
  [1011, 'error', 'backoff'],
  [1012, 'info', 'backoff'],
  [1013, 'warn', 'backoff'],
  [1014, 'warn', 'backoff'],
  [3000, 'warn', 'slow'],
  [3001, 'info', 'backoff'],
  [3003, 'warn', 'slow'],
  [3008, 'warn', 'backoff'],
  [3999, 'info', 'backoff'],
  [4000, 'info', 'backoff'],
  [4999, 'info', 'backoff'],
];

/** Codes that must not be sent (RFC 6455 §7.4). */
export const forbiddenCodes: readonly number[] = [
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535],
];

const payload = closePayload(1000, 'bye');

/** Malformed close frames, each with the name that ws gives it, correctly masked. */
export const malformedCloses: readonly [string, Omit<FrameSpec, 'opcode'>, string][] = [
  ['a payload of one byte', { payload: 'x' }, 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'],
  [
    'a payload of 126 bytes',
    { payload: closePayload(1000, 'x'.repeat(124)) },
    'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
  ],
  ['a fragment', { payload, fin: false }, 'WS_ERR_EXPECTED_FIN'],
  ['RSV1 set', { payload, rsv: 4 }, 'WS_ERR_UNEXPECTED_RSV_1'],
  ['RSV2 set', { payload, rsv: 2 }, 'WS_ERR_UNEXPECTED_RSV_2_3'],
  ['RSV3 set', { payload, rsv: 1 }, 'WS_ERR_UNEXPECTED_RSV_2_3'],
];

import { partsOf } from '../../src/core/limits.ts';
import type { Limits } from '../../src/index.ts';

/** Optional fields that a verdict lacks by default. */
export const plain: object = { sent: undefined, simultaneous: undefined, lingered: undefined };

/** And the error, if there was one. */
export const faultless: object = { ...plain, error: undefined };

const lost = {
  ...plain,
  code: 1006,
  reason: '',
  origin: 'network',
  layer: 'tcp',
  clean: false,
  retry: 'backoff',
} as const;

/** The verdicts of connections that the network ended: by FIN, by RST, and by silence. */
export const lostToNetwork = {
  ended: { ...lost, ...faultless, cause: 'tcp-fin', level: 'info' },
  reset: { ...lost, cause: 'tcp-reset', level: 'warn' },
  silent: { ...lost, ...faultless, cause: 'heartbeat-timeout', level: 'warn' },
} as const;

/** The verdict of a connection whose peer broke the protocol. */
export const protocolError = {
  ...plain,
  code: 1006,
  reason: '',
  origin: 'local',
  layer: 'websocket',
  clean: false,
  cause: 'protocol-error',
  retry: 'backoff',
  level: 'error',
} as const;

/** The verdict of a connection whose peer sent a message in too many pieces. */
export const messageLimit = {
  ...protocolError,
  cause: 'message-limit',
  retry: 'backoff',
  level: 'warn',
} as const;

/** The close frame of the peer, and our answer to it. */
export function echoed(code: number, reason = '') {
  return { code, reason, sent: { code, reason } };
}

/** The verdict of a connection whose peer got this code because of its bytes. */
export function violationVerdict(sent: number) {
  return sent === 1008 ? messageLimit : protocolError;
}

/** The reason that names the exceeded limit to the peer. A test that sets the number of chunks passes it. */
export function violationFrame(code: number, limits: Partial<Limits> = {}) {
  const { payloadBytesMax = 1_048_576, bufferedChunksMax } = limits;
  const { fragmentsMax } = { ...partsOf(payloadBytesMax), ...limits };
  const reasons: Readonly<Record<number, string>> = {
    1007: 'text that is not UTF-8',
    1008:
      bufferedChunksMax === undefined
        ? `message in over ${fragmentsMax} fragments (limits.fragmentsMax)`
        : `message in over ${bufferedChunksMax} chunks (limits.bufferedChunksMax)`,
    1009: `message over ${payloadBytesMax} bytes (limits.payloadBytesMax)`,
  };
  return { code, reason: reasons[code] ?? '' };
}

import type { Limits } from '../../src/index.ts';

/** Fields that a verdict has only when there is something to say. */
export const plain: object = { sent: undefined, simultaneous: undefined, lingered: undefined };

/** And what went wrong, when something did. */
export const faultless: object = { ...plain, error: undefined };

/** How a connection ends whose peer broke the protocol. */
export const protocolError = {
  ...plain,
  code: 1006,
  reason: '',
  origin: 'local',
  layer: 'websocket',
  clean: false,
  cause: 'protocol-error',
  retry: 'never',
  level: 'error',
} as const;

/** The close frame of the peer, and ours that answers it. */
export function echoed(code: number, reason = '') {
  return { code, reason, sent: { code, reason } };
}

/** What the peer hears of the limit that it has passed, with the limits of a service. */
export function violationFrame(code: number, limits: Partial<Limits> = {}) {
  const { fragmentsMax = 64, bufferedChunksMax = 2_048, payloadBytesMax = 1_048_576 } = limits;
  const reasons: Readonly<Record<number, string>> = {
    1007: 'text that is not UTF-8',
    1008: `message in over ${fragmentsMax} fragments or ${bufferedChunksMax} chunks`,
    1009: `message over ${payloadBytesMax} bytes`,
  };
  return { code, reason: reasons[code] ?? '' };
}

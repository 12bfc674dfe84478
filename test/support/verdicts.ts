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

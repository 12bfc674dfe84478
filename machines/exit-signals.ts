/** The events that the actor of a connection sends to its parent when it ends, like the exit signals of OTP. */
export const exitSignals = {
  'xstate.done.actor.*': 'A connection has ended.',
  'xstate.error.actor.*': 'The chart of a connection threw; the connection reports its own end.',
} as const;

/** The exit signals as XState sends them. */
export type ExitSignal =
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown }
  | { readonly type: `xstate.done.actor.${string}` };

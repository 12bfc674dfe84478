/** Whether a member of a durable topic has everything that was kept there since it was last a member. */
export type Recovery = {
  /** The name of the topic. */
  readonly topic: string;
} & (
  | {
      /** Every message since the last one that it got has come, or comes now. */
      readonly recovered: true;
      readonly cause: 'resumed';
    }
  | {
      /** Load the state anew. */
      readonly recovered: false;
      /** Why. */
      readonly cause: Exclude<RecoveryCause, 'resumed'>;
    }
);

/**
 * Why a member has recovered what it missed, or has not.
 *
 * - `resumed`: nothing is missing.
 * - `first`: it was never there, as far as it knows itself.
 * - `expired`: it was away for longer than messages are kept, or is too slow for them.
 * - `reset`: the bus has lost messages, or its position is not one of this topic.
 */
export type RecoveryCause = 'resumed' | 'first' | 'expired' | 'reset';

/** What a member of a topic is told. */
export function recoveryOf(topic: string, cause: RecoveryCause): Recovery {
  return cause === 'resumed'
    ? { topic, recovered: true, cause }
    : { topic, recovered: false, cause };
}

/** The causes, for a check of what a peer sends. */
export const recoveryCauses: readonly RecoveryCause[] = ['resumed', 'first', 'expired', 'reset'];

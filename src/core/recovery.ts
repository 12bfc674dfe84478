/** Whether a member of a durable topic has everything that was kept there since it was last a member. */
export interface Recovery {
  /** The name of the topic. */
  readonly topic: string;
  /** Whether every message since the last one that it got has come, or comes now. If not, load the state anew. */
  readonly recovered: boolean;
  /** Why. */
  readonly cause: RecoveryCause;
}

/**
 * Why a member has recovered what it missed, or has not.
 *
 * - `resumed`: nothing is missing.
 * - `first`: it was never there, as far as it knows itself.
 * - `expired`: it was away for longer than messages are kept, or is too slow for them.
 * - `reset`: the bus has lost messages, or its position is not one of this topic.
 */
export type RecoveryCause = 'resumed' | 'first' | 'expired' | 'reset';

/** The causes, for a check of what a peer sends. */
export const recoveryCauses: readonly RecoveryCause[] = ['resumed', 'first', 'expired', 'reset'];

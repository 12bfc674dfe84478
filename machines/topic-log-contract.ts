/** Facts about the log of a durable topic, each with its meaning. A fact is named in the past tense and has no payload. */
export const topicLogFacts = {
  'interest.ready': 'What is kept in the topic from now on is heard.',
  'tail.told': 'The bus has said where the topic ends, and nothing before that is missing.',
  'tail.advanced': 'The bus has said where the topic ends, and that has not been heard yet.',
  'gap.seen': 'An entry was kept that has not been heard.',
  'page.read': 'A part of what was missing was read. More is missing.',
  'gap.filled': 'Nothing that is known to be kept is missing any more.',
  'place.expired': 'What is missing is not kept any more.',
  'history.rewritten': 'The past of the log is not what it was.',
  'attempt.failed': 'The bus has not answered, or does not know yet what is certainly kept.',
  'bus.lost': 'The bus is down.',
  'bus.returned': 'The bus is up again. Entries may have been missed.',
  'audience.left': 'Nobody in this process needs the topic.',
  'audience.returned': 'The topic is needed again.',
  'deadline.passed': 'The deadline of the current state has passed.',
} as const;

/** A fact about the log of a topic. */
export type TopicLogFact = { readonly type: keyof typeof topicLogFacts };

/** Why the entries that come next do not continue those before. */
export interface Interruption {
  readonly cause: 'expired' | 'reset';
}

/** Orders that the chart gives to the log of a topic. They are synchronous. */
export interface TopicLogOrders {
  /** Begins to hear what is kept in the topic. */
  subscribe(): void;
  /** Asks the bus where the topic ends, to begin there. */
  askStart(): void;
  /** Begins at the end of the topic. */
  begin(): void;
  /** Starts the deadline of the next check. */
  scheduleCheck(): void;
  /** Asks the bus where the topic ends, to find out whether something is missing. */
  checkTail(): void;
  /** The check had no answer; the next one comes soon. */
  countFailure(): void;
  /** Starts the deadline by which an entry that the bus has named should be heard. */
  expectEntry(): void;
  /** Reads what is missing from the bus. */
  readOn(): void;
  /** Starts the deadline of the next attempt, later with each failure. */
  pause(): void;
  /** Reports that the next entries do not continue those before, and forgets all entries. */
  interrupt(params: Interruption): void;
  /** Starts the deadline after which the log is closed. */
  linger(): void;
  /** Stops hearing, releases everything and reports the end. */
  finish(): void;
}

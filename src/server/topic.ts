import type { Observer } from 'rxjs';
import type { AudienceOptions } from './supervisor-types.ts';

/** What became of one publication. */
export interface Delivery {
  /** Members that got it, or have it waiting in their outbox. */
  readonly delivered: number;
  /** Open members that did not get it, because their outbox is above its high mark. */
  readonly dropped: number;
}

/**
 * A named audience. Also an RxJS Observer: `prices$.subscribe(supervisor.topic('prices'))`.
 *
 * As an Observer it never throws: a message that breaks the outbound contract, and an error of the source,
 * are reported as `handler.errored`. Completion of a source leaves the topic as it is.
 */
export interface Topic<Out, C> extends Observer<Out> {
  readonly name: string;
  /** How many open connections are members. */
  readonly size: number;
  /**
   * Sends one message to every open member.
   *
   * @throws SupervisorError `invalid-message` or `unencodable-message`
   */
  publish(message: Out, options?: AudienceOptions<C>): Delivery;
}

import type { Observable, Observer } from 'rxjs';
import type { Connection } from '../core/connection.ts';
import type { AudienceOptions } from './supervisor-types.ts';

/**
 * What a publication does about a member whose outbox is above its high mark.
 *
 * - `drop-newest`: the member misses it.
 * - `latest`: the member gets it when it has caught up, unless there is a newer one of the same key by then.
 * - `close`: the member is closed with 1013; it is to come back and start afresh.
 */
export type Overflow = 'drop-newest' | 'latest' | 'close';

/**
 * How a topic treats its members.
 *
 * @typeParam Output - a message as it is sent.
 */
export interface TopicOptions<Output> {
  /** What happens to a member that is congested. @default 'drop-newest' */
  overflow?: Overflow;
  /**
   * For `latest`: what a message is about, for example a symbol. It gets what is sent: the output of `sends`.
   * @default all are about the same
   */
  keyOf?: (message: Output) => string;
}

/** What became of one publication. */
export interface Delivery {
  /** Members that got it, or have it waiting in their outbox. */
  readonly delivered: number;
  /** Members that get it, or a newer one of its key, when they have caught up. */
  readonly kept: number;
  /** Members that will not get it: their outbox is above its high mark, or their socket is gone already. */
  readonly dropped: number;
}

/** A topic that has members. */
export interface TopicSize {
  readonly name: string;
  /** How many open connections are members. */
  readonly size: number;
}

/**
 * A named audience. Also an RxJS Observer: `prices$.subscribe(supervisor.topic('prices'))`, and with
 * {@link Topic.messages$} an Observable of what is published there.
 *
 * As an Observer it never throws: a message that breaks the outbound contract, and an error of the source,
 * are reported as `handler.errored`. Completion of a source leaves the topic as it is.
 *
 * @typeParam Input - what may be published: the input of `sends`.
 * @typeParam Output - what is sent: the output of `sends`.
 * @typeParam C - the members.
 */
export interface Topic<Input = unknown, Output = Input, C = Connection> extends Observer<Input> {
  readonly name: string;
  /** How many open connections are members. */
  readonly size: number;
  /** The members. The iteration survives joins, leaves and endings meanwhile, and yields none that has left before its turn. */
  readonly connections: Iterable<C>;
  /**
   * Every message that is published here, through any handle, with or without members: by `publish` and by Observables that
   * feed the topic. Emits what is sent: the output of `sends`. Subscribers get a message after the members, and before any
   * message that they publish in answer. Completes when the supervisor has stopped.
   */
  readonly messages$: Observable<Output>;
  /** Publications that members did not get, summed over all members, since it has had any. */
  readonly droppedMessages: number;
  /** Publishes one message, as an Observer: never throws. */
  next(message: Input): void;
  /**
   * Sends one message to every open member.
   *
   * @throws MooringError `invalid-message`, `unencodable-message` or `invalid-options`
   */
  publish(message: Input, options?: AudienceOptions<C>): Delivery;
}

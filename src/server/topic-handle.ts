import { z } from 'zod';
import type { Connection } from '../core/connection.ts';
import { SupervisorError, toError } from '../core/errors.ts';
import { checkedOptions } from '../core/limits-schema.ts';
import { everybody } from './audience.ts';
import type { Fleet } from './fleet.ts';
import type { AudienceOptions } from './supervisor-types.ts';
import type { Delivery, Overflow, Topic, TopicOptions } from './topic.ts';
import { checkTopicName, deliveryOf, type PublicationPolicy } from './topics.ts';

const topicSchema = z
  .strictObject({
    overflow: z.enum(['drop-newest', 'latest', 'close']).default('drop-newest'),
    keyOf: z.custom<(message: never) => string>((value) => typeof value === 'function').optional(),
  })
  .refine(({ overflow, keyOf }) => keyOf === undefined || overflow === 'latest', {
    path: ['keyOf'],
    message: "is for overflow 'latest' only",
  });

/** Shared by all handles without options of their own: `topic(name).publish()` is called for each message. */
const defaults = topicSchema.parse({});

/** A name and the fleet it is a name in; membership lives in the fleet, so handles come and go freely. */
export class TopicHandle<Peer, In, Out> implements Topic<Out, Connection<Peer, In, Out>> {
  readonly name: string;
  readonly #fleet: Fleet<Peer, In, Out>;
  readonly #overflow: Overflow;
  readonly #keyOf: (message: Out) => string;

  /** @throws SupervisorError `invalid-topic` or `invalid-options` */
  constructor(name: string, fleet: Fleet<Peer, In, Out>, options?: TopicOptions<Out>) {
    checkTopicName(name);
    const { overflow, keyOf } =
      options === undefined ? defaults : checkedOptions(topicSchema, options);
    this.name = name;
    this.#fleet = fleet;
    this.#overflow = overflow;
    this.#keyOf = (keyOf as TopicOptions<Out>['keyOf']) ?? (() => '');
  }

  get size(): number {
    return this.#fleet.topics.size(this.name);
  }

  get droppedMessages(): number {
    return this.#fleet.topics.dropped(this.name);
  }

  publish(
    message: Out,
    audience: AudienceOptions<Connection<Peer, In, Out>> = everybody,
  ): Delivery {
    const policyOf = () => this.#policyFor(message);
    const publication = this.#fleet.publication(message, audience, policyOf);
    this.#fleet.topics.publish(this.name, publication);
    return deliveryOf(publication);
  }

  #policyFor(message: Out): PublicationPolicy {
    const overflow = this.#overflow;
    const key: unknown = overflow === 'latest' ? this.#keyOf(message) : '';
    if (typeof key === 'string') return { overflow, topic: this.name, key };
    throw new SupervisorError(
      'invalid-message',
      `keyOf of topic ${this.name} must return a string, not ${typeof key}`,
    );
  }

  next = (message: Out): void => {
    try {
      this.publish(message);
    } catch (thrown) {
      this.#errored(toError(thrown));
    }
  };

  error = (cause: unknown): void => {
    this.#errored(
      new SupervisorError('stream-errored', `the source of topic ${this.name} errored`, { cause }),
    );
  };

  complete = (): void => {};

  #errored(error: Error): void {
    this.#fleet.handlers.errored('topic', error, undefined);
  }
}

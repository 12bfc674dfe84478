import type { Observable } from 'rxjs';
import type { Connection } from '../core/connection.ts';
import { MooringError, toError } from '../core/errors.ts';
import { callback, oneOf, type Rule, resolved } from '../core/option-rules.ts';
import { printAs } from '../core/text.ts';
import { everybody } from './audience.ts';
import { deliveryOf, type PublicationPolicy } from './fan-out.ts';
import type { Fleet } from './fleet.ts';
import type { AudienceOptions } from './supervisor-types.ts';
import type { Delivery, Overflow, Topic, TopicOptions } from './topic.ts';
import type { TopicAudience } from './topic-audience.ts';

const topicRules = {
  overflow: oneOf<Overflow>('drop-newest', 'latest', 'close'),
  keyOf: callback<(message: never) => string>(),
} satisfies Record<keyof TopicOptions<never>, Rule<unknown>>;

function checkedPolicy(options: unknown) {
  return resolved(options, topicRules, {
    finish: ({ keyOf, overflow }, report) => {
      if (keyOf !== undefined && overflow !== 'latest')
        report("is for overflow 'latest' only", 'keyOf');
    },
  });
}

/** Shared by all handles without options of their own: `topic(name).publish()` is called for each message. */
const defaults = checkedPolicy({});

/**
 * The public handle of a topic. Without options it is the same object for as long as the topic has members, or somebody holds
 * a handle; with options it is a view of the same audience, with a policy of its own.
 */
export function topicHandle<Peer, In, Out, Sent>(
  fleet: Fleet<Peer, In, Out, Sent>,
  name: string,
  options?: TopicOptions<Sent>,
): TopicHandle<Peer, In, Out, Sent> {
  const audience = fleet.topics.audience(name);
  audience.handle ??= new TopicHandle(audience, fleet);
  return options === undefined
    ? (audience.handle as TopicHandle<Peer, In, Out, Sent>)
    : new TopicHandle(audience, fleet, options);
}

/** An audience, and the policy of what is published there through this handle. */
export class TopicHandle<Peer, In, Out, Sent>
  implements Topic<Out, Sent, Connection<Peer, In, Out>>
{
  readonly #audience: TopicAudience;
  readonly #fleet: Fleet<Peer, In, Out, Sent>;
  readonly #overflow: Overflow;
  readonly #keyOf: (message: Sent) => string;

  /** @throws MooringError `invalid-options` */
  constructor(
    audience: TopicAudience,
    fleet: Fleet<Peer, In, Out, Sent>,
    options?: TopicOptions<Sent>,
  ) {
    const { overflow, keyOf } = options === undefined ? defaults : checkedPolicy(options);
    this.#audience = audience;
    this.#fleet = fleet;
    this.#overflow = overflow;
    this.#keyOf = (keyOf as TopicOptions<Sent>['keyOf']) ?? (() => '');
  }

  get name(): string {
    return this.#audience.name;
  }

  get size(): number {
    return this.#audience.members.size;
  }

  get droppedMessages(): number {
    return this.#audience.dropped;
  }

  get connections(): Iterable<Connection<Peer, In, Out>> {
    const { members } = this.#audience;
    const { handlers } = this.#fleet;
    return {
      *[Symbol.iterator]() {
        for (const connection of [...members])
          if (members.has(connection)) yield handlers.handleOf(connection);
      },
    };
  }

  get messages$(): Observable<Sent> {
    return this.#audience.messages.observable as Observable<Sent>;
  }

  publish(
    message: Out,
    audience: AudienceOptions<Connection<Peer, In, Out>> = everybody,
  ): Delivery {
    const publication = this.#fleet.publication(message, audience, (sent) => this.#policyFor(sent));
    this.#audience.publish(publication);
    return deliveryOf(publication);
  }

  #policyFor(message: Sent): PublicationPolicy {
    const overflow = this.#overflow;
    const key: unknown = overflow === 'latest' ? this.#keyOf(message) : '';
    if (typeof key === 'string') return { overflow, topic: this.name, key };
    throw new MooringError(
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
      new MooringError('stream-errored', `the source of topic ${this.name} errored`, { cause }),
    );
  };

  complete = (): void => {};

  #errored(error: Error): void {
    this.#fleet.handlers.errored('topic', error, undefined);
  }

  static {
    printAs(TopicHandle.prototype, 'Topic', ({ name, size, droppedMessages }) => {
      return { name, size, droppedMessages };
    });
  }
}

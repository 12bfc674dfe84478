import type { Connection } from '../core/connection.ts';
import { SupervisorError, toError } from '../core/errors.ts';
import type { Fleet } from './fleet.ts';
import type { AudienceOptions } from './supervisor-types.ts';
import type { Delivery, Topic } from './topic.ts';

/** A name and the fleet it is a name in; membership lives in the fleet, so handles come and go freely. */
export class TopicHandle<Peer, In, Out> implements Topic<Out, Connection<Peer, In, Out>> {
  readonly name: string;
  readonly #fleet: Fleet<Peer, In, Out>;

  constructor(name: string, fleet: Fleet<Peer, In, Out>) {
    this.name = name;
    this.#fleet = fleet;
  }

  get size(): number {
    return this.#fleet.topics.size(this.name);
  }

  publish(message: Out, audience: AudienceOptions<Connection<Peer, In, Out>> = {}): Delivery {
    const publication = this.#fleet.publication(message, audience);
    this.#fleet.topics.publish(this.name, publication);
    return publication;
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

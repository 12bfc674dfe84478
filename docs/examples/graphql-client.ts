import {
  type Client,
  createClient,
  type DialedConnection,
  type HeartbeatAnswer,
} from 'mooring/client';
import { filter, firstValueFrom, map, Observable, takeWhile, tap } from 'rxjs';

/** A message of the graphql-transport-ws protocol. */
interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

type Connection = DialedConnection<Message, Message>;

/** Either side may ping at any time after `connection_init`. A message with such a word in its data is parsed, too. */
function isHeartbeat(payload: string | Uint8Array, answer: HeartbeatAnswer): boolean {
  if (typeof payload !== 'string' || !/"p[io]ng"/.test(payload)) return false;
  const { type } = JSON.parse(payload) as Message;
  if (type === 'ping') answer({ type: 'pong' });
  return type === 'ping' || type === 'pong';
}

/** A GraphQL client that signs in and subscribes again on each connection. */
export class GraphqlClient {
  readonly client: Client<Message, Message>;
  readonly #token: () => Promise<string>;
  /** The subscriptions of the application, by id. */
  readonly #subscriptions = new Map<string, Message>();
  /** The last connection that has signed in. After it has ended, it refuses messages. */
  #connection: Connection | null = null;
  #ids = 0;

  constructor(url: string, token: () => Promise<string>) {
    this.#token = token;
    this.client = createClient<Message, Message>(url, {
      subprotocols: ['graphql-transport-ws'],
      heartbeat: { message: { type: 'ping' }, expects: isHeartbeat },
      onOpen: (connection) => this.#signIn(connection),
    });
  }

  /** Sends `connection_init` and waits for `connection_ack`. The queue waits, too: the server accepts nothing else before. */
  async #signIn(connection: Connection): Promise<void> {
    const acknowledged = connection.messages$.pipe(filter(({ type }) => type === 'connection_ack'));
    connection.send({ type: 'connection_init', payload: { token: await this.#token() } });
    // With a default, the promise does not reject when the server closes the connection instead.
    await firstValueFrom(acknowledged, { defaultValue: undefined });
    for (const subscription of this.#subscriptions.values()) connection.send(subscription);
    this.#connection = connection;
  }

  /** Runs a query or a mutation. Without a connection, the operation waits in the queue. */
  execute(query: string): Promise<unknown> {
    const id = this.#nextId();
    const result = firstValueFrom(this.#resultsOf(id));
    this.client.send({ id, type: 'subscribe', payload: { query } });
    return result;
  }

  /** Subscribes on this and each new connection, until the caller unsubscribes or the server completes or refuses it. */
  subscribe(query: string): Observable<unknown> {
    return new Observable((subscriber) => {
      const id = this.#nextId();
      const subscription: Message = { id, type: 'subscribe', payload: { query } };
      this.#subscriptions.set(id, subscription);
      const forget = () => this.#subscriptions.delete(id);
      const results = this.#resultsOf(id)
        .pipe(tap({ complete: forget, error: forget }))
        .subscribe(subscriber);
      // Without a connection, the next sign-in sends it.
      this.#connection?.send(subscription);
      return () => {
        results.unsubscribe();
        if (forget()) this.#connection?.send({ id, type: 'complete' });
      };
    });
  }

  #resultsOf(id: string): Observable<unknown> {
    return this.client.messages$.pipe(
      filter((message) => message.id === id),
      takeWhile(({ type }) => type !== 'complete'),
      map(({ type, payload }) => {
        if (type === 'error')
          throw new Error('the server refused the operation', { cause: payload });
        return payload;
      }),
    );
  }

  #nextId(): string {
    this.#ids += 1;
    return String(this.#ids);
  }
}

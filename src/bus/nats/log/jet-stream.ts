import {
  createInbox,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Payload,
} from '@nats-io/transport-node';
import type { Clock } from '../../../core/clock.ts';
import { whenAborted } from '../../../core/guard.ts';
import type { ResolvedNatsBusOptions } from '../options.ts';
import {
  type KeptMessage,
  keptIn,
  keptOf,
  type LeaderMessage,
  type StoredMessage,
} from './kept-message.ts';

/** How long a server may take to answer. */
export const ANSWER_MS = 5_000;

/** How many bytes of messages are read at once. */
const BATCH_BYTES_MAX = 8_388_608;

/** Codes of JetStream: see `server/errors.json` of nats-server. */
const NO_STREAM = 10_059;
const NO_MESSAGE = 10_037;
const NAME_IN_USE = 10_058;
const WRONG_LAST_SEQUENCES = [10_071, 10_164];
/** The account, the server or the stream has no room. */
export const NO_ROOM: readonly number[] = [10_002, 10_023, 10_077];

/** Statuses of a message that has no payload. */
const NOT_FOUND = 404;
const END_OF_BATCH = 204;

/** The header of a batch that says how many messages are left. */
const PENDING = 'Nats-Num-Pending';

const empty = new Uint8Array();

/** Which message to get from a stream. */
export type MessageQuery =
  | { readonly seq: number }
  | { readonly last_by_subj: string }
  | { readonly seq: number; readonly next_by_subj: string };

/** The settings of a stream that matter here, as JetStream writes them. Times are in nanoseconds. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly retention: string;
  readonly storage: string;
  readonly discard: string;
  readonly max_age: number;
  readonly max_msgs_per_subject: number;
  readonly duplicate_window: number;
  readonly num_replicas: number;
  readonly allow_direct: boolean;
  readonly republish: { readonly src: string; readonly dest: string };
}

/** What a server says of a stream. */
export interface StreamInfo {
  readonly config: StreamConfig;
  readonly created: string;
  readonly state: {
    readonly first_seq: number;
    /** When the first message was kept. */
    readonly first_ts: string;
    readonly last_seq: number;
    /** How many messages each subject has that was asked for. */
    readonly subjects?: Readonly<Record<string, number>>;
  };
}

/** Messages of one subject in order. */
export interface Batch {
  readonly messages: readonly KeptMessage[];
  /** Whether the server that has answered has more of them. */
  readonly hasMore: boolean;
}

/** What a server answers when it refuses something. */
export interface Refusal {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** A server has refused a request. */
class RefusedError extends Error {
  readonly errCode: number;

  constructor(what: string, { code, err_code: errCode = 0, description = '' }: Refusal) {
    super(`the NATS server refuses ${what}: ${description} (${errCode || code})`);
    this.errCode = errCode;
  }
}

/**
 * One stream of JetStream, over one connection. Only requests of core NATS are used.
 *
 * Whatever is asked by `info` and `message` is answered by the leader of the stream. A direct get may be answered by any
 * replica, which may lag behind.
 */
export class JetStream {
  readonly nats: NatsConnection;
  /** Aborts when the connection is lost. */
  readonly lost: AbortSignal;
  readonly #name: string;
  readonly #inboxPrefix: string | undefined;
  readonly #clock: Clock;

  constructor(
    nats: NatsConnection,
    { name, connection }: ResolvedNatsBusOptions,
    clock: Clock,
    lost: AbortSignal,
  ) {
    this.nats = nats;
    this.lost = lost;
    this.#name = name;
    this.#inboxPrefix = connection?.inboxPrefix;
    this.#clock = clock;
  }

  /** Whether its server answers a batch. Servers before 2.11 ignore that they are asked for one. */
  get hasBatches(): boolean {
    const [major = 0, minor = 0] = (this.nats.info?.version ?? '').split('.').map(Number);
    return major > 2 || (major === 2 && minor >= 11);
  }

  /** A subject of its own, for answers. */
  inbox(): string {
    return createInbox(this.#inboxPrefix);
  }

  /** Returns `null` if there is no such stream. @param subject - to be counted */
  async info(subject?: string): Promise<StreamInfo | null> {
    const filter = subject === undefined ? undefined : { subjects_filter: subject };
    return orNull(NO_STREAM, this.#ask<StreamInfo>('STREAM.INFO', filter));
  }

  /** Sets up a stream. Returns `null` if there is one that is different. */
  async create(config: StreamConfig): Promise<StreamInfo | null> {
    return orNull(NAME_IN_USE, this.#ask<StreamInfo>('STREAM.CREATE', config));
  }

  /** Gets a message from the leader. Returns `null` if there is none. */
  async message(query: MessageQuery): Promise<LeaderMessage | null> {
    const answer = this.#ask<{ readonly message: StoredMessage }>('STREAM.MSG.GET', query);
    const found = await orNull(NO_MESSAGE, answer);
    return found && keptOf(found.message);
  }

  /** Gets a message from any replica. Returns `null` if it has none. */
  async direct(query: MessageQuery): Promise<KeptMessage | null> {
    const subject = `$JS.API.DIRECT.GET.${this.#name}`;
    const message = await this.#request(subject, JSON.stringify(query));
    const kept = keptIn(message);
    if (kept !== null) return kept;
    if (message.headers?.code === NOT_FOUND) return null;
    throw unexpected(subject, message);
  }

  /**
   * Keeps a message if the last one of its subject has a certain number, which is 0 if there is none. Returns its own number, or
   * `null` if there is another.
   */
  async keep(
    subject: string,
    payload: string,
    headers: MsgHdrs,
    lastSeq: number,
  ): Promise<number | null> {
    headers.set('Nats-Expected-Last-Subject-Sequence', `${lastSeq}`);
    const message = await this.#request(subject, payload, headers);
    const { seq, error } = message.json<{ readonly seq: number; readonly error?: Refusal }>();
    if (error === undefined) return seq;
    if (WRONG_LAST_SEQUENCES.includes(error.err_code ?? 0)) return null;
    throw new RefusedError(subject, error);
  }

  /** Gets the messages of a subject from a number on, from any replica. Only if it {@link hasBatches}. */
  batch(subject: string, seq: number, count: number): Promise<Batch> {
    const api = `$JS.API.DIRECT.GET.${this.#name}`;
    const query = { seq, next_by_subj: subject, batch: count, max_bytes: BATCH_BYTES_MAX };
    const messages: KeptMessage[] = [];
    return new Promise((resolve, reject) => {
      const inbox = this.inbox();
      const end = (settle: () => void) => {
        subscription.unsubscribe();
        this.#clock.clearTimer(timer);
        stopWaiting();
        settle();
      };
      const fail = (error: Error) => end(() => reject(error));
      const take = (message: Msg) => {
        const kept = keptIn(message);
        if (kept === null) end(() => resolve(endOf(messages, message)));
        // An older server of the cluster sends one message and no end.
        else if (!message.headers?.has(PENDING))
          end(() => resolve({ messages: [kept], hasMore: true }));
        else if (isNext(messages, kept)) messages.push(kept);
        else fail(new Error(`a part of a batch is missing (${api})`));
      };
      const subscription = this.nats.subscribe(inbox, {
        callback: (error, message) => (error === null ? take(message) : fail(error)),
      });
      const timer = this.#clock.setTimer(ANSWER_MS, () => fail(noAnswer(api)));
      const stopWaiting = whenAborted(this.lost, () => fail(noAnswer(api)));
      this.nats.publish(api, JSON.stringify(query), { reply: inbox });
    });
  }

  /** The same as a batch, with one request for each message. @param get - from where */
  async chain(
    get: (query: MessageQuery) => Promise<KeptMessage | null>,
    subject: string,
    seq: number,
    count: number,
  ): Promise<Batch> {
    const messages: KeptMessage[] = [];
    let next = seq;
    let bytes = 0;
    while (messages.length < count) {
      if (bytes >= BATCH_BYTES_MAX) return { messages, hasMore: true };
      const message = await get({ seq: next, next_by_subj: subject });
      if (message === null) return { messages, hasMore: false };
      messages.push(message);
      next = message.seq + 1;
      bytes += message.payload.length;
    }
    return { messages, hasMore: true };
  }

  async #ask<Answer>(operation: string, body?: object): Promise<Answer> {
    const subject = `$JS.API.${operation}.${this.#name}`;
    // Servers before 2.11 refuse `""`.
    const payload = body === undefined ? empty : JSON.stringify(body);
    const answer = (await this.#request(subject, payload)).json<Answer & { error?: Refusal }>();
    if (answer.error !== undefined) throw new RefusedError(subject, answer.error);
    return answer;
  }

  async #request(subject: string, payload: Payload, headers?: MsgHdrs): Promise<Msg> {
    try {
      const options = { timeout: ANSWER_MS, ...(headers && { headers }) };
      return await this.nats.request(subject, payload, options);
    } catch (cause) {
      throw noAnswer(subject, cause);
    }
  }
}

/** Whether a leader has refused a message because there is no room for it. */
export function isFull(thrown: unknown): thrown is Error {
  return thrown instanceof RefusedError && NO_ROOM.includes(thrown.errCode);
}

/** Turns one refusal into `null`. */
async function orNull<Answer>(errCode: number, answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof RefusedError && thrown.errCode === errCode) return null;
    throw thrown;
  }
}

/** Whether nothing of a batch was lost on its way: a message names the one that was sent before it. */
function isNext(messages: readonly KeptMessage[], { prev }: KeptMessage): boolean {
  return prev === (messages.at(-1)?.seq ?? 0);
}

/** The batch that a status ends. Rejects if it says something else. */
async function endOf(messages: readonly KeptMessage[], message: Msg): Promise<Batch> {
  const { headers } = message;
  if (headers?.code === NOT_FOUND) return { messages, hasMore: false };
  if (headers?.code !== END_OF_BATCH) throw unexpected('a batch', message);
  return { messages, hasMore: Number(headers.get(PENDING)) > 0 };
}

function unexpected(subject: string, { headers }: Msg): Error {
  return new Error(`the NATS server answers ${subject} with ${headers?.status || 'no status'}`);
}

/** Nobody listens to the requests of JetStream if it is not enabled. */
function noAnswer(subject: string, cause?: unknown): Error {
  const isUnheard = cause instanceof Error && cause.message.startsWith('no responders');
  const isDisabled = isUnheard && subject.startsWith('$JS.API.STREAM.');
  const why = isDisabled
    ? 'JetStream is not enabled on the NATS server, or not for this account: start it with -js'
    : 'the NATS server does not answer';
  return new Error(`${why} (${subject})`, { cause });
}

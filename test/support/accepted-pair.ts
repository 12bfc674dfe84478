import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { CloseVerdict, Connection, SendResult, SupervisorOptions } from '../../src/index.ts';
import type { ExpectedVerdict, Pair, PairOptions } from './pair.ts';
import { RawPeer } from './raw-peer.ts';
import { Service } from './service.ts';

type AnyConnection = Connection<unknown, unknown, unknown>;

/** What a test changes about a pair. */
export type AcceptedOptions = SupervisorOptions<unknown, unknown, unknown> &
  Pick<PairOptions, 'lingers'>;

/** The states that the chart of an accepted connection enters before anything happens to it. */
const opening = ['handshaking.admitting', 'handshaking.upgrading', 'open'];

/** What a subscriber finds when it looks up a connection at the report of its error. */
const quarantined = {
  known: false,
  state: 'errored',
  open: 0,
  counts: { open: 0, errored: 1 },
  members: 0,
  sent: 'refused',
  delivered: 0,
};

/** A connection that a supervisor accepted, and the raw client that dialed it: the counterpart of `DialedPair`. */
export class AcceptedPair implements Pair {
  readonly maskError = 'WS_ERR_EXPECTED_MASK';
  readonly service: Service;
  readonly connection: AnyConnection;
  readonly peer: RawPeer;
  readonly raw: Socket;
  readonly #found: object[] = [];

  private constructor(
    service: Service,
    connection: AnyConnection,
    ends: readonly [RawPeer, Socket],
  ) {
    this.service = service;
    this.connection = connection;
    [this.peer, this.raw] = ends;
    connection.join('all');
    service.supervisor.events$.subscribe(({ type }) => {
      if (type === 'connection.errored') this.#found.push(this.#look());
    });
  }

  /** Dials, and waits until both ends are open. */
  static async open({ lingers = false, ...options }: AcceptedOptions = {}): Promise<AcceptedPair> {
    const service = await Service.start(options);
    const accepted = once(service.server, 'connection');
    const peer = await RawPeer.open(service.port, { allowHalfOpen: lingers });
    const [raw] = (await accepted) as [Socket];
    return new AcceptedPair(service, await service.opened(), [peer, raw]);
  }

  get messages(): readonly unknown[] {
    return this.service.messages;
  }

  get states(): readonly string[] {
    return this.service.states;
  }

  get isOpen(): boolean {
    return this.connection.state === 'open';
  }

  get bufferedBytes(): number {
    return this.connection.bufferedBytes;
  }

  send(message: unknown): SendResult {
    return this.connection.send(message);
  }

  async close(...frame: [code?: number, reason?: string]): Promise<void> {
    this.connection.close(...frame);
    await this.service.when('connection.closed');
  }

  onMessage(listener: () => void): void {
    this.connection.messages$.subscribe(listener);
  }

  async closedAs({ states, ...fields }: ExpectedVerdict): Promise<CloseVerdict> {
    const { verdict: told } = await this.service.when('connection.closed');
    const verdict = await this.service.closedAs({
      level: told.level,
      ...fields,
      ...(states && { states: [...opening, ...states] }),
    });
    this.#assertErrored(verdict);
    this.#assertClosing(verdict);
    return verdict;
  }

  /** An error is reported once, with the cause of the verdict, and the connection can no longer be found. */
  #assertErrored({ cause, error }: CloseVerdict): void {
    const errored = this.service.of('connection.errored');
    assert.equal(errored.length, this.states.includes('errored') ? 1 : 0);
    for (const event of errored) assert.deepEqual([event.cause, event.error], [cause, error]);
    assert.deepEqual(
      this.#found,
      errored.map(() => quarantined),
    );
    const lines = this.service.logLines().filter(({ fields }) => {
      return fields['event'] === 'connection.errored';
    });
    assert.deepEqual(
      lines.map(({ level }) => level),
      errored.map(() => 'warn'),
    );
  }

  /**
   * Closing is reported once, with the close frame that began it. An error, or an end by this side alone, is
   * not a closing.
   */
  #assertClosing({ code, reason, origin, sent }: CloseVerdict): void {
    const first = this.states[opening.length];
    const closing = this.service.of('connection.closing').map((event) => {
      return [event.origin, event.code, event.reason];
    });
    assert.ok(closing.length <= (first === 'errored' ? 0 : 1), `${closing.length} times closing`);
    if (first === 'closing.peer') assert.deepEqual(closing, [[origin, code, reason]]);
    if (first === 'closing.local' && sent) {
      assert.deepEqual(closing, [['local', sent.code, sent.reason]]);
    }
  }

  #look(): object {
    const { supervisor } = this.service;
    const { connection } = this;
    const { open, errored } = supervisor.counts;
    return {
      known: supervisor.get(connection.id) !== undefined,
      state: connection.state,
      open: [...supervisor.connections].length,
      counts: { open, errored },
      members: supervisor.topic('all').size,
      sent: connection.send('late'),
      delivered: supervisor.broadcast('late').delivered,
    };
  }

  async end(): Promise<void> {
    this.peer.destroy();
    await this.service.stop();
  }
}

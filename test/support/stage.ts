import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { AttachOptions, Connection, HandlerName, SupervisorOptions } from '../../src/index.ts';
import { ProcessWatch } from './process-watch.ts';
import { type HandshakeSpec, RawPeer } from './raw-peer.ts';
import { Service } from './service.ts';
import { until } from './until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;
type AnyConnection = Connection<unknown, unknown, unknown>;

/** Distinguishes victims from siblings: the value that `authenticate` returns on a stage. */
export function roleOf({ headers }: IncomingMessage): unknown {
  return headers['x-role'] ?? 'victim';
}

export const isVictim = ({ peer }: AnyConnection): boolean => peer === 'victim';

/** A service with a well-behaved connection beside one that gets into trouble. */
export class Stage {
  readonly service: Service;
  readonly sibling: RawPeer;
  readonly watch: ProcessWatch;
  #asked = 0;

  private constructor(service: Service, sibling: RawPeer, watch: ProcessWatch) {
    this.service = service;
    this.sibling = sibling;
    this.watch = watch;
  }

  /** Starts a service that echoes every message of its siblings. */
  static async set(options: Options = {}, attachOptions?: AttachOptions): Promise<Stage> {
    const watch = new ProcessWatch();
    const onMessage: Options['onMessage'] = (connection, message) =>
      isVictim(connection) ? options.onMessage?.(connection, message) : connection.send(message);
    const service = await Service.start(
      { authenticate: roleOf, ...options, onMessage },
      attachOptions,
    );
    const sibling = await RawPeer.open(service.port, { headers: { 'x-role': 'sibling' } });
    return new Stage(service, sibling, watch);
  }

  victim(spec: HandshakeSpec = {}): Promise<RawPeer> {
    return RawPeer.open(this.service.port, spec);
  }

  /** Waits for the handle of the victim. */
  async victimHandle(): Promise<AnyConnection> {
    await until(() => this.#victimEvents().length > 0, 'the victim is open');
    return this.#victimEvents()[0] as AnyConnection;
  }

  #victimEvents(): AnyConnection[] {
    const opened = this.service.of('connection.opened').map(({ connection }) => connection);
    return opened.filter(isVictim);
  }

  /** The verdict of the victim, once there is one. */
  async victimVerdict() {
    const { id } = await this.victimHandle();
    const closed = () =>
      this.service.of('connection.closed').filter(({ connection }) => connection.id === id);
    await until(() => closed().length > 0, 'the victim is closed');
    assert.equal(closed().length, 1);
    const [end] = closed();
    assert.ok(end);
    return end.verdict;
  }

  /** The reported errors of handlers that threw. */
  get errors(): { handler: HandlerName; message: string }[] {
    return this.service
      .of('handler.errored')
      .map(({ handler, error }) => ({ handler, message: error.message }));
  }

  async echoes(): Promise<void> {
    this.#asked += 1;
    const question = `"question ${this.#asked}"`;
    this.sibling.text(question);
    await until(() => this.sibling.texts.includes(question), 'the sibling gets its echo');
  }

  async stop(): Promise<void> {
    this.watch.stop();
    await this.service.stop();
  }

  /** Asserts that only the victim was affected. */
  async assertUnharmed(): Promise<void> {
    await this.echoes();
    assert.equal(this.service.supervisor.state, 'admitting');
    assert.equal(this.sibling.closeFrame, undefined);
    await this.watch.assertQuiet();
  }
}

/** The two ways in which a callback can fail. */
export const failures: readonly { way: string; fail: () => unknown }[] = [
  {
    way: 'throws',
    fail: () => {
      throw new Error('boom');
    },
  },
  { way: 'rejects', fail: () => Promise.reject(new Error('boom')) },
];

import assert from 'node:assert/strict';
import type { ChartCounts } from '../../src/chart/chart-counts.ts';
import { admitted, type Codec, type Connection } from '../../src/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import type { FaultStream } from '../../src/testing/fault-stream.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import {
  type Actors,
  Gate,
  heartbeat,
  limits,
  type Plan,
  RealStage,
  timeouts,
} from './real-stage.ts';

/** Passes bytes through, because the content of messages does not matter here. */
const plainCodec: Codec = {
  name: 'plain',
  encode: (message) => message as Uint8Array,
  decode: (payload) => payload.toString(),
};

/** A connection that a supervisor accepts. */
export class AcceptedStage extends RealStage {
  /** What `authenticate` and `onOpen` wait for. */
  readonly admission = new Gate();
  readonly welcome = new Gate();
  service!: Service;
  peer!: RawPeer;

  /** Creates a connection that is being admitted. */
  static async set(plan: Plan, actors: Actors): Promise<AcceptedStage> {
    const stage = new AcceptedStage(plan, actors);
    stage.service = await stage.#serve();
    const { port } = stage.service;
    stage.proxy = await FaultProxy.start({ port });
    const entrance = plan.direct === true ? port : stage.proxy.port;
    stage.peer = await RawPeer.connect(entrance, { allowHalfOpen: true });
    stage.peer.request({ headers: plan.headers ?? {} });
    await until(() => stage.admission.isAwaited, 'the request is being admitted');
    return stage;
  }

  #serve(): Promise<Service> {
    return Service.start({
      clock: this.clock,
      random: () => 0.5,
      codec: plainCodec,
      heartbeat,
      timeouts: { ...timeouts, ...this.plan.timeouts },
      limits: { ...limits, ...this.plan.limits },
      authenticate: ({ socket }) => {
        this.raw = socket;
        this.plan.watched?.(socket);
        return this.admission.wait().then(() => admitted());
      },
      onOpen: () => this.welcome.wait(),
      onMessage: (_, message) => {
        if (message === 'throw') throw new Error('thrown on purpose');
        return message === 'hold' ? this.held.wait() : undefined;
      },
      ...(this.actors === 'eager'
        ? { inspect: (event) => this.record(event) }
        : { actors: this.actors }),
    });
  }

  protected get counts(): ChartCounts {
    return this.service.supervisor.chart.connection;
  }

  get connection(): Connection<unknown, unknown, unknown> {
    const [opened] = this.service.of('connection.opened');
    assert.ok(opened, 'it has opened');
    return opened.connection;
  }

  get inbound(): FaultStream {
    return this.link.up;
  }

  get outbound(): FaultStream {
    return this.link.down;
  }

  get hasOpened(): boolean {
    return this.service.of('connection.opened').length > 0;
  }

  get isOver(): boolean {
    return this.service.inFlight === 0;
  }

  get reports(): readonly string[] {
    return this.service.events
      .map(({ type }) => type)
      .filter((type) => type !== 'handler.errored' && !type.startsWith('supervisor.'))
      .map((type) => type.replace('connection.', ''));
  }

  protected letGo(): void {
    for (const gate of [this.admission, this.welcome, this.held]) gate.open();
  }

  protected async stop(): Promise<void> {
    const { closed, failed, ...inFlight } = this.service.supervisor.counts;
    assert.deepEqual(inFlight, { handshaking: 0, open: 0, errored: 0, closing: 0 });
    const { hasOpened } = this;
    const { calls } = this.service;
    assert.deepEqual([closed, failed], hasOpened ? [1, 0] : [0, 1]);
    // `onClose` waits for `onOpen`, which has only just settled.
    await until(() => calls.length === (hasOpened ? 2 : 1), 'every handler is called');
    assert.deepEqual(calls, hasOpened ? ['onOpen', 'onClose'] : ['onFailed']);
    await this.service.stop();
  }
}

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type ChartCounts, countsOf } from '../../src/chart/chart-counts.ts';
import { ChartSystem } from '../../src/chart/chart-system.ts';
import { type HostedActor, xstateHost } from '../../src/chart/hosted-actor.ts';
import { clientTable } from '../../src/chart/tables/client.ts';
import { connectionTable } from '../../src/chart/tables/connection.ts';
import {
  type OutboundConnection,
  type OutboundHost,
  outboundConnection,
} from '../../src/client/outbound-connection.ts';
import { Positions } from '../../src/client/positions.ts';
import type { Route } from '../../src/client/reconnect/route.ts';
import type { ConnectionCore } from '../../src/connection/connection-core.ts';
import type { MessageHandlers } from '../../src/connection/connection-host.ts';
import type { SharedRuntime } from '../../src/connection/shared-runtime.ts';
import { sharedRuntime } from '../../src/connection/shared-runtime.ts';
import { type SocketCore, SocketEvents } from '../../src/connection/socket-events.ts';
import { textCodec } from '../../src/core/codec.ts';
import { requestContracts } from '../../src/core/contract.ts';
import type { InspectionEvent } from '../../src/core/inspection.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import type { FaultStream } from '../../src/testing/fault-stream.ts';
import { Reads } from '../../src/transport/reads.ts';
import type {
  DialObserver,
  OutboundTransport,
  RawSocketObserver,
} from '../../src/transport/transport.ts';
import { WsTransport } from '../../src/transport/ws-transport.ts';
import { watchDialed } from '../support/dialed-pair.ts';
import { RawHost } from '../support/raw-host.ts';
import { RogueServer } from '../support/rogue-server.ts';
import { assertAtRest, resources } from '../support/service.ts';
import { until } from '../support/until.ts';
import {
  type Actors,
  heartbeat,
  limits,
  type OpenConnection,
  type Plan,
  RealStage,
  timeouts,
} from './real-stage.ts';

/** The transport of a client, which gives the host access to its raw socket. */
class StagedTransport extends WsTransport {
  readonly #watched: Plan['watched'];

  constructor({ clock, plan }: RealStage, observer: DialObserver) {
    super(observer, { limits, clock });
    this.#watched = plan.watched;
  }

  override watch(raw: Socket, observer: RawSocketObserver): boolean {
    const isOurs = super.watch(raw, observer);
    this.#watched?.(raw);
    return isOurs;
  }
}

/** A connection that a port of the client dials. The stage is its host. */
export class DialedStage extends RealStage implements OutboundHost, MessageHandlers {
  readonly context: SharedRuntime;
  readonly charts: ChartSystem;
  readonly actor: HostedActor;
  readonly reports: string[] = [];
  readonly #before = resources();
  peer!: RawHost;
  managed!: OutboundConnection;
  server!: RogueServer;
  #quarantines = 0;

  private constructor(plan: Plan, actors: Actors) {
    super(plan, actors);
    const options = {
      clock: this.clock,
      random: () => 0.5,
      timeouts: { ...timeouts, ...plan.timeouts },
      heartbeat,
      limits: { ...limits, ...plan.limits },
      overRate: 'pause' as const,
    };
    const shared = sharedRuntime(options);
    this.context = { ...shared, reads: new Reads(shared) };
    const areEager = actors === 'eager';
    this.charts = new ChartSystem({ actorHost: xstateHost, areEager }, this.clock);
    // A parent that needs no reports.
    const runner = this.charts.run(clientTable, { chartCrashed: () => {} });
    const inspector = {
      inspect: (event: InspectionEvent) => this.record(event),
      report: assert.ifError,
    };
    this.actor = this.charts.host(runner, {
      ...{ id: 'client', parent: null },
      ...(areEager && { inspector }),
    });
  }

  protected get counts(): ChartCounts {
    return countsOf(this.charts.chartOf(connectionTable));
  }

  /** Creates a connection whose upgrade request waits for its answer. */
  static async set(plan: Plan, actors: Actors): Promise<DialedStage> {
    const stage = new DialedStage(plan, actors);
    const hosts: RawHost[] = [];
    stage.server = await RogueServer.start((visit) => void hosts.push(new RawHost(visit)), {
      lingers: true,
    });
    stage.proxy = await FaultProxy.start({ port: stage.server.port });
    const dialed = watchDialed();
    stage.managed = outboundConnection(stage, 'a1');
    stage.raw = dialed();
    await until(() => hosts.some(({ request }) => request !== ''), 'the request has arrived');
    stage.peer = hosts[0] as RawHost;
    return stage;
  }

  get connection(): OpenConnection {
    const { managed } = this;
    return {
      state: managed.state,
      states: managed.states,
      bufferedBytes: managed.transport.bufferedBytes,
      send: (message) => managed.side.outbox?.send(message as Uint8Array) ?? 'refused',
      close: (code, reason) => managed.side.abort() || managed.close('close', { code, reason }),
      fail: (error) => managed.end('fail', error),
      terminate: () => managed.terminate(),
      pause: () => managed.intake.pause('user'),
      resume: () => managed.intake.resume('user'),
    };
  }

  get inbound(): FaultStream {
    return this.link.down;
  }

  get outbound(): FaultStream {
    return this.link.up;
  }

  get hasOpened(): boolean {
    return this.managed.openedAt > 0;
  }

  get isOver(): boolean {
    return this.managed.isOver;
  }

  protected letGo(): void {
    this.held.open();
  }

  protected async stop(): Promise<void> {
    const { managed, hasOpened } = this;
    assert.equal(managed.verdict !== undefined, hasOpened);
    assert.equal(managed.failure !== undefined, !hasOpened);
    assert.equal(this.#quarantines, hasOpened ? 1 : 0);
    assert.equal(managed.side.outbox, null);
    await until(() => this.raw.closed, 'the socket is gone');
    await this.server.stop();
    await assertAtRest(this.#before);
  }

  // What a port needs from its host.

  url = '';

  readonly route: Route = {
    url: '',
    isRenewed: false,
    target: () => {
      const { port } = this.plan.direct === true ? this.server : this.proxy;
      const address = `127.0.0.1:${port}`;
      const path = '/feed';
      return { url: `ws://${address}${path}`, subprotocols: [], headers: {}, address, path };
    },
  };

  makeTransport(connection: ConnectionCore): OutboundTransport {
    return new StagedTransport(this, new SocketEvents(connection as SocketCore));
  }

  connectionMoved(): void {}
  readonly positions = new Positions();
  passed(): void {}
  sentOn(): void {}
  peerWelcomes(): void {}
  messageLost(): void {}
  roomFound(): void {}
  readingResumed(): void {}
  readonly isWelcoming = false;
  hold(): void {}
  watchPeer() {
    return null;
  }

  connectionOpened(): void {}

  connectionCrashed(error: Error): void {
    throw error;
  }

  randomErrored(): void {}

  connectionQuarantined(): void {
    this.#quarantines += 1;
  }

  connectionReported(_: unknown, report: string): void {
    this.reports.push(report);
  }

  // As a client does whose contract throws, or whose `onMessage` rejects.

  readonly contract = {
    read(payload: Uint8Array) {
      if (String(payload) === 'throw') throw new Error('on purpose');
      return { message: String(payload) };
    },
    payload: String,
  };

  readonly contracts = requestContracts({ codec: textCodec() });
  readonly handlesRequests = false;
  request(): void {}

  readonly handlers = this;

  message(_: unknown, message: unknown): unknown {
    if (message !== 'hold') return undefined;
    return this.held.wait().catch((error) => this.managed.end('handler-error', error));
  }

  errored(_: unknown, error: Error): void {
    this.managed.end('handler-error', error);
  }

  messageInvalid(): void {}
}

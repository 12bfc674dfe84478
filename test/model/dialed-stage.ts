import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type ActorRefFrom, createActor, type InspectionEvent } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import type { ClientOrders } from '../../machines/client-contract.ts';
import { hide } from '../../machines/hidden.ts';
import { DialedPort, type DialedPortHost } from '../../src/client/dialed-port.ts';
import type { DialedWire, DialObserver } from '../../src/client/dialed-wire.ts';
import type { DialTarget } from '../../src/client/target.ts';
import { WsWire } from '../../src/client/ws-wire.ts';
import { portContext } from '../../src/connection/port-context.ts';
import type { PortContext } from '../../src/connection/port-host.ts';
import type { RawSocketObserver } from '../../src/connection/raw-socket.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import type { FaultStream } from '../../src/testing/fault-stream.ts';
import { watchDialed } from '../support/dialed-pair.ts';
import { RawHost } from '../support/raw-host.ts';
import { RogueServer } from '../support/rogue-server.ts';
import { assertAtRest, resources } from '../support/service.ts';
import { until } from '../support/until.ts';
import {
  heartbeat,
  limits,
  type OpenConnection,
  type Plan,
  RealStage,
  timeouts,
} from './real-stage.ts';

/** The wire of a client, which lets the host have a hand in its raw socket. */
class StagedWire extends WsWire {
  readonly #watched: Plan['watched'];

  constructor({ clock, plan }: RealStage, observer: DialObserver) {
    super(observer, { limits, clock }, {});
    this.#watched = plan.watched;
  }

  override watch(raw: Socket, observer: RawSocketObserver): boolean {
    const isOurs = super.watch(raw, observer);
    this.#watched?.(raw);
    return isOurs;
  }
}

/** A connection that a port of the client dials; the stage is its host. */
export class DialedStage extends RealStage implements DialedPortHost {
  readonly context: PortContext;
  readonly actor: ActorRefFrom<typeof clientMachine>;
  readonly reports: string[] = [];
  readonly #before = resources();
  peer!: RawHost;
  port!: DialedPort;
  server!: RogueServer;
  #quarantines = 0;

  private constructor(plan: Plan, inspect: (event: InspectionEvent) => void) {
    super(plan);
    const options = {
      clock: this.clock,
      random: () => 0.5,
      timeouts: { ...timeouts, ...plan.timeouts },
      heartbeat,
      limits: { ...limits, ...plan.limits },
      overRate: 'pause' as const,
      inspect,
    };
    this.context = portContext(options);
    // Nobody is told anything: it is there to be the parent.
    this.actor = createActor(clientMachine, {
      input: hide({} as ClientOrders),
      inspect: (event) => {
        inspect(event);
        this.record(event);
      },
    });
    this.actor.start();
  }

  /** Makes a connection whose upgrade request waits for its answer. */
  static async set(plan: Plan, inspect: (event: InspectionEvent) => void): Promise<DialedStage> {
    const stage = new DialedStage(plan, inspect);
    const hosts: RawHost[] = [];
    stage.server = await RogueServer.start((visit) => void hosts.push(new RawHost(visit)), {
      lingers: true,
    });
    stage.proxy = await FaultProxy.start({ port: stage.server.port });
    const dialed = watchDialed();
    stage.port = new DialedPort(stage, 'a1');
    stage.raw = dialed();
    await until(() => hosts.some(({ request }) => request !== ''), 'the request has come');
    stage.peer = hosts[0] as RawHost;
    return stage;
  }

  get connection(): OpenConnection {
    const { port } = this;
    return {
      state: port.state,
      states: port.states,
      bufferedBytes: port.wire.bufferedBytes,
      send: (message) => port.messages?.send(message as Uint8Array) ?? 'refused',
      close: (code, reason) => port.abort() || port.close('close', { code, reason }),
      fail: (error) => port.end('fail', error),
      terminate: () => port.terminate(),
      pause: () => port.intake.pause('user'),
      resume: () => port.intake.resume('user'),
    };
  }

  get inbound(): FaultStream {
    return this.link.down;
  }

  get outbound(): FaultStream {
    return this.link.up;
  }

  get hasOpened(): boolean {
    return this.port.openedAt > 0;
  }

  get isOver(): boolean {
    return this.port.isOver;
  }

  protected letGo(): void {
    this.held.open();
  }

  protected async stop(): Promise<void> {
    const { port, hasOpened } = this;
    assert.equal(port.verdict !== undefined, hasOpened);
    assert.equal(port.failure !== undefined, !hasOpened);
    assert.equal(this.#quarantines, hasOpened ? 1 : 0);
    assert.equal(port.messages, null);
    await until(() => this.raw.closed, 'the socket is gone');
    await this.server.stop();
    await assertAtRest(this.#before);
  }

  // What a port needs of its host.

  target(): DialTarget {
    const { port } = this.plan.direct === true ? this.server : this.proxy;
    return { url: `ws://127.0.0.1:${port}/feed`, subprotocols: [], headers: {} };
  }

  makeWire(observer: DialObserver): DialedWire {
    return new StagedWire(this, observer);
  }

  dialsTo(): void {}
  portMoved(): void {}
  peerWelcomes(): void {}

  portOpened(): void {}

  randomErrored(): void {}

  portQuarantined(): void {
    this.#quarantines += 1;
  }

  portReported(_: unknown, report: string): void {
    this.reports.push(report);
  }

  /** As a client does whose contract throws, or whose `onMessage` rejects. */
  messageArrived(_: unknown, payload: Uint8Array): unknown {
    if (String(payload) === 'throw') this.port.end('handler-error', new Error('on purpose'));
    if (String(payload) !== 'hold') return undefined;
    return this.held.wait().catch((error) => this.port.end('handler-error', error));
  }
}

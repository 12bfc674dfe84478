import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { InspectionEvent } from 'xstate';
import { type ConnectionFact, connectionFacts } from '../../machines/connection-contract.ts';
import { snapshotPaths } from '../../src/connection/snapshot-paths.ts';
import type { Codec, Connection, SupervisorEvent, Timeouts } from '../../src/index.ts';
import type { FaultLink } from '../../src/testing/fault-link.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

export type Fact = ConnectionFact['type'];

/** A fact that the chart of a real connection took, as XState's inspection tells it. */
export interface Step {
  readonly from: string;
  readonly fact: Fact;
  readonly to: string;
}

/** What has to be arranged before a fact can happen where it is to happen. */
export interface Plan {
  readonly timeouts?: Partial<Timeouts>;
  /** Headers of the upgrade request. */
  readonly headers?: Record<string, string>;
  /** Reaches the service without the proxy. */
  readonly direct?: boolean;
  /** The kernel may decide otherwise, for example when it is busy: then it is tried again. */
  readonly isRace?: boolean;
  /** Runs on the raw socket while the application authenticates. */
  readonly authenticate?: (raw: Socket) => void;
  /** Runs on the raw socket just before it is admitted. */
  readonly granted?: (raw: Socket) => void;
  /** Runs when `onOpen` has settled. */
  readonly settled?: (stage: RealStage) => Promise<void>;
}

/** A promise for the test to settle. */
export class Gate {
  readonly promise: Promise<void>;
  open: () => void = () => {};
  fail: (error: Error) => void = () => {};
  /** Whether somebody waits for it. */
  isAwaited = false;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.open = resolve;
      this.fail = reject;
    });
    this.promise.catch(() => {});
  }

  wait(): Promise<void> {
    this.isAwaited = true;
    return this.promise;
  }
}

export const initialPlace = '{"handshaking":"admitting"}';

const STEP_MS = 50;
const PATIENCE_MS = 120_000;

/** More than half a grace, less than a welcome may take. */
const TEMPTATION_MS = 6_000;

/** Above what the kernels of both ends take for a peer that does not read; a backlog must stand. */
const OUTBOX_HIGH_BYTES = 2 ** 22;

const heartbeat = { intervalMs: 20_000, graceMs: 10_000 };

/** Long enough to stay out of the way of all the other deadlines. */
const STALLED_MS = 60_000;

/** Bytes as they are; what the connection says is not what this is about. */
const plainCodec: Codec = {
  name: 'plain',
  encode: (message) => message as Uint8Array,
  decode: (payload) => payload.toString(),
};

const reportedAs: Partial<Record<Fact, SupervisorEvent['type']>> = {
  'socket.opened': 'connection.opened',
  'heartbeat.missed': 'connection.suspect',
  'heartbeat.answered': 'connection.healthy',
  'beat.missed': 'connection.asleep',
  'beat.answered': 'connection.healthy',
  'outbox.filled': 'connection.congested',
  'outbox.drained': 'connection.flowing',
};

/** One real connection, from a peer through a fault proxy to a supervisor whose time stands still. */
export class RealStage {
  readonly clock = new VirtualClock();
  /** What `authenticate`, `onOpen` and the handler of the message `hold` wait for. */
  readonly admission = new Gate();
  readonly welcome = new Gate();
  readonly held = new Gate();
  readonly steps: Step[] = [];
  readonly plan: Plan;
  service!: Service;
  proxy!: FaultProxy;
  peer!: RawPeer;
  /** The server's side of the connection. */
  raw!: Socket;
  #place = initialPlace;

  private constructor(plan: Plan) {
    this.plan = plan;
  }

  /** Makes a connection that is being admitted. */
  static async set(plan: Plan, inspect: (event: InspectionEvent) => void): Promise<RealStage> {
    const stage = new RealStage(plan);
    stage.service = await stage.#serve(inspect);
    const { port } = stage.service;
    stage.proxy = await FaultProxy.start({ port });
    const entrance = plan.direct === true ? port : stage.proxy.port;
    stage.peer = await RawPeer.connect(entrance, { allowHalfOpen: true });
    stage.peer.request({ headers: plan.headers ?? {} });
    await until(() => stage.admission.isAwaited, 'the request is being admitted');
    return stage;
  }

  #serve(inspect: (event: InspectionEvent) => void): Promise<Service> {
    return Service.start({
      clock: this.clock,
      random: () => 0.5,
      codec: plainCodec,
      heartbeat,
      timeouts: { stalledMs: STALLED_MS, ...this.plan.timeouts },
      limits: { outboxHighBytes: OUTBOX_HIGH_BYTES, outboxLowBytes: 65_536 },
      authenticate: ({ socket }) => {
        this.raw = socket;
        this.plan.authenticate?.(socket);
        return this.admission.wait();
      },
      onOpen: () => this.welcome.wait(),
      onMessage: (_, message) => {
        if (message === 'throw') throw new Error('thrown on purpose');
        return message === 'hold' ? this.held.wait() : undefined;
      },
      inspect: (event) => {
        inspect(event);
        this.#record(event);
      },
    });
  }

  #record(event: InspectionEvent): void {
    if (event.type !== '@xstate.microstep') return;
    if ((event.actorRef as { id?: string }).id !== 'connection') return;
    const from = this.#place;
    this.#place = JSON.stringify((event.snapshot as { value?: unknown }).value);
    const { type } = event.event;
    if (event._transitions.length === 0 || !Object.hasOwn(connectionFacts, type)) return;
    this.steps.push({ from, fact: type as Fact, to: this.#place });
  }

  /** The active states, as the latest step left them. */
  get place(): string {
    return this.#place;
  }

  /** Whether a state is active. */
  isIn(state: string): boolean {
    return activeIn(this.#place).includes(state);
  }

  /** The link that leads to the service. */
  get link(): FaultLink {
    const [link] = this.proxy.links;
    assert.ok(link, 'the peer is linked to the service');
    return link;
  }

  /** The handle of the connection, once it has opened. */
  get connection(): Connection<unknown, unknown, unknown> {
    const [opened] = this.service.of('connection.opened');
    assert.ok(opened, 'it has opened');
    return opened.connection;
  }

  /** Lets time pass until the chart takes another fact. */
  passTime(): void {
    const count = this.steps.length;
    for (let ms = 0; ms < PATIENCE_MS && this.steps.length === count; ms += STEP_MS) {
      this.clock.advance(STEP_MS);
    }
  }

  /** Waits for the step of this number, and asserts that it is of this fact. */
  async takes(fact: Fact, index: number): Promise<Step> {
    if (this.steps.length <= index) {
      await until(() => this.steps.length > index, `${fact} is taken in ${this.#place}`);
    }
    const step = this.steps[index] as Step;
    assert.equal(step.fact, fact, `step ${index} of ${JSON.stringify(this.steps, null, 1)}`);
    return step;
  }

  /** Asserts that handle and chart agree, as far as the connection has got by now. */
  assertStates(): void {
    if (this.service.of('connection.opened').length === 0) return;
    assert.deepEqual(this.connection.states, activeIn(this.#place));
    assert.equal(this.connection.state, activeIn(this.#place)[0]);
  }

  /** Lets so much time pass that a deadline which should have been cancelled shows itself. */
  tempt(): void {
    this.clock.advance(TEMPTATION_MS);
  }

  /** Lets go of everything and asserts that it ends: once, reported in order, and with nothing left. */
  async end(): Promise<void> {
    for (const gate of [this.admission, this.welcome, this.held]) gate.open();
    this.peer.destroy();
    for (const link of this.proxy.links) link.close();
    await until(() => {
      if (this.service.inFlight > 0) this.clock.advance(1_000);
      return this.service.inFlight === 0;
    }, 'it ends');
    // Time stands still again: only what is cancelled goes.
    await until(() => this.clock.timersPending === 0, 'no timer is left');
    await this.#assertReports();
    this.#assertWire();
    await this.proxy.close();
    await this.service.stop();
  }

  async #assertReports(): Promise<void> {
    const told = this.service.events
      .map(({ type }) => type)
      .filter((type) => type !== 'handler.errored');
    assert.deepEqual(
      told,
      this.steps.flatMap((step) => reportsOf(step)),
    );
    const { closed, failed, ...inFlight } = this.service.supervisor.counts;
    assert.deepEqual(inFlight, { handshaking: 0, open: 0, errored: 0, closing: 0 });
    const hasOpened = told.includes('connection.opened');
    assert.deepEqual([closed, failed], hasOpened ? [1, 0] : [0, 1]);
    const { calls } = this.service;
    // `onClose` waits for `onOpen`, which has only just settled.
    await until(() => calls.length === (hasOpened ? 2 : 1), 'every handler is called');
    assert.deepEqual(calls, hasOpened ? ['onOpen', 'onClose'] : ['onFailed']);
  }

  /** A server sends one close frame at most, and nothing behind it; the frames tell of the latter. */
  #assertWire(): void {
    const closes = this.peer.frames.filter((frame) => frame.opcode === opcode.close);
    assert.ok(closes.length <= 1, 'one close frame at most');
  }
}

/** What a step makes the supervisor report. */
function reportsOf({ from, fact, to }: Step): SupervisorEvent['type'][] {
  const change = reportedAs[fact];
  if (change !== undefined) return [change];
  const [before, after] = [activeIn(from)[0], activeIn(to)[0]];
  if (after === before || (after === 'closing' && before === 'errored')) return [];
  return [`connection.${after}` as SupervisorEvent['type']];
}

/** The paths of the active states of a place, parents first. */
export function activeIn(place: string): string[] {
  return snapshotPaths(JSON.parse(place));
}

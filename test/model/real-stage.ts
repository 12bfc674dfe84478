import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { connectionMachine } from '../../machines/connection.ts';
import { type ConnectionFact, connectionFacts } from '../../machines/connection-contract.ts';
import type { ArrowCount, ChartCounts } from '../../src/chart/chart-counts.ts';
import { pathsTo } from '../../src/chart/table.ts';
import * as defaults from '../../src/core/defaults.ts';
import type { InspectedActor, InspectionEvent } from '../../src/core/inspection.ts';
import type { Limits, SendResult, Timeouts } from '../../src/index.ts';
import type { FaultLink } from '../../src/testing/fault-link.ts';
import type { FaultProxy } from '../../src/testing/fault-proxy.ts';
import type { FaultStream } from '../../src/testing/fault-stream.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { type Edge, placesOf } from '../support/chart-walk.ts';
import { opcode } from '../support/frames.ts';
import type { RawEnd } from '../support/raw-end.ts';
import { until } from '../support/until.ts';
import { leavesIn } from '../tables/table-of.ts';

export type Fact = ConnectionFact['type'];

/** Every configuration of the chart, with the edges that leave it. */
export const places = placesOf({ machine: connectionMachine, facts: Object.keys(connectionFacts) });

/** Which actors there are, and so how the steps of the chart are observed. */
export type Actors = 'eager' | 'on-demand';

/** A fact that the chart of a real connection accepted. */
export interface Step {
  readonly from: string;
  readonly fact: Fact;
  readonly to: string;
}

/** What must be arranged before a fact can happen in its place. */
export interface Plan {
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<Limits>;
  /** Headers of the upgrade request. */
  readonly headers?: Record<string, string>;
  /** Peer and connection meet without the proxy. */
  readonly direct?: boolean;
  /** The kernel may decide otherwise, for example when it is busy. Then the test tries again. */
  readonly isRace?: boolean;
  /**
   * Runs on the raw socket between the moment at which our listeners are added and that at which ws takes it
   * over.
   */
  readonly watched?: (raw: Socket) => void;
  /** Runs on the raw socket just before it is admitted. */
  readonly granted?: (raw: Socket) => void;
  /** Runs when the welcome has settled. */
  settled?(stage: RealStage): Promise<void>;
}

/** A promise for the test to settle. */
export class Gate {
  readonly promise: Promise<void>;
  open: () => void = () => {};
  fail: (error: Error) => void = () => {};
  /** Whether anything waits for it. */
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

/** What a test can do with an open connection. */
export interface OpenConnection {
  readonly state: string;
  readonly states: readonly string[];
  readonly bufferedBytes: number;
  send(message: unknown): SendResult;
  close(code: number, reason: string): unknown;
  fail(error: Error): unknown;
  terminate(): unknown;
  pause(): unknown;
  resume(): unknown;
}

export const initialPlace = '{"handshaking":"admitting"}';

const STEP_MS = 50;
const PATIENCE_MS = 120_000;

/** More than half a grace, less than a welcome may take. */
const TEMPTATION_MS = 6_000;

export const heartbeat = { intervalMs: 20_000, graceMs: 10_000 };

/** More than the kernels of both ends accept for a peer that does not read, so that a backlog remains. */
export const limits = { ...defaults.limits, outboxHighBytes: 2 ** 22, outboxLowBytes: 65_536 };

/** A peer may stall long enough for all other deadlines to come first. */
export const timeouts = { ...defaults.timeouts, stalledMs: 60_000 };

/** Reports that follow from a fact and not from a new state. */
const reportedAs: Partial<Record<Fact, string>> = {
  'socket.opened': 'opened',
  'heartbeat.missed': 'suspect',
  'heartbeat.answered': 'healthy',
  'beat.missed': 'asleep',
  'beat.answered': 'healthy',
  'outbox.filled': 'congested',
  'outbox.drained': 'flowing',
};

/** One real connection, from a peer through a fault proxy to a connection of ours on virtual time. */
export abstract class RealStage {
  readonly clock = new VirtualClock();
  /** What the handler of the message `hold` waits for. */
  readonly held = new Gate();
  readonly plan: Plan;
  readonly actors: Actors;
  abstract readonly peer: RawEnd;
  /** Our end of the connection. */
  raw!: Socket;
  proxy!: FaultProxy;
  readonly #steps: Step[] = [];
  /** How often each arrow had been taken when the steps were last read. */
  readonly #taken = new Map<string, number>();
  #place = initialPlace;

  constructor(plan: Plan, actors: Actors) {
    this.plan = plan;
    this.actors = actors;
  }

  /** What the chart of the connection has counted. */
  protected abstract get counts(): ChartCounts;

  /** The connection, once it has opened. */
  abstract get connection(): OpenConnection;
  /** What leads from the peer to us, and from us to the peer. */
  abstract get inbound(): FaultStream;
  abstract get outbound(): FaultStream;
  abstract get hasOpened(): boolean;
  abstract get isOver(): boolean;
  /** What was reported, in order, as `closed` or `suspect`. */
  abstract get reports(): readonly string[];
  /** Settles everything that this side still waits for. */
  protected abstract letGo(): void;
  /** Asserts what the end leaves behind, and stops everything that belongs to the stage. */
  protected abstract stop(): Promise<void>;

  record(event: InspectionEvent): void {
    if (event.type !== '@xstate.snapshot') return;
    const { type } = event.event;
    if (!Object.hasOwn(connectionFacts, type) || !isOfConnection(event.actorRef)) return;
    this.#note(type as Fact, JSON.stringify((event.snapshot as { value?: unknown }).value));
  }

  #note(fact: Fact, to: string): void {
    this.#steps.push({ from: this.#place, fact, to });
    this.#place = to;
  }

  /** The steps so far, from XState's inspection, or from the counts of the chart where nothing is inspected. */
  get steps(): readonly Step[] {
    if (this.actors === 'on-demand') this.#readCounts();
    return this.#steps;
  }

  #readCounts(): void {
    const { arrows, states } = this.counts;
    const news = arrows.flatMap((arrow) => {
      const name = `${arrow.from} ${arrow.fact}`;
      const before = this.#taken.get(name) ?? 0;
      this.#taken.set(name, arrow.taken);
      return Array<ArrowCount>(arrow.taken - before).fill(arrow);
    });
    if (news.length === 0) return;
    const now = Object.keys(states).filter((path) => states[path] === 1);
    const edges = inOrder(this.#place, news, now);
    assert.ok(edges, `${this.#place} → ${now}: ${JSON.stringify(news)}`);
    for (const { fact, to } of edges) this.#note(fact as Fact, to);
  }

  /** The active states, as the latest step left them. */
  get place(): string {
    return this.steps.at(-1)?.to ?? initialPlace;
  }

  /** Whether a state is active. */
  isIn(state: string): boolean {
    return activeIn(this.place).includes(state);
  }

  /** The link between the two ends. */
  protected get link(): FaultLink {
    const [link] = this.proxy.links;
    assert.ok(link, 'both ends are linked');
    return link;
  }

  /** Lets time pass until the chart accepts another fact. */
  passTime(): void {
    const count = this.steps.length;
    for (let ms = 0; ms < PATIENCE_MS && this.steps.length === count; ms += STEP_MS) {
      this.clock.advance(STEP_MS);
    }
  }

  /** Waits for the step of this number, and asserts that its fact is this one. */
  async takes(fact: Fact, index: number): Promise<Step> {
    if (this.steps.length <= index) {
      await until(() => this.steps.length > index, `${fact} is taken in ${this.place}`);
    }
    const step = this.steps[index] as Step;
    assert.equal(step.fact, fact, `step ${index} of ${JSON.stringify(this.steps, null, 1)}`);
    return step;
  }

  /** Asserts that connection and chart agree at this point. */
  assertStates(): void {
    if (!this.hasOpened) return;
    assert.deepEqual(this.connection.states, activeIn(this.place));
    assert.equal(this.connection.state, activeIn(this.place)[0]);
  }

  /** Lets enough time pass for a deadline that should have been cancelled to show. */
  tempt(): void {
    this.clock.advance(TEMPTATION_MS);
  }

  /** Settles everything and asserts that the connection ends once, with its reports in order, and leaves nothing. */
  async end(): Promise<void> {
    this.letGo();
    this.peer.destroy();
    for (const link of this.proxy.links) link.close();
    await until(() => {
      if (!this.isOver) this.clock.advance(1_000);
      return this.isOver;
    }, 'it ends');
    // Time stands still again, so timers disappear only by being cancelled.
    await until(() => this.clock.timersPending === 0, 'no timer is left');
    assert.deepEqual(
      this.reports,
      this.steps.flatMap((step) => reportsOf(step)),
    );
    this.#assertWire();
    await this.proxy.close();
    await this.stop();
  }

  /** One close frame at most, and nothing after it. The frame reader checks the latter. */
  #assertWire(): void {
    const closes = this.peer.frames.filter((frame) => frame.opcode === opcode.close);
    assert.ok(closes.length <= 1, 'one close frame at most');
  }
}

/** Other charts have facts of the same names. */
function isOfConnection(actor: InspectedActor): boolean {
  return (
    (actor as unknown as { logic: { config: { id: string } } }).logic.config.id === 'connection'
  );
}

/** Sorts newly taken arrows into a possible order that ends at the current state of the chart. */
function inOrder(
  place: string,
  arrows: readonly ArrowCount[],
  now: readonly string[],
): readonly Edge[] | undefined {
  if (arrows.length === 0) return sameStates(activeIn(place), now) ? [] : undefined;
  for (const [index, { from, fact }] of arrows.entries()) {
    const isActive = from === '' || activeIn(place).includes(from);
    const edge = isActive && places.get(place)?.edges.find((each) => each.fact === fact);
    const rest = edge && inOrder(edge.to, arrows.toSpliced(index, 1), now);
    if (edge && rest) return [edge, ...rest];
  }
  return undefined;
}

function sameStates(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((path) => other.includes(path));
}

/** The report that a step causes. */
function reportsOf({ from, fact, to }: Step): string[] {
  const change = reportedAs[fact];
  if (change !== undefined) return [change];
  const [before, after = ''] = [activeIn(from)[0], activeIn(to)[0]];
  if (after === before || (after === 'closing' && before === 'errored')) return [];
  return [after];
}

/** The paths of the active states of a place, parents first. */
export function activeIn(place: string): string[] {
  return [...pathsTo(leavesIn(JSON.parse(place)))];
}

import { type ActorRefFrom, createActor, type InspectionEvent } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import type {
  ConnectionCondition,
  ConnectionFact,
  ConnectionOrders,
  DeadlineName,
} from '../../machines/connection-contract.ts';
import { hide, reveal } from '../../machines/hidden.ts';
import * as defaults from '../../src/core/defaults.ts';
import { LINGER_MS } from '../../src/core/limits.ts';
import { type Deadline, type DeadlineOwner, TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { keyOf } from './chart-walk.ts';

type ChartActor = ActorRefFrom<typeof connectionMachine>;

function createMachineActor(
  connection: ConnectionOrders,
  inspect?: (event: InspectionEvent) => void,
): ChartActor {
  return createActor(connectionMachine, { input: hide(connection), ...(inspect && { inspect }) });
}

const TICK_MS = 100;

const delays = { ...defaults.timeouts, refusalMs: LINGER_MS };

/**
 * A connection without a socket. It records every order of its chart, and keeps the deadlines on virtual
 * time.
 *
 * The chart is the production one, so a test drives exactly what runs.
 */
export class RecordingConnection implements ConnectionOrders, DeadlineOwner {
  /** Every order so far, with its parameter: `startDeadline close`. */
  readonly orders: string[] = [];
  readonly clock = new VirtualClock();
  readonly actor: ChartActor;

  readonly #wheel = new TimerWheel(this.clock, TICK_MS);
  #deadline: Deadline | null = null;
  #deadlineName: DeadlineName | undefined;
  #startedMs = 0;

  /** @param create - creates the actor of the chart. @default the machine itself */
  constructor(inspect?: (event: InspectionEvent) => void, create = createMachineActor) {
    this.actor = create(this, inspect);
    this.actor.start();
  }

  /** The place that the chart is in. */
  get place(): string {
    return keyOf(this.actor.getSnapshot());
  }

  get isDone(): boolean {
    return this.actor.getSnapshot().status === 'done';
  }

  /** The output of the chart at the end. */
  get outcomeReported(): unknown {
    const { output } = this.actor.getSnapshot();
    return output && reveal(output);
  }

  /** The option of the deadline that is running. */
  get deadline(): `${DeadlineName}Ms` | undefined {
    return this.#deadlineName && `${this.#deadlineName}Ms`;
  }

  /** Deadlines and timers that are pending. */
  get pending(): number {
    return this.#wheel.size + this.clock.timersPending;
  }

  /** Sends the chart a fact, whether it is true or not. */
  send(fact: string): void {
    this.actor.send({ type: fact as ConnectionFact['type'] });
  }

  /** Makes a fact true: a deadline passes because time passes, and any other fact is sent. */
  make(fact: string): void {
    if (fact === 'deadline.passed') this.#expire();
    else this.send(fact);
  }

  /** Lets time pass, and nothing else happen, until the chart should have ended. */
  runOut(): void {
    // In `open` no deadline of the chart runs. The heartbeat ends it.
    this.send('heartbeat.lost');
    this.clock.advance(Object.values(delays).reduce((sum, each) => sum + each, 0));
  }

  #expire(): void {
    const { place, deadline } = this;
    if (deadline === undefined) throw new Error(`no deadline runs in ${place}`);
    const leftMs = this.#startedMs + delays[deadline] - this.clock.now();
    this.clock.advance(leftMs - 1);
    if (this.place !== place) throw new Error(`the deadline of ${place} passed early`);
    this.clock.advance(1 + TICK_MS);
  }

  deadlinePassed(): void {
    this.#forget();
    this.send('deadline.passed');
  }

  dial(): void {
    this.orders.push('dial');
  }

  upgrade(): void {
    this.orders.push('upgrade');
  }

  refuseUpgrade(): void {
    this.orders.push('refuseUpgrade');
  }

  refuseWithClose(): void {
    this.orders.push('refuseWithClose');
  }

  announceOpen(): void {
    this.orders.push('announceOpen');
    this.#forget();
  }

  admitMessages(): void {
    this.orders.push('admitMessages');
  }

  announceError(): void {
    this.orders.push('announceError');
  }

  announceClosing(): void {
    this.orders.push('announceClosing');
  }

  sendClose(): void {
    this.orders.push('sendClose');
  }

  destroy(): void {
    this.orders.push('destroy');
  }

  startDeadline({ name }: { name: DeadlineName }): void {
    this.orders.push(`startDeadline ${name}`);
    this.#forget();
    this.#deadlineName = name;
    this.#startedMs = this.clock.now();
    this.#deadline = this.#wheel.schedule(delays[`${name}Ms`], this, name);
  }

  announceChange({ to }: { to: ConnectionCondition }): void {
    this.orders.push(`announceChange ${to}`);
  }

  finish(): void {
    this.orders.push('finish');
    this.#forget();
  }

  outcome(): string {
    return 'the outcome';
  }

  #forget(): void {
    this.#wheel.cancel(this.#deadline);
    this.#deadline = null;
    this.#deadlineName = undefined;
  }
}

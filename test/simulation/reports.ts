import type { ArrowCount } from '../../src/chart/chart-counts.ts';
import type { SupervisorEvent } from '../../src/core/events.ts';
import type { Deed, SimulatedConnection, SimulatedLife } from './life.ts';
import { checkFailure, checkVerdict, isJudged } from './verdicts.ts';
import type { SimulationWorld } from './world.ts';

/** How many connections an arrow has brought into a top-level state. Negative when it leads out of it. */
function flowInto(state: string, { from, to, taken }: ArrowCount): number {
  if (to === null || topOf(from) === topOf(to)) return 0;
  if (topOf(to) === state) return taken;
  return topOf(from) === state ? -taken : 0;
}

function topOf(path: string): string {
  return path.split('.', 1)[0] as string;
}

/** A peer that does not read the question, or answers nothing, sleeps as well. */
const ASLEEP: readonly Deed[] = ['peer slept', 'peer read slowly', 'peer was silent'];

type Event = SupervisorEvent<SimulatedConnection>;
type EventOf<Type extends Event['type']> = Extract<Event, { type: Type }>;

/** Follows the reports of a simulated service, and compares its counts with them. */
export class SimulationReports {
  readonly #world: SimulationWorld;
  #opened = 0;
  #left = 0;
  #closed = 0;
  #failed = 0;
  /** The reports of the beginning and the end of the drain. */
  drainBegan: EventOf<'supervisor.draining'> | null = null;
  stopped: EventOf<'supervisor.stopped'> | null = null;

  constructor(world: SimulationWorld) {
    this.#world = world;
  }

  take(event: Event): void {
    const { number = 0 } = this.#lifeOf(event) ?? {};
    this.#world.note(event.type, number);
    // A subscriber that throws at the very last report is still reported.
    if (this.stopped !== null && event.type !== 'handler.errored') {
      this.#world.broken('nothing-after-stopped', event.type);
    }
    switch (event.type) {
      case 'connection.failed':
        this.#takeFailed(event);
        return;
      case 'connection.crashed':
      case 'handler.errored':
      case 'supervisor.suspended':
      case 'supervisor.admitting':
        return;
      case 'topic.opened':
      case 'topic.closed':
      case 'bus.up':
      case 'bus.down':
      case 'topic.reset':
      case 'append.unconfirmed':
      case 'child.changed':
        return;
      case 'supervisor.draining':
        this.drainBegan = event;
        for (const life of this.#world.lives) life.deeds.add('drained');
        return;
      case 'supervisor.stopped':
        this.stopped = event;
        this.#world.hasMicrotasks = true;
        return;
      default:
        this.#takeOfConnection(event);
    }
  }

  #lifeOf(event: Event): SimulatedLife | undefined {
    const { lives } = this.#world;
    if (event.type === 'connection.failed') return lives.find(({ id }) => id === event.id);
    return 'connection' in event && event.connection ? lives[event.connection.peer - 1] : undefined;
  }

  #takeFailed(event: EventOf<'connection.failed'>): void {
    const world = this.#world;
    const life = this.#lifeOf(event);
    if (life === undefined) {
      world.broken('reports-in-order', `failed: ${event.id}`);
      return;
    }
    this.#endOnce(life, 'failed');
    if (life.isOpened) world.broken('failed-never-opened', event.failure.cause, life);
    this.#failed += 1;
    life.isJudged = isJudged(event.failure);
    world.count(`failed ${event.failure.cause}`);
    checkFailure(world, life, event.failure);
  }

  #takeOfConnection(event: Extract<Event, { connection: SimulatedConnection }>): void {
    const life = this.#lifeOf(event);
    if (life === undefined) return;
    if (event.type === 'connection.opened') this.#takeOpened(life, event.connection);
    else if (!life.isOpened) this.#world.broken('reports-in-order', `${event.type} first`, life);
    else if (life.isOver) {
      this.#world.broken('nothing-after-the-end', event.type, life);
    } else this.#takeOfOpened(life, event);
  }

  #takeOpened(life: SimulatedLife, connection: SimulatedConnection): void {
    const world = this.#world;
    if (life.isOpened || life.isOver) world.broken('opened-once', 'opened again', life);
    if (connection.id !== life.id) world.broken('reports-in-order', connection.id, life);
    life.connection = connection;
    life.openedAtMs = world.clock.now();
    life.lostAtOpenMs = world.clock.lostMs;
    world.enterStage(life);
    this.#opened += 1;
    this.#replaceOthers(connection);
  }

  /** The others with its key are about to be closed. */
  #replaceOthers({ key, peer }: SimulatedConnection): void {
    const { plan, supervisor, lives } = this.#world;
    if (plan.sameKey !== 'newest' || key === undefined) return;
    for (const other of supervisor.byKey(key))
      if (other.peer !== peer) lives[other.peer - 1]?.deeds.add('replaced');
  }

  #takeOfOpened(
    life: SimulatedLife,
    event: Extract<Event, { connection: SimulatedConnection }>,
  ): void {
    switch (event.type) {
      case 'connection.suspect':
        life.isAsleep = false;
        this.#alternate(life, 'isSuspect', true);
        return;
      case 'connection.asleep':
        this.#takeAsleep(life);
        return;
      case 'connection.healthy':
        this.#alternate(life, life.isAsleep ? 'isAsleep' : 'isSuspect', false);
        return;
      case 'connection.congested':
      case 'connection.flowing':
        this.#alternate(life, 'isCongested', event.type === 'connection.congested');
        return;
      case 'message.invalid':
        life.messagesInvalid += 1;
        return;
      case 'connection.errored':
        if (life.hasErrored || life.hasLeft) this.#disorder(life, event.type);
        life.hasErrored = true;
        this.#leave(life);
        return;
      case 'connection.closing':
        if (life.hasLeft) this.#disorder(life, event.type);
        this.#leave(life);
        return;
      case 'connection.closed':
        this.#takeClosed(life, event);
        return;
    }
  }

  #takeAsleep(life: SimulatedLife): void {
    const isBlameless = ASLEEP.every((deed) => !life.deeds.has(deed));
    if (isBlameless) this.#world.broken('the-awake-are-not-asleep', '', life);
    this.#alternate(life, 'isAsleep', true);
  }

  #alternate(
    life: SimulatedLife,
    what: 'isSuspect' | 'isAsleep' | 'isCongested',
    isSo: boolean,
  ): void {
    if (life[what] === isSo || life.hasLeft) this.#disorder(life, `${what} ${isSo}`);
    life[what] = isSo;
    life.flushMark = Number.NaN;
  }

  #disorder(life: SimulatedLife, what: string): void {
    this.#world.broken('reports-in-order', what, life);
  }

  #leave(life: SimulatedLife): void {
    if (life.hasLeft) return;
    life.hasLeft = true;
    this.#left += 1;
    this.#world.enterStage(life);
    if (this.#world.isRegistered(life)) {
      this.#world.broken('out-of-registry-before-user-code', 'at its report', life);
    }
  }

  #takeClosed(life: SimulatedLife, { verdict }: EventOf<'connection.closed'>): void {
    const world = this.#world;
    this.#leave(life);
    checkVerdict(world, life, verdict);
    this.#endOnce(life, 'closed');
    this.#closed += 1;
    world.count(`closed ${verdict.cause}`);
    for (const how of ['clean', 'simultaneous', 'lingered'] as const) {
      if (verdict[how]) world.count(how);
    }
  }

  /** The counts of the charts agree with the counts of the supervisor, and with each other. */
  checkChart(): void {
    const world = this.#world;
    const { counts, chart } = world.supervisor;
    const { states, arrows, crashed } = chart.connection;
    const { handshaking, open, errored, closing, closed, failed } = counts;
    const living = ['handshaking', 'open', 'errored', 'closing'].map((state) => states[state]);
    // A connection that admission refuses has no chart.
    const judged = world.lives.filter(({ isJudged }) => isJudged).length;
    const ended = (states['closed'] ?? 0) + (states['failed'] ?? 0) + crashed + judged;
    const told = [handshaking, open, errored, closing, closed + failed];
    if ([...living, ended].join() !== told.join()) {
      world.broken(
        'charts-follow-counts',
        `${[...living, ended].join()} instead of ${told.join()}`,
      );
    }
    const begun = new Map([['handshaking', world.lives.length - judged]]);
    let lost = 0;
    for (const state of ['handshaking', 'open', 'errored', 'closing', 'closed', 'failed']) {
      const flow = arrows.reduce((sum, arrow) => sum + flowInto(state, arrow), 0);
      const missing = (begun.get(state) ?? 0) + flow - (states[state] ?? 0);
      if (missing < 0) world.broken('arrows-add-up', `${state} has ${-missing} too many`);
      lost += missing;
    }
    // A crashed chart is in no state, and nothing records which one it was in.
    if (lost !== crashed) world.broken('arrows-add-up', `${lost} lost, ${crashed} crashed`);
  }

  #endOnce(life: SimulatedLife, how: string): void {
    if (life.isOver) this.#world.broken('one-terminal-report', how, life);
    life.isOver = true;
    this.#world.enterStage(life);
  }

  /** The counts of the supervisor match its reports. */
  checkCounts(): void {
    const world = this.#world;
    const { handshaking, open, errored, closing, closed, failed } = world.supervisor.counts;
    const expected = [
      world.lives.length - this.#opened - this.#failed,
      this.#opened - this.#left,
      this.#left - this.#closed,
      this.#closed,
      this.#failed,
    ];
    const told = [handshaking, open, errored + closing, closed, failed];
    if (told.every((count, index) => count === expected[index])) return;
    world.broken('counts-follow-reports', `${told.join()} instead of ${expected.join()}`);
  }
}

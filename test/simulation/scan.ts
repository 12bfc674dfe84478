import { LINGER_MS } from '../../src/core/limits.ts';
import type { SimulatedLife } from './life.ts';
import { TOPICS } from './publications.ts';
import type { SimulationReports } from './reports.ts';
import type { SimulationWorld } from './world.ts';

/** Ticks that a deadline may be late by: one of its own, one to be read, one for its start. */
const SLACK_TICKS = 4;

/** Checks every connection, and the supervisor as a whole. */
export class SimulationScan {
  readonly #world: SimulationWorld;
  readonly #reports: SimulationReports;
  readonly #slackMs: number;
  drainBeganAtMs = Number.POSITIVE_INFINITY;
  lostAtDrainMs = 0;

  constructor(world: SimulationWorld, reports: SimulationReports) {
    this.#world = world;
    this.#reports = reports;
    this.#slackMs = SLACK_TICKS * world.plan.tickMs;
  }

  /** What must hold at every moment between two steps. */
  all(): void {
    const { supervisor, lives } = this.#world;
    let listed = 0;
    for (const connection of supervisor.connections) {
      listed += 1;
      const life = lives[connection.peer - 1];
      if (life === undefined || life.isOver) {
        this.#world.broken('registry-holds-the-living', connection.id, life);
      }
    }
    if (listed !== supervisor.counts.open) {
      this.#world.broken('registry-agrees-with-itself', `${listed} listed`);
    }
    for (const life of lives) this.#one(life);
    this.#checkKeys();
    this.#checkDrain();
    this.#reports.checkChart();
  }

  /** With the policy `newest`, no other connection has the key of one that is open. */
  #checkKeys(): void {
    const { supervisor, plan } = this.#world;
    if (plan.sameKey !== 'newest') return;
    for (const { key } of supervisor.connections) {
      const count = key === undefined ? 1 : supervisor.byKey(key).length;
      if (count > 1) this.#world.broken('one-connection-for-each-key', `${count} have ${key}`);
    }
  }

  #one(life: SimulatedLife): void {
    const world = this.#world;
    const isRegistered = world.isRegistered(life);
    const isOpen = life.isOpened && !life.hasLeft;
    if (isRegistered !== isOpen) {
      world.broken('registry-holds-the-living', isOpen ? 'lost' : 'kept', life);
    }
    if (isRegistered && (life.isDead || life.webSocket?.readyState !== 1)) {
      world.broken('registry-holds-the-living', 'its socket is dead', life);
    }
    if (life.isOver) return;
    this.#checkAge(life, isOpen);
    if (isOpen) this.#checkReading(life);
    if (isOpen) this.#checkSilence(life);
    if (isOpen && life.isCongested) this.#checkFlow(life);
  }

  #checkAge(life: SimulatedLife, isOpen: boolean): void {
    if (isOpen) return;
    const { handshakeMs, erroredMs, closeMs, forcedMs } = this.#world.plan.timeouts;
    // Before it opens, a close frame can only be a refusal, which has a deadline of its own.
    const refusalMs = life.closeFramesWritten > 0 ? LINGER_MS : 0;
    const boundMs = life.isOpened
      ? (life.hasErrored ? erroredMs : closeMs) + 2 * forcedMs + this.#slackMs
      : handshakeMs + refusalMs;
    const ageMs = this.#world.stageMs(life);
    if (ageMs <= boundMs + this.#slackMs) return;
    this.#world.broken('no-state-outlives-its-deadline', `${ageMs} ms`, life);
  }

  /** The socket is read exactly when messages may be delivered. */
  #checkReading(life: SimulatedLife): void {
    const { connection, webSocket, isPaused } = life;
    const states = connection?.states ?? [];
    const isReceiving = states.includes('open.intake.receiving');
    if (webSocket?.isPaused === isReceiving || (isPaused && isReceiving)) {
      this.#world.broken('reading-follows-the-chart', isReceiving ? 'not read' : 'read', life);
    }
    if (states.includes('open.intake.paused') && !isPaused) this.#checkPause(life);
  }

  /** A pause that neither the application nor a settled handler ends is found within `pausedMs`. */
  #checkPause(life: SimulatedLife): void {
    const { clock, plan } = this.#world;
    const { pausedAtMs = 0, lostAtPauseMs = 0 } = life.webSocket ?? {};
    const sinceMs = Math.max(pausedAtMs, life.unpausedAtMs);
    const pausedMs = clock.now() - sinceMs - (clock.lostMs - lostAtPauseMs);
    if (pausedMs <= plan.timeouts.pausedMs + this.#slackMs) return;
    this.#world.broken('stalled-handlers-are-found', `paused for ${pausedMs} ms`, life);
  }

  /** A connection without a backlog is written to again, and one whose peer reads nothing is given up. */
  #checkFlow(life: SimulatedLife): void {
    const { clock, plan } = this.#world;
    const { socket } = life;
    if (socket.writableLength === 0) {
      this.#world.broken('drained-outbox-flows', 'nothing waits', life);
    }
    // Its clock stands still while it is paused, and may have to start again at a resume.
    const isPaused = life.webSocket?.isPaused === true;
    const hasResumed = (life.webSocket?.resumedAtMs ?? 0) > life.flushedAtMs;
    if (life.flushMark !== socket.flushMark || isPaused || hasResumed) {
      life.flushMark = socket.flushMark;
      life.flushedAtMs = clock.now();
      life.lostAtFlushMs = clock.lostMs;
    }
    const stalledMs = clock.now() - life.flushedAtMs - (clock.lostMs - life.lostAtFlushMs);
    if (stalledMs <= 2 * (plan.timeouts.stalledMs + this.#slackMs)) return;
    this.#world.broken('stalled-peer-is-found', `nothing left for ${stalledMs} ms`, life);
  }

  /** A peer that is gone is found within the interval and the grace, in time during which the loop ran. */
  #checkSilence(life: SimulatedLife): void {
    const { clock, plan } = this.#world;
    const { intervalMs, graceMs } = plan.heartbeat;
    // Time in which it is not read does not count. When it is read again, at most interval and grace remain.
    if (life.webSocket === null || life.webSocket.isPaused) return;
    const { resumedAtMs, lostAtResumeMs } = life.webSocket;
    const sinceMs = Math.max(life.silentSinceMs, life.openedAtMs, resumedAtMs);
    const lostMs =
      clock.lostMs - Math.min(life.lostAtSilenceMs, Math.max(life.lostAtOpenMs, lostAtResumeMs));
    const silentMs = clock.now() - sinceMs - lostMs;
    const afterWelcomeMs = life.deeds.has('welcome hung') ? intervalMs : 0;
    if (silentMs <= intervalMs + graceMs + afterWelcomeMs + this.#slackMs) return;
    this.#world.broken('frozen-peer-is-found', `silent for ${silentMs} ms`, life);
  }

  #checkDrain(): void {
    const { clock, plan } = this.#world;
    if (this.#reports.stopped !== null) return;
    const tookMs = clock.now() - this.drainBeganAtMs - (clock.lostMs - this.lostAtDrainMs);
    if (tookMs <= plan.withinMs + plan.timeouts.forcedMs + this.#slackMs) return;
    this.#world.broken('drain-ends-in-time', `${tookMs} ms`);
  }

  /** What must hold at the end. */
  end(): void {
    const world = this.#world;
    const { supervisor, clock, lives } = world;
    if (supervisor.state !== 'stopped') world.broken('all-comes-to-its-end', supervisor.state);
    if (clock.timersPending > 0) {
      world.broken('no-timer-is-left', `${clock.timersPending} timers`);
    }
    for (const topic of TOPICS) {
      if (supervisor.topic(topic).size > 0) world.broken('topics-hold-the-open', topic);
    }
    for (const life of lives) this.#endOf(life);
    this.#checkDrainReport();
  }

  #endOf(life: SimulatedLife): void {
    const world = this.#world;
    const { connection } = life;
    if (!life.isOver) {
      world.broken('all-comes-to-its-end', 'still there', life);
      return;
    }
    if (life.flushesPending > 0) world.broken('every-flush-settles', 'one does not', life);
    this.#checkReleased(life);
    this.#checkHandlers(life);
    if (connection === null) return;
    const isInert =
      connection.send({ n: 0 }) === 'refused' &&
      !connection.close() &&
      !connection.terminate() &&
      !connection.fail('late') &&
      !connection.join('late');
    if (!isInert) world.broken('handle-is-inert-after-the-end', '', life);
  }

  #checkReleased(life: SimulatedLife): void {
    const { socket, webSocket, isShadow, takenOver } = life;
    if (isShadow) return;
    const left = (problem: string) => this.#world.broken('all-is-released', problem, life);
    if (!socket.destroyed) left('the socket is not destroyed');
    if (webSocket === null) return;
    if (webSocket.observer !== null) left('the WebSocket is observed');
    const { close, end, error } = webSocket.foreignListeners();
    if (close + end > 0 || error > takenOver) left(`${close}, ${end} and ${error} listeners`);
  }

  #checkHandlers(life: SimulatedLife): void {
    const opened = life.isOpened ? 1 : 0;
    const called = [life.onOpenCalls, life.onCloseCalls, life.onFailedCalls];
    if (called.join() !== [opened, opened, 1 - opened].join()) {
      this.#world.broken('handlers-once', `onOpen, onClose, onFailed: ${called.join()}`, life);
    }
    if (life.disposersRun !== life.disposersGiven) {
      this.#world.broken('handlers-once', `${life.disposersRun} disposers ran`, life);
    }
    if (life.released !== life.taken) {
      this.#world.broken('handlers-once', `${life.released} of ${life.taken} released`, life);
    }
  }

  #checkDrainReport(): void {
    const { drainBegan, stopped } = this.#reports;
    if (drainBegan === null || stopped === null) {
      this.#world.broken('all-comes-to-its-end', 'no report of the drain');
      return;
    }
    const { closed, forced, unsettled, tookMs } = stopped.report;
    const isSound = closed >= 0 && forced >= 0 && unsettled >= 0 && tookMs >= 0;
    if (closed + forced === drainBegan.connections && isSound) return;
    const told = `${closed} closed and ${forced} forced of ${drainBegan.connections}`;
    this.#world.broken('drain-counts-right', told);
  }
}

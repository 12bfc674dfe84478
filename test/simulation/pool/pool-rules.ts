import type { PoolStatus } from '../../../src/client/pool/pool-types.ts';
import type { DialedConnection } from '../../../src/core/connection.ts';
import type { VirtualPool } from '../../support/virtual-pool.ts';
import type { Attempt } from './attempt.ts';
import type { PoolWorld } from './pool-world.ts';

/** How late a deadline may be: the wheel has ticks, and ends are rounded up. */
const SLACK_MS = 300;

/** How long members wait while one of them probes an upstream. */
const PROBE_MS = 250;

/** What must hold of a pool after each step. */
export class PoolRules {
  readonly #world: PoolWorld;
  readonly #pool: VirtualPool;
  /** The order in which the open connections were handed out. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #hasThinned = false;
  #emitted: PoolStatus | null = null;
  #freeSinceMs = 0;
  /** The latest time until which any upstream had to be left alone. */
  #blockedUntilMs = 0;

  constructor(world: PoolWorld, pool: VirtualPool) {
    this.#world = world;
    this.#pool = pool;
  }

  /** Checks everything. Only between two steps: within one, the pool may not have learned of everything yet. */
  check(): void {
    for (const { attempt } of this.#world.members) if (attempt !== null) this.#look(attempt);
    const up = this.#world.members.flatMap(({ attempt }) => (attempt?.isUp ? [attempt] : []));
    const { status } = this.#pool.handle;
    this.#checkSockets();
    this.#checkConnections(up);
    this.#checkState(status, up.length);
    this.#checkUpstreams(status);
    this.#checkReplaced();
    this.#checkDrain(status);
  }

  /** Finds out whether Mooring has ended a connection by itself, and whether it has noticed the cause of its end. */
  #look(attempt: Attempt): void {
    const { connection, socket } = attempt;
    if (attempt.ending !== null || attempt.openedMs === null) return;
    if (connection.state !== 'open') {
      attempt.noteOwnEnd(this.#world.nowMs);
      this.#hasThinned = true;
      return;
    }
    if (attempt.first !== null)
      this.#world.broken('quarantine', `${attempt.number} is open after ${attempt.first.sign}`);
    if (socket === null || socket.bytesIn === attempt.heardBytes) return;
    attempt.heardBytes = socket.bytesIn;
    attempt.heardMs = this.#world.nowMs;
  }

  #checkSockets(): void {
    const { attempts, members, numbers } = this.#world;
    const live = attempts.filter(({ socket }) => socket?.isLive);
    if (live.length > numbers.size) this.#world.broken('size-is-the-most', `${live.length}`);
    const holders = new Set(live.map(({ member }) => member));
    if (holders.size !== live.length) this.#world.broken('one-socket-each', '');
    if (members.length > numbers.size) this.#world.broken('size-is-the-most', `${members.length}`);
  }

  /** Returns the open connections of the pool, after a check of the order of newcomers. */
  #connections(): DialedConnection[] {
    const connections = [...this.#pool.handle.connections];
    for (const { id } of connections) if (!this.#turns.has(id)) this.#turns.set(id, this.#next());
    return connections;
  }

  #next(): number {
    this.#turn += 1;
    return this.#turn;
  }

  #checkConnections(up: readonly Attempt[]): void {
    const has = this.#connections().map(({ id }) => id);
    const ids = up.map(({ connection }) => connection.id);
    if (has.length !== ids.length || !ids.every((id) => has.includes(id)))
      this.#world.broken('has-what-is-up', `has ${has}, and up are ${ids}`);
  }

  /** Checks out, and checks that the best connection is handed out. */
  checkout(): DialedConnection | undefined {
    const known = this.#connections();
    const least = Math.min(...known.map(({ bufferedBytes }) => bufferedBytes));
    const turnOf = ({ id }: DialedConnection) => this.#turns.get(id) ?? 0;
    const [expected] = known
      .filter(({ bufferedBytes }) => bufferedBytes === least)
      .toSorted((one, other) => turnOf(one) - turnOf(other));
    const got = this.#pool.handle.checkout();
    const isDrained = this.#world.drain !== null;
    if (isDrained ? got !== undefined : got !== expected)
      this.#world.broken('hands-out-the-best', `${got?.id}, not ${expected?.id}`);
    if (got === undefined) return undefined;
    this.#turns.set(got.id, this.#next());
    const attempt = this.#world.attemptOf(got);
    const isUp = attempt?.isUp === true && got.state === 'open';
    if (!isUp) this.#world.broken('hands-out-what-is-up', got.id);
    return got;
  }

  /** The pool emits a status. */
  emitted(status: PoolStatus): void {
    this.#emitted = status;
    const { state, open, size } = status;
    const isFull = open === size;
    const isWrong =
      (state === 'operational' && !isFull) ||
      (state === 'starting' && isFull) ||
      (state === 'degraded' && isFull) ||
      (state === 'stopped' && open > 0);
    if (isWrong) this.#world.broken('status-agrees', `${state} with ${open} of ${size}`);
  }

  #checkState(status: PoolStatus, up: number): void {
    const world = this.#world;
    const { size } = world.numbers;
    this.#hasThinned ||= world.members.some(({ idleSinceMs }) => idleSinceMs >= 0);
    const expected = this.#expectedState(up === size);
    if (!expected.includes(status.state))
      world.broken('state-is-true', `${status.state} with ${up} of ${size} up, not ${expected}`);
    if (status.open !== up || status.size !== size)
      world.broken('counts-are-true', `${status.open} of ${status.size}, not ${up} of ${size}`);
    const last = this.#emitted;
    if (last === null || differ(last, status))
      world.broken('every-change-is-emitted', JSON.stringify([last, status]));
  }

  #expectedState(isFull: boolean): readonly string[] {
    const { drain, members } = this.#world;
    if (drain !== null) {
      const isOver = members.every(({ attempt }) => attempt === null || attempt.ending !== null);
      return isOver ? ['stopped'] : ['draining'];
    }
    if (isFull) return ['operational'];
    return this.#hasThinned ? ['degraded'] : ['starting'];
  }

  #checkUpstreams(status: PoolStatus): void {
    const world = this.#world;
    const { nowMs } = world;
    for (const [index, { url, circuit }] of world.upstreams.entries()) {
      const told = status.upstreams[index];
      const members = world.membersOf(url);
      if (told?.members !== members)
        world.broken('members-are-counted', `${url} has ${told?.members}, not ${members}`);
      const states = circuit.states(nowMs);
      if (told !== undefined && !states.includes(told.circuit))
        world.broken('circuit-is-true', `${url} is ${told.circuit}, not ${states}`);
    }
  }

  /** A member without a connection dials, once its backoff is over and an upstream may be dialed. */
  #checkReplaced(): void {
    const { upstreams, members, nowMs, drain, numbers, offlineSinceMs } = this.#world;
    const isFree = upstreams.some(({ circuit }) => circuit.isFree(nowMs));
    if (!isFree) this.#freeSinceMs = nowMs;
    this.#blockedUntilMs = Math.max(
      this.#blockedUntilMs,
      ...upstreams.map(({ circuit }) => circuit.freeAtMs),
    );
    if (drain !== null) return;
    for (const [index, { attempt, idleSinceMs }] of members.entries()) {
      if (attempt !== null && attempt.ending === null) continue;
      const backMs = Math.max(idleSinceMs, offlineSinceMs) + numbers.backoff.maxMs;
      const byMs = Math.max(backMs, this.#freeSinceMs, this.#blockedUntilMs);
      if (nowMs > byMs + PROBE_MS + SLACK_MS) this.#world.broken('is-replaced', `${index}`);
    }
  }

  #checkDrain({ state }: PoolStatus): void {
    const { drain, numbers, nowMs } = this.#world;
    if (drain === null || state === 'stopped') return;
    const { closeMs, erroredMs, forcedMs } = numbers.timeouts;
    const ownMs = drain.atMs + closeMs + erroredMs + 2 * forcedMs;
    const lastMs = Math.min(ownMs, drain.expiresAtMs + 2 * forcedMs);
    if (nowMs > lastMs + SLACK_MS)
      this.#world.broken('drain-ends-in-time', `asked at ${drain.atMs}, due at ${lastMs}`);
  }
}

/** Whether two statuses differ, ignoring their circuits, which change with time alone. */
function differ(one: PoolStatus, other: PoolStatus): boolean {
  const haveMoved = one.upstreams.some(
    ({ members }, index) => members !== other.upstreams[index]?.members,
  );
  return haveMoved || one.open !== other.open || one.states.join() !== other.states.join();
}

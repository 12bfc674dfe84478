import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Failure } from '../../src/core/failure.ts';
import type { HandlerName } from '../../src/core/guard.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';
import { type Admitted, admitted, Refusal } from '../../src/server/authenticate-result.ts';
import type { SupervisorOptions } from '../../src/server/options.ts';
import type { SimulatedActs } from './acts.ts';
import type { SimulationChecks } from './checks.ts';
import type { SimulatedConnection, SimulatedLife, SimulatedMessage } from './life.ts';
import type { SimulationWorld } from './world.ts';

/** Long enough for many events before. */
const EXPIRES_IN_MS = 4_000;

type Identified = number | Admitted<number>;

/** The messages at which a connection pauses, and those whose handlers never settle. */
const PAUSES_EVERY = 7;
const HANGS_EVERY = 5;

const messages = z.object({ n: z.number() });

/** Never settles. */
const hang = () => new Promise<never>(() => {});

/** The handlers of a simulated service: quick and slow ones, correct and faulty ones. */
export class SimulatedApplication {
  readonly #world: SimulationWorld;
  readonly #checks: SimulationChecks;
  readonly #acts: SimulatedActs;

  constructor(world: SimulationWorld, checks: SimulationChecks, acts: SimulatedActs) {
    this.#world = world;
    this.#checks = checks;
    this.#acts = acts;
  }

  options(): SupervisorOptions<number, SimulatedMessage, SimulatedMessage> {
    const { plan, clock } = this.#world;
    const { timeouts, heartbeat, limits, admission, invalidMessages, overRate, sameKey } = plan;
    return {
      messages,
      timeouts,
      heartbeat,
      limits,
      admission,
      invalidMessages,
      overRate,
      sameKey,
      clock,
      random: () => this.#draw(),
      authenticate: (request) => this.#authenticate(request),
      key: (peer) => this.#key(peer),
      onOpen: (connection) => this.#onOpen(connection),
      onMessage: (connection, message) => this.#onMessage(connection, message),
      onClosing: (connection) => this.#onClosing(connection),
      onClose: (connection, verdict) => this.#onClose(connection, verdict),
      onFailed: (failure) => this.#onFailed(failure),
      onHandlerError: (_error, handler, connection) => this.#onHandlerError(handler, connection),
    };
  }

  /** Even the random source belongs to the application, and may throw: the connection that is opening then fails. */
  #draw(): number {
    const { random, plan, lives } = this.#world;
    const opening = lives.filter(({ isOpened, isOver }) => !isOpened && !isOver);
    const isSound = !opening.some(({ deeds }) => deeds.has('transport broke'));
    if (isSound && plan.throwing > 0 && random.chance(0.01)) {
      for (const { deeds } of opening) deeds.add('transport broke');
      throw new Error('random threw');
    }
    return random.next();
  }

  #lifeOf(connection: SimulatedConnection): SimulatedLife {
    return this.#world.lives[connection.peer - 1] as SimulatedLife;
  }

  #authenticate({ url = '' }: IncomingMessage): Identified | Promise<Identified> {
    const { random, plan } = this.#world;
    const number = Number(url.slice(1));
    this.#checks.inUserCode('authenticate', number);
    const draw = random.next();
    if (draw < plan.slow) {
      if (random.chance(0.1)) return hang();
      return this.#world.later(random.integer(0, 3_000), () => {
        if (random.chance(0.1)) this.#throw(number);
        return this.#letIn(number);
      });
    }
    if (random.chance(plan.throwing / 2)) this.#throw(number);
    return this.#letIn(number);
  }

  /**
   * Some hold a resource that must be released, and some may stay for a limited time. Not drawn, so that old
   * seeds give the same runs.
   */
  #letIn(number: number): Identified {
    const life = this.#world.lives[number - 1];
    const isLimited = number % 5 === 0;
    if (life === undefined || (number % 3 !== 0 && !isLimited)) return number;
    if (isLimited) life.deeds.add('let in for a while');
    life.taken += 1;
    return admitted(number, {
      release: () => this.#release(life),
      ...(isLimited && { expiresInMs: EXPIRES_IN_MS }),
    });
  }

  #release(life: SimulatedLife): unknown {
    this.#checks.inUserCode('release', life.number);
    this.#checks.released(life);
    return this.#leaveLater('release', life);
  }

  /** Most get their refusal in a close frame. */
  #throw(number: number): never {
    const { random } = this.#world;
    if (random.chance(0.3)) throw new Error('authenticate threw');
    throw new Refusal(random.pick([401, 403, 429, 503]), 'no', { close: number % 4 !== 0 });
  }

  #key(peer: number): string | undefined {
    const { random, plan } = this.#world;
    if (random.chance(plan.throwing / 8)) throw new Error('key threw');
    return peer % 4 === 0 ? undefined : `key ${peer % 3}`;
  }

  #onOpen(connection: SimulatedConnection): unknown {
    const { random, plan } = this.#world;
    const life = this.#lifeOf(connection);
    this.#checks.inUserCode('onOpen', life.number);
    this.#checks.openHandled(life);
    for (let left = random.integer(0, 2); left > 0; left -= 1) this.#acts.join(life, connection);
    this.#acts.maybe();
    this.#maybeThrow('onOpen', life);
    if (random.chance(plan.slow)) return this.#welcomeLater(life);
    return random.chance(0.4) ? this.#disposer(life) : undefined;
  }

  #welcomeLater(life: SimulatedLife): Promise<unknown> {
    const { random } = this.#world;
    life.isWelcomed = false;
    life.deeds.add('welcome hung');
    if (random.chance(0.1)) return hang();
    const hasDisposer = random.chance(0.5);
    return this.#world.later(random.integer(0, 5_000), () => {
      life.isWelcomed = true;
      this.#maybeThrow('onOpen', life);
      return hasDisposer ? this.#disposer(life) : undefined;
    });
  }

  #disposer(life: SimulatedLife): () => unknown {
    life.disposersGiven += 1;
    return () => {
      this.#checks.inUserCode('dispose', life.number);
      this.#checks.disposed(life);
      return this.#leaveLater('dispose', life);
    };
  }

  #onMessage(connection: SimulatedConnection, message: SimulatedMessage): unknown {
    const { random, plan } = this.#world;
    const life = this.#lifeOf(connection);
    this.#checks.inUserCode('onMessage', life.number);
    this.#checks.messageHandled(life, message);
    if (random.chance(0.2)) this.#acts.send(life, connection);
    this.#acts.maybe();
    this.#pauseAWhile(life, connection, message);
    this.#maybeThrow('onMessage', life);
    if (this.#hangs(life, message)) return hang();
    if (!random.chance(plan.slow / 4)) return undefined;
    return this.#world.later(random.integer(0, 1_000), () => this.#maybeThrow('onMessage', life));
  }

  /** Derived from the message, not drawn, so that old seeds give the same runs. */
  #pauseAWhile(
    life: SimulatedLife,
    connection: SimulatedConnection,
    { n }: SimulatedMessage,
  ): void {
    if (life.number % 2 === 0 || n % PAUSES_EVERY !== 0 || !connection.pause()) return;
    life.isPaused = true;
    const forMs = (n % 40) * 100;
    this.#world.in(forMs, () => {
      life.isPaused = false;
      life.unpausedAtMs = this.#world.clock.now();
      connection.resume();
    });
  }

  #hangs(life: SimulatedLife, { n }: SimulatedMessage): boolean {
    const { inFlightMax } = this.#world.plan.limits;
    if (inFlightMax === undefined || life.number % 3 !== 0 || n % HANGS_EVERY !== 0) return false;
    life.deeds.add('handler hung');
    return true;
  }

  #onClosing(connection: SimulatedConnection): void {
    const life = this.#lifeOf(connection);
    this.#checks.inUserCode('onClosing', life.number);
    if (connection.send({ n: 0 }) !== 'refused') {
      this.#world.broken('no-send-after-quarantine', 'in onClosing', life);
    }
    this.#acts.maybe();
    this.#maybeThrow('onClosing', life);
  }

  #onClose(connection: SimulatedConnection, verdict: CloseVerdict): unknown {
    const life = this.#lifeOf(connection);
    this.#checks.inUserCode('onClose', life.number);
    this.#checks.closeHandled(life, verdict);
    this.#acts.maybe();
    this.#maybeThrow('onClose', life);
    return this.#leaveLater('onClose', life);
  }

  #leaveLater(handler: HandlerName, life: SimulatedLife): unknown {
    const { random, plan } = this.#world;
    if (!random.chance(plan.slow / 2)) return undefined;
    if (random.chance(0.2)) return hang();
    return this.#world.later(random.integer(0, 3_000), () => this.#maybeThrow(handler, life));
  }

  #onFailed({ path }: Failure): void {
    const { random, plan, lives } = this.#world;
    const life = lives[Number(path.slice(1)) - 1];
    this.#checks.inUserCode('onFailed', life?.number ?? 0);
    if (life !== undefined) life.onFailedCalls += 1;
    this.#acts.maybe();
    if (random.chance(plan.throwing)) throw new Error('onFailed threw');
  }

  #onHandlerError(handler: HandlerName, connection: SimulatedConnection | undefined): unknown {
    const { random } = this.#world;
    this.#checks.inUserCode(`onHandlerError ${handler}`, 0);
    if (random.chance(0.7)) return 'keep';
    if (connection !== undefined) this.#lifeOf(connection).deeds.add('handler threw');
    this.#acts.maybe();
    if (random.chance(0.1)) throw new Error('onHandlerError threw');
    return undefined;
  }

  #maybeThrow(handler: HandlerName, { number }: SimulatedLife): void {
    const { random, plan } = this.#world;
    if (plan.throwing === 0 || !random.chance(plan.throwing)) return;
    this.#world.note('throws', number, handler);
    throw new Error(`${handler} threw`);
  }
}

import type { FlushResult, SendResult } from '../../src/core/connection.ts';
import type { SimulatedConnection, SimulatedLife } from './life.ts';
import { type SimulatedPublications, TOPICS } from './publications.ts';
import type { SimulationWorld } from './world.ts';

/** How deeply acts may lead to further acts. */
const DEPTH_MAX = 2;

/** What the application of a simulated service does to its connections. */
export class SimulatedActs {
  readonly #world: SimulationWorld;
  readonly #publications: SimulatedPublications;
  #depth = 0;

  constructor(world: SimulationWorld, publications: SimulatedPublications) {
    this.#world = world;
    this.#publications = publications;
  }

  /** Acts now and then, wherever it is called from. */
  maybe(): void {
    const { random, plan } = this.#world;
    if (plan.restless > 0 && random.chance(plan.restless)) this.any();
  }

  /** Performs one act. */
  any(): void {
    if (this.#depth >= DEPTH_MAX || this.#world.violation !== null) return;
    this.#depth += 1;
    const draw = this.#world.random.next();
    if (draw < 0.3) this.#publish();
    else if (draw < 0.9) this.#toSomebody(draw);
    else this.#toTheSupervisor();
    this.#depth -= 1;
  }

  /** Publishes to all connections as often as the plan requires, within a short time. */
  shout(): void {
    const { random, plan } = this.#world;
    const everyMs = random.integer(10, 400);
    for (let time = 1; time <= plan.loud; time += 1) {
      this.#world.in(time * everyMs, () => {
        if (!this.#world.isQuiet) this.#publications.publish(undefined, undefined);
      });
    }
  }

  #publish(): void {
    const { random } = this.#world;
    const topic = random.chance(0.3) ? undefined : random.pick(TOPICS);
    const where = random.chance(0.4) ? () => this.#where() : undefined;
    this.#publications.publish(topic, where);
  }

  #where(): boolean {
    const { random, plan } = this.#world;
    this.maybe();
    if (random.chance(plan.throwing / 4)) throw new Error('where threw');
    return random.chance(0.7);
  }

  #toSomebody(draw: number): void {
    const { lives, random } = this.#world;
    const life = lives[random.integer(0, lives.length - 1)];
    const connection = life?.connection;
    if (life === undefined || !connection) return;
    if (draw < 0.5) this.send(life, connection);
    else if (draw < 0.6) this.join(life, connection);
    else if (draw < 0.66) this.leave(life, connection);
    else if (draw < 0.68) this.#lookUp(life, connection);
    else this.end(life, connection);
  }

  #toTheSupervisor(): void {
    const { random, supervisor } = this.#world;
    const draw = random.next();
    if (draw < 0.4) {
      supervisor.suspend();
      this.#world.in(random.integer(10, 3_000), () => supervisor.admit());
    } else if (draw < 0.95) supervisor.admit();
    else this.#world.stall(random.integer(1, 500));
  }

  send(life: SimulatedLife, connection: SimulatedConnection): void {
    const { random } = this.#world;
    const size = random.chance(0.2) ? random.integer(0, 3_000) : 0;
    const waits = random.chance(0.2);
    this.#publications.sendTo(life, (n) => {
      const message = { n, pad: 'x'.repeat(size) };
      const isExpected = this.#world.isRegistered(life) && connection.flow === 'flowing';
      if (waits) this.#awaitFlush(life, connection.sendAndFlush(message), isExpected);
      else this.#checkSent(life, connection.send(message), isExpected);
      return isExpected;
    });
  }

  #awaitFlush(life: SimulatedLife, flushed: Promise<FlushResult>, isExpected: boolean): void {
    life.flushesPending += 1;
    this.#world.hasMicrotasks = true;
    void flushed.then((result) => {
      life.flushesPending -= 1;
      this.#checkSent(life, result, isExpected);
    });
  }

  #checkSent(life: SimulatedLife, result: SendResult | FlushResult, isExpected: boolean): void {
    this.#world.note('sends', life.number, result);
    if (isExpected || result === 'refused') return;
    this.#world.broken('no-send-after-quarantine', result, life);
  }

  join(life: SimulatedLife, connection: SimulatedConnection): void {
    const world = this.#world;
    const topic = world.random.pick(TOPICS);
    const wasOpen = world.isRegistered(life);
    const wasMember = life.topics.has(topic);
    // Noted first, because subscribers learn that the topic has opened before the call returns.
    if (wasOpen) life.topics.add(topic);
    const hasJoined = connection.join(topic);
    if (hasJoined && !wasOpen) world.broken('no-join-after-quarantine', topic, life);
    // It may be in as many topics as possible.
    if (!hasJoined && !wasMember) life.topics.delete(topic);
  }

  leave(life: SimulatedLife, connection: SimulatedConnection): void {
    const topic = this.#world.random.pick(TOPICS);
    const wasMember = life.topics.has(topic) && this.#world.isRegistered(life);
    if (wasMember) life.topics.delete(topic);
    const hasLeft = connection.leave(topic);
    if (hasLeft !== wasMember) this.#world.broken('leave-says-truth', topic, life);
  }

  #lookUp(life: SimulatedLife, { key }: SimulatedConnection): void {
    const { supervisor } = this.#world;
    const isListed = key !== undefined && supervisor.byKey(key).some(({ id }) => id === life.id);
    if (isListed !== (key !== undefined && this.#world.isRegistered(life))) {
      this.#world.broken('registry-agrees-with-itself', `byKey of ${key}`, life);
    }
  }

  /** Ends a connection in one of three ways, and checks what the call returns. */
  end(life: SimulatedLife, connection: SimulatedConnection): void {
    const world = this.#world;
    const { random } = world;
    const wasOpen = world.isRegistered(life);
    const wasOver = connection.verdict !== undefined;
    const draw = random.next();
    if (draw < 0.5) {
      if (wasOpen) life.deeds.add('closed');
      const ended = connection.close(random.pick([1000, 1008, 3000, 4000]), 'enough');
      this.#judge(life, wasOpen, ended);
    } else if (draw < 0.75) {
      if (wasOpen) life.deeds.add('failed');
      this.#judge(life, wasOpen, connection.fail(new Error('failed on purpose')));
    } else {
      if (!wasOver) life.deeds.add('terminated');
      this.#judge(life, !wasOver, connection.terminate());
    }
    if (world.isRegistered(life)) world.broken('out-of-registry-at-once', 'ended by us', life);
  }

  #judge(life: SimulatedLife, expected: boolean, told: boolean): void {
    this.#world.note('ends', life.number, String(told));
    if (told !== expected) {
      this.#world.broken('ending-says-truth', `told ${told}, expected ${expected}`, life);
    }
  }
}

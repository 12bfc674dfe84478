import { FakePeer, type FakePeerManners } from './fake-peer.ts';
import { FakeSocket, systemError } from './fake-socket.ts';
import type { FakeSocketWatcher } from './fake-socket-faces.ts';
import { type FakeRequest, fakeUpgrade } from './fake-upgrade.ts';
import { type Deed, SimulatedLife } from './life.ts';
import type { SimulationWorld } from './world.ts';

const CLOSE_CODES = [1000, 1001, 1002, 1005, 1007, 1011, 1012, 3000, 4001] as const;
const STATUSES = [1002, 1007, 1009] as const;
/** At three messages a time, a peer without the intention to flood stays below the lowest limit. */
const GAP_MS_MIN = 160;

/** How long a socket that is stuck takes to close. */
export const STUCK_MS = [20, 400, 5_000, Number.POSITIVE_INFINITY] as const;

/** With all latencies it stays far below the shortest grace. */
const PROMPTLY = () => 5;

/** How long a peer sleeps that sleeps now and then. */
const NAP_MS = 7_000;

const OFFERS_BEAT = { 'sec-websocket-protocol': 'mooring.v1' };

/** What may be wrong with an upgrade request. */
const FAULTY_REQUESTS: readonly [FakeRequest, ...FakeRequest[]] = [
  { method: 'POST' },
  { headers: { 'sec-websocket-version': '8' } },
  { headers: { 'sec-websocket-key': 'short' } },
  { headers: { 'sec-websocket-extensions': 'broken' } },
  { headers: { origin: 'https://evil.example' } },
  { headers: { 'sec-websocket-protocol': 'chat.v9' } },
  { headers: { host: 'rebound.example' } },
  { headers: { host: undefined } },
  { headers: { upgrade: 'h2c' } },
];

/** The peers of a simulated service: their kinds, their times, and their acts. */
export class SimulatedPeers {
  readonly #world: SimulationWorld;
  readonly #watcher: FakeSocketWatcher;

  constructor(world: SimulationWorld, watcher: FakeSocketWatcher) {
    this.#world = world;
    this.#watcher = watcher;
  }

  /** Makes every peer connect at a time of its own. */
  invite(): void {
    const world = this.#world;
    for (let left = world.plan.connections; left > 0; left -= 1) {
      world.in(world.random.integer(0, world.plan.comeWithinMs), () => this.#come());
    }
  }

  #come(): void {
    const world = this.#world;
    if (world.isQuiet) return;
    const life = this.#newLife();
    const request = this.#request(life);
    const upgrade = fakeUpgrade(life.socket, request);
    if (world.random.chance(0.04)) {
      life.deeds.add('socket destroyed');
      life.socket.tearDown();
    }
    world.note('comes', life.number);
    const paths = world.random.chance(0.01) ? ['/elsewhere'] : undefined;
    world.supervisor.handleUpgrade(upgrade, paths);
    if (world.random.chance(0.01)) this.#comeTwice(life);
    this.#live(life);
  }

  /** Another listener of the host passes the same socket on again. */
  #comeTwice(life: SimulatedLife): void {
    const world = this.#world;
    const again = new SimulatedLife(world.lives.length + 1, life.peer, life.socket);
    again.isShadow = !life.isOver;
    if (life.isOver) {
      life.takenOver += 1;
      // The first owner has ended it.
      again.deeds.add('socket destroyed');
      world.bySocket.set(life.socket, again);
    }
    world.lives.push(again);
    world.enterStage(again);
    world.note('comes again', life.number);
    world.supervisor.handleUpgrade(fakeUpgrade(life.socket, { url: `/${again.number}` }));
  }

  #newLife(): SimulatedLife {
    const { random, clock, plan, lives, bySocket } = this.#world;
    const closesFirst = random.chance(0.1);
    const socket = new FakeSocket(clock, {
      kernelBytes: plan.loud === 0 && random.chance(0.5) ? 65_536 : random.integer(200, 8_000),
      closesFirst,
      closesTwice: random.chance(0.1),
      closeMs: random.chance(plan.stuck) ? random.pick(STUCK_MS) : 0,
      resetReadMs: random.chance(0.7) ? 0 : random.integer(1, 300),
      remoteAddress: `192.0.2.${random.integer(1, 3)}`,
    });
    socket.watcher = this.#watcher;
    const peer = new FakePeer(clock, socket, this.#manners());
    const life = new SimulatedLife(lives.length + 1, peer, socket);
    lives.push(life);
    bySocket.set(socket, life);
    peer.onUnanswered = () => this.#refused(life);
    if (closesFirst) life.deeds.add('error came late');
    this.#agreeOnBeat(life);
    this.#world.enterStage(life);
    this.#judge(life);
    return life;
  }

  /** A close frame behind the 101 refuses it. Derived, not drawn, so that old seeds give the same runs. */
  #refused(life: SimulatedLife): void {
    if (life.isOpened) return;
    const choice = Math.floor(this.#world.clock.now()) % 3;
    if (choice === 1) {
      this.#did(life, 'peer ended');
      life.peer.end();
    } else if (choice === 2) {
      this.#did(life, 'peer violated');
      life.peer.violate(1002);
    }
  }

  #manners(): FakePeerManners {
    const { random, plan } = this.#world;
    const baseMs = random.integer(0, 60);
    const jitterMs = random.integer(0, 40);
    const isSlowReader = random.chance(plan.loud > 0 ? 0.5 : 0.1);
    return {
      latencyMs: () => baseMs + jitterMs * random.next(),
      pongMs: this.#pongs(),
      beatMs: PROMPTLY,
      closing: random.chance(0.6) ? 'echo' : random.pick(['empty', 'other', 'never']),
      ends: random.chance(0.85),
      readBytes: isSlowReader ? random.integer(50, 4_000) : 1_000_000,
      readEveryMs: isSlowReader ? random.integer(10, random.pick([300, 3_000, 30_000])) : 0,
    };
  }

  /** Derived, not drawn, so that old seeds give the same runs. One in three is awake, one sleeps now and then, one always. */
  #agreeOnBeat(life: SimulatedLife): void {
    const { clock, plan } = this.#world;
    life.hasBeat = plan.hasBeats && life.number % 2 === 1;
    const sleep = life.number % 3;
    if (!life.hasBeat || sleep === 0) return;
    this.#did(life, 'peer slept');
    const isAwake = () => sleep === 1 && Math.floor(clock.now() / NAP_MS) % 2 === 1;
    life.peer.manners.beatMs = () => (isAwake() ? PROMPTLY() : null);
  }

  #pongs(): () => number | null {
    const { random } = this.#world;
    const draw = random.next();
    const pongMaxMs = random.integer(0, 20_000);
    if (draw < 0.7) return PROMPTLY;
    if (draw < 0.9) return () => pongMaxMs * random.next();
    return () => (random.chance(0.5) ? 5 : null);
  }

  /** Whether the heartbeat, or the outbox, could ever blame this peer. */
  #judge(life: SimulatedLife): void {
    const { manners } = life.peer;
    if (manners.readEveryMs > 0) this.#did(life, 'peer read slowly');
    if (this.#world.plan.loud > 0 && this.#world.random.chance(0.3)) {
      this.#did(life, 'peer read slowly');
      this.#did(life, 'peer was silent');
      life.peer.stopReading();
    }
    if (manners.readEveryMs > 0 || manners.pongMs !== PROMPTLY) this.#did(life, 'peer was silent');
  }

  #did(life: SimulatedLife, deed: Deed): void {
    life.deeds.add(deed);
    this.#world.note(deed, life.number);
  }

  #request(life: SimulatedLife): FakeRequest {
    const { random } = this.#world;
    const request = random.chance(0.94) ? {} : random.pick(FAULTY_REQUESTS);
    const url = `/${life.number}`;
    if (!life.hasBeat) return { ...request, url };
    return { ...request, url, headers: { ...OFFERS_BEAT, ...request.headers } };
  }

  // What a peer does once it has connected.

  #live(life: SimulatedLife): void {
    const { random, plan } = this.#world;
    const gapMs = Math.max(GAP_MS_MIN, plan.gapMs * 2 * random.next());
    this.#world.in(gapMs, () => {
      if (!life.peer.isThere || life.isOver || this.#world.isQuiet) return;
      if (life.hasBeat && life.lastSent % 4 === 3) life.peer.ask();
      this.#act(life);
      this.#live(life);
    });
  }

  #act(life: SimulatedLife): void {
    const { random } = this.#world;
    const draw = random.next();
    if (draw < 0.72) this.#speak(life);
    else if (draw < 0.8) life.peer.ping();
    else if (draw < 0.86) this.#strain(life);
    else if (draw < 0.92) this.#leave(life);
    else this.#fail(life);
  }

  #speak(life: SimulatedLife): void {
    const { random } = this.#world;
    if (random.chance(0.05)) {
      this.#did(life, 'peer sent nonsense');
      life.peer.send(
        [Buffer.from(random.pick(['{', '[]', '{"n":"x"}', 'nul']))],
        random.chance(0.2),
      );
      return;
    }
    // What it sends before it was admitted waits, and arrives at once.
    if (!life.isOpened) this.#did(life, 'peer flooded messages');
    const messages: Buffer[] = [];
    for (let left = random.integer(1, 3); left > 0; left -= 1) {
      life.lastSent += 1;
      messages.push(Buffer.from(`{"n":${life.lastSent}}`));
    }
    life.peer.send(messages);
  }

  /** What a connection should survive, or end because of. */
  #strain(life: SimulatedLife): void {
    const { random } = this.#world;
    const draw = random.next();
    if (draw < 0.3) life.peer.sendPart(random.integer(1, 500));
    else if (draw < 0.5) this.#flood(life);
    else if (draw < 0.6) {
      life.peer.ping(random.integer(1, 200));
      this.#did(life, 'peer flooded pings');
    } else {
      this.#did(life, 'peer read slowly');
      this.#did(life, 'peer was silent');
      life.peer.stopReading();
      if (random.chance(0.6)) {
        this.#world.in(random.integer(100, 20_000), () => life.peer.resumeReading());
      }
    }
  }

  #flood(life: SimulatedLife): void {
    this.#did(life, 'peer flooded messages');
    for (let left = 40; left > 0; left -= 1) {
      life.lastSent += 1;
      life.peer.send([Buffer.from(`{"n":${life.lastSent}}`)]);
    }
  }

  #leave(life: SimulatedLife): void {
    const { random } = this.#world;
    const draw = random.next();
    if (draw < 0.55) {
      this.#did(life, 'peer closed');
      life.peer.close(random.pick(CLOSE_CODES), random.chance(0.3) ? 'bye' : '');
      if (random.chance(0.2)) life.peer.end();
      if (random.chance(0.1)) this.#reset(life, 'ECONNRESET');
    } else {
      this.#did(life, 'peer ended');
      life.peer.end();
      if (random.chance(0.3)) life.peer.stopReading();
    }
  }

  #fail(life: SimulatedLife): void {
    const { random } = this.#world;
    const draw = random.next();
    if (draw < 0.3) this.#reset(life, random.chance(0.8) ? 'ECONNRESET' : 'EPIPE');
    else if (draw < 0.4) this.#reset(life, random.pick(['ETIMEDOUT', 'EHOSTUNREACH']));
    else if (draw < 0.5) this.#reset(life, 'EIO');
    else if (draw < 0.6) {
      this.#did(life, 'peer violated');
      life.peer.violate(random.pick(STATUSES));
    } else if (draw < 0.65) {
      this.#did(life, 'socket destroyed');
      this.#did(life, 'peer was silent');
      this.#world.in(random.integer(0, 50), () => life.socket.tearDown());
    } else this.#vanish(life);
  }

  #reset(life: SimulatedLife, code: string): void {
    this.#did(life, deedOf(code));
    life.peer.reset(systemError(code));
  }

  /** Gone without a close. Long after, the kernel may find out. */
  #vanish(life: SimulatedLife): void {
    const { random, clock } = this.#world;
    this.#did(life, 'peer was silent');
    this.#did(life, 'peer read slowly');
    life.peer.vanish();
    life.silentSinceMs = Math.max(clock.now(), life.peer.lastDueMs);
    life.lostAtSilenceMs = clock.lostMs;
    if (!random.chance(0.3)) return;
    this.#did(life, 'peer timed out');
    this.#world.in(random.integer(1_000, 60_000), () => {
      life.socket.receiveReset(systemError('ETIMEDOUT'));
    });
  }
}

function deedOf(code: string): Deed {
  if (code === 'EIO') return 'peer broke';
  return code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' ? 'peer timed out' : 'peer reset';
}

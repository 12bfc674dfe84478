import type { CloseVerdict } from '../../src/core/verdict.ts';
import type { FakeSocket } from './fake-socket.ts';
import type { FakeFrameKind, FakeSign, FakeSocketWatcher } from './fake-socket-faces.ts';
import type { SimulatedLife, SimulatedMessage } from './life.ts';
import type { SimulatedPublications } from './publications.ts';
import { type SimulationWorld, textOf } from './world.ts';

/** Longest frame of the simulated service, in bytes, and the pongs that ws writes in addition. */
const FRAME_BYTES_MAX = 3_100;

interface Telling {
  readonly life: SimulatedLife;
  readonly wasOpen: boolean;
  readonly handled: number;
}

/** Observes everything that passes between the sockets and the code under test. */
export class SimulationChecks implements FakeSocketWatcher {
  readonly #world: SimulationWorld;
  readonly #publications: SimulatedPublications;
  /** The connections that the code under test is being notified about, outermost first. */
  readonly #telling: Telling[] = [];

  constructor(world: SimulationWorld, publications: SimulatedPublications) {
    this.#world = world;
    this.#publications = publications;
  }

  // What the code under test does to a socket.

  wrote(socket: FakeSocket, kind: FakeFrameKind, bytes: Uint8Array | string | number): void {
    const world = this.#world;
    const life = world.bySocket.get(socket);
    if (life === undefined) return;
    world.note(`writes ${kind}`, life.number);
    if (kind === 'close') {
      life.closeFramesWritten += 1;
      if (life.closeFramesWritten > 1) world.broken('one-close-frame', 'a second one', life);
    } else if (typeof bytes !== 'string') {
      this.#wroteWhileOpen(life, kind, bytes);
    }
  }

  #wroteWhileOpen(life: SimulatedLife, kind: FakeFrameKind, bytes: Uint8Array | number): void {
    const world = this.#world;
    // After its close frame threw, ws treats the WebSocket as open and continues to answer pings.
    const isOfWs = kind === 'pong' && life.deeds.has('transport broke');
    if (!world.isRegistered(life) && !isOfWs) {
      world.broken('no-write-after-quarantine', `a ${kind} frame`, life);
    }
    const { outboxHighBytes } = world.plan.limits;
    const bytesLong = typeof bytes === 'number' ? bytes : bytes.length;
    const waitingBytes = life.socket.writableLength + bytesLong;
    if (waitingBytes > outboxHighBytes + FRAME_BYTES_MAX) {
      world.broken('outbox-is-bounded', `${waitingBytes} bytes wait`, life);
    }
    if (kind === 'data' && typeof bytes !== 'number') this.#publications.wrote(life, bytes);
  }

  // What a socket reports to the code under test.

  telling(socket: FakeSocket, sign: FakeSign): void {
    const world = this.#world;
    const life = world.bySocket.get(socket);
    if (life === undefined) return;
    world.note(sign, life.number);
    if (sign !== 'message' && sign !== 'beat') life.isDead = true;
    const handled = life.messagesDelivered + life.messagesInvalid;
    this.#telling.push({ life, handled, wasOpen: world.isRegistered(life) });
  }

  told(socket: FakeSocket, sign: FakeSign): void {
    const life = this.#world.bySocket.get(socket);
    if (life === undefined) return;
    const telling = this.#telling.pop();
    if (sign === 'message' && telling !== undefined) this.#toldMessage(telling);
    else if (sign === 'beat' && telling !== undefined) this.#toldBeat(telling);
    else if (this.#world.isRegistered(life)) {
      this.#world.broken('out-of-registry-at-once', `after ${sign}`, life);
    }
  }

  #toldMessage({ life, wasOpen, handled }: Telling): void {
    const world = this.#world;
    const now = life.messagesDelivered + life.messagesInvalid;
    if (!wasOpen && now > handled) {
      world.broken('no-message-after-quarantine', `${now - handled} delivered`, life);
    }
    if (wasOpen && now !== handled + 1 && world.isRegistered(life)) {
      world.broken('every-message-is-delivered', `${now - handled} delivered`, life);
    }
  }

  #toldBeat({ life, handled }: Telling): void {
    const now = life.messagesDelivered + life.messagesInvalid;
    if (now > handled) this.#world.broken('beats-are-hidden', `${now - handled} delivered`, life);
  }

  threw(socket: FakeSocket, sign: FakeSign, error: unknown): void {
    const life = this.#world.bySocket.get(socket);
    this.#world.broken('nothing-reaches-the-emitter', `${sign}: ${textOf(error)}`, life);
  }

  // What user code observes.

  /** User code runs, so every dead connection must be out of reach by now. */
  inUserCode(where: string, who: number): void {
    const world = this.#world;
    world.note(where, who);
    for (const { life } of this.#telling) {
      if (!life.isDead) continue;
      if (world.isRegistered(life)) world.broken('out-of-registry-before-user-code', where, life);
      this.#checkTraces(life);
    }
  }

  #checkTraces(life: SimulatedLife): void {
    const { supervisor, lives } = this.#world;
    const key = life.connection?.key;
    if (key !== undefined && supervisor.byKey(key).some(({ id }) => id === life.id)) {
      this.#world.broken('out-of-registry-before-user-code', `byKey ${key}`, life);
    }
    if (lives.length > 24) return;
    for (const topic of life.topics) this.checkTopic(topic);
  }

  /** The size of a topic is the number of its open members. */
  checkTopic(topic: string): void {
    const { supervisor, lives } = this.#world;
    let members = 0;
    for (const life of lives) {
      if (life.topics.has(topic) && this.#world.isRegistered(life)) members += 1;
    }
    const { size } = supervisor.topic(topic);
    if (size !== members) {
      this.#world.broken('topics-hold-the-open', `${topic} has ${size}, not ${members}`);
    }
  }

  openHandled(life: SimulatedLife): void {
    life.onOpenCalls += 1;
    if (!life.isOpened) this.#world.broken('handlers-in-order', 'onOpen before opened', life);
    if (life.onOpenCalls > 1) this.#world.broken('handlers-once', 'onOpen', life);
  }

  messageHandled(life: SimulatedLife, { n }: SimulatedMessage): void {
    const world = this.#world;
    life.messagesDelivered += 1;
    if (!life.isWelcomed && life.connection?.state === 'open') {
      world.broken('no-message-before-welcome', `message ${n}`, life);
    }
    if (life.isPaused || life.connection?.states.includes('open.intake.paused')) {
      world.broken('no-message-while-paused', `message ${n}`, life);
    }
    if (n !== life.lastMessage + 1) {
      world.broken('messages-in-order', `${n} after ${life.lastMessage}`, life);
    }
    life.lastMessage = n;
  }

  /** `onClose` waits for `onOpen`, but no longer than the welcome may last. */
  closeHandled(life: SimulatedLife, verdict: CloseVerdict): void {
    const world = this.#world;
    life.onCloseCalls += 1;
    if (life.onCloseCalls > 1) world.broken('handlers-once', 'onClose', life);
    if (life.onOpenCalls !== 1 || !life.isOver) {
      world.broken('handlers-in-order', 'onClose before closed', life);
    }
    if (life.isWelcomed || verdict.cause === 'welcome-timeout') return;
    if (world.clock.now() - life.stageSinceMs < world.plan.timeouts.welcomeMs) {
      world.broken('handlers-in-order', 'onClose before onOpen had settled', life);
    }
  }

  disposed(life: SimulatedLife): void {
    life.disposersRun += 1;
    if (life.disposersRun > life.disposersGiven) {
      this.#world.broken('handlers-once', 'a disposer', life);
    }
    if (!life.isOver) this.#world.broken('handlers-in-order', 'disposed while alive', life);
  }

  /** The last event of a connection, whether or not it ever opened. */
  released(life: SimulatedLife): void {
    const world = this.#world;
    life.released += 1;
    if (life.released > life.taken) world.broken('handlers-once', 'a release', life);
    const isLast = life.isOver && life.onCloseCalls + life.onFailedCalls === 1;
    if (!isLast) world.broken('handlers-in-order', 'released before the end', life);
    if (life.isWelcomed && life.disposersRun < life.disposersGiven) {
      world.broken('handlers-in-order', 'released before it was disposed of', life);
    }
  }
}

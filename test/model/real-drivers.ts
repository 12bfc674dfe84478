import { once } from 'node:events';
import { readSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Refusal, type SendResult } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { turns, until } from '../support/until.ts';
import type { Fact, Plan, RealStage } from './real-stage.ts';

/** Makes one fact happen on a real connection, in whatever state it is. */
export type Driver = (stage: RealStage) => void | Promise<void>;

const FILLER = Buffer.alloc(65_536);
const WORD = Buffer.alloc(1);
/** Less than the interval of the stage's heartbeat. */
const BEFORE_NEXT_BEAT_MS = 19_000;
const PING = buildFrame({ opcode: opcode.ping });
/** ws answers so many pings at once; one more is a flood. */
const PENDING_PONGS_MAX = 60;

/** It follows by itself from what happened before. */
const follows: Driver = () => {};

/** How each fact comes about. */
export const drivers: Readonly<Record<Fact, Driver>> = {
  'dial.requested': follows,
  'admission.granted': ({ plan, raw, admission }) => {
    plan.granted?.(raw);
    admission.open();
  },
  'admission.refused': (stage) => {
    if (stage.isIn('handshaking.admitting')) stage.admission.fail(new Refusal(403));
  },
  'peer.abandoned': (stage) => {
    if (stage.isIn('handshaking.admitting')) stage.link.up.end();
  },
  'socket.opened': follows,
  'socket.errored': ({ link }) => link.up.reset(),
  'socket.ended': ({ link }) => link.up.end(),
  'socket.closed': closeSocket,
  'websocket.closed': (stage) => (stage.isIn('closing.reaping') ? undefined : closeSocket(stage)),
  'peer.closing': (stage) => listening(stage).sendClose(4001, 'theirs'),
  'protocol.violated': (stage) => listening(stage).send({ opcode: opcode.text, masked: false }),
  'send.errored': failSend,
  'ping.flooded': (stage) => pings(listening(stage), 2 * PENDING_PONGS_MAX),
  'handler.errored': throwInHandler,
  'heartbeat.missed': (stage) => stage.passTime(),
  'heartbeat.answered': ({ peer }) => peer.send({ opcode: opcode.pong }),
  'heartbeat.lost': (stage) => stage.passTime(),
  // Whoever is asked for a beat here never answers; whatever it says is as good.
  'beat.missed': (stage) => stage.passTime(),
  'beat.answered': ({ peer }) => peer.text('awake'),
  'outbox.filled': fillOutbox,
  'outbox.drained': ({ link }) => link.down.set({}),
  'outbox.stalled': (stage) => stage.passTime(),
  'welcome.settled': async (stage) => {
    stage.welcome.open();
    await stage.takes('welcome.settled', stage.steps.length);
    await stage.plan.settled?.(stage);
  },
  'welcome.expired': (stage) => stage.passTime(),
  'deadline.passed': (stage) => stage.passTime(),
  'close.requested': ({ connection }) => void connection.close(4000, 'ours'),
  'fail.requested': ({ connection }) => void connection.fail(new Error('failed on purpose')),
  'terminate.requested': ({ connection }) => void connection.terminate(),
};

/** A welcome pauses reading; only a host that resumes its socket nevertheless lets the peer be heard. */
function listening(stage: RealStage): RawPeer {
  if (stage.isIn('open.intake.welcoming')) stage.raw.resume();
  return stage.peer;
}

function pings(peer: RawPeer, count: number): void {
  peer.socket.write(Buffer.concat(Array(count).fill(PING)));
}

/** Before anything has ended the host destroys the socket; later it ends as it should. */
async function closeSocket(stage: RealStage): Promise<void> {
  if (stage.isIn('closing.peer')) stage.peer.end();
  else if (stage.isIn('errored') || stage.isIn('closing.local')) await stage.peer.finishPolitely();
  else stage.raw.destroy();
}

function throwInHandler(stage: RealStage): void {
  if (stage.isIn('open.intake.welcoming')) stage.welcome.fail(new Error('failed on purpose'));
  else if (stage.held.isAwaited) stage.held.fail(new Error('failed on purpose'));
  else stage.peer.text('throw');
}

async function fillOutbox(stage: RealStage): Promise<void> {
  if (stage.plan.direct === true) stage.peer.pause();
  else stage.link.down.set({ blackhole: true });
  const count = stage.steps.length;
  await until(() => {
    while (stage.connection.send(FILLER) !== 'refused');
    return stage.steps.length > count;
  }, 'the outbox is full');
}

async function failSend(stage: RealStage): Promise<void> {
  if (stage.isIn('open.flow.flowing')) {
    // The kernel learns of the RST at once, or nearly so; the event loop does not turn meanwhile.
    stage.link.up.reset();
    for (let left = 10_000; left > 0 && stage.connection.send(WORD) !== 'refused'; left -= 1);
  } else if (stage.isIn('open.intake.welcoming')) {
    await stopReading(stage);
    stage.link.up.reset();
  } else {
    await resetWhileWriting(stage);
  }
}

/** A paused socket that is full is no longer read: only the write in flight can find the reset. */
async function stopReading({ raw, peer }: RealStage): Promise<void> {
  peer.socket.write(Buffer.alloc(2 ** 20));
  await until(() => raw.readableLength >= raw.readableHighWaterMark, 'nothing more is read');
}

/**
 * Resets the connection between the kernel's word that there is room and the write that relies on it.
 *
 * Both sockets are found ready in one poll, in the order in which they became so: the one that brings the
 * order to reset, then the server's, which is told of room alone. A socket that is ready for reading too
 * would learn of the reset by reading.
 */
async function resetWhileWriting({ peer }: RealStage): Promise<void> {
  const bell = await Bell.hang(() => peer.reset());
  bell.ring();
  readAll(peer.socket);
  await until(() => peer.closed, 'it is reset');
  await bell.takeDown();
}

/** Reads what the kernel holds, within this call. */
function readAll(socket: Socket): void {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const bytes = Buffer.alloc(2 ** 20);
  try {
    while (readSync(fd, bytes) > 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EAGAIN') throw thrown;
  }
}

/** A pair of sockets that calls back in the poll phase after it was rung. */
class Bell {
  readonly #near: Socket;
  readonly #far: Socket;

  private constructor(near: Socket, far: Socket) {
    this.#near = near;
    this.#far = far;
  }

  static async hang(callback: () => void): Promise<Bell> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')]);
    server.close();
    far.once('data', callback);
    // One turn to begin reading, another to be watched by the poll.
    await turns(2);
    return new Bell(near, far);
  }

  ring(): void {
    this.#near.write('!');
  }

  async takeDown(): Promise<void> {
    this.#near.destroy();
    this.#far.destroy();
    await until(() => this.#near.closed && this.#far.closed, 'the bell is gone');
  }
}

/** Lets the host remove a listener of ours, so that ws alone learns that the socket has closed. */
function strip(raw: Socket): void {
  raw.removeAllListeners('close');
}

/**
 * Lets the host break the end of the WebSocket: its listener throws between ours and that of ws, and the
 * process survives, so that ws never learns that the socket has closed.
 */
function wedge(raw: Socket): void {
  const { emit } = raw;
  raw.emit = ((...args: Parameters<typeof emit>) => {
    try {
      return emit.apply(raw, args);
    } catch {
      return true;
    }
  }) as typeof emit;
  raw.once('close', () => {
    throw new Error('thrown on purpose');
  });
}

/** Sends each message in a turn of its own: on virtual time a turn ends only when the clock says so. */
class TurnByTurn {
  readonly #stage: RealStage;

  constructor(stage: RealStage) {
    this.#stage = stage;
  }

  get bufferedBytes(): number {
    return this.#stage.connection.bufferedBytes;
  }

  send(message: unknown): SendResult {
    const result = this.#stage.connection.send(message);
    this.#stage.clock.advance(0);
    return result;
  }
}

/** Brings a flood to its brink: one more ping will be too many. */
async function leavePongsPending(stage: RealStage): Promise<void> {
  stage.link.down.set({ blackhole: true });
  await fillBacklog(new TurnByTurn(stage), 2 ** 20);
  const read = stage.raw.bytesRead + PENDING_PONGS_MAX * PING.length;
  pings(stage.peer, PENDING_PONGS_MAX);
  await until(() => stage.raw.bytesRead === read, 'every ping is read');
}

/** Gives a handler something to work at that will fail. */
async function leaveHandlerPending({ peer, held }: RealStage): Promise<void> {
  peer.text('hold');
  await until(() => held.isAwaited, 'the handler is at work');
}

/** Gives a handler something to work at, and lets the beat alone find out that nothing more is said. */
async function leaveHandlerPendingAsleep(stage: RealStage): Promise<void> {
  await leaveHandlerPending(stage);
  stage.clock.advance(BEFORE_NEXT_BEAT_MS);
  const read = stage.raw.bytesRead;
  stage.peer.send({ opcode: opcode.pong });
  await until(() => stage.raw.bytesRead > read, 'a pong is read');
}

/** What has to be arranged, so that a fact can happen where these states are active. */
const plans: readonly { states: readonly string[]; facts: readonly Fact[]; plan: Plan }[] = [
  // Upgrading lasts for one call: what is to happen in it must be there before.
  {
    states: ['handshaking.upgrading'],
    facts: ['admission.refused'],
    // ws objects to the header when everything else was found in order.
    plan: { headers: { 'Sec-WebSocket-Protocol': 'twice, twice' } },
  },
  {
    states: ['handshaking.upgrading'],
    facts: ['peer.abandoned'],
    plan: { granted: (raw) => void raw.destroy() },
  },
  // Any byte of a peer is a sign of life: what it is to cause must begin before it is suspect.
  {
    states: ['open.liveness.suspect'],
    facts: ['ping.flooded'],
    plan: { settled: leavePongsPending },
  },
  {
    states: ['open.liveness.suspect'],
    facts: ['handler.errored'],
    plan: { settled: leaveHandlerPending },
  },
  {
    states: ['open.liveness.asleep'],
    facts: ['handler.errored'],
    plan: { settled: leaveHandlerPendingAsleep },
  },
  // Sooner than the heartbeat, which would be lost first.
  {
    states: ['open.flow.congested'],
    facts: ['outbox.stalled', 'outbox.drained'],
    plan: { timeouts: { stalledMs: 2_000 } },
  },
  {
    states: ['open.intake.receiving', 'open.flow.congested'],
    facts: ['send.errored'],
    plan: { direct: true, isRace: true },
  },
  // As a rule the WebSocket is over in the very turn in which its socket is, and after it.
  {
    states: ['closing.reaping'],
    facts: ['deadline.passed', 'terminate.requested'],
    plan: { authenticate: wedge },
  },
  ...['errored', 'closing.local', 'closing.peer', 'closing.forced'].map((state) => ({
    states: [state],
    facts: ['websocket.closed'] as const,
    plan: { authenticate: strip },
  })),
];

export function planFor(fact: Fact, isIn: (state: string) => boolean): Plan {
  const fits = plans.find(({ states, facts }) => facts.includes(fact) && states.every(isIn));
  return fits?.plan ?? {};
}

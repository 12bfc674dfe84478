import { once } from 'node:events';
import { readSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { SendResult } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { opcode } from '../support/frames.ts';
import type { RawEnd } from '../support/raw-end.ts';
import { turns, until } from '../support/until.ts';
import type { Fact, Plan, RealStage } from './real-stage.ts';

/** Makes one fact happen on a real connection, in any state. */
export type Driver<Stage extends RealStage> = (stage: Stage) => void | Promise<void>;

export type Drivers<Stage extends RealStage> = Readonly<Record<Fact, Driver<Stage>>>;

const FILLER = Buffer.alloc(65_536);
const WORD = Buffer.alloc(1);
/** ws answers this many pings at once. One more is a flood. */
const PENDING_PONGS_MAX = 60;

/** It follows by itself from earlier events. */
export const follows = () => {};

export const passTime = (stage: RealStage) => stage.passTime();

/** How facts happen, whichever side dialed. */
export const drivers = {
  'dial.requested': follows,
  'socket.opened': follows,
  'socket.errored': ({ inbound }) => inbound.reset(),
  'socket.ended': ({ inbound }) => inbound.end(),
  'socket.closed': closeSocket,
  'websocket.closed': (stage) => (stage.isIn('closing.reaping') ? undefined : closeSocket(stage)),
  'peer.closing': listening(({ peer }) => peer.sendClose(4001, 'theirs')),
  'protocol.violated': listening(({ peer }) => peer.send({ opcode: opcode.text, rsv: 7 })),
  'send.errored': failSend,
  'ping.flooded': listening(({ peer }) => void pings(peer, 2 * PENDING_PONGS_MAX)),
  'handler.errored': failHandler,
  'heartbeat.missed': passTime,
  'heartbeat.answered': answerPing,
  'heartbeat.lost': passTime,
  // A page that is asked for a beat here never answers. Any other message of it has the same effect.
  'beat.missed': passTime,
  'beat.answered': listening(({ peer }) => peer.text('awake')),
  'outbox.filled': fillOutbox,
  'outbox.stalled': passTime,
  'reading.paused': ({ plan, peer, connection }) => {
    if (plan.limits?.inFlightMax === 1) peer.text('hold');
    else connection.pause();
  },
  'reading.resumed': ({ connection }) => void connection.resume(),
  'pause.expired': passTime,
  'deadline.passed': passTime,
  'close.requested': ({ connection }) => void connection.close(4000, 'ours'),
  'fail.requested': ({ connection }) => void connection.fail(new Error('failed on purpose')),
  'terminate.requested': ({ connection }) => void connection.terminate(),
} as const satisfies Partial<Drivers<RealStage>>;

/** A pong that arrives while reading is paused is not read, and the heartbeat counts it all the same. */
async function answerPing(stage: RealStage): Promise<void> {
  const { raw } = stage;
  const { bytesRead } = raw;
  stage.peer.send({ opcode: opcode.pong });
  if (!stage.isIn('open.intake.paused')) return;
  await until(() => raw.bytesRead > bytesRead, 'the pong has arrived');
  stage.passTime();
}

/** A running handler rejects, or a message makes one throw. */
export function failHandler({ held, peer }: RealStage): void {
  if (held.isAwaited) held.fail(new Error('failed on purpose'));
  else peer.text('throw');
}

/** Gives a handler work that will fail. */
export async function leaveHandlerPending({ peer, held }: RealStage): Promise<void> {
  peer.text('hold');
  await until(() => held.isAwaited, 'the handler is at work');
}

/**
 * Nothing is read while the connection is welcomed or paused. Only a host that resumes its socket lets input
 * through.
 */
export function listening<Stage extends RealStage>(drive: Driver<Stage>): Driver<Stage> {
  return (stage) => {
    if (isUnread(stage)) stage.raw.resume();
    return drive(stage);
  };
}

function isUnread(stage: RealStage): boolean {
  return stage.isIn('open.intake.welcoming') || stage.isIn('open.intake.paused');
}

function pings(peer: RawEnd, count: number): number {
  const ping = peer.frame({ opcode: opcode.ping });
  peer.socket.write(Buffer.concat(Array(count).fill(ping)));
  return count * ping.length;
}

/** Before an end, the host destroys the socket. Later the socket ends normally. */
export async function closeSocket(stage: RealStage): Promise<void> {
  if (stage.isIn('closing.peer')) stage.peer.end();
  else if (stage.isIn('errored') || stage.isIn('closing.local')) await stage.peer.finishPolitely();
  else stage.raw.destroy();
}

async function fillOutbox(stage: RealStage): Promise<void> {
  if (stage.plan.direct === true) stage.peer.pause();
  else stage.outbound.set({ blackhole: true });
  const count = stage.steps.length;
  await until(() => {
    while (stage.connection.send(FILLER) !== 'refused');
    return stage.steps.length > count;
  }, 'the outbox is full');
}

export async function failSend(stage: RealStage): Promise<void> {
  if (isUnread(stage) && stage.isIn('open.flow.congested')) {
    await stopReading(stage);
    stage.inbound.reset();
  } else if (stage.isIn('open.flow.flowing')) {
    // The kernel receives the RST almost at once, and the event loop does not turn meanwhile.
    stage.inbound.reset();
    for (let left = 10_000; left > 0 && stage.connection.send(WORD) !== 'refused'; left -= 1);
  } else {
    await resetWhileWriting(stage);
  }
}

/** A paused socket that is full is no longer read, so only the write in flight can find the reset. */
async function stopReading({ raw, peer }: RealStage): Promise<void> {
  peer.socket.write(Buffer.alloc(2 ** 20));
  await until(() => raw.readableLength >= raw.readableHighWaterMark, 'nothing more is read');
}

/**
 * Resets the connection between the kernel's report of room and the write that relies on it.
 *
 * One poll finds both sockets ready, in the order in which they became so: first the one that carries the
 * order to reset, then the server's, which has an event for room alone. A socket that is also ready for
 * reading would find the reset by reading.
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

/** Makes the host remove a listener of ours, so that only ws learns that the socket has closed. */
function strip(raw: Socket): void {
  raw.removeAllListeners('close');
}

/**
 * Makes the host break the end of the WebSocket: its listener throws between ours and that of ws, and
 * the process survives, so that ws never learns that the socket has closed.
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

/** Sends each message in a separate turn: on virtual time a turn ends only when the clock advances. */
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

/** Brings a flood to its limit: one more ping will be too many. */
async function leavePongsPending(stage: RealStage): Promise<void> {
  stage.outbound.set({ blackhole: true });
  await fillBacklog(new TurnByTurn(stage), 2 ** 20);
  const before = stage.raw.bytesRead;
  const read = before + pings(stage.peer, PENDING_PONGS_MAX);
  await until(() => stage.raw.bytesRead === read, 'every ping is read');
}

/** What must be arranged so that some facts can happen where these states are active. */
export interface Arrangement {
  readonly states: readonly string[];
  readonly facts: readonly Fact[];
  readonly plan: Plan;
}

/** Arrangements that do not depend on which side dialed. */
export const arrangements: readonly Arrangement[] = [
  // Any byte of a peer is a sign of life, so what it causes must begin before it is suspect.
  {
    states: ['open.liveness.suspect'],
    facts: ['ping.flooded'],
    plan: { settled: leavePongsPending },
  },
  ...['open.liveness.suspect', 'open.intake.paused'].map((state) => ({
    states: [state],
    facts: ['handler.errored'] as const,
    plan: { settled: leaveHandlerPending },
  })),
  // Sooner than the heartbeat, which would otherwise end the connection first.
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
  // A handler falls behind and never settles.
  {
    states: ['open.intake.paused'],
    facts: ['pause.expired'],
    plan: { limits: { inFlightMax: 1 }, timeouts: { pausedMs: 2_000 } },
  },
  // Usually the WebSocket ends in the same turn as its socket, and after it.
  {
    states: ['closing.reaping'],
    facts: ['deadline.passed', 'terminate.requested'],
    plan: { watched: wedge },
  },
  ...['errored', 'closing.local', 'closing.peer', 'closing.forced'].map((state) => ({
    states: [state],
    facts: ['websocket.closed'] as const,
    plan: { watched: strip },
  })),
];

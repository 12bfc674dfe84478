import type { Connection, Supervisor } from 'mooring';
import { z } from 'zod';

/** The rooms of the lobby. Each is a topic with the same name. */
export const roomNames = ['harbour', 'bridge', 'galley', 'hold'] as const;
/** How a guest can misbehave. */
export const guestKinds = [
  'polite',
  'vanish',
  'freeze',
  'doze',
  'flood',
  'garbage',
  'stall',
  'wait',
  'refused',
] as const;

export type RoomName = (typeof roomNames)[number];
export type GuestKind = (typeof guestKinds)[number];

/** Whether a topic is a room. */
export function isRoom(topic: string): boolean {
  return roomNames.some((name) => name === topic);
}

const room = z.enum(roomNames);
const guestKind = z.enum(guestKinds);
const level = z.enum(['info', 'warn', 'error']);
const count = z.int().min(0);

/** One process of the lobby, the same after it has started again. The name is for people. */
const worker = z.object({ id: z.string(), name: z.string(), pid: count });

/** Messages that a client may send. */
export const inbound = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('watch') }),
  z.strictObject({ type: z.literal('join'), room }),
  z.strictObject({ type: z.literal('leave'), room }),
  z.strictObject({
    type: z.literal('say'),
    room,
    /** Names the line, so that one that comes twice is kept once. A client that sends nothing twice needs none. */
    id: z.uuid().optional(),
    text: z.string().trim().min(1).max(500),
  }),
  z.strictObject({ type: z.literal('noop') }),
  z.strictObject({ type: z.literal('throw') }),
  z.strictObject({ type: z.literal('restart') }),
  z.strictObject({ type: z.literal('heavy-feed') }),
  z.strictObject({ type: z.literal('invite'), kind: guestKind }),
]);

/** A line of a room. The text of `left` is why: the cause of a verdict, or `left the room`. */
const line = z.object({
  kind: z.enum(['message', 'joined', 'left']),
  /** A line that comes twice has the same. */
  id: z.string(),
  /** The id of the connection. */
  from: z.string(),
  name: z.string(),
  text: z.string(),
  at: z.number(),
});

const connectionSnapshot = z.object({
  id: z.string(),
  name: z.string(),
  guest: guestKind.optional(),
  address: z.string(),
  state: z.enum(['handshaking', 'open', 'errored', 'closing', 'closed', 'failed']),
  /** Every active state of its statechart, for example `open.liveness.suspect`. */
  states: z.array(z.string()),
  topics: z.array(z.string()),
  openedAt: z.number(),
  bufferedBytes: count,
  droppedMessages: count,
  invalidMessages: count,
});

const ending = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('closed'),
    worker: z.string(),
    at: z.number(),
    level,
    id: z.string(),
    name: z.string(),
    guest: guestKind.optional(),
    cause: z.string(),
    code: z.int(),
    reason: z.string(),
    sentCode: z.int().optional(),
    origin: z.enum(['local', 'peer', 'network']),
    clean: z.boolean(),
    openMs: z.number(),
  }),
  z.object({
    outcome: z.literal('failed'),
    worker: z.string(),
    at: z.number(),
    level,
    id: z.string(),
    cause: z.string(),
    phase: z.string(),
    httpStatus: z.int().optional(),
    address: z.string(),
  }),
]);

/** Requests that a client may make: for the latest lines of a room that it is in. */
export const request = z.strictObject({ type: z.literal('latest'), room });

/** The answer: the lines, oldest first. */
export const reply = z.object({ lines: z.array(line) });

/** Messages that the lobby sends. */
export const outbound = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    id: z.string(),
    name: z.string(),
    rooms: z.array(room),
    /** If it differs from the previous welcome, the lobby has restarted and lost its state. */
    serverStartedAt: z.number(),
    /** The time of the server. A tab that is back has missed lines that are older. */
    at: z.number(),
    /** The process that this connection is on. */
    worker,
  }),
  z.object({ type: z.literal('line'), room, line }),
  /** The lobby does not know whether it has kept the line with this id. */
  z.object({ type: z.literal('unconfirmed'), id: z.string() }),
  /** The connections of one worker. Each worker publishes its own. */
  z.object({
    type: z.literal('snapshot'),
    worker,
    /** Whether the worker reaches the others: `supervisor.bus`. */
    bus: z.enum(['alone', 'connecting', 'up', 'down']),
    at: z.number(),
    counts: z.record(connectionSnapshot.shape.state, count),
    members: z.record(room, count),
    guests: z.object({ count, max: count }),
    connections: z.array(connectionSnapshot),
    /** The id of the connection that ended last, or an empty string. A client that does not know it has missed an ending. */
    lastEnding: z.string(),
  }),
  z.object({ type: z.literal('ended'), ending }),
  z.object({ type: z.literal('endings'), endings: z.array(ending) }),
  z.object({ type: z.literal('invited'), kind: guestKind, name: z.string() }),
  z.object({ type: z.literal('notice'), level, text: z.string() }),
  z.object({ type: z.literal('padding'), padding: z.string() }),
  /** A worker has ended. Its connections are gone without a verdict. */
  z.object({ type: z.literal('gone'), worker: z.string() }),
  /** Only for other workers: the worker `from` asks for what they remember. */
  z.object({ type: z.literal('history-wanted'), from: z.string() }),
  /** Only for other workers: what the worker `from` remembers, and whether that is everything. */
  z.object({
    type: z.literal('history'),
    from: z.string(),
    isWhole: z.boolean(),
    lines: z.record(room, z.array(line)),
    endings: z.array(ending),
  }),
]);

export type Inbound = z.infer<typeof inbound>;
export type Outbound = z.infer<typeof outbound>;
export type Line = z.infer<typeof line>;
export type Reply = z.infer<typeof reply>;
export type ConnectionSnapshot = z.infer<typeof connectionSnapshot>;
export type Ending = z.infer<typeof ending>;
export type WorkerIdentity = z.infer<typeof worker>;

/** The peer of a connection, as `authenticate` returns it. */
export interface Peer {
  readonly name: string;
  /** Set for a guest that the lobby connected itself. */
  readonly guest?: GuestKind;
}

export type LobbyConnection = Connection<Peer, Inbound, Outbound>;
export type LobbySupervisor = Supervisor<Peer, Inbound, Outbound>;

import { z } from 'zod';
import type { Connection, Supervisor } from '../../../src/index.ts';

/** The rooms of the lobby. Each is a topic of the same name. */
export const roomNames = ['harbour', 'bridge', 'galley', 'hold'] as const;
/** What a guest can be asked to do wrong. */
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

const room = z.enum(roomNames);
const guestKind = z.enum(guestKinds);
const level = z.enum(['info', 'warn', 'error']);
const count = z.int().min(0);

/** What a peer may say. */
export const inbound = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('watch') }),
  z.strictObject({ type: z.literal('join'), room }),
  z.strictObject({ type: z.literal('leave'), room }),
  z.strictObject({ type: z.literal('say'), room, text: z.string().trim().min(1).max(500) }),
  z.strictObject({ type: z.literal('noise') }),
  z.strictObject({ type: z.literal('trip') }),
  z.strictObject({ type: z.literal('restart') }),
  z.strictObject({ type: z.literal('haul') }),
  z.strictObject({ type: z.literal('invite'), kind: guestKind }),
]);

const line = z.object({
  kind: z.enum(['said', 'came', 'went']),
  id: z.string(),
  name: z.string(),
  text: z.string(),
  at: z.number(),
});

const vessel = z.object({
  id: z.string(),
  name: z.string(),
  guest: guestKind.optional(),
  address: z.string(),
  state: z.enum(['handshaking', 'open', 'errored', 'closing', 'closed', 'failed']),
  /** Every active state of its chart, for example `open.liveness.suspect`. */
  states: z.array(z.string()),
  topics: z.array(z.string()),
  openedAt: z.number(),
  bufferedBytes: count,
  droppedMessages: count,
  invalidMessages: count,
});

const ending = z.discriminatedUnion('how', [
  z.object({
    how: z.literal('closed'),
    number: count,
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
    how: z.literal('failed'),
    number: count,
    at: z.number(),
    level,
    id: z.string(),
    cause: z.string(),
    phase: z.string(),
    httpStatus: z.int().optional(),
    address: z.string(),
  }),
]);

/** What the lobby says. */
export const outbound = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    id: z.string(),
    name: z.string(),
    rooms: z.array(room),
    /** Another one means another process: whatever was said to the one before is forgotten. */
    serverStartedAt: z.number(),
  }),
  z.object({ type: z.literal('joined'), room, lines: z.array(line) }),
  z.object({ type: z.literal('left'), room }),
  z.object({ type: z.literal('line'), room, line }),
  z.object({
    type: z.literal('fleet'),
    at: z.number(),
    counts: z.record(vessel.shape.state, count),
    members: z.record(room, count),
    guests: z.object({ aboard: count, max: count }),
    vessels: z.array(vessel),
    /** The number of the latest ending, so that a watcher notices when it has missed one. */
    lastEnding: count,
  }),
  z.object({ type: z.literal('ended'), ending }),
  z.object({ type: z.literal('endings'), endings: z.array(ending) }),
  z.object({ type: z.literal('invited'), kind: guestKind, name: z.string() }),
  z.object({ type: z.literal('notice'), level, text: z.string() }),
  z.object({ type: z.literal('crate'), cargo: z.string() }),
]);

export type Inbound = z.infer<typeof inbound>;
export type Outbound = z.infer<typeof outbound>;
export type Line = z.infer<typeof line>;
export type Vessel = z.infer<typeof vessel>;
export type Ending = z.infer<typeof ending>;

/** Who is at the other end. */
export interface Sailor {
  readonly name: string;
  /** Set for a guest that the lobby has sent to itself. */
  readonly guest?: GuestKind;
}

export type Member = Connection<Sailor, Inbound, Outbound>;
export type LobbySupervisor = Supervisor<Sailor, Inbound, Outbound>;

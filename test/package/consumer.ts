import { processesPrints, processesProgram } from './others.ts';

/**
 * The code of a stranger for each entry point: a program that runs it and prints the result as JSON,
 * and the expected output.
 */
export const programs: Readonly<Record<string, { code: string; prints: unknown }>> = {
  '.': {
    code: `
import { createSupervisor, listen } from 'mooring';
import { WebSocket } from 'ws';
import { z } from 'zod';

let settle;
const closed = new Promise((resolve) => (settle = resolve));

const supervisor = createSupervisor({
  messages: z.object({ text: z.string() }),
  authenticate: () => ({ name: 'ada' }),
  onMessage: (connection, { text }) => connection.send({ to: connection.peer.name, text }),
  onClose: (_connection, verdict) => settle(verdict),
});
const listener = await listen(supervisor);

let echo;
const client = new WebSocket(listener.url);
client.on('open', () => client.send(JSON.stringify({ text: 'hello' })));
client.on('message', (data) => {
  echo = JSON.parse(data);
  client.close(4000, 'enough');
});

const { cause, origin, code, reason, clean } = await closed;
const { forced } = await supervisor.drain();
await listener.close();
console.log(JSON.stringify({ echo, cause, origin, code, reason, clean, forced }));
`,
    prints: {
      echo: { to: 'ada', text: 'hello' },
      cause: 'peer-close',
      origin: 'peer',
      code: 4000,
      reason: 'enough',
      clean: true,
      forced: 0,
    },
  },
  './client': {
    code: `
import { createClient } from 'mooring/client';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
server.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
await new Promise((resolve) => server.on('listening', resolve));

const client = createClient(\`ws://127.0.0.1:\${server.address().port}\`);
const echo = new Promise((resolve) => client.messages$.subscribe(resolve));
const ending = new Promise((resolve) => client.endings$.subscribe(resolve));
client.send({ text: 'hello' });
const text = await echo;
await client.close(4000, 'enough');
const { cause, origin, code, clean } = (await ending).verdict;
await new Promise((resolve) => server.close(resolve));
console.log(JSON.stringify({ text, cause, origin, code, clean, state: client.status.state }));
`,
    prints: {
      text: { text: 'hello' },
      cause: 'close',
      origin: 'local',
      code: 4000,
      clean: true,
      state: 'stopped',
    },
  },
  './client/inspect': {
    code: `
import { createClient } from 'mooring/client/inspect';
import { WebSocket, WebSocketServer } from 'ws';
import { waitFor } from 'xstate';

globalThis.WebSocket ??= WebSocket;
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
await new Promise((resolve) => server.on('listening', resolve));
const facts = new Set();
const inspect = (event) => event.type === '@xstate.event' && facts.add(event.event.type);
const client = createClient(\`ws://127.0.0.1:\${server.address().port}\`, { inspect });
const { value } = await waitFor(client.actor, (snapshot) => snapshot.matches('up'));
await client.close();
await new Promise((resolve) => server.close(resolve));
console.log(JSON.stringify({ value, isSeen: facts.has('socket.opened') }));
`,
    prints: { value: { up: 'settling' }, isSeen: true },
  },
  './nats': { code: processesProgram, prints: processesPrints },
  './machines': {
    code: `
import { connectionMachine, hide } from 'mooring/machines';
import { createActor } from 'xstate';

const orders = [];
const port = new Proxy({}, { get: (_port, order) => () => void orders.push(order) });
const actor = createActor(connectionMachine, { input: hide(port) }).start();
for (const type of ['admission.granted', 'socket.opened', 'peer.closing', 'websocket.closed']) {
  actor.send({ type });
}
console.log(JSON.stringify({ state: actor.getSnapshot().value, orders }));
`,
    prints: {
      state: 'closed',
      orders: [
        'startDeadline',
        'upgrade',
        'announceOpen',
        'announceClosing',
        'startDeadline',
        'finish',
        'outcome',
      ],
    },
  },
};

/** A module that compiles only if every type is inferred as the documentation promises. */
export const typedConsumer = `
import { createServer } from 'node:http';
import { admitted, attach, type CloseVerdict, type Connection, createSupervisor, type Failure, listen, logEvents, Refusal, trailText } from 'mooring';
import type { Supervisor, Topic } from 'mooring';
import { connect as tcp } from 'node:net';
import { connect as tls } from 'node:tls';
import { type ConnectOptions, createClient, createPool, type DialedConnection, type FailureResponse } from 'mooring/client';
import type { Observer } from 'rxjs';
import { z } from 'zod';

const Say = z.object({ type: z.literal('say'), text: z.string() });
const Move = z.object({ type: z.literal('move'), x: z.coerce.number() });
type Exactly<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;

const supervisor = createSupervisor({
  messages: z.discriminatedUnion('type', [Say, Move]),
  sends: z.object({ said: z.string() }),
  authenticate: async (request) => ({ userId: String(request.headers['x-user']) }),
  key: (peer) => peer.userId,
  onOpen(connection) {
    const exact: Exactly<typeof connection.peer, { userId: string }> = true;
    return () => exact;
  },
  onMessage(connection, message) {
    const exact: Exactly<typeof message, { type: 'say'; text: string } | { type: 'move'; x: number }> = true;
    if (message.type === 'say') connection.send({ said: message.text });
    // @ts-expect-error a message of another contract
    connection.send({ nope: exact });
    // @ts-expect-error no such field
    message.nope;
    // @ts-expect-error no such field
    connection.peer.nope;
  },
  onClose(_connection, verdict) {
    const exact: Exactly<typeof verdict, CloseVerdict> = true;
    const missed = verdict.trail.some(({ fact }) => fact === 'heartbeat.missed');
    // @ts-expect-error no such fact
    return verdict.trail.some(({ fact }) => fact === 'heartbeat.mised') ? exact : missed;
  },
  onFailed(failure) {
    const exact: Exactly<typeof failure, Failure> = true;
    return exact && trailText(failure.trail) satisfies string;
  },
});

export const lobby: Observer<{ said: string }> = supervisor.topic('lobby');
export const anyTopic: Topic = supervisor.topic('lobby');
export const userIds = [...supervisor.connections].map((connection): string => connection.peer.userId);
void listen(supervisor, { port: 0 });

const prices = z.object({ price: z.number() });
const client = createClient('wss://example.com/', { messages: prices, sends: Say, supervisor });
client.messages$.subscribe((message) => {
  const exact: Exactly<typeof message, { price: number }> = true;
  return exact;
});
// @ts-expect-error a message of another contract
client.send({ nope: 1 });
client.wake();
client.events$.subscribe((event) => {
  if (event.type !== 'message.dropped') return;
  const exact: Exactly<typeof event.message, { type: 'say'; text: string }> = true;
  void exact;
});
client.status$.subscribe((status) => {
  if (status.state === 'exhausted') status.gaveUp satisfies 'refused' | 'restarts' | 'crash';
  else status.gaveUp satisfies undefined;
  if (status.gaveUp !== undefined) status.state satisfies 'exhausted';
});
createClient('wss://example.com/', {
  silentMs: 60_000,
  heartbeat: {
    message: () => ['heartbeat'],
    expects: (payload, answer) => typeof payload === 'string' && answer('pong') !== 'refused',
    everyMs: 20_000,
    always: true,
  },
  signs(host) {
    host.offline();
    return () => host.online();
  },
});
// @ts-expect-error a server has no such heartbeat
createSupervisor({ heartbeat: { message: 'ping' } });
const pool = createPool(['wss://example.com/'], { messages: prices, supervisor, silentMs: 60_000 });
logEvents(client.events$, console);
logEvents(pool.events$, console);
logEvents(supervisor.events$, console);
// @ts-expect-error no events
logEvents(client.endings$, console);
pool.events$.subscribe((event) => event.type === 'message.dropped' && event.message);
export const first: DialedConnection<{ price: number }> | undefined = pool.checkout();

const connecting: ConnectOptions = {
  createConnection: (target) => (target.servername === undefined ? tcp(target) : tls(target)),
  lookup: (_name, { all }, done) => (all ? done(null, [{ address: '::1', family: 6 }]) : done(null, '::1', 6)),
  checkServerIdentity: (name, { subject }) => (subject.CN === name ? undefined : new Error(name)),
};
export const renewed = createClient('wss://example.com/', {
  headers: async () => ({ authorization: 'x' }),
  subprotocols: () => ['token'],
  connect: async () => connecting,
});
renewed.endings$.subscribe((ending) => {
  const response: FailureResponse | undefined = ending.outcome === 'failed' ? ending.failure.response : undefined;
  const location: string | readonly string[] | undefined = response?.headers['location'];
  void location;
});
// @ts-expect-error no such option
createClient('wss://example.com/', { connect: { famly: 4 } });
supervisor.events$.subscribe((event) => {
  if (event.type !== 'connection.closed') return;
  if (event.connection.direction === 'accepted') {
    const exact: Exactly<typeof event.connection.peer, { userId: string }> = true;
    return exact;
  }
  // @ts-expect-error nobody has authenticated it
  event.connection.peer;
});

// A bare Supervisor stands for any of them.
export const bare: Supervisor = supervisor;
export const direct: Supervisor = createSupervisor({
  messages: Say,
  sends: Move,
  authenticate: () => ({ userId: 'ada' }),
  onMessage: (connection, message) => void [connection.peer.userId, message.text],
});
export function greet(any: Supervisor, topic: Topic<unknown, unknown, Connection>): number {
  // @ts-expect-error nothing is known of its peers
  for (const connection of any.connections) connection.peer.userId;
  return any.broadcast({ hello: topic.name }).delivered;
}
greet(supervisor, supervisor.topic('lobby'));
greet(createSupervisor(), bare.topic('lobby'));
export function bareOf<Peer, In, Out>(one: Supervisor<Peer, In, Out>): Supervisor {
  return one;
}
attach(createServer(), bare);
void listen(bare, { port: 0 });
createClient('wss://example.com/', { supervisor: bare });
createPool(['wss://example.com/'], { supervisor: bare });
createClient('wss://example.com/', { inspect: (event) => void event.actorRef.sessionId });

// What an option may be left out for, it may be undefined for.
declare const signal: AbortSignal | undefined;
declare const token: string | undefined;
declare const number: number | undefined;
declare const text: string | undefined;
const clientOptions = {
  signal,
  headers: token === undefined ? undefined : { authorization: token },
  connect: { servername: text, ca: text, family: undefined, lookup: undefined, createConnection: undefined },
  heartbeat: { intervalMs: number, everyMs: number, expects: undefined, always: undefined },
  backoff: { minMs: number },
  limits: { payloadBytesMax: number },
  timeouts: { closeMs: number },
  ...{ messages: undefined, supervisor: undefined, retry: undefined, onOpen: undefined, clock: undefined },
};
const patient = createClient('wss://example.com/', { ...clientOptions, restarts: { max: number }, queueMax: number });
patient.send(1, { ttlMs: number, queue: undefined });
createClient('wss://example.com/', { connect: () => ({ ca: text }) });
createPool(['wss://example.com/'], { ...clientOptions, size: number, circuit: { minMs: number } }).drain({ reason: text });
const plain = createSupervisor({
  admission: { connectionsMax: number, addressOf: undefined },
  ...{ timeouts: { closeMs: number }, heartbeat: { graceMs: number }, limits: { topicsMax: number }, messages: undefined },
});
attach(createServer(), plain, { path: text, otherwise: undefined, takeOver: undefined });
void listen(plain, { port: number, tls: undefined });
void plain.drain({ withinMs: number, reason: text });
void new Refusal(401, '', { headers: undefined, close: undefined });

type User = { userId: string };
type PeerOf<S> = S extends Supervisor<infer Peer, infer _In, infer _Out> ? Peer : never;
declare const user: User;
declare const chance: boolean;

// Wherever authenticate stands, and whatever it returns: the same peer.
export const last = createSupervisor({
  key: (peer) => peer.userId,
  onOpen(connection) {
    const exact: Exactly<typeof connection.peer, User> = true;
    // @ts-expect-error no such field
    connection.peer.nope;
    return () => exact;
  },
  async onMessage(connection, message) {
    const exact: [Exactly<typeof connection.peer, User>, Exactly<typeof message, { price: number }>] = [true, true];
    last.topic('x').publish({ said: connection.peer.userId }, { except: connection });
    await Promise.resolve(exact);
  },
  onClosing(connection) {
    const exact: Exactly<typeof connection.peer, User> = true;
    void exact;
  },
  onClose(connection) {
    const exact: Exactly<typeof connection.peer, User> = true;
    void exact;
  },
  onHandlerError(_error, _handler, connection) {
    const userId: string | undefined = connection?.peer.userId;
    void userId;
  },
  sends: z.object({ said: z.string() }),
  messages: prices,
  authenticate: async (request, { signal }) => {
    signal.throwIfAborted();
    return { userId: String(request.headers['x-user']) };
  },
});
export const isExact: Exactly<PeerOf<typeof last>, User> = true;

export const expressions = createSupervisor({
  onOpen: (connection) => connection.join('lobby'),
  authenticate: (request) => ({ userId: String(request.url) }),
  onMessage: (connection) => {
    const exact: Exactly<typeof connection.peer, User> = true;
    void exact;
  },
});
export const isExactToo: Exactly<PeerOf<typeof expressions>, User> = true;
export const middle = createSupervisor({
  onMessage: (connection) => connection.send(connection.peer.userId),
  async authenticate(_request) {
    return user;
  },
  key: (peer) => peer.userId,
});
export const isExactThree: Exactly<PeerOf<typeof middle>, User> = true;
export const ordinary = createSupervisor({
  authenticate: async (request) => ({ userId: String(request.url) }),
  onOpen: (connection) => connection.join(connection.peer.userId),
  key(peer) {
    const exact: Exactly<typeof peer, User> = true;
    // @ts-expect-error no such field
    peer.nope;
    return exact ? peer.userId : undefined;
  },
});
// Handlers that return expressions: exact after authenticate, and never refused because of where they stand.
export const leading = createSupervisor({
  authenticate: ({ headers }) => ({ userId: String(headers.host) }),
  onOpen(connection) {
    const exact: Exactly<typeof connection.peer, User> = true;
    void exact;
  },
  onMessage: async (connection) => connection.send(connection.peer.userId satisfies string),
  // @ts-expect-error no such field
  onClose: (connection) => connection.peer.nope,
});
export const isExactFour: Exactly<PeerOf<typeof leading>, User> = true;
export const between = createSupervisor({
  onMessage(connection) {
    connection.send(connection.peer.userId);
  },
  onOpen: (connection) => connection.join('lobby'),
  authenticate: ({ headers }) => ({ userId: String(headers.host) }),
});
export const isExactFive: Exactly<PeerOf<typeof between>, User> = true;
type Member = { kind: 'guest' } | { kind: 'user'; id: string };
const members = new Map<string, Connection<Member>>();
export const narrowed = createSupervisor({
  onOpen(connection) {
    if (connection.peer.kind === 'user') members.set(connection.peer.id, connection);
  },
  authenticate: ({ headers }): Member => (headers.host ? { kind: 'user', id: headers.host } : { kind: 'guest' }),
});
export const widened = createSupervisor({
  authenticate: ({ url }) => (url === '/' ? { name: 'ada', isAdmin: true } : false),
  onMessage(connection) {
    const exact: Exactly<typeof connection.peer, { name: string; isAdmin: boolean }> = true;
    connection.renew({ name: String(exact), isAdmin: !exact });
  },
});
export const early = createSupervisor({ onOpen: ({ peer }) => void (peer satisfies User), authenticate: () => user });

class Banned extends Refusal {
  readonly until = new Date();
}
const results = {
  nobody: createSupervisor({ onOpen: (connection) => void (connection.peer satisfies undefined) }),
  none: createSupervisor(),
  orNull: createSupervisor({ authenticate: async (request) => (request.url === '/' ? user : null) }),
  orFalse: createSupervisor({ authenticate: (request) => request.url === '/' && user }),
  orRefusal: createSupervisor({ authenticate: (request) => (request.url === '/' ? user : new Refusal(403)) }),
  orAll: createSupervisor({
    async authenticate(request) {
      if (chance) return new Refusal(403);
      if (chance) return new Banned();
      if (chance) return null;
      if (chance) return false;
      if (request.url === '/') return undefined;
      return user;
    },
    onOpen(connection) {
      const exact: Exactly<typeof connection.peer, User> = true;
      void exact;
    },
  }),
  admitted: createSupervisor({ authenticate: (request) => admitted(user, { headers: { 'X-Path': String(request.url) } }) }),
  later: createSupervisor({
    onOpen(connection) {
      const isRenewed: boolean = connection.renew({ userId: 'ada' }, { expiresInMs: 1 });
      // @ts-expect-error no peer of this supervisor
      connection.renew({ nope: isRenewed });
    },
    authenticate: async (request) => (request.url === '/' ? admitted(user, { release: () => {} }) : null),
  }),
  anybody: createSupervisor({ authenticate: (_request) => admitted() }),
  explicit: createSupervisor<User>({ onOpen: ({ peer }) => void peer.userId, authenticate: () => user }),
};
export const peers: {
  [Name in keyof typeof results]: Exactly<
    PeerOf<(typeof results)[Name]>,
    Name extends 'nobody' | 'none' | 'anybody' ? undefined : User
  >;
} = {
  nobody: true,
  none: true,
  orNull: true,
  orFalse: true,
  orRefusal: true,
  orAll: true,
  admitted: true,
  later: true,
  anybody: true,
  explicit: true,
};
// @ts-expect-error a key is a string
createSupervisor({ key: () => 5, authenticate: () => user });
// @ts-expect-error no such option of admitted
admitted(user, { expiresInS: 1 });

// @ts-expect-error misspelt
createSupervisor({ onOpened() {} });
`;

const properties = [
  'key: (peer) => peer.userId',
  `onOpen(connection) {
    const exact: Exactly<typeof connection.peer, User> = true;
    return () => exact;
  }`,
  `onMessage(connection, message) {
    const exact: [Exactly<typeof connection.peer, User>, Exactly<typeof message, Price>] = [true, true];
    void exact;
  }`,
  'onClose: (connection) => void connection.peer.userId',
  'authenticate: async (request) => ({ userId: String(request.url) })',
];

/** Handlers, most of which return an expression. Their place may cost them the exact peer, and nothing else. */
const expressions = [
  'key: (peer) => peer.userId',
  'onOpen: (connection) => connection.join(connection.peer.userId)',
  'onMessage: async ({ peer, send }, { price }) => send([peer.userId, price])',
  `onClose(connection, { cause }) {
    void [connection.peer.userId, cause];
  }`,
  'authenticate: ({ headers }) => ({ userId: String(headers.host) })',
];

/** The same supervisors with their options in every order. It compiles only if the order changes no type. */
export const everyOrder = `
import { createSupervisor, type Supervisor } from 'mooring';
import { z } from 'zod';

type Exactly<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
type User = { userId: string };
type Price = { price: number };
type PeerOf<S> = S extends Supervisor<infer Peer, infer _In, infer _Out> ? Peer : never;
const messages = z.object({ price: z.number() });
${[...ordersOf(properties), ...ordersOf(expressions)]
  .map(
    (order, index) => `
export const one${index} = createSupervisor({ messages, ${order.join(', ')} });
export const isExact${index}: Exactly<PeerOf<typeof one${index}>, User> = true;`,
  )
  .join('')}
`;

function ordersOf(names: readonly string[]): string[][] {
  if (names.length < 2) return [[...names]];
  return names.flatMap((first) =>
    ordersOf(names.filter((name) => name !== first)).map((rest) => [first, ...rest]),
  );
}

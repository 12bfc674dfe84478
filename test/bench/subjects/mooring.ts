import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { natsBus } from '../../../src/bus/nats/index.ts';
import * as defaults from '../../../src/core/defaults.ts';
import { messageFrame } from '../../../src/core/frame.ts';
import {
  attach,
  type Connection,
  createSupervisor,
  type SupervisorOptions,
} from '../../../src/index.ts';
import type { Memberships, Setup } from '../orders.ts';
import { topicsOf } from './memberships.ts';
import { Echo, type Subject } from './subject.ts';
import { TEXT } from './text.ts';
import { untilTrue } from './watching.ts';

/** Loopback is faster than the limits that protect a service. Everything else has its default. */
const wide = {
  admission: { acceptsPerSecondMax: 1_000_000 },
  limits: { messagesPerSecondMax: 1_000_000, messageBurstMax: 1_000_000 },
};

/** An interval that no measurement reaches. */
const NEVER_MS = 100_000_000;

/** More than any measurement has of one topic while a member is away. */
const retention = { messagesPerTopic: 10_000 };

/** A supervisor whose connections are members of one topic. */
export function mooring(setup: Setup): Subject {
  const server = createServer();
  const supervisor = createSupervisor<undefined, unknown, unknown>({
    ...wide,
    ...heartbeat(setup.heartbeatMs),
    ...(setup.actors && { actors: setup.actors }),
    ...(setup.isChecked && { messages: Echo }),
    ...(setup.busUrl !== undefined && { bus: natsBus({ servers: setup.busUrl, retention }) }),
    ...(setup.isDurable && { durable: () => true }),
    ...(setup.isMember !== false && { onOpen: joining(setup) }),
    onMessage: handler(setup, { answer: () => topic.publish(TEXT), count: () => (received += 1) }),
  });
  let received = 0;
  const topic = supervisor.topic('all');
  const topics = setup.memberships
    ? namesOf(setup.memberships).map((name) => supervisor.topic(name))
    : [topic];
  attach(server, supervisor, { path: '/ws' });
  return {
    ...(setup.hasBare && { writeBare: bareWriter(server) }),
    received: () => received,
    server,
    open: () => supervisor.counts.open,
    present() {
      const { handshaking, open, errored, closing } = supervisor.counts;
      return handshaking + open + errored + closing;
    },
    publish(text) {
      for (const each of topics) {
        if (each.isDurable) void each.append(text);
        else each.publish(text);
      }
    },
    append: async (text) => (await topic.append(text)).outcome === 'kept',
    joinTopics(count) {
      for (const connection of supervisor.connections) {
        for (let other = 1; other < count; other += 1) connection.join(`other ${other}`);
      }
    },
    untilShared: async () => {
      if (setup.busUrl !== undefined)
        await untilTrue(() => supervisor.bus === 'up', 'the bus is up');
    },
    joinOwnTopics: (count) => joinOwnTopics([...supervisor.connections], count),
    workOf(work) {
      if (work === 'where') return () => void topic.publish(TEXT, { where: () => false });
      // In turn: a set of V8 that loses and gets the same member again and again looks at each of its traces.
      const members = [...supervisor.connections];
      let turn = 0;
      return () => {
        const connection = members[turn % members.length];
        connection?.leave('all');
        connection?.join('all');
        turn += 1;
      };
    },
    terminate() {
      for (const connection of supervisor.connections) connection.terminate();
    },
  };
}

/** Topics that are joined in one turn of the event loop. */
const JOINED_PER_TURN = 500;

async function joinOwnTopics(connections: readonly Connection[], count: number): Promise<void> {
  let joined = 0;
  for (const connection of connections) {
    for (let own = 0; own < count; own += 1) {
      connection.join(`room/${connection.id}/${own}`);
      joined += 1;
      if (joined % JOINED_PER_TURN === 0) await new Promise(setImmediate);
    }
  }
}

/** The shortest deadline determines the ticks of the wheel, so it is shortened together with the interval. */
function heartbeat(
  heartbeatMs: number | undefined,
): Pick<SupervisorOptions, 'heartbeat' | 'timeouts'> {
  if (heartbeatMs === undefined) return {};
  if (heartbeatMs === 0) return { heartbeat: { intervalMs: NEVER_MS } };
  const shortened = (defaultMs: number) =>
    Math.round((defaultMs * heartbeatMs) / defaults.heartbeat.intervalMs);
  return {
    heartbeat: { intervalMs: heartbeatMs, graceMs: shortened(defaults.heartbeat.graceMs) },
    timeouts: { forcedMs: shortened(defaults.timeouts.forcedMs) },
  };
}

function namesOf({ topics }: Memberships): readonly string[] {
  return Array.from({ length: topics }, (_, topic) => String(topic));
}

function joining({ memberships, membersMax }: Setup): (connection: Connection) => void {
  let opened = 0;
  if (membersMax !== undefined) {
    return (connection) => {
      if (opened < membersMax) connection.join('all');
      opened += 1;
    };
  }
  if (memberships === undefined) return (connection) => void connection.join('all');
  return (connection) => {
    for (const topic of topicsOf(opened, memberships)) connection.join(String(topic));
    opened += 1;
  };
}

/** Writes to the sockets of a supervisor past it: what it would cost without it, in the same process. */
function bareWriter(server: Server): (text: string, times: number) => void {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  let prepared = { key: '', bytes: joined('', 0) };
  return (text, times) => {
    const key = `${times} ${text}`;
    if (prepared.key !== key) prepared = { key, bytes: joined(text, times) };
    for (const socket of sockets) socket.write(prepared.bytes);
  };
}

function joined(text: string, times: number): Buffer {
  return Buffer.concat(new Array<Buffer>(times).fill(messageFrame(`"${text}"`)));
}

function handler(setup: Setup, { answer, count }: { answer(): void; count(): void }) {
  switch (setup.handler ?? 'ignore') {
    case 'ignore':
      return () => {};
    case 'count':
      return count;
    case 'echo':
      return (connection: Connection, message: unknown) => void connection.send(message);
    case 'answer':
      return answer;
  }
}

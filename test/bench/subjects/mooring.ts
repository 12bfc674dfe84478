import { createServer } from 'node:http';
import * as defaults from '../../../src/core/defaults.ts';
import {
  attach,
  type Connection,
  createSupervisor,
  type SupervisorOptions,
} from '../../../src/index.ts';
import type { Setup } from '../orders.ts';
import { Echo, type Subject } from './subject.ts';
import { TEXT } from './text.ts';

/** Loopback is faster than the limits that protect a service. Everything else has its default. */
const wide = {
  admission: { acceptsPerSecondMax: 1_000_000 },
  limits: { messagesPerSecondMax: 1_000_000, messageBurstMax: 1_000_000 },
};

/** An interval that no measurement reaches. */
const NEVER_MS = 100_000_000;

/** A supervisor whose connections are members of one topic. */
export function mooring(setup: Setup): Subject {
  const server = createServer();
  const supervisor = createSupervisor<undefined, unknown, unknown>({
    ...wide,
    ...heartbeat(setup.heartbeatMs),
    ...(setup.actors && { actors: setup.actors }),
    ...(setup.isChecked && { messages: Echo }),
    ...(setup.isMember !== false && { onOpen: (connection) => void connection.join('all') }),
    onMessage: handler(setup, () => topic.publish(TEXT)),
  });
  const topic = supervisor.topic('all');
  attach(server, supervisor, { path: '/ws' });
  return {
    server,
    open: () => supervisor.counts.open,
    present() {
      const { handshaking, open, errored, closing } = supervisor.counts;
      return handshaking + open + errored + closing;
    },
    publish: (text) => void topic.publish(text),
    terminate() {
      for (const connection of supervisor.connections) connection.terminate();
    },
  };
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

function handler(setup: Setup, answer: () => void) {
  switch (setup.handler ?? 'ignore') {
    case 'ignore':
      return () => {};
    case 'echo':
      return (connection: Connection, message: unknown) => void connection.send(message);
    case 'answer':
      return answer;
  }
}

import {
  findNatsServer,
  type NatsServerProgram,
} from '../../../docs/examples/lobby/nats-server.ts';
import { JetStreamServer } from '../../support/jet-stream-server.ts';
import { NatsServer } from '../../support/nats-server.ts';
import { cpuMicrosOf } from './cpu-micros-of.ts';
import type { Engine, EngineName } from './engine.ts';
import { findRedisServer } from './find-redis-server.ts';
import { RedisServer } from './redis-server.ts';

/** How each of them is found and started. */
const starts = {
  async 'nats-server'() {
    const program = await findNatsServer();
    return () => NatsServer.start(program);
  },
  async jetstream() {
    const program = await findNatsServer();
    return () => startJetStream(program);
  },
  async 'redis-server'() {
    const program = await findRedisServer();
    return () => RedisServer.start(program);
  },
} satisfies Record<EngineName, () => Promise<() => Promise<Engine>>>;

const variables: Readonly<Record<EngineName, string>> = {
  'nats-server': 'NATS_SERVER',
  jetstream: 'NATS_SERVER',
  'redis-server': 'REDIS_SERVER',
};

async function startJetStream(program: NatsServerProgram): Promise<Engine> {
  const server = await JetStreamServer.start(program);
  const { url, pid } = server;
  return { url, cpuMicros: () => cpuMicrosOf(pid), kill: () => server.end() };
}

/** Every engine that was started. None may outlive the measurement, however it ends. */
const running = new Set<Engine>();

/** Why there is no such engine here. `null` if there is one. */
export async function reasonAgainst(name: EngineName): Promise<string | null> {
  try {
    await starts[name]();
    return null;
  } catch {
    return `there is no ${name}, and ${variables[name]} does not name one`;
  }
}

export async function startNats(): Promise<NatsServer> {
  const start = await starts['nats-server']();
  return kept(await start());
}

export async function startEngine(name: EngineName): Promise<Engine> {
  const start = await starts[name]();
  return kept(await start());
}

function kept<E extends Engine>(engine: E): E {
  running.add(engine);
  return engine;
}

/** Ends an engine and waits until it has exited. */
export async function stopEngine(engine: Engine): Promise<void> {
  await engine.kill();
  running.delete(engine);
}

/** Ends every engine at once. */
export function killEngines(): void {
  for (const engine of running) void engine.kill();
}

import assert from 'node:assert/strict';
import type { SupervisorOptions } from '../../src/index.ts';
import { ByThePage } from './by-the-page.ts';
import type { Service } from './service.ts';
import type { Stops } from './stops.ts';
import { until } from './until.ts';

export const ROOM = 'room/1';

/** The answer of a Mooring client to a beat. */
export const ACK = '\u0006';

/** The handshake of a raw peer that is a Mooring client. */
export const offering = { headers: { 'Sec-WebSocket-Protocol': 'mooring.v1' } };

/** What a client is told that has missed nothing. */
export const resumed = { topic: ROOM, recovered: true, cause: 'resumed' };

/** A service whose members join one durable topic, and clients of it that know only docs/protocol.md. */
export function durable(stops: Stops) {
  const serve = (options: SupervisorOptions<unknown, unknown, unknown> = {}) =>
    stops.service({
      durable: (topic) => topic.startsWith('room/'),
      onOpen: (connection) => void connection.join(ROOM),
      ...options,
    });
  const client = async (service: Service, positions?: Iterable<readonly [string, string]>) => {
    const made = new ByThePage(service.url, positions);
    stops.add(() => made.socket.terminate());
    await until(() => made.told.length > 0, 'it is told where it is');
    return made;
  };
  return { serve, client };
}

/** Appends numbers, and returns their positions. */
export async function append(service: Service, first: number, last: number): Promise<string[]> {
  const positions: string[] = [];
  for (let number = first; number <= last; number += 1) {
    const appended = await service.supervisor.topic(ROOM).append(number);
    assert.equal(appended.outcome, 'kept');
    if ('position' in appended) positions.push(appended.position);
  }
  return positions;
}

/** Waits until a client has these messages, and no others. */
export async function gets({ messages }: ByThePage, ...expected: readonly unknown[]) {
  await until(() => messages.length >= expected.length, `${expected.length} messages`);
  assert.deepEqual(messages, expected);
}

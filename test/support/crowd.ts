import type { Connection } from '../../src/index.ts';
import { RawPeer } from './raw-peer.ts';
import type { Service } from './service.ts';
import { until } from './until.ts';

type AnyConnection = Connection<unknown, unknown, unknown>;

/** A peer and the connection that a service has with it. */
export interface Member {
  readonly peer: RawPeer;
  readonly connection: AnyConnection;
}

/** Opens connections one after the other, so that their order is known. */
export async function crowd(service: Service, count: number): Promise<Member[]> {
  const members: Member[] = [];
  for (let index = 0; index < count; index += 1) {
    const before = service.of('connection.opened').length;
    const peer = await RawPeer.open(service.port);
    await until(() => service.of('connection.opened').length > before, 'it is open');
    const connection = service.of('connection.opened')[before]?.connection;
    if (connection !== undefined) members.push({ peer, connection });
  }
  return members;
}

/** Waits until this peer has received everything sent to it so far. */
export async function caughtUp({ peer, connection }: Member, mark: string): Promise<void> {
  connection.send(mark);
  await until(() => peer.texts.at(-1) === JSON.stringify(mark), `${mark} arrives`);
}

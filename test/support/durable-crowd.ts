import assert from 'node:assert/strict';
import type { ByThePage } from './by-the-page.ts';
import { type DurableRoom, gets, getsPlainly, type RoomClient } from './durable-room.ts';
import type { RawPeer } from './raw-peer.ts';
import type { Service } from './service.ts';

/** Members of all kinds at each node: a client of the library, a client by the page, and a plain peer. */
export async function crowdOf(room: DurableRoom, nodes: readonly Service[]) {
  const members: (RoomClient | ByThePage)[] = [];
  const peers: RawPeer[] = [];
  for (const node of nodes) {
    members.push(await room.client(node.url), await room.page(node));
    peers.push(await room.plain(node));
  }
  return {
    /** Asserts that all are still connected, and were told nothing since they have joined. */
    stands(): void {
      for (const member of members) {
        const { length } = 'told' in member ? member.told : member.recoveries;
        assert.equal(length, 1);
      }
      assert.ok(peers.every(({ closed, closeFrame }) => !closed && closeFrame === undefined));
    },
    /** Asserts that all have got the same, once and in order, and were told nothing else. */
    async get(expected: readonly unknown[], withinMs?: number): Promise<void> {
      for (const member of members) await gets(member, expected, withinMs);
      for (const peer of peers) await getsPlainly(peer, expected, withinMs);
      this.stands();
    },
  };
}

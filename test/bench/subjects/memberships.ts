import type { Memberships } from '../orders.ts';

/**
 * The topics of a connection, by its number. Each topic has as many members as any other, and no two
 * connections are in the same topics.
 */
export function topicsOf(connection: number, { topics, each }: Memberships): readonly number[] {
  const round = Math.floor(connection / topics);
  const step = 2 * round + 3;
  return Array.from({ length: each }, (_, index) => (connection + index * step) % topics);
}

/** Another order of a list, the same for the same seed on every machine. 0 keeps the order. */
export function shuffled<Item>(items: readonly Item[], seed: number): readonly Item[] {
  if (seed === 0) return items;
  const keyed = items.map((item, index) => ({ item, key: scatter(seed * 1_000 + index) }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}

/** An integer hash that spreads neighbours far apart. */
function scatter(value: number): number {
  const mixed = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b) >>> 0) % 1_000_003;
}

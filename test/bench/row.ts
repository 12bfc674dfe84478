/** One figure: ours and a peer's, measured in the same run. */
export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  readonly ratio: number;
  /** The ratio must not exceed it. Absent where the figure is only information. */
  readonly target?: number;
  /** The target as it was set, if that is not a ratio. */
  readonly targetText?: string;
  readonly holds: boolean;
  /** The result of each round. */
  readonly rounds: Pairs;
  /** Further observations. */
  readonly note?: string;
}

/** A row that could not be measured here. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
  /** Whether a calmer machine could measure it. */
  readonly isBusy?: boolean;
}

/** The figures of both, round by round. */
export interface Pairs {
  readonly ours: readonly number[];
  readonly peer: readonly number[];
}

/** The description of a row before any measurement. */
export interface RowHead {
  readonly name: string;
  readonly unit: string;
  readonly peerName: string;
}

/** Cost against the number of connections, for one subject. */
export interface Curve {
  readonly plot: string;
  readonly subject: string;
  readonly points: readonly (readonly [connections: number, cost: number])[];
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The limit of a ratio, or how many bytes more than the peer may be needed, or how many times its CPU and more. */
export type Target =
  | number
  | { readonly bytesBeyond: number }
  | { readonly times: number; readonly microsBeyond: number };

/** Compares the medians of the rounds. @throws Error when a figure is missing */
export function compare(head: RowHead, rounds: Pairs, target?: Target): BenchRow {
  const ours = median(rounds.ours);
  const peer = median(rounds.peer);
  const ratio = ours / peer;
  if (!Number.isFinite(ratio))
    throw new Error(`${head.name}: ${ours} cannot be compared to ${peer}`);
  const row = { ...head, ours, peer, ratio, holds: true, rounds };
  if (target === undefined) return row;
  if (typeof target === 'number') return { ...row, target, holds: ratio <= target };
  const { limit, targetText } = limitOf(target, row);
  return { ...row, target: limit, targetText, holds: ratio <= limit };
}

const BYTES_PER_KIB = 1_024;

/** The greatest ratio that a target allows with this figure of the peer. */
function limitOf(
  target: Exclude<Target, number>,
  { peer, peerName }: { readonly peer: number; readonly peerName: string },
): { readonly limit: number; readonly targetText: string } {
  if ('times' in target) {
    const { times, microsBeyond } = target;
    const targetText = `${peerName} × ${times} + ${microsBeyond} µs`;
    return { limit: times + microsBeyond / peer, targetText };
  }
  const { bytesBeyond } = target;
  const beyond =
    bytesBeyond < 100 ? `${bytesBeyond} B` : `${(bytesBeyond / BYTES_PER_KIB).toFixed(1)} KiB`;
  const targetText = `${peerName} + ${beyond}`;
  return { limit: 1 + bytesBeyond / peer, targetText };
}

/** Rows that have a target. */
export function targeted(rows: readonly BenchRow[]): readonly BenchRow[] {
  return rows.filter(({ target }) => target !== undefined);
}

/** The value that this share of the values does not exceed. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Earlier rows, with new measurements in their places and new rows after them. */
export function merged<T extends { readonly name: string }>(
  before: readonly T[],
  now: readonly T[],
): readonly T[] {
  const names = new Set(before.map(({ name }) => name));
  const replaced = before.map((row) => now.find(({ name }) => name === row.name) ?? row);
  return [...replaced, ...now.filter(({ name }) => !names.has(name))];
}

/** One figure: ours beside a peer's, measured in the same run. */
export interface BenchRow {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  readonly ratio: number;
  readonly target: number;
  readonly holds: boolean;
}

/** Prints rows as a table. */
export function printRows(rows: readonly BenchRow[]): void {
  console.table(
    rows.map(({ ours, peer, ratio, ...rest }) => ({
      ...rest,
      ours: ours.toFixed(1),
      peer: peer.toFixed(1),
      ratio: ratio.toFixed(2),
    })),
    ['name', 'unit', 'ours', 'peer', 'peerName', 'ratio', 'target', 'holds'],
  );
}

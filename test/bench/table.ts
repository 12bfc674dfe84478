import { type BenchRow, type LeftOut, targeted } from './row.ts';

const headings = ['', 'row', 'ours', 'peer', 'unit', 'compared to', 'ratio', 'target', ''] as const;

/** Columns of figures, which end where their headings end. */
const rightAligned = new Set([2, 3, 6, 7]);

/** The rows as a table for a terminal, with a line about the missed targets. */
export function tableText(rows: readonly BenchRow[], leftOut: readonly LeftOut[] = []): string {
  const cells = [headings, ...rows.map(cellsOf)];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => length(row[column]))));
  const lines = cells.map((row) =>
    row.map((cell, column) => padded(cell, column, widths)).join('  '),
  );
  return [
    ...lines.map((line) => line.trimEnd()),
    '',
    summary(rows),
    ...leftOut.map(({ name, reason }) => `not measured: ${name}: ${reason}`),
  ].join('\n');
}

function cellsOf(row: BenchRow): readonly string[] {
  const { name, ours, peer, unit, peerName, ratio, target, holds, note = '' } = row;
  const figures = [name, figureText(ours), figureText(peer), unit, peerName];
  if (target === undefined) return ['–', ...figures, ratioText(ratio), '', note];
  return [holds ? '✓' : '✗', ...figures, ratioText(ratio), limitText(row), note];
}

/** The limit that a row must not exceed. */
export function limitText({ target, targetText }: Pick<BenchRow, 'target' | 'targetText'>): string {
  return target === undefined ? '–' : `≤ ${targetText ?? ratioText(target)}`;
}

function summary(rows: readonly BenchRow[]): string {
  if (rows.length === 0) return 'nothing to compare';
  const { length: targets } = targeted(rows);
  if (targets === 0) return 'none of these rows has a target';
  const missed = rows.filter(({ holds }) => !holds).map(({ name }) => name);
  if (missed.length === 0) return `all ${targets} targets hold`;
  return `missed ${missed.length} of ${targets} targets: ${missed.join(', ')}`;
}

function padded(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  return rightAligned.has(column) ? cell.padStart(width) : cell.padEnd(width);
}

function length(cell = ''): number {
  return [...cell].length;
}

/** A figure with its significant digits. */
export function figureText(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A ratio. Small ones need one more digit. */
export function ratioText(value: number): string {
  return value.toFixed(value < 0.1 ? 3 : 2);
}

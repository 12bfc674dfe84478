import type { Calibration } from './calibration.ts';
import { median } from './row.ts';

/** How far apart the rounds of a peer may be, if a row does not say otherwise. */
const SPREAD_MAX = 0.15;

/** How much longer than the fastest of the run a calibration may take. */
const SLOWER_MAX = 1.2;

/** How long a calibration may wait for a core. */
const WAITING_MAX = 1.1;

/** What is known about a row and the machine when its rounds are over. */
export interface Signs {
  /** The figure of the peer in each round. */
  readonly peer: readonly number[];
  readonly peerName: string;
  /** @default 0.15 */
  readonly spreadMax?: number | undefined;
  /** The calibrations between the rounds. */
  readonly calibrations: readonly Calibration[];
  /** The least time that a calibration of this run has taken. */
  readonly fastestMs: number;
}

/** The distance between the quartiles of some values, relative to their median. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const distance = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  return distance === 0 ? 0 : distance / Math.abs(median(sorted));
}

/** Between two values it is on the line from one to the other. */
function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const lower = sorted[Math.floor(at)] ?? Number.NaN;
  const upper = sorted[Math.ceil(at)] ?? Number.NaN;
  return lower + (upper - lower) * (at - Math.floor(at));
}

/** Why the figures of a row cannot be trusted. Null if they can. */
export function busyReason({ peer, peerName, calibrations, ...limits }: Signs): string | null {
  const apart = spread(peer);
  if (apart > (limits.spreadMax ?? SPREAD_MAX)) {
    return `the machine was busy: rounds of ${peerName} were ${percent(apart)} apart`;
  }
  const waiting = median(calibrations.map((calibration) => calibration.waiting));
  if (waiting > WAITING_MAX) {
    return `the machine was busy: a loop that ran alone waited for a core ${percent(1 - 1 / waiting)} of the time`;
  }
  const slower = median(calibrations.map(({ slowestMs }) => slowestMs)) / limits.fastestMs;
  if (slower > SLOWER_MAX) {
    return `the machine was busy: a loop that ran alone took ${percent(slower - 1)} longer than before`;
  }
  return null;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

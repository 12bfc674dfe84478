import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

/** The machine of the measurements. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly system: string;
}

const GIB = 1_073_741_824;

/** This machine, without a name that would identify it among others of its kind. */
export function thisMachine(): Machine {
  const [version] = /^\d+\.\d+/.exec(release()) ?? [''];
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / GIB),
    node: process.version,
    system: `${type()} ${version}`.trim(),
  };
}

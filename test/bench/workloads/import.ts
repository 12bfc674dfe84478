import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { root } from '../../package/repository.ts';
import type { Program } from '../orders.ts';
import { median } from '../row.ts';
import { figure, type Taken, versus, type Workload } from '../workload.ts';

const PROCESSES = 9;
const MIB = 1_048_576;
const MICROSECONDS = 1_000_000;

const unit = 's';
const cpu = 's of CPU';
const resident = 'MiB resident';

/** The package as `npm run build` makes it, which test/bench/run.sh builds beside the benchmarks. */
const built = join(import.meta.dirname, '../../../dist/src/index.js');

/** What a process imports. */
const specifiers: Readonly<Partial<Record<Program, string>>> = {
  mooring: pathToFileURL(built).href,
  ws: 'ws',
  'socket.io': 'socket.io',
};

/** How long a process needs to start. */
export const importing: Workload = {
  name: 'import',
  about:
    'A fresh process imports the built package and does nothing else. The figure is the CPU of the whole ' +
    'process, Node.js included: the median of nine processes. The first peer imports nothing, so that machines of ' +
    'different speed can be compared; the others import `ws` and `socket.io`.',
  subjects: {
    mooring: { program: 'mooring' },
    ws: { program: 'ws' },
    'Socket.IO': { program: 'socket.io' },
    'Node.js': { program: 'bare' },
  },
  rows: [
    {
      ...versus({ name: 'import', unit, target: 4.8 }, cpu, ['mooring', 'Node.js']),
      note: (taken) => `${noteOf(taken, 'mooring')}; ${noteOf(taken, 'Node.js')}`,
    },
    {
      ...versus({ name: 'import-ws', unit }, cpu, ['mooring', 'ws']),
      note: (taken) => noteOf(taken, 'ws'),
    },
    {
      ...versus({ name: 'import-socket.io', unit }, cpu, ['mooring', 'Socket.IO']),
      note: (taken) => noteOf(taken, 'Socket.IO'),
    },
  ],
  async measure(stage) {
    const { program } = stage.setup;
    if (program === 'mooring' && !existsSync(built)) {
      throw new Error('the package is not built; `npm run bench` builds it');
    }
    await startUp(program);
    const starts: StartUp[] = [];
    for (let process = 0; process < PROCESSES; process += 1) starts.push(await startUp(program));
    return {
      [cpu]: median(starts.map(({ micros }) => micros)) / MICROSECONDS,
      [resident]: median(starts.map(({ bytes }) => bytes)) / MIB,
    };
  },
};

/** What a process has used when it has imported everything. */
interface StartUp {
  readonly micros: number;
  readonly bytes: number;
}

const USED = `const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ micros: user + system, bytes: process.memoryUsage.rss() }));`;

async function startUp(program: Program): Promise<StartUp> {
  const specifier = specifiers[program];
  const code = specifier === undefined ? USED : `await import('${specifier}');\n${USED}`;
  const flags = ['--input-type=module', '--eval', code];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: root });
  return JSON.parse(stdout) as StartUp;
}

function noteOf(taken: Taken, subject: string): string {
  const name = subject === 'mooring' ? 'Mooring' : subject;
  const seconds = median(figure(taken, subject, cpu)).toFixed(2);
  return `${name}: ${seconds} s, ${median(figure(taken, subject, resident)).toFixed(0)} MiB resident`;
}

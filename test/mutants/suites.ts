import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A set of tests that may find a fault. */
export interface Suite {
  readonly name: string;
  /** Selects its files within the folder of compiled tests. */
  readonly files: RegExp;
}

/** In the order in which they are run. */
export const suites: readonly Suite[] = [
  { name: 'charts', files: /^model\/(?!real)/ },
  { name: 'unit', files: /^unit\/(?!tidy|catalogue|errors-page|mutants|bench)/ },
  { name: 'simulation', files: /^simulation\/(simulation|fan-out)/ },
  { name: 'real sockets', files: /^model\/real/ },
  { name: 'integration', files: /^integration\// },
];

/** A suite that takes longer hangs, which never happens without a fault. */
const SUITE_MS_MAX = 300_000;

/** Runs a suite in a copy of the project until it ends or fails once. Returns the first failure. */
export function firstFailure(suite: Suite, folder: string): Promise<string | undefined> {
  const tests = filesOf(suite, folder);
  if (tests.length === 0) throw new Error(`no tests are named for ${suite.name}`);
  const options = ['--test', '--test-timeout=60000', '--test-reporter=tap'];
  const run = spawn(process.execPath, [...options, ...tests], {
    cwd: folder,
    env: { ...process.env, CI: 'true' },
    // A group of its own, so that the processes that tests start end with it.
    detached: true,
    timeout: SUITE_MS_MAX,
  });
  let failure: string | undefined;
  let told = '';
  run.stdout.setEncoding('utf8').on('data', (text: string) => {
    told += text;
    const failed = /^ *not ok \d+ - (.*)$/m.exec(told)?.[1];
    told = told.slice(told.lastIndexOf('\n') + 1);
    if (failed === undefined || failure !== undefined) return;
    failure = failed;
    endGroup(run.pid);
  });
  return new Promise((resolve) => {
    run.once('close', (code) =>
      resolve(failure ?? (code === 0 ? undefined : 'it crashed or hung')),
    );
  });
}

function filesOf({ files }: Suite, folder: string): string[] {
  const compiled = join(folder, '.test', 'test');
  return readdirSync(compiled, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.js') && files.test(file))
    .sort()
    .map((file) => join(compiled, file));
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

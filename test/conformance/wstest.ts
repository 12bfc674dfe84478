import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The name of Mooring in the reports of the suite. */
export const AGENT = 'mooring';

/** All cases except those of compression, which Mooring never negotiates. */
const cases = { cases: ['*'], 'exclude-cases': ['12.*', '13.*'], 'exclude-agent-cases': {} };

/** The results of one case: for the messages, and for the closing handshake. */
export interface CaseResult {
  readonly id: string;
  readonly behavior: string;
  readonly behaviorClose: string;
}

/** The results that mean success. */
const fine = new Set(['OK', 'NON-STRICT', 'INFORMATIONAL', 'UNIMPLEMENTED']);

/** Whether a case failed, in its messages or in its closing handshake. */
export function hasFailed({ behavior, behaviorClose }: CaseResult): boolean {
  return !fine.has(behavior) || !fine.has(behaviorClose);
}

/** Finds a program as a shell does. */
export function onPath(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A run of Autobahn's `wstest` that writes its reports to a folder. */
export class WsTest {
  readonly #reports: string;
  readonly #process: ChildProcess;
  /** Rejects when the program cannot be started or exits with anything but 0. */
  readonly exited: Promise<void>;

  /** @param target - what the suite connects to (`servers`), or where it listens (`url`). */
  constructor(program: string, reports: string, target: { servers?: object[]; url?: string }) {
    this.#reports = reports;
    const mode = target.servers === undefined ? 'fuzzingserver' : 'fuzzingclient';
    const spec = `${reports}.json`;
    writeFileSync(spec, JSON.stringify({ outdir: reports, ...target, ...cases }));
    // Its progress is not a result, so it goes to standard error. Port 0 disables the web server beside
    // the WebSockets.
    const stdio = ['ignore', 2, 2] as const;
    const options = mode === 'fuzzingserver' ? ['--webport', '0'] : [];
    this.#process = spawn(program, ['--mode', mode, '--spec', spec, ...options], {
      stdio: [...stdio],
    });
    this.exited = once(this.#process, 'exit').then(([code, signal]) => {
      if (code !== 0 && signal !== 'SIGTERM') throw new Error(`wstest exited with ${code}`);
    });
    // The caller may await something else first.
    this.exited.catch(() => {});
  }

  /** Ends the program, if it still runs. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.exited.catch(() => {});
  }

  /** Its results, in the order of the cases. */
  get results(): readonly CaseResult[] {
    const index = JSON.parse(readFileSync(join(this.#reports, 'index.json'), 'utf8'));
    const results: Record<string, Omit<CaseResult, 'id'>> = index[AGENT] ?? {};
    return Object.entries(results)
      .map(([id, { behavior, behaviorClose }]) => ({ id, behavior, behaviorClose }))
      .toSorted((one, other) => one.id.localeCompare(other.id, 'en', { numeric: true }));
  }
}

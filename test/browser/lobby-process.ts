import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { findNatsServer } from '../../docs/examples/lobby/nats-server.ts';

/** The program. */
export const SERVER = join(import.meta.dirname, '../../docs/examples/lobby/server.js');
const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 20_000;

/** How a process ended, and all its output. */
export interface Outcome {
  readonly exitCode: number | null;
  readonly output: string;
}

/** The lobby as `npm start` runs it: a separate process, identified by its output. */
export class LobbyProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = '';

  /** Two workers. The nats-server is found first, because that may take longer than a lobby may take to start. */
  static async withWorkers(): Promise<LobbyProcess> {
    await findNatsServer();
    return new LobbyProcess('--port', '0', '--workers', '2');
  }

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, ['--enable-source-maps', SERVER, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exited = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk) => {
        this.#output += chunk;
      });
    }
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output;
  }

  /** The id of the process that it has started last under a name: `worker 1`, `nats-server`. */
  processOf(name: string): number {
    const lines = this.#output.split('\n').filter((line) => line.startsWith(name));
    const ids = lines.flatMap((line) => / is process (\d+)/.exec(line)?.[1] ?? []);
    return Number(ids.at(-1));
  }

  /** The address that it prints once it listens. */
  async url(): Promise<string> {
    const signal = AbortSignal.timeout(START_WITHIN_MS);
    for (;;) {
      const [url] = /http:\S+/.exec(this.#output) ?? [];
      if (url !== undefined) return url;
      if (this.#child.exitCode !== null) throw new Error(`the lobby ended: ${this.#output}`);
      await Promise.race([
        once(this.#child.stdout ?? this.#child, 'data', { signal }),
        this.#exited,
      ]);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals): Promise<Outcome> {
    this.signal(signal);
    return this.outcome();
  }

  /** Waits for the end. A process that takes too long is killed, and has no exit code. */
  async outcome(): Promise<Outcome> {
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.#exited;
    clearTimeout(killer);
    return { exitCode: this.#child.exitCode, output: this.#output };
  }

  /** Ensures that nothing is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) await this.stop('SIGKILL');
  }
}

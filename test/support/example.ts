import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const EXAMPLES = new URL('../../docs/examples/', import.meta.url);

/** One of the programs in docs/examples/, in a separate process. */
export class Example {
  readonly #process: ChildProcess;
  /** What it has written, to either stream. */
  output = '';

  private constructor(name: string, env: Readonly<Record<string, string>>, cwd?: string) {
    const file = fileURLToPath(new URL(`${name}.js`, EXAMPLES));
    this.#process = spawn(process.execPath, [file], {
      ...{ env: { ...process.env, ...env }, cwd },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on('data', (text) => {
        this.output += text;
      });
  }

  /** Starts it, and waits until its output matches. */
  static async start(
    name: string,
    env: Readonly<Record<string, string>>,
    { isReady = /listening at (\S+)/, cwd }: { isReady?: RegExp; cwd?: string } = {},
  ): Promise<Example> {
    const example = new Example(name, env, cwd);
    await until(() => isReady.test(example.output) || example.#isOver, `${name} is ready`);
    if (example.#isOver) throw new Error(`${name} has ended: ${example.output}`);
    return example;
  }

  /** The URL on which it listens. */
  get url(): string {
    return /listening at (\S+)/.exec(this.output)?.[1] ?? '';
  }

  get #isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Requests it to stop, as a platform does, and returns its exit code or the signal that ended it. */
  async stop(): Promise<number | string | null> {
    if (!this.#isOver) {
      this.#process.kill('SIGTERM');
      await once(this.#process, 'exit');
    }
    return this.#process.exitCode ?? this.#process.signalCode;
  }
}

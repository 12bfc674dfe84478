import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NatsServerError, type NatsServerProgram } from './nats-server.ts';

const LOOPBACK = '127.0.0.1';
const RESTART_AFTER_MS = 1_000;

/**
 * Becomes the program, and leaves a watcher behind that kills it when standard input ends.
 *
 * Standard input is a pipe that this process holds, so it ends with this process, whatever ends this process. The watcher
 * keeps the pipe as file 3, because a shell gives its background processes no standard input. If this process is gone, too, the
 * watcher removes the store. Otherwise the server has ended by itself, is started again, and needs the store.
 */
const RUN_UNTIL_INPUT_ENDS = `
exec 3<&0
(
  read -r _ <&3
  kill -KILL $$
  for _ in 1 2 3 4 5 6 7 8 9; do sleep 1; kill -0 $PPID || exec rm -rf "$STORE"; done
) >/dev/null 2>&1 &
exec "$0" "$@" -js -sd "$STORE" 3<&- </dev/null`;

/**
 * The nats-server of this lobby, on a free port of this machine, with JetStream. Neither it nor what it stores outlives this
 * process.
 */
export class OwnNatsServer {
  readonly #program: NatsServerProgram;
  /** The folder in which it keeps the lines of the rooms, also while it is started again. */
  readonly #store: string;
  #process: ChildProcess;
  /** Free when it starts; -1 lets the server pick it. */
  #port = -1;
  #isStopping = false;

  private constructor(program: NatsServerProgram, store: string) {
    this.#program = program;
    this.#store = store;
    this.#process = this.#spawn();
  }

  /** Starts it, and starts it again when it ends. @throws NatsServerError if it does not start */
  static async start(program: NatsServerProgram): Promise<OwnNatsServer> {
    const server = new OwnNatsServer(program, await mkdtemp(join(tmpdir(), 'mooring-lobby-')));
    await server.#untilReady();
    void server.#keepRunning();
    return server;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get url(): string {
    return `nats://${LOOPBACK}:${this.#port}`;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await ended;
  }

  async #untilReady(): Promise<void> {
    this.#port = await portOf(this.#process);
  }

  #spawn(): ChildProcess {
    const args = [this.#program.path, '-a', LOOPBACK, '-p', String(this.#port)];
    return spawn('/bin/sh', ['-c', RUN_UNTIL_INPUT_ENDS, ...args], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, STORE: this.#store },
      // In a process group of its own, Ctrl+C does not reach it, so it serves until the lobby has drained.
      detached: true,
    });
  }

  async #keepRunning(): Promise<void> {
    for (;;) {
      await once(this.#process, 'exit');
      if (this.#isStopping) return;
      console.log('nats-server has ended');
      await delay(RESTART_AFTER_MS);
      if (this.#isStopping) return;
      this.#process = this.#spawn();
      this.#process.stderr?.resume();
      console.log(`nats-server is process ${this.pid}`);
    }
  }
}

/** The port, which the server logs when it is ready. */
function portOf(server: ChildProcess): Promise<number> {
  let log = '';
  return new Promise((resolve, reject) => {
    const failed = () => {
      const [problem = ''] = log.trim().split('\n').slice(-1);
      reject(new NatsServerError(`The nats-server does not start: ${problem}`));
    };
    server.once('error', reject);
    server.once('exit', failed);
    // It must be read to the end, or the server waits when the pipe is full.
    server.stderr?.on('data', (text) => {
      log = (log + text).slice(-4_096);
      const [, port] = /client connections on \S+:(\d+)/.exec(log) ?? [];
      if (port === undefined || !log.includes('is ready')) return;
      server.off('exit', failed);
      resolve(Number(port));
    });
  });
}

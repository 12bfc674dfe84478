import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { deadPort } from '../../support/dead-port.ts';
import type { Engine } from './engine.ts';
import type { RedisServerProgram } from './find-redis-server.ts';

/** A real redis-server on loopback. It writes nothing to the disk, which is the cheapest way to run it. */
export class RedisServer implements Engine {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor({ path, libraries }: RedisServerProgram, port: number) {
    this.url = `redis://127.0.0.1:${port}`;
    const options = [
      '--bind',
      '127.0.0.1',
      '--port',
      `${port}`,
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    this.#process = spawn(path, options, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) },
    });
  }

  /** Starts a server and waits until it accepts connections. */
  static async start(program: RedisServerProgram): Promise<RedisServer> {
    // It cannot choose a port itself.
    const server = new RedisServer(program, await deadPort());
    await server.#untilReady();
    return server;
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  #untilReady(): Promise<void> {
    let log = '';
    return new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('exit', () => reject(new Error(`redis-server: ${log}`)));
      this.#process.stdout?.on('data', (text) => {
        log += text;
        if (log.includes('Ready to accept connections')) resolve();
      });
    });
  }
}

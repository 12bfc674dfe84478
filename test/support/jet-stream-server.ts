import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsServerProgram } from '../../docs/examples/lobby/nats-server.ts';
import { NatsServer } from './nats-server.ts';

/** After this, a server has written what it was given. */
const IDLE_MS = 300;

/** A real nats-server with JetStream, whose disk a test may empty, or replace by an older copy. */
export class JetStreamServer {
  readonly #server: NatsServer;
  /** Has the disk and its copy. */
  readonly #folder: string;

  private constructor(server: NatsServer, folder: string) {
    this.#server = server;
    this.#folder = folder;
  }

  static async start(
    program: NatsServerProgram,
    options: readonly string[] = [],
  ): Promise<JetStreamServer> {
    const folder = await mkdtemp(join(tmpdir(), 'mooring-nats-'));
    const all = ['-js', '-sd', join(folder, 'disk'), ...options];
    return new JetStreamServer(await NatsServer.start(program, all), folder);
  }

  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return this.#server.port;
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** Ends it at once, as a crash does. */
  kill(): Promise<void> {
    return this.#server.kill();
  }

  /** Ends it in good order. */
  stop(): Promise<void> {
    return this.#server.stop();
  }

  restart(): Promise<void> {
    return this.#server.restart();
  }

  freeze(): void {
    this.#server.freeze();
  }

  thaw(): void {
    this.#server.thaw();
  }

  /** How many connections it has cut off because they did not read. */
  slowConsumers(): Promise<number> {
    return this.#server.slowConsumers();
  }

  /** Ends it in good order, copies its disk, and starts it again. */
  async remember(): Promise<void> {
    await this.stop();
    await this.#copyDisk();
    await this.restart();
  }

  /** Copies its disk while it is frozen, so that no link is lost. It must have been idle. */
  async rememberWhileFrozen(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    this.#server.freeze();
    await this.#copyDisk();
    this.#server.thaw();
  }

  async #copyDisk(): Promise<void> {
    await rm(this.#copy, { recursive: true, force: true });
    await cp(this.#disk, this.#copy, { recursive: true });
  }

  /** Ends it, and starts it again with the copy of its disk. */
  async rollBack(): Promise<void> {
    await this.empty();
    await cp(this.#copy, this.#disk, { recursive: true });
    await this.restart();
  }

  /** Ends it and removes all that it has kept. */
  async empty(): Promise<void> {
    await this.kill();
    await rm(this.#disk, { recursive: true, force: true });
  }

  /** Ends it, and leaves nothing behind. */
  async end(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #disk(): string {
    return join(this.#folder, 'disk');
  }

  get #copy(): string {
    return join(this.#folder, 'copy');
  }
}

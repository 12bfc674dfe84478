import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { NatsServerProgram } from '../../docs/examples/lobby/nats-server.ts';

/** Subscriptions of clients, as the monitoring page of a server lists them. */
interface Subscriptions {
  readonly subscriptions_list?: readonly { readonly subject: string }[];
}

/** Figures of a server, as its monitoring page shows them. */
interface Figures {
  readonly subscriptions: number;
  readonly slow_consumers: number;
}

/** A real nats-server on loopback, which a test may kill, freeze and start again on the same port. */
export class NatsServer {
  readonly #program: NatsServerProgram;
  readonly #options: readonly string[];
  #process: ChildProcess;
  #port: number;
  #monitorPort = -1;

  private constructor(program: NatsServerProgram, options: readonly string[], port: number) {
    this.#program = program;
    this.#options = options;
    this.#port = port;
    this.#process = this.#spawn();
  }

  /** Starts a server and waits until it accepts connections. @param port - @default one that is free */
  static async start(
    program: NatsServerProgram,
    options: readonly string[] = [],
    port = -1,
  ): Promise<NatsServer> {
    const server = new NatsServer(program, options, port);
    await server.#untilReady();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.#process.pid ?? Number.NaN;
  }

  /** The subjects that clients subscribe to, without those of the server itself. */
  async subjects(): Promise<string[]> {
    const url = `http://127.0.0.1:${this.#monitorPort}/subsz?subs=1&limit=1000000`;
    const { subscriptions_list: list = [] } = (await (await fetch(url)).json()) as Subscriptions;
    return list.map(({ subject }) => subject).filter((subject) => !subject.startsWith('$'));
  }

  /** How many subscriptions it has. */
  async subscriptions(): Promise<number> {
    return (await this.#figures()).subscriptions;
  }

  /** How many connections it has cut off because they did not read. */
  async slowConsumers(): Promise<number> {
    return (await this.#figures()).slow_consumers;
  }

  async #figures(): Promise<Figures> {
    const url = `http://127.0.0.1:${this.#monitorPort}/varz`;
    return (await (await fetch(url)).json()) as Figures;
  }

  /** Ends it at once, as a crash does. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Ends it in good order. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill(signal);
    await ended;
  }

  /** Starts it again on the same port. */
  async restart(): Promise<void> {
    this.#process = this.#spawn();
    await this.#untilReady();
  }

  freeze(): void {
    this.#process.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process.kill('SIGCONT');
  }

  /** Reads its configuration again. */
  reload(): void {
    this.#process.kill('SIGHUP');
  }

  #spawn(): ChildProcess {
    const ports = ['-a', '127.0.0.1', '-p', `${this.#port}`, '-m', `${this.#monitorPort}`];
    return spawn(this.#program.path, [...ports, ...this.#options], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Ports that it picks itself are in its log. */
  #untilReady(): Promise<void> {
    let log = '';
    return new Promise((resolve, reject) => {
      this.#process.once('exit', () => reject(new Error(`${this.#program.path}: ${log}`)));
      this.#process.stderr?.on('data', (text) => {
        log += text;
        const [, port] = /client connections on \S+:(\d+)/.exec(log) ?? [];
        const [, monitorPort] = /http monitor on \S+:(\d+)/.exec(log) ?? [];
        if (port === undefined || monitorPort === undefined || !log.includes('is ready')) return;
        this.#port = Number(port);
        this.#monitorPort = Number(monitorPort);
        resolve();
      });
    });
  }
}

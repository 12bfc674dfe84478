import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import type {
  Churn,
  Comeback,
  DialerOrders,
  EndStyle,
  ReaderOrders,
  ReturnOrders,
  ServerOrders,
  Setup,
  Stream,
} from './orders.ts';

const CONNECT_WITHIN_MS = 120_000;

/** Enough to compile every function on the way. */
const WARM_UP_DELIVERIES = 250_000;
const WARM_UP_TICKS_MIN = 2;
const WARM_UP_TICKS_MAX = 12;
const TICKS_MIN = 3;
const TICKS_MAX = 400;

/** Readers get the time that they need, so that nothing accumulates. */
const PAUSE_MS = 20;

/** Which readers to wait for, and for how long. */
interface Patience {
  /** How many read. @default all */
  readonly reading?: number;
  readonly withinMs?: number;
}

/**
 * One server and its clients, each a fresh process.
 *
 * So no subject can affect another through its heap or its compiled code.
 */
export class Stage {
  readonly name: string;
  readonly setup: Setup;
  #server: Child<ServerOrders> | null = null;
  #readers: Child<ReaderOrders> | null = null;
  #visiting: Child<ReaderOrders> | null = null;
  #dialers: Child<DialerOrders> | null = null;
  #returners: Child<ReturnOrders> | null = null;
  #port = 0;
  #connections = 0;

  constructor(name: string, setup: Setup) {
    this.name = name;
    this.setup = setup;
  }

  get server(): Child<ServerOrders> {
    this.#server ??= new Child({ name: `${this.name} server`, ...serverCommand(this.setup) });
    return this.#server;
  }

  /** Clients that do as little as possible. */
  get readers(): Child<ReaderOrders> {
    this.#readers ??= newReaders(`${this.name} readers`);
    return this.#readers;
  }

  /** Clients that come and go, in a process of their own. */
  get #visitors(): Child<ReaderOrders> {
    this.#visiting ??= newReaders(`${this.name} visitors`);
    return this.#visiting;
  }

  /** Clients that are measured themselves, or by their effect on the server. */
  get dialers(): Child<DialerOrders> {
    const command = nodeCommand('./dialers/program.js', this.setup);
    this.#dialers ??= new Child({ name: `${this.name} dialers`, ...command });
    return this.#dialers;
  }

  /** Clients that come back when their server is gone. */
  get returners(): Child<ReturnOrders> {
    const command = nodeCommand('./returns/program.js', this.setup);
    this.#returners ??= new Child({ name: `${this.name} returners`, ...command });
    return this.#returners;
  }

  /** How many are connected. */
  get connections(): number {
    return this.#connections;
  }

  /** Connects more readers and waits until both sides confirm it. @param position - where they were. @default nowhere */
  async connect(count: number, position = ''): Promise<void> {
    const target = {
      ...{ port: await this.listen(), count },
      isEngineIo: this.setup.program === 'socket.io',
      ...(this.setup.isHeaded && { from: { position } }),
    };
    await this.readers.ask('connect', target, CONNECT_WITHIN_MS);
    this.#connections += count;
    await this.server.ask('untilOpen', this.#connections);
  }

  /** Lets more clients dial and waits until both sides report them as open. */
  async dial(count: number): Promise<void> {
    const port = await this.listen();
    await this.dialers.ask('dial', { port, count }, CONNECT_WITHIN_MS);
    this.#connections += count;
    await this.server.ask('untilOpen', this.#connections);
  }

  /** Lets further clients come and go. */
  async churn(plan: Churn): Promise<void> {
    await this.#visitors.ask('churn', { ...plan, port: await this.listen() });
  }

  /** The port of the server, which listens from the first call on. */
  async listen(): Promise<number> {
    if (this.#port === 0) this.#port = await this.server.ask('listen');
    return this.#port;
  }

  /** The server disappears, with all connections. */
  async leave(): Promise<void> {
    await this.server.ask('leave');
    await this.server.ask('untilPresent', 0);
  }

  /** The server returns. Measures how long it takes until all dialing clients are open. */
  async comeBack(): Promise<Comeback> {
    await this.server.ask('listen', this.#port);
    const comeback = await this.dialers.ask('untilBack', undefined, CONNECT_WITHIN_MS);
    await this.server.ask('untilOpen', this.#connections);
    return comeback;
  }

  /** Ends the newest connections and waits until nothing is left of them on either side. */
  async end(count: number, style: EndStyle): Promise<void> {
    this.#connections -= count;
    await this.readers.ask('end', { count, style });
    await this.server.ask('untilPresent', this.#connections);
  }

  /** CPU of the server during some work, in microseconds. */
  async cpuOf(work: () => Promise<unknown>): Promise<number> {
    const before = await this.server.ask('cpuMicros');
    await work();
    return (await this.server.ask('cpuMicros')) - before;
  }

  /** Publishes and waits until all active readers have everything. Others may have read some of it. */
  async stream(
    stream: Stream,
    { reading = this.#connections, withinMs }: Patience = {},
  ): Promise<void> {
    const { perTick, ticks } = stream;
    const before = await this.readers.ask('delivered');
    await this.server.ask('publish', stream, withinMs);
    const all = before + perTick * ticks * reading * this.#copies;
    await this.readers.ask('untilDelivered', all, withinMs);
  }

  /**
   * CPU for each delivered message, in microseconds.
   *
   * After a warm-up, it runs as many ticks as the given time allows, so that a cheap subject is measured as
   * well as an expensive one.
   */
  async deliveryMicros(perTick: number, cpuMsWanted: number): Promise<number> {
    const perTickOfAll = perTick * this.#connections * this.#copies;
    const warmUp = Math.round(WARM_UP_DELIVERIES / perTickOfAll);
    const warmUpTicks = within(warmUp, WARM_UP_TICKS_MIN, WARM_UP_TICKS_MAX);
    const tickMicros = (await this.ticksMicros({ perTick, ticks: warmUpTicks })) / warmUpTicks;
    const ticks = within(Math.round((cpuMsWanted * 1_000) / tickMicros), TICKS_MIN, TICKS_MAX);
    return (await this.ticksMicros({ perTick, ticks })) / (ticks * perTickOfAll);
  }

  /** CPU for some ticks of messages, in microseconds. */
  async ticksMicros(stream: Pick<Stream, 'perTick' | 'ticks' | 'isBare'>): Promise<number> {
    await this.server.ask('collect');
    return this.cpuOf(() => this.stream({ ...stream, pauseMs: PAUSE_MS }));
  }

  /** How often each connection gets a message: once for each of its topics. */
  get #copies(): number {
    return this.setup.memberships?.each ?? 1;
  }

  async stop(): Promise<void> {
    const children = [this.#server, this.#readers, this.#visiting, this.#dialers, this.#returners];
    await Promise.all(children.map((child) => child?.stop()));
  }
}

/** How many processes of readers there were. */
let crowds = 0;
const NETWORKS = 250;

function newReaders(name: string): Child<ReaderOrders> {
  const network = 1 + (crowds % NETWORKS);
  crowds += 1;
  const program = process.execPath;
  return new Child({ name, program, arguments: [fileOf('./readers/program.js'), String(network)] });
}

function within(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

/** The path of the Bun binary. Empty if there is none. */
export function bunBinary(): string {
  return process.env['BENCH_BUN'] ?? '';
}

function serverCommand(setup: Setup): { program: string; arguments: string[] } {
  if (setup.program === 'bun') {
    return { program: bunBinary(), arguments: [fileOf('./subjects/bun.js')] };
  }
  return nodeCommand('./subjects/program.js', setup);
}

function nodeCommand(file: string, setup: Setup): { program: string; arguments: string[] } {
  const program = process.execPath;
  return { program, arguments: ['--expose-gc', fileOf(file), JSON.stringify(setup)] };
}

function fileOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type AttachOptions,
  attach,
  type CloseVerdict,
  type Connection,
  createSupervisor,
  type Failure,
  type LogLine,
  logLine,
  type Supervisor,
  type SupervisorEvent,
  type SupervisorOptions,
} from '../../src/index.ts';
import { noteStates } from './chart-states.ts';
import { until } from './until.ts';

type AnyConnection = Connection<unknown, unknown, unknown>;

/** What was counted before a test, to be compared after it. */
interface Resources {
  descriptors: number;
  timers: number;
}

/** What one test expects of its one connection. */
export interface Expectation {
  /** The states of the chart in the order of entry. `*` stands for any number of states. */
  states?: readonly string[];
  level: 'info' | 'warn' | 'error';
}

/** A supervisor on a real HTTP server, with a recorder for everything that it reports. */
export class Service {
  readonly supervisor: Supervisor<unknown, unknown, unknown>;
  readonly server: Server;
  readonly events: SupervisorEvent<AnyConnection>[] = [];
  /** Calls of the user's handlers, in order. */
  readonly calls: string[] = [];
  readonly messages: unknown[] = [];
  /**
   * The states that the charts of connections have entered, in order, for tests with one connection. Empty
   * when the test sets `actors`: with an inspector all actors are eager.
   */
  readonly states: string[] = [];
  port = 0;
  readonly #before: Resources;

  private constructor(
    options: SupervisorOptions<unknown, unknown, unknown>,
    before: Resources,
    server: Server,
  ) {
    this.#before = before;
    this.server = server;
    this.supervisor = createSupervisor({
      ...options,
      ...(options.actors === undefined && { inspect: options.inspect ?? noteStates(this.states) }),
      onOpen: (connection) => {
        this.calls.push('onOpen');
        return options.onOpen?.(connection);
      },
      onMessage: (connection, message) => {
        this.messages.push(message);
        return options.onMessage?.(connection, message);
      },
      onClose: (connection, verdict) => {
        this.calls.push('onClose');
        return options.onClose?.(connection, verdict);
      },
      onFailed: (failure) => {
        this.calls.push('onFailed');
        return options.onFailed?.(failure);
      },
    });
    // The events of accepted connections. Other tests cover what clients and pools dial.
    this.supervisor.events$.subscribe((event) =>
      this.events.push(event as SupervisorEvent<AnyConnection>),
    );
  }

  /** Starts listening on a free port under `/ws`. */
  static async start(
    options: SupervisorOptions<unknown, unknown, unknown> = {},
    attachOptions: AttachOptions = { path: '/ws' },
  ): Promise<Service> {
    const before = resources();
    const server = createServer();
    const service = new Service(options, before, server);
    attach(server, service.supervisor, attachOptions);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    service.port = (server.address() as AddressInfo).port;
    return service;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  of<Type extends SupervisorEvent['type']>(
    type: Type,
  ): Extract<SupervisorEvent<AnyConnection>, { type: Type }>[] {
    return this.events.filter((event) => event.type === type) as Extract<
      SupervisorEvent<AnyConnection>,
      { type: Type }
    >[];
  }

  /** Waits for an event of this type and returns the first. */
  async when<Type extends SupervisorEvent['type']>(type: Type, withinMs?: number) {
    await until(() => this.of(type).length > 0, `${type} is reported`, withinMs);
    return this.of(type)[0] as Extract<SupervisorEvent<AnyConnection>, { type: Type }>;
  }

  /** The one open connection. */
  async opened(): Promise<AnyConnection> {
    return (await this.when('connection.opened')).connection;
  }

  logLines(): LogLine[] {
    return this.events.map((event) => logLine(event));
  }

  /**
   * Asserts that one connection opened and closed, reported each once, and returns its verdict.
   *
   * Also asserts what holds for every ending: order of reports, handlers called once, level of the log line,
   * an empty registry.
   */
  async closedAs(
    expected: Expectation &
      Partial<Omit<CloseVerdict, 'openMs' | 'bytesIn' | 'bytesOut' | 'level'>>,
  ): Promise<CloseVerdict> {
    const { states, level, ...fields } = expected;
    const { verdict } = await this.when('connection.closed');
    await this.#settle();
    assert.deepEqual(pick(verdict, Object.keys(fields)), fields);
    this.#assertReports(['connection.opened', 'connection.closed'], level);
    assert.deepEqual(this.calls, ['onOpen', 'onClose']);
    this.#assertStates(states);
    return verdict;
  }

  /** Asserts that one connection never opened, reported once, and returns its failure. */
  async failedAs(
    expected: Expectation & Partial<Omit<Failure, 'level' | 'address'>>,
  ): Promise<Failure> {
    const { states, level, ...fields } = expected;
    const { failure } = await this.when('connection.failed');
    await this.#settle();
    assert.deepEqual(pick(failure, Object.keys(fields)), fields);
    this.#assertReports(['connection.failed'], level);
    assert.deepEqual(this.calls, ['onFailed']);
    this.#assertStates(states);
    return failure;
  }

  /** Waits until no connection is left in any state. */
  async #settle(): Promise<void> {
    await until(() => this.inFlight === 0, 'every connection has ended');
    assert.deepEqual([...this.supervisor.connections], []);
  }

  /** Connections that have not ended. */
  get inFlight(): number {
    const { handshaking, open, errored, closing } = this.supervisor.counts;
    return handshaking + open + errored + closing;
  }

  #assertReports(types: readonly string[], level: string): void {
    const terminal = ['connection.opened', 'connection.closed', 'connection.failed'];
    const told = this.events.map((event) => event.type).filter((type) => terminal.includes(type));
    assert.deepEqual(told, types);
    const errored = this.events.findIndex((event) => event.type === 'connection.errored');
    const closed = this.events.findIndex((event) => event.type === 'connection.closed');
    assert.ok(errored < closed || errored === -1, 'errored is reported before closed');
    const last = this.logLines().find((line) => line.fields['event'] === types.at(-1));
    assert.equal(last?.level, level, 'log level');
  }

  #assertStates(expected: readonly string[] | undefined): void {
    if (expected !== undefined) assert.deepEqual(this.states, expected);
  }

  /** Closes everything and asserts that descriptors and timers are back to their earlier numbers. */
  async stop(): Promise<void> {
    for (const connection of this.supervisor.connections) connection.terminate();
    await until(() => this.inFlight === 0, 'every connection has ended');
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
    await assertAtRest(this.#before);
  }
}

/** The fields of these names. */
export function pick(value: object, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, (value as Record<string, unknown>)[name]]));
}

/** Open descriptors and pending timers of this process. */
export function resources(): Resources {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
  };
}

/** Waits until descriptors and timers are no more than `before`. */
export async function assertAtRest(before: Resources): Promise<void> {
  const describe = () => `${JSON.stringify(resources())} is down to ${JSON.stringify(before)}`;
  try {
    await until(() => {
      const now = resources();
      // The running poll holds a timer of its own only between two checks.
      return now.descriptors <= before.descriptors && now.timers <= before.timers;
    }, 'resources are released');
  } catch {
    assert.fail(`leak: ${describe()}`);
  }
}

import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { ClientState, NodeClientOptions } from '../../src/client/index.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';
import type { SendResult } from '../../src/index.ts';
import { noteStates } from './chart-states.ts';
import { Dialing } from './dialing.ts';
import type { ExpectedVerdict, Pair } from './pair.ts';
import { ProcessWatch } from './process-watch.ts';
import { RawHost } from './raw-host.ts';
import { RogueServer } from './rogue-server.ts';
import { assertAtRest, pick, resources } from './service.ts';
import { until } from './until.ts';

/** No second attempt while a test examines the first. */
const patient = { minMs: 60_000, maxMs: 60_000 };

/** The states that the chart of a dialed connection enters before anything happens to it. */
export const opening = ['handshaking.admitting', 'handshaking.dialing', 'open'] as const;

/** What one test expects of the ending, and of the client afterwards. */
type Expected = ExpectedVerdict & {
  /** What the client does next. By default it follows the verdict, or stops when the test has closed it. */
  next?: ClientState;
};

/** What a test changes about a pair. */
export interface DialedOptions extends NodeClientOptions {
  /** Whether the server keeps its side of TCP when the client has ended its own. */
  readonly lingers?: boolean;
}

/** A client of Mooring and the raw server that it is connected to, over loopback. */
export class DialedPair implements Pair {
  readonly maskError = 'WS_ERR_UNEXPECTED_MASK';
  readonly server: RogueServer;
  readonly dialing: Dialing;
  /** The server's ends of all connections so far. */
  readonly hosts: RawHost[];
  /** The client's end of the first one. */
  readonly raw: Socket;
  /** The states that the charts of its connections have entered. */
  readonly states: string[];
  readonly #watch: ProcessWatch;
  readonly #before: ReturnType<typeof resources>;
  #isClosed = false;

  private constructor(parts: Parts) {
    this.server = parts.server;
    this.dialing = parts.dialing;
    this.hosts = parts.hosts;
    this.raw = parts.raw;
    this.states = parts.states;
    this.#watch = parts.watch;
    this.#before = parts.before;
  }

  /** Dials, and waits until both ends are open. */
  static async open({ lingers = false, ...options }: DialedOptions = {}): Promise<DialedPair> {
    const before = resources();
    const watch = new ProcessWatch();
    const hosts: RawHost[] = [];
    const states: string[] = [];
    const server = await RogueServer.start(RawHost.accepting(hosts), { lingers });
    const dialed = watchDialed();
    const dialing = await new Dialing(`ws://127.0.0.1:${server.port}/feed`, {
      backoff: patient,
      random: () => 0.99,
      inspect: noteStates(states),
      ...options,
    }).up();
    await until(() => hosts.length === 1, 'the server has accepted it');
    const raw = dialed();
    return new DialedPair({ server, dialing, hosts, raw, states, watch, before });
  }

  get client() {
    return this.dialing.client;
  }

  /** The server's end of the first connection. */
  get host(): RawHost {
    const [host] = this.hosts;
    assert.ok(host, 'the client has connected');
    return host;
  }

  get peer(): RawHost {
    return this.host;
  }

  get messages(): readonly unknown[] {
    return this.dialing.messages;
  }

  get isOpen(): boolean {
    return this.client.status.state === 'up';
  }

  get bufferedBytes(): number {
    return this.raw.writableLength;
  }

  send(message: unknown): SendResult {
    return this.client.connection?.send(message) ?? 'refused';
  }

  close(...frame: [code?: number, reason?: string]): Promise<void> {
    this.#isClosed = true;
    return this.client.close(...frame);
  }

  onMessage(listener: () => void): void {
    this.client.messages$.subscribe(listener);
  }

  /**
   * Asserts that the one connection ended, that this was reported once, and returns the verdict.
   *
   * Also asserts what holds for every ending: the next step of the client, and that nothing more is received
   * or sent.
   */
  async closedAs({ states, next, ...fields }: Expected): Promise<CloseVerdict> {
    const { dialing, client } = this;
    const ending = await dialing.firstEnding();
    assert.ok(ending.outcome === 'closed', `${ending.outcome} although it was open`);
    const { verdict } = ending;
    assert.deepEqual(pick(verdict, Object.keys(fields)), fields);
    if (states !== undefined) assert.deepEqual(this.states, [...opening, ...states]);
    const then = next ?? this.#nextAfter(verdict);
    await until(() => client.status.state === then, `the client is ${then}`);
    await this.#assertOver(then);
    assert.deepEqual(dialing.endings, [ending]);
    assert.deepEqual(dialing.verdicts, [verdict]);
    assert.equal(client.status.ending, ending);
    return verdict;
  }

  #nextAfter({ retry }: CloseVerdict): ClientState {
    if (this.#isClosed) return 'stopped';
    return retry === 'never' ? 'exhausted' : 'waiting';
  }

  /** The dead socket accepts and emits nothing. A message waits for the next one, if there will be one. */
  async #assertOver(state: ClientState): Promise<void> {
    const { dialing, client, raw } = this;
    const { length } = dialing.messages;
    assert.equal(client.send('late'), state === 'waiting' ? 'queued' : 'refused');
    assert.ok(raw.destroyed, 'the socket is gone');
    assert.deepEqual(listenersOf(raw), [], 'no listener except the one for late errors');
    assert.deepEqual(dialing.completed.length, state === 'waiting' ? 0 : 4);
    assert.deepEqual([dialing.messages.length, client.status.attempts], [length, 1]);
    assert.ok(!this.hosts.some((host) => host.texts.includes('"late"')));
  }

  /** Ends whatever is left, and asserts that it leaves nothing behind and that no error was uncaught. */
  async end(): Promise<void> {
    for (const host of this.hosts) host.destroy();
    await this.client.close();
    await this.server.stop();
    for (const host of this.hosts) assert.equal(host.violation, undefined);
    await assertAtRest(this.#before);
    await this.#watch.assertQuiet();
    this.#watch.stop();
  }
}

/** Waits for the next TCP socket that this process dials. Returns a function that returns the socket. */
export function watchDialed(): () => Socket {
  const dialed: Socket[] = [];
  const note = (message: unknown) => void dialed.push((message as { socket: Socket }).socket);
  subscribe('net.client.socket', note);
  return () => {
    unsubscribe('net.client.socket', note);
    const [raw] = dialed;
    assert.ok(raw, 'a socket was dialed');
    return raw;
  };
}

/** Listeners that neither Node.js nor the harness has set. ws and Mooring name theirs `socketOn…`. */
export function listenersOf(socket: Socket | undefined): string[] {
  return (socket?.eventNames() ?? [])
    .filter((event) => event !== 'error')
    .flatMap((event) => socket?.listeners(event).map(({ name }) => name) ?? [])
    .filter((name) => name.startsWith('socketOn'));
}

interface Parts extends Pick<DialedPair, 'server' | 'dialing' | 'hosts' | 'raw' | 'states'> {
  readonly watch: ProcessWatch;
  readonly before: ReturnType<typeof resources>;
}

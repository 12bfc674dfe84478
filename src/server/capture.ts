import type { ChartSystem } from '../chart/chart-system.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { SharedRuntime } from '../connection/shared-runtime.ts';
import { checkSupervisor } from '../core/arguments.ts';
import type { Clock } from '../core/clock.ts';
import type { ConnectionState } from '../core/connection.ts';
import { guarded } from '../core/guard.ts';
import { callback, integer, optional, type Report, resolved } from '../core/option-rules.ts';
import { checkOptions } from '../core/options-call.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import type { FrameHeader } from '../transport/frame-tap.ts';
import { NodeTransport } from '../transport/node-transport.ts';
import { acceptorKey } from './acceptor.ts';
import type { ConnectionWatcher, Registry } from './registry.ts';
import type { AttachedSupervisor } from './upgrade-dispatcher.ts';

/** Which connections are captured, and where the lines go. A connection must meet every given condition. */
export interface CaptureOptions {
  /** The connection with this id. */
  id?: string | undefined;
  /** Accepted connections that had this key when they opened or when the capture began. */
  key?: string | undefined;
  /** Connections with this address. */
  address?: string | undefined;
  /** The share of the connections to capture, above 0 and up to 1: 0.01 captures every hundredth connection. */
  sample?: number | undefined;
  /**
   * Called with one line of JSON at a time, including its line break. An error that it throws is reported under the handler
   * name `capture`.
   */
  write(line: string): unknown;
  /**
   * Lines per second. Further frames are only counted, and the next line has their number: `{"at":…,"dropped":412}`. @default
   * 1_000
   */
  linesPerSecondMax?: number | undefined;
  /** Lines of all connections together, after which the capture ends. @default 100_000 */
  linesMax?: number | undefined;
}

const isText = (given: unknown) => typeof given === 'string';
const isShare = (given: unknown) => typeof given === 'number' && given > 0 && given <= 1;

const captureRules = {
  id: optional<string>(isText, 'must be a string'),
  key: optional<string>(isText, 'must be a string'),
  address: optional<string>(isText, 'must be a string'),
  sample: optional<number>(isShare, 'must be a number above 0, up to 1'),
  write: callback<CaptureOptions['write']>(),
  linesPerSecondMax: integer(1_000),
  linesMax: integer(100_000),
};

type Captured = ReturnType<typeof resolved<typeof captureRules>>;

/**
 * Writes the headers of frames, in both directions, as lines of JSON. Payloads are left out.
 *
 * It captures connections that are open and those that open later, accepted and dialed. It costs other connections nothing.
 *
 * @returns a function that ends the capture.
 * @throws MooringError `invalid-argument` or `invalid-options`
 *
 * @example
 * ```ts
 * const stop = captureFrames(supervisor, {
 *   address: '192.0.2.7',
 *   write: (line) => process.stdout.write(line),
 * });
 * ```
 */
export function captureFrames(supervisor: AttachedSupervisor, options: CaptureOptions): () => void {
  const call = 'captureFrames(supervisor, options)';
  checkSupervisor(supervisor, call);
  checkOptions(options, call, "{ id: 'c1', write: (line) => file.write(line) }");
  const checked = resolved(options, captureRules, isNamed);
  const host = supervisor[acceptorKey] as unknown as CaptureHost;
  const capture = new FrameCapture(host, checked);
  capture.start();
  return () => capture.stop();
}

/** Requires a condition, so that a program does not capture everything by mistake. */
function isNamed({ id, key, address, sample, write }: Captured, report: Report): void {
  if (write === undefined) report('must be a function', 'write');
  if ([id, key, address, sample].some((condition) => condition !== undefined)) return;
  report('is missing: set id, key, address or sample; a sample of 1 is all connections', 'sample');
}

/** What a capture needs from a supervisor. */
interface CaptureHost {
  readonly registry: Registry;
  readonly context: Pick<SharedRuntime, 'clock'>;
  readonly charts: ChartSystem;
  readonly handlers: { errored(handler: 'capture', error: Error, connection: undefined): void };
}

/** The side of an accepted connection; a dialed one has no key. */
interface Keyed {
  readonly key: string | undefined;
}

class FrameCapture implements ConnectionWatcher {
  readonly #host: CaptureHost;
  readonly #options: Captured;
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  /** For each captured connection, the function that ends its capture. */
  readonly #taps = new Map<ManagedConnection, () => void>();
  #lines: string[] = [];
  #left: number;
  #dropped = 0;
  /** The sum of the shares since the last captured connection. The connection that raises it to 1 is captured. */
  #share = 0;

  constructor(host: CaptureHost, options: Captured) {
    const { linesPerSecondMax, linesMax } = options;
    this.#host = host;
    this.#options = options;
    this.#clock = host.context.clock;
    const rate = { perSecond: linesPerSecondMax, burst: linesPerSecondMax };
    this.#bucket = new TokenBucket(rate, this.#clock.now());
    this.#left = linesMax;
  }

  start(): void {
    const { registry } = this.#host;
    registry.watchers.add(this);
    for (const connection of [...registry.connections, ...registry.dialed])
      this.connectionMoved(connection, connection.state);
  }

  /** Ends the capture and writes what was noted so far. */
  stop(): void {
    this.#leaveAlone();
    this.#noteDropped();
    this.#flush();
  }

  #leaveAlone(): void {
    this.#host.registry.watchers.delete(this);
    for (const untap of this.#taps.values()) untap();
    this.#taps.clear();
  }

  connectionMoved(connection: ManagedConnection, to: ConnectionState): void {
    if (to === 'closed' || to === 'failed') this.#ended(connection);
    if (to !== 'open' || !this.#isMeant(connection)) return;
    const { transport, id } = connection;
    if (!(transport instanceof NodeTransport)) return;
    const untap = transport.tap((header) => this.#note(id, header));
    if (untap !== null) this.#taps.set(connection, untap);
  }

  /** A capture by id ends with its connection, because no other connection will have this id. */
  #ended(connection: ManagedConnection): void {
    this.#taps.get(connection)?.();
    this.#taps.delete(connection);
    if (connection.id === this.#options.id) this.stop();
  }

  #isMeant(connection: ManagedConnection): boolean {
    const { id, key, address, sample } = this.#options;
    if (id !== undefined && id !== connection.id) return false;
    if (key !== undefined && key !== (connection.side as Partial<Keyed>).key) return false;
    if (address !== undefined && address !== connection.address) return false;
    if (sample === undefined) return true;
    this.#share += sample;
    if (this.#share < 1) return false;
    this.#share -= 1;
    return true;
  }

  /** Called from within the sockets. */
  #note(id: string, header: FrameHeader): void {
    if (!this.#bucket.take(this.#clock.now())) {
      this.#dropped += 1;
      return;
    }
    this.#noteDropped();
    this.#add({ id, ...header });
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#add({ ended: 'linesMax' });
    this.#leaveAlone();
  }

  #noteDropped(): void {
    if (this.#dropped > 0) this.#add({ dropped: this.#dropped });
    this.#dropped = 0;
  }

  /** Lines are written after the turn, because application code must not run during a read or a write of a socket. */
  #add(fields: object): void {
    if (this.#lines.length === 0) this.#clock.afterPoll(() => this.#flush());
    this.#lines.push(`${JSON.stringify({ at: this.#clock.wallNow(), ...fields })}\n`);
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    for (const line of lines) this.#host.charts.notifications.add(() => this.#write(line));
  }

  #write(line: string): void {
    guarded(
      () => this.#options.write?.(line),
      (error) => this.#host.handlers.errored('capture', error, undefined),
    );
  }
}

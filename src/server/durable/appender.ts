import { formatPlace } from '../../bus/place.ts';
import type { ChartSystem } from '../../chart/chart-system.ts';
import type { BusLog, NewEntry, Stored } from '../../core/bus-log.ts';
import { type Clock, holdProcess, systemClock } from '../../core/clock.ts';
import { messageTooLarge, toError } from '../../core/errors.ts';
import { checkNames, invalidOptions, problemAt } from '../../core/option-rules.ts';
import { longName } from '../../core/short-name.ts';
import type { Deadline, TimerWheel } from '../../core/timer-wheel.ts';
import type { AnyReporter } from '../report.ts';
import type { Appended, AppendOptions } from '../supervisor-types.ts';

/** What an appender needs of its supervisor. */
export interface AppenderParts {
  readonly appendMs: number;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly charts: ChartSystem;
  readonly reporter: AnyReporter;
}

/** How long appends may still take when the supervisor leaves the bus. */
const LEAVE_MS = 1_000;

/** Appends that begin within this time share a deadline and its signal, which would cost more than the append itself. */
const SHARED_MS = 10;

/** Appends with the same deadline. */
interface Batch {
  readonly beganAtMs: number;
  readonly controller: AbortController;
  readonly deadline: Deadline;
  pending: number;
}

const idForm = /^[\x21-\x7e]{1,128}$/;

/** Keeps messages of durable topics on the bus, and tells what became of each. */
export class Appender {
  readonly #log: BusLog;
  readonly #parts: AppenderParts;
  /** Ids of messages that have none: the name of this process and a number. */
  readonly #name = longName();
  #count = 0;
  readonly #pending = new Map<Promise<unknown>, Batch>();
  #latest: Batch | null = null;
  #isClosed = false;

  constructor(log: BusLog, parts: AppenderParts) {
    this.#log = log;
    this.#parts = parts;
  }

  /** @throws MooringError `invalid-options` or `message-too-large`, at once */
  append(topic: string, message: string | Uint8Array, options?: AppendOptions): Promise<Appended> {
    const id = checkedId(options) ?? this.#nextId();
    const isBinary = typeof message !== 'string';
    // A copy, because the application may change the bytes while they wait for the bus.
    const payload = isBinary ? Buffer.from(message) : Buffer.from(message, 'utf8');
    this.#checkLength(payload);
    if (this.#isClosed) return Promise.resolve({ outcome: 'unconfirmed', id });
    return this.#keep(topic, { id, payload, isBinary });
  }

  #keep(topic: string, entry: NewEntry): Promise<Appended> {
    const batch = this.#batch();
    batch.pending += 1;
    const settle = <Result>(result: Result): Result => {
      this.#pending.delete(appended);
      batch.pending -= 1;
      if (batch.pending === 0) this.#end(batch);
      return result;
    };
    const appended: Promise<Appended> = this.#log
      .append(topic, entry, batch.controller.signal)
      .then(
        (stored) => settle(appendedOf(stored, entry.id)),
        (error) => settle(this.#unconfirmed(topic, entry.id, toError(error))),
      );
    this.#pending.set(appended, batch);
    return appended;
  }

  #batch(): Batch {
    const { wheel, appendMs, clock } = this.#parts;
    const beganAtMs = clock.now();
    const latest = this.#latest;
    if (latest !== null && beganAtMs - latest.beganAtMs < SHARED_MS) return latest;
    const controller = new AbortController();
    const deadlinePassed = () => {
      this.#end(batch);
      controller.abort(new Error(`the bus did not confirm it in ${appendMs} ms`));
    };
    const deadline = wheel.schedule(appendMs, { deadlinePassed }, 'append');
    const batch: Batch = { beganAtMs, controller, deadline, pending: 0 };
    this.#latest = batch;
    return batch;
  }

  #end(batch: Batch): void {
    this.#parts.wheel.cancel(batch.deadline);
    if (this.#latest === batch) this.#latest = null;
  }

  #nextId(): string {
    this.#count += 1;
    return `${this.#name}.${this.#count.toString(36)}`;
  }

  #checkLength({ length }: Uint8Array): void {
    const { payloadBytesMax } = this.#log;
    if (length > payloadBytesMax) throw messageTooLarge(length, payloadBytesMax);
  }

  #unconfirmed(topic: string, id: string, error: Error): Appended {
    const { charts, reporter } = this.#parts;
    const event = { type: 'append.unconfirmed', topic, id, error } as const;
    charts.notifications.add(() => reporter.emit(event));
    return { outcome: 'unconfirmed', id };
  }

  /** Waits for what the bus has not confirmed yet, then gives it up. Appends that come later are not kept. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const { wheel, clock } = this.#parts;
    const left = new Error('the supervisor has left the bus');
    // The process must live until the drain has resolved, and timers of a clock do not keep it alive.
    const letProcessEnd = clock === systemClock ? holdProcess() : null;
    await new Promise<void>((resolve) => {
      const expire = () => {
        for (const { controller } of [...this.#pending.values()]) controller.abort(left);
        resolve();
      };
      const deadline = wheel.schedule(LEAVE_MS, { deadlinePassed: expire }, 'leave');
      void Promise.all(this.#pending.keys()).then(() => {
        wheel.cancel(deadline);
        resolve();
      });
    });
    letProcessEnd?.();
  }
}

function appendedOf({ place, isDuplicate }: Stored, id: string): Appended {
  return { outcome: isDuplicate ? 'duplicate' : 'kept', id, position: formatPlace(place) };
}

/** Written by hand, because it runs for each message. @throws MooringError `invalid-options` */
function checkedId(options: AppendOptions | undefined): string | undefined {
  if (options === undefined) return undefined;
  checkNames(options, ['id']);
  const { id } = options;
  if (id === undefined || (typeof id === 'string' && idForm.test(id))) return id;
  throw invalidOptions([problemAt(options, ['id'], 'must be 1 to 128 visible ASCII characters')]);
}

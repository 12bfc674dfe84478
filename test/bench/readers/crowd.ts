import { until } from '../../support/until.ts';
import type { EndStyle } from '../orders.ts';
import type { FrameReader } from './frame-reader.ts';
import type { LocalAddresses } from './local-address.ts';
import { Reader, type Target } from './reader.ts';

/** How many connections open at the same time. The next ones wait. */
const CONNECTING_MAX = 100;

const WITHIN_MS = 50_000;

type Listener = (frame: FrameReader, reader: Reader) => void;

/** Readers in the order in which they were requested. */
export class Crowd {
  /** Messages that have arrived, over all readers. */
  delivered = 0;
  /** Called for every message, if set. */
  listener: Listener | null = null;

  readonly addresses: LocalAddresses;
  readonly #members = new Set<Reader>();
  #connecting = 0;
  #isEnding = false;
  #failure: Error | null = null;

  constructor(addresses: LocalAddresses) {
    this.addresses = addresses;
  }

  /** Members in the order in which they opened. */
  get members(): readonly Reader[] {
    return [...this.#members];
  }

  /** Opens more connections and waits until every one is open. */
  async connect(target: Target, count: number): Promise<void> {
    const size = this.#members.size + count;
    for (let left = count; left > 0; left -= 1) {
      await this.#until(() => this.#connecting < CONNECTING_MAX, 'the next one may connect');
      this.#connecting += 1;
      new Reader({ ...target, local: this.addresses.next() }, this);
    }
    await this.#until(() => this.#members.size === size, `${size} are connected`);
  }

  /** Ends the newest connections and waits until they are gone. */
  async end(count: number, style: EndStyle): Promise<void> {
    const size = this.#members.size - count;
    this.#isEnding = true;
    for (const reader of this.members.slice(size)) reader.end(style);
    await this.#until(() => this.#members.size === size, `${size} are left`);
    this.#isEnding = false;
  }

  async untilDelivered(count: number): Promise<void> {
    await this.#until(() => this.delivered >= count, `${count} messages have arrived`);
  }

  /** Where the oldest is, once the server has told it. */
  async position(): Promise<string> {
    const position = () => this.members[0]?.position ?? '';
    await this.#until(() => position() !== '', 'the oldest is told where it is');
    return position();
  }

  opened(reader: Reader): void {
    this.#connecting -= 1;
    this.#members.add(reader);
  }

  message(frame: FrameReader, reader: Reader): void {
    this.delivered += 1;
    this.listener?.(frame, reader);
  }

  /** A connection that ends unexpectedly would falsify every figure. */
  ended(reader: Reader, error?: Error): void {
    this.#members.delete(reader);
    if (!this.#isEnding) this.#failure ??= error ?? new Error('the server ended a connection');
  }

  async #until(condition: () => boolean, label: string): Promise<void> {
    if (!condition()) await until(() => condition() || this.#failure !== null, label, WITHIN_MS);
    if (this.#failure !== null) throw this.#failure;
  }
}

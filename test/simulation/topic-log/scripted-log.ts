import type {
  BusLog,
  Entry,
  LogInterest,
  NewEntry,
  Page,
  Place,
  Retention,
  Stored,
  Tail,
} from '../../../src/core/bus-log.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { SimulatedClock } from '../simulated-clock.ts';
import type { Message, ScriptedHistory } from './scripted-history.ts';

/** How often something goes wrong between a process and its server, as probabilities, and how slow they are. */
export interface LogFaults {
  readonly loses: number;
  readonly doubles: number;
  readonly disorders: number;
  /** Questions that are not answered. */
  readonly fails: number;
  /** Tails and reads that do not know the newest messages. */
  readonly staleTails: number;
  readonly staleReads: number;
  readonly slowMs: number;
  /** Questions that take longer than anybody waits. */
  readonly hangs: number;
}

const sound: Omit<LogFaults, 'slowMs'> = {
  ...{ loses: 0, doubles: 0, disorders: 0, fails: 0, staleTails: 0, staleReads: 0, hangs: 0 },
};

const HANG_MS = 15_000;
const STALE_MS = 2_000;

interface Interest {
  readonly topic: string;
  readonly heard: (entry: Entry) => void;
  isSubscribed: boolean;
  isEnded: boolean;
}

/** The log of one simulated process: a link to the server that fails as the plan says. */
export class ScriptedLog implements BusLog {
  readonly retention: Retention;
  readonly payloadBytesMax = 1_048_576;
  isUp = true;
  /** Whether a promise has settled, so that code waits to run. */
  hasSettled = true;
  /** Called after an entry was heard. */
  whenHeard: (topic: string, entry: Entry) => void = () => {};
  /** Called when a tail is asked for. */
  whenAsked: (topic: string) => void = () => {};
  readonly #history: ScriptedHistory;
  readonly #clock: SimulatedClock;
  readonly #random: SeededRandom;
  #faults: LogFaults;
  readonly #interests = new Set<Interest>();
  /** The last answers, which a stale server gives again. */
  readonly #tails = new Map<string, Tail>();
  /** Numbers outages: what was under way before one never arrives. */
  #outage = 0;
  #nextAtMs = 0;

  constructor(
    history: ScriptedHistory,
    clock: SimulatedClock,
    random: SeededRandom,
    plan: { readonly faults: LogFaults; readonly retention: Retention },
  ) {
    this.#history = history;
    this.#clock = clock;
    this.#random = random;
    this.#faults = plan.faults;
    this.retention = plan.retention;
  }

  /** From now on everything works. */
  heal(): void {
    this.#faults = { ...sound, slowMs: this.#faults.slowMs };
  }

  lose(): void {
    this.isUp = false;
    this.#outage += 1;
    this.#tails.clear();
    for (const interest of this.#interests) interest.isSubscribed = false;
  }

  return(): void {
    this.isUp = true;
    for (const interest of this.#interests) interest.isSubscribed = true;
  }

  append(_topic: string, _entry: NewEntry, _signal: AbortSignal): Promise<Stored> {
    throw new Error('the script appends');
  }

  follow(topic: string, heard: (entry: Entry) => void): LogInterest {
    const interest: Interest = { topic, heard, isSubscribed: false, isEnded: false };
    this.#interests.add(interest);
    const ready = this.isUp ? this.#subscribed(interest) : Promise.resolve();
    const end = () => {
      interest.isEnded = true;
      this.#interests.delete(interest);
    };
    return { ready, end };
  }

  #subscribed(interest: Interest): Promise<void> {
    return new Promise((resolve) => {
      const outage = this.#outage;
      this.#clock.lateBy(this.#questionMs(), () => {
        interest.isSubscribed ||= outage === this.#outage;
        this.hasSettled = true;
        resolve();
      });
    });
  }

  /** The server has kept a message. */
  kept(message: Message): void {
    const entry = this.#history.entryOf(message);
    for (const interest of this.#interests) {
      if (interest.topic !== message.topic || !interest.isSubscribed) continue;
      if (this.#random.chance(this.#faults.loses)) continue;
      this.#deliver(interest, entry);
      if (this.#random.chance(this.#faults.doubles)) this.#deliver(interest, entry);
    }
  }

  #deliver(interest: Interest, entry: Entry): void {
    const outage = this.#outage;
    let atMs = this.#clock.now() + this.#random.next() * this.#faults.slowMs;
    if (!this.#random.chance(this.#faults.disorders)) {
      atMs = Math.max(atMs, this.#nextAtMs + 0.001);
      this.#nextAtMs = atMs;
    }
    this.#clock.lateBy(atMs - this.#clock.now(), () => {
      if (outage !== this.#outage || interest.isEnded) return;
      interest.heard(entry);
      this.whenHeard(interest.topic, entry);
    });
  }

  tail(topic: string): Promise<Tail> {
    this.whenAsked(topic);
    return this.#ask(() => {
      const known = this.#tails.get(topic);
      if (known !== undefined && this.#random.chance(this.#faults.staleTails)) return known;
      const tail = this.#history.tail(topic);
      this.#tails.set(topic, tail);
      return tail;
    });
  }

  read(topic: string, after: Place, limit: number): Promise<Page> {
    return this.#ask(() => {
      const isLate = this.#random.chance(this.#faults.staleReads);
      return this.#history.read(topic, after, limit, isLate ? STALE_MS : 0);
    });
  }

  /** Answers after the time that a question and an answer take, unless the link goes down meanwhile. */
  #ask<Answer>(answer: () => Answer): Promise<Answer> {
    const { promise, resolve, reject } = withResolvers<Answer>();
    const outage = this.#outage;
    const { fails } = this.#faults;
    const isLost = () => outage !== this.#outage || !this.isUp || this.#random.chance(fails);
    const settle = (act: () => void) => {
      this.hasSettled = true;
      act();
    };
    const failed = () => settle(() => reject(new Error('the server does not answer')));
    this.#clock.lateBy(this.#questionMs(), () => {
      if (isLost()) return failed();
      const answered = answer();
      const arrived = () => settle(() => resolve(answered));
      this.#clock.lateBy(this.#delayMs(), () => (isLost() ? failed() : arrived()));
    });
    return promise;
  }

  /** How long a question takes to the server. */
  #questionMs(): number {
    return this.#random.chance(this.#faults.hangs) ? HANG_MS : this.#delayMs();
  }

  #delayMs(): number {
    return this.#random.next() * this.#faults.slowMs;
  }
}

function withResolvers<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Value>((one, other) => {
    resolve = one;
    reject = other;
  });
  return { promise, resolve, reject };
}

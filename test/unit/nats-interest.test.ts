import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { type InterestLink, NatsInterest } from '../../src/bus/nats/nats-interest.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

type Callback = (error: Error | null, message: Msg) => void;

const REFUSED_MS = 30_000;

/** A connection that remembers its subscriptions. */
class FakeNats {
  readonly callbacks: Callback[] = [];
  isOpen = true;

  isClosed(): boolean {
    return !this.isOpen;
  }

  subscribe(_subject: string, { callback }: { callback: Callback }): object {
    this.callbacks.push(callback);
    return { unsubscribe: () => {} };
  }

  refuse(): void {
    this.callbacks.at(-1)?.(new Error('refused'), {} as Msg);
  }
}

let clock: VirtualClock;
let nats: FakeNats;
let interest: NatsInterest;
let ignored: number;
let heard: number;

function subscribe(to = nats): void {
  interest.subscribe(to as unknown as NatsConnection, 'subject');
}

describe('a NatsInterest that is refused', () => {
  beforeEach(() => {
    clock = new VirtualClock();
    nats = new FakeNats();
    ignored = 0;
    heard = 0;
    const host = { clock, moved: () => {}, rejoined: () => {}, errored: () => {} };
    const ignore = () => {
      ignored += 1;
    };
    const link: InterestLink = { host, confirmed: async () => {}, forget: () => {}, ignore };
    interest = new NatsInterest(link, 'channel', () => {
      heard += 1;
    });
    subscribe();
    nats.refuse();
  });

  it('subscribes again after a pause, and hears', () => {
    clock.advance(REFUSED_MS - 1);
    assert.equal(nats.callbacks.length, 1);
    clock.advance(1);
    assert.equal(nats.callbacks.length, 2);
    nats.callbacks[1]?.(null, {} as Msg);
    assert.deepEqual([heard, clock.timersPending], [1, 0]);
  });

  it('is reported once, and again after it was permitted', () => {
    assert.equal(ignored, 0);
    for (const count of [1, 2]) {
      clock.advance(REFUSED_MS);
      nats.refuse();
      assert.equal(ignored, count);
    }
    clock.advance(3 * REFUSED_MS);
    nats.refuse();
    assert.equal(ignored, 2);
  });

  it('never subscribes again after its end', () => {
    interest.end();
    nats.refuse();
    assert.equal(clock.timersPending, 0);
    clock.advance(REFUSED_MS);
    assert.equal(nats.callbacks.length, 1);
  });

  it('never subscribes again over a lost connection', () => {
    nats.isOpen = false;
    clock.advance(REFUSED_MS);
    assert.equal(nats.callbacks.length, 1);
  });

  it('begins anew with the next connection', () => {
    nats.isOpen = false;
    const next = new FakeNats();
    subscribe(next);
    assert.equal(clock.timersPending, 0);
    next.refuse();
    assert.deepEqual([next.callbacks.length, ignored], [1, 0]);
  });
});

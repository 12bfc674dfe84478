import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Fence } from '../../src/bus/nats/log/fence.ts';
import type { JetStream, StreamInfo } from '../../src/bus/nats/log/jet-stream.ts';
import type { LeaderMessage } from '../../src/bus/nats/log/kept-message.ts';
import { resolveNatsBusOptions } from '../../src/bus/nats/options.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const info = { created: 'once' } as StreamInfo;

/** A stream with nothing but fences. */
class FakeStream {
  readonly fences: LeaderMessage[] = [];
  /** Runs once before the next fence is kept. */
  beforeKeep: () => void = () => {};

  add(text: string): void {
    const seq = this.fences.length + 1;
    const payload = Buffer.from(text);
    const named = { id: `!fence/${seq}`, prev: seq - 1, isBinary: false, payload };
    this.fences.push({ seq, subject: 'mooring.1.in.!fence', keptAtMs: 0, ...named });
  }

  get stream(): JetStream {
    return {
      message: async () => this.fences.at(-1) ?? null,
      keep: async (_: string, text: string, __: unknown, last: number) => {
        const { beforeKeep } = this;
        this.beforeKeep = () => {};
        beforeKeep();
        if (last !== this.fences.length) return null;
        this.add(text);
        return this.fences.length;
      },
    } as unknown as JetStream;
  }
}

function fence(): Fence {
  return new Fence(resolveNatsBusOptions({}), new VirtualClock(), () => {});
}

describe('a fence', () => {
  it('that another process appends while a new one begins counts for both', async () => {
    const fake = new FakeStream();
    fake.add('before ');
    // The other one knows what was lost.
    fake.beforeKeep = () => fake.add('after before');
    const one = fence();
    assert.equal(await one.check(fake.stream, info, true), null);
    const other = fence();
    await other.check(fake.stream, info, false);
    assert.equal(one.log, other.log);
    assert.equal(fake.fences.length, 2);
  });

  it('is repeated, and names the same log', async () => {
    const fake = new FakeStream();
    const one = fence();
    await one.check(fake.stream, info, true);
    const other = fence();
    await other.check(fake.stream, info, true);
    assert.deepEqual([other.log, other.seq, fake.fences.length], [one.log, 2, 2]);
  });
});

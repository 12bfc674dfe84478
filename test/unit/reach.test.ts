import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Bus, BusHost, BusLink, SupervisorOptions } from '../../src/index.ts';
import { createSupervisor, memoryBus } from '../../src/index.ts';
import { Stage } from '../simulation/fan-out-stage.ts';

type Heard = (message: Uint8Array) => void;

/** A bus with one link, which the test moves. */
class HandBus implements Bus {
  readonly name = 'hand';
  readonly heard = new Map<string, Heard>();
  host!: BusHost;
  readonly #close: () => Promise<void>;

  constructor(close: () => Promise<void> = async () => {}) {
    this.#close = close;
  }

  open(host: BusHost): BusLink {
    this.host = host;
    return {
      payloadBytesMax: 1_000,
      publish: () => true,
      listen: (channel, heard) => {
        this.heard.set(channel, heard);
        return { ready: Promise.resolve(), end: () => {} };
      },
      close: this.#close,
    };
  }
}

describe('a supervisor that leaves its bus', () => {
  for (const [how, close] of [
    ['rejects', () => Promise.reject(new Error('planted'))],
    [
      'throws',
      () => {
        throw new Error('planted');
      },
    ],
  ] as const)
    it(`ends its drain if the bus ${how}`, async () => {
      const errors: Error[] = [];
      const bus = new HandBus(close);
      const supervisor = createSupervisor({ bus, onHandlerError: (error) => errors.push(error) });
      await supervisor.drain();
      assert.deepEqual(
        errors.map(({ message }) => message),
        ['planted'],
      );
    });

  it('ends its drain if the bus never closes, and ignores what the bus does afterwards', async () => {
    const errors: Error[] = [];
    const bus = new HandBus(() => new Promise(() => {}));
    const supervisor = createSupervisor({ bus, onHandlerError: (error) => errors.push(error) });
    bus.host.moved('up');
    const drained = supervisor.drain();
    bus.host.moved('down');
    bus.host.moved('up');
    for (const heard of bus.heard.values()) heard(Buffer.from('\u0001'));
    assert.equal(supervisor.bus, 'down');
    await drained;
    assert.deepEqual(errors, []);
  });
});

describe('newest, with a clock whose wall time has fractions', () => {
  it('replaces connections of other processes', async () => {
    const bus = memoryBus();
    const errors: Error[] = [];
    const options: SupervisorOptions<unknown> = {
      ...{ bus, sameKey: 'newest', authenticate: () => ({}), key: () => 'ada' },
      onHandlerError: (error) => errors.push(error),
    };
    const [one, other] = [new Stage(options), new Stage(options)];
    await null;
    for (const { clock } of [one, other]) clock.advance(10.5);
    const older = one.open();
    await null;
    const newer = other.open();
    await null;
    assert.deepEqual(errors, []);
    assert.deepEqual([older.connection.state, newer.connection.state], ['closing', 'open']);
  });
});

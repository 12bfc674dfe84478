import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sharedClientRuntime, sharedRoute } from '../../src/client/node-runtime.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import { jsonCodec } from '../../src/core/codec.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import type { ConnectOptions } from '../../src/transport/connect-options.ts';
import type { NodeDialTarget } from '../../src/transport/ws-transport.ts';
import { resolveClientOptions } from '../support/client-options.ts';

describe('what clients share', () => {
  const clock = new VirtualClock();
  const partsOf = (given: ClientOptions = {}) =>
    sharedClientRuntime(resolveClientOptions(given, clock));

  it('is one wheel whatever the options are, as long as its ticks match', () => {
    const { wheel } = partsOf().context;
    for (const given of [
      {},
      { random: () => 0.5 },
      { codec: jsonCodec() },
      { limits: { depthMax: 8 } },
      { subprotocols: ['a'] },
      { inspect: () => {} },
    ]) {
      const other = partsOf(given);
      assert.equal(other.context.wheel, wheel, Object.keys(given)[0]);
      assert.equal(other.options.limits.depthMax, given.limits?.depthMax ?? 64);
      assert.equal(other.options.codec === given.codec, given.codec !== undefined);
    }
  });

  it('is separate for a client with its own ticks or clock', () => {
    const { wheel } = partsOf().context;
    assert.notEqual(partsOf({ timeouts: { forcedMs: 40 } }).context.wheel, wheel);
    assert.notEqual(partsOf({ clock: new VirtualClock() }).context.wheel, wheel);
  });

  it('never confuses one function with another', () => {
    for (const name of ['a', 'b']) {
      const subprotocols = () => [name];
      assert.equal(partsOf({ subprotocols }).options.subprotocols, subprotocols);
    }
  });

  it('is a route to the same peer, but not one with other connect options', () => {
    const [headers, none, own] = [{}, {}, { servername: 'b.test' }];
    const there = { url: 'ws://a.test/', subprotocols: [], mooring: false, headers };
    const routeWith = (connect: ConnectOptions | (() => ConnectOptions)) =>
      sharedRoute({ ...there, connect }, clock);
    const one = routeWith(none);
    assert.equal(routeWith(none), one);
    for (const connect of [own, () => own]) {
      const route = routeWith(connect);
      assert.equal(route.isRenewed, typeof connect === 'function');
      assert.deepEqual((route.target() as NodeDialTarget).connect, own);
    }
  });

  it('never confuses the start of a list with the list', () => {
    for (const subprotocols of [['a'], ['a', 'b'], []]) {
      assert.deepEqual(partsOf({ subprotocols }).options.subprotocols, subprotocols);
    }
  });
});

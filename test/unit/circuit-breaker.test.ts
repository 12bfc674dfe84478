import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CircuitBreaker } from '../../src/client/pool/circuit-breaker.ts';
import { Upstream, Upstreams } from '../../src/client/pool/upstreams.ts';
import { FixedRoute } from '../../src/client/reconnect/route.ts';

const options = { failuresMax: 3, minMs: 1_000, maxMs: 8_000 };
/** Members of a pool. */
const [me, other] = [{}, {}];
/** The longest time that each opening may last. */
const FULL = 1;

function opened(): CircuitBreaker {
  const circuit = new CircuitBreaker(options);
  for (let failure = 0; failure < options.failuresMax; failure += 1) circuit.failed(me, 0, FULL);
  return circuit;
}

describe('CircuitBreaker', () => {
  it('opens after the given number of failures in a row, and not before', () => {
    const circuit = new CircuitBreaker(options);
    circuit.failed(me, 0, FULL);
    circuit.failed(me, 0, FULL);
    assert.deepEqual([circuit.state(0), circuit.waitMs(0)], ['closed', 0]);
    circuit.stable();
    circuit.failed(me, 0, FULL);
    circuit.failed(me, 0, FULL);
    assert.equal(circuit.state(0), 'closed');
    circuit.failed(me, 0, FULL);
    assert.deepEqual([circuit.state(0), circuit.waitMs(0)], ['open', 1_000]);
    assert.deepEqual([circuit.state(999), circuit.waitMs(999)], ['open', 1]);
    assert.deepEqual([circuit.state(1_000), circuit.waitMs(1_000)], ['half-open', 0]);
  });

  it('lets one member probe, and makes the others wait for the result', () => {
    const circuit = opened();
    circuit.dialed(me);
    assert.ok(circuit.waitMs(1_000) > 0);
    circuit.opened();
    assert.deepEqual([circuit.state(1_000), circuit.waitMs(1_000)], ['closed', 0]);
  });

  it('opens again at the next failure, until a connection has lasted', () => {
    const circuit = opened();
    circuit.dialed(me);
    circuit.opened();
    circuit.failed(me, 1_000, FULL);
    assert.equal(circuit.state(1_000), 'open');
    circuit.dialed(me);
    circuit.opened();
    circuit.stable();
    circuit.failed(me, 9_000, FULL);
    assert.equal(circuit.state(9_000), 'closed');
  });

  it('doubles its delay each time up to the longest, with jitter down to half of it', () => {
    for (const [chance, part] of [
      [1, 1],
      [0, 0.5],
    ] as const) {
      const circuit = new CircuitBreaker({ ...options, failuresMax: 1 });
      const lasted: number[] = [];
      let nowMs = 0;
      for (let round = 0; round < 5; round += 1) {
        circuit.dialed(me);
        circuit.failed(me, nowMs, chance);
        lasted.push(circuit.waitMs(nowMs));
        nowMs += circuit.waitMs(nowMs);
      }
      assert.deepEqual(
        lasted,
        [1_000, 2_000, 4_000, 8_000, 8_000].map((fullMs) => fullMs * part),
      );
    }
  });

  it('ignores the results of attempts that were under way when it opened', () => {
    const circuit = opened();
    circuit.failed(other, 500, FULL);
    circuit.leaveAlone(500, 60_000);
    circuit.trip(500);
    assert.equal(circuit.waitMs(500), 500);
    circuit.dialed(me);
    circuit.failed(other, 1_000, FULL);
    circuit.abandoned(other);
    assert.equal(circuit.state(1_000), 'half-open');
    assert.ok(circuit.waitMs(1_000) > 0, 'the probe is still under way');
  });

  it('lets another member probe when the first was called back', () => {
    const circuit = opened();
    circuit.dialed(me);
    circuit.abandoned(me);
    assert.equal(circuit.waitMs(1_000), 0);
  });

  it('closes for a connection that opens although the circuit was open', () => {
    const circuit = opened();
    circuit.opened();
    assert.equal(circuit.waitMs(0), 0);
  });

  it('can always be dialed again, whatever happened', () => {
    const act = fc.oneof(
      fc.record({
        what: fc.constant('failed' as const),
        chance: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.record({ what: fc.constantFrom('opened', 'stable', 'abandoned', 'shun', 'dialed') }),
    );
    fc.assert(
      fc.property(fc.array(act), (acts) => {
        const circuit = new CircuitBreaker(options);
        let nowMs = 0;
        for (const { what, ...rest } of acts) {
          nowMs += 100;
          if (what === 'failed') circuit.failed(me, nowMs, (rest as { chance: number }).chance);
          else if (what === 'shun') circuit.trip(nowMs);
          else circuit[what as 'abandoned'](me);
          assert.ok(circuit.waitMs(nowMs) <= options.maxMs);
        }
        // The probe ends as well.
        circuit.abandoned(me);
        assert.equal(circuit.waitMs(nowMs + options.maxMs), 0);
      }),
    );
  });
});

describe('Upstreams', () => {
  const upstreamsOf = (...urls: string[]) => {
    const routeOf = (url: string) =>
      new FixedRoute({ url, subprotocols: [], address: url, path: '/' });
    return new Upstreams(urls.map((url) => new Upstream(url, routeOf(url), options)));
  };

  it('sends each member to the allowed upstream that has the fewest', () => {
    const upstreams = upstreamsOf('a', 'b', 'c');
    const next = () => {
      const chosen = upstreams.choose(0);
      chosen.enter(me);
      return chosen.url;
    };
    assert.deepEqual([next(), next(), next(), next()], ['a', 'b', 'c', 'a']);
    upstreams.all[1]?.circuit.trip(0);
    assert.deepEqual([next(), next(), next()], ['c', 'a', 'c']);
    upstreams.all[0]?.leave();
    upstreams.all[0]?.leave();
    assert.equal(next(), 'a');
    assert.equal(upstreams.waitMs(0), 0);
  });

  it('gives the time until an upstream may be dialed, and which one it is', () => {
    const upstreams = upstreamsOf('a', 'b');
    upstreams.all[0]?.circuit.leaveAlone(0, 5_000);
    upstreams.all[1]?.circuit.leaveAlone(0, 3_000);
    assert.equal(upstreams.waitMs(0), 3_000);
    assert.equal(upstreams.choose(0).url, 'b');
  });
});

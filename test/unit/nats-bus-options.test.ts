import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressOf } from '../../src/bus/nats/address.ts';
import { natsBus } from '../../src/bus/nats/index.ts';

describe('natsBus', () => {
  it('takes addresses of servers', () => {
    const addresses = {
      'nats://127.0.0.1:4222': ['127.0.0.1', 4222, false],
      'tls://nats.example.com': ['nats.example.com', 4222, true],
      'localhost:80': ['localhost', 80, false],
      'nats://[::1]:4333': ['::1', 4333, false],
      '[::1]': ['::1', 4222, false],
    };
    for (const [address, [host, port, isTls]] of Object.entries(addresses)) {
      assert.deepEqual(addressOf(address), { host, port, isTls });
      natsBus({ servers: address });
    }
    natsBus({ servers: Object.keys(addresses) });
  });

  it('refuses what is no address', () => {
    const wrong = [
      ...['', ' ', 'not an address', '::1', 'a:4222,b:4222', 'nats://a:99999', 'nats://'],
      ...['ws://a:4222', 'http://a:4222', 'nats://ada:secret@a:4222', 'nats://token@a:4222'],
      ...[[], [''], ['a', 7], 7, null, {}],
    ];
    for (const servers of wrong as string[])
      assert.throws(() => natsBus({ servers }), { code: 'invalid-options' }, String(servers));
  });

  it('never quotes credentials in an address', () => {
    assert.throws(
      () => natsBus({ servers: 'nats://ada:secret@a:4222' }),
      ({ message }: Error) => /without credentials/.test(message) && !message.includes('secret'),
    );
  });

  it('refuses options of NATS that it sets itself', () => {
    for (const name of [
      'servers',
      'noEcho',
      'reconnect',
      'reconnectTimeWait',
      'maxReconnectAttempts',
      'resolve',
    ])
      assert.throws(() => natsBus({ connection: { [name]: 1 } }), {
        code: 'invalid-options',
        message: `options.connection.${name}: is set by the bus; remove it`,
      });
  });

  it('refuses options that NATS does not have, and suggests what was meant', () => {
    const unknown = {
      usr: 'unknown option; did you mean user?',
      pingIntervall: 'unknown option; did you mean pingInterval?',
      reconnectDelay: 'unknown option',
    };
    for (const [name, problem] of Object.entries(unknown))
      assert.throws(() => natsBus({ connection: { [name]: 1 } }), {
        code: 'invalid-options',
        message: `options.connection.${name}: ${problem}`,
      });
    natsBus({ connection: { user: 'ada', pass: 'secret', pingInterval: 500, tls: {} } });
  });

  it('refuses a retention and replicas that no server has', () => {
    const wrong: object[] = [
      { retention: { forMs: 99 } },
      { retention: { messagesPerTopic: 0 } },
      { retention: 7 },
      { replicas: 2 },
      { replicas: '3' },
    ];
    for (const options of wrong)
      assert.throws(() => natsBus(options), { code: 'invalid-options' }, JSON.stringify(options));
    assert.throws(() => natsBus({ retention: { forMs: 99 } }), {
      message: 'options.retention.forMs: must be at least 100 with NATS, not 99',
    });
    natsBus({ retention: { forMs: 100 }, replicas: 5 });
  });

  it('refuses a name that is not one token', () => {
    for (const name of ['', 'a.b', '*', '>', 'a b', 'x'.repeat(65)])
      assert.throws(() => natsBus({ name }), { code: 'invalid-options' });
  });
});

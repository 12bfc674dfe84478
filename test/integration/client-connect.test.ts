// Goal: each connect option has the same effect on a real connection as in Node.js, also when a function returns it for
// each attempt. Method: servers that record how they were reached, and valid and invalid certificates.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { connect as tcpConnect } from 'node:net';
import { describe, it } from 'node:test';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { ConnectOptions } from '../../src/client/index.ts';
import { selfSigned } from '../support/certificate.ts';
import { clientPfx } from '../support/client-pfx.ts';
import { ConnectProxy } from '../support/connect-proxy.ts';
import { connectStage, here } from '../support/connect-stage.ts';
import { deadPort } from '../support/dead-port.ts';
import { stopsAndWatch } from '../support/stops.ts';

type CreateConnection = NonNullable<ConnectOptions['createConnection']>;
type Lookup = NonNullable<ConnectOptions['lookup']>;
type IdentityCheck = NonNullable<ConnectOptions['checkServerIdentity']>;

const stops = stopsAndWatch();
const { dial, secureService } = connectStage(stops);

/** Resolves every name to two addresses of this host. Servers of these tests listen at the second only. */
const bothAddresses: Lookup = (_name, { all }, done) => {
  const addresses = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }));
  if (all) done(null, addresses);
  else done(null, '127.0.0.2', 4);
};

describe('connect: over which addresses', () => {
  it('lookup supplies the addresses of a name, at once or later', async () => {
    const service = await stops.service();
    const names: string[] = [];
    const lookup: Lookup = (name, options, done) => {
      names.push(name);
      here(name, options, done);
    };
    await dial(`ws://feed.test:${service.port}/ws`, { lookup }).up();
    assert.deepEqual(names, ['feed.test']);
  });

  it('autoSelectFamily tries one address after another; without it there is one try', async () => {
    const service = await stops.service();
    const url = `ws://both.test:${service.port}/ws`;
    await dial(url, { lookup: bothAddresses }).up();
    const connect = { lookup: bothAddresses, autoSelectFamily: false };
    const { cause, error } = await dial(url, connect).firstFailure();
    assert.equal(cause, 'tcp-refused');
    assert.equal(error?.message, `connect ECONNREFUSED 127.0.0.2:${service.port}`);
  });

  it('family makes lookup return addresses of one version', async () => {
    const service = await stops.service();
    const asked: unknown[] = [];
    const lookup: Lookup = (name, options, done) => {
      asked.push(options.family);
      here(name, options, done);
    };
    await dial(`ws://feed.test:${service.port}/ws`, { lookup, family: 4 }).up();
    assert.deepEqual(asked, [4]);
  });

  it('localAddress is the client address that the server sees', async () => {
    const service = await stops.service();
    await dial(service.url, { localAddress: '127.0.0.9' }).up();
    const { connection } = await service.when('connection.opened');
    assert.equal(connection.address, '127.0.0.9');
  });

  it('localAddress that belongs to no host is an error of tcp', async () => {
    const failed = dial('ws://127.0.0.1:9/', { localAddress: '203.0.113.9' });
    const { cause, phase } = await failed.firstFailure();
    assert.deepEqual([cause, phase], ['tcp-error', 'tcp']);
  });

  it('autoSelectFamilyAttemptTimeout reaches Node.js, as the other options do', async () => {
    const service = await stops.service();
    const given = {
      autoSelectFamilyAttemptTimeout: 77,
      autoSelectFamily: true,
      family: 4,
    } as const;
    let seen: object = {};
    const createConnection: CreateConnection = (target) => {
      const { autoSelectFamilyAttemptTimeout, autoSelectFamily, family } = target;
      seen = { autoSelectFamilyAttemptTimeout, autoSelectFamily, family };
      return tcpConnect(target);
    };
    await dial(service.url, { ...given, createConnection }).up();
    assert.deepEqual(seen, given);
  });

  it('B01: reports for every tried address how it failed', async () => {
    const port = await deadPort();
    const { cause, phase, error } = await dial(`ws://both.test:${port}/`, {
      lookup: bothAddresses,
    }).firstFailure();
    assert.deepEqual([cause, phase], ['tcp-refused', 'tcp']);
    assert.ok(error instanceof AggregateError);
    const tried = ['127.0.0.2', '127.0.0.1'].map((each) => `connect ECONNREFUSED ${each}:${port}`);
    assert.equal(error.message, tried.join('; '));
  });
});

describe('connect: TLS', () => {
  it('ca, servername: trusts one authority, and verifies that name', async () => {
    const service = await secureService('feed.test');
    const url = `wss://127.0.0.1:${service.port}/`;
    const ca = service.certificate.cert;
    assert.equal((await dial(url, { ca }).firstFailure()).cause, 'tls-error');
    await dial(url, { ca, servername: 'feed.test' }).up();
    assert.equal(service.visits[0]?.servername, 'feed.test');
  });

  it('rejectUnauthorized: accepts any certificate when it is false', async () => {
    const service = await secureService('feed.test');
    await dial(`wss://127.0.0.1:${service.port}/`, { rejectUnauthorized: false }).up();
  });

  const passphrase = 'open, please';
  const client = selfSigned('client.test');
  const encrypted = createPrivateKey(client.key).export({
    ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase },
  } as const) as string;
  const identities: Record<string, [authority: string, connect: ConnectOptions]> = {
    'cert, key': [client.cert, { cert: client.cert, key: client.key }],
    'cert, key, passphrase': [client.cert, { cert: client.cert, key: encrypted, passphrase }],
    'key with its own passphrase': [
      client.cert,
      { cert: client.cert, key: [{ pem: encrypted, passphrase }] },
    ],
    'pfx, passphrase': [clientPfx.cert, { pfx: clientPfx.pfx, passphrase: clientPfx.passphrase }],
  };
  for (const [title, [authority, connect]] of Object.entries(identities)) {
    it(`${title}: identifies the client`, async () => {
      const service = await secureService('feed.test', { requestCert: true, ca: authority });
      const ca = service.certificate.cert;
      await dial(`wss://127.0.0.1:${service.port}/`, {
        ...{ ca, servername: 'feed.test' },
        ...connect,
      }).up();
      assert.equal(service.visits[0]?.clientName, 'client.test');
    });
  }

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`B13d: a missing certificate of the client is a tls-error in ${maxVersion}`, async () => {
      const options = { requestCert: true, ca: client.cert, maxVersion };
      const service = await secureService('feed.test', options);
      const { cause, phase, retry } = await dial(`wss://127.0.0.1:${service.port}/`, {
        ca: service.certificate.cert,
        servername: 'feed.test',
      }).firstFailure();
      assert.deepEqual([cause, phase, retry], ['tls-error', 'tls', 'backoff']);
    });
  }

  it('minVersion: refuses a server with an older version', async () => {
    const service = await secureService('feed.test', { maxVersion: 'TLSv1.2' });
    const url = `wss://127.0.0.1:${service.port}/`;
    const given = { ca: service.certificate.cert, servername: 'feed.test' };
    await dial(url, given).up();
    assert.equal(service.visits[0]?.protocol, 'TLSv1.2');
    const { cause } = await dial(url, { ...given, minVersion: 'TLSv1.3' }).firstFailure();
    assert.equal(cause, 'tls-error');
  });

  it('ciphers: are the ciphers that the client offers', async () => {
    const service = await secureService('feed.test', { maxVersion: 'TLSv1.2' });
    const ca = service.certificate.cert;
    for (const ciphers of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384']) {
      const connect = { ca, servername: 'feed.test', ciphers };
      await dial(`wss://127.0.0.1:${service.port}/`, connect).up();
      assert.equal(service.visits.at(-1)?.cipher, ciphers);
    }
  });

  it('checkServerIdentity: decides about the name', async () => {
    const service = await secureService('feed.test');
    const url = `wss://127.0.0.1:${service.port}/`;
    const names: string[] = [];
    const ca = service.certificate.cert;
    const checkServerIdentity: IdentityCheck = (name) => {
      names.push(name);
      return names.length === 1 ? undefined : new Error('not this one');
    };
    await dial(url, { ca, checkServerIdentity }).up();
    const { cause, error } = await dial(url, { ca, checkServerIdentity }).firstFailure();
    assert.deepEqual([cause, error?.message], ['tls-error', 'not this one']);
    assert.deepEqual(names, ['127.0.0.1', '127.0.0.1']);
  });

  const checks: Record<string, [check: () => unknown, message: RegExp]> = {
    throws: [
      () => {
        throw new Error('no pins yet');
      },
      /^no pins yet$/,
    ],
    'is async': [async () => undefined, /must return an Error or undefined, not a Promise/],
    'is async and rejects': [() => Promise.reject(new Error('no pins')), /not a Promise/],
    'returns no error': [() => true, /not true/],
  };
  for (const [title, [check, message]] of Object.entries(checks)) {
    for (const rejectUnauthorized of [true, false]) {
      it(`B13e: checkServerIdentity that ${title} fails the attempt, rejectUnauthorized ${rejectUnauthorized}`, async () => {
        const service = await secureService('feed.test');
        const connect = {
          ...{ ca: service.certificate.cert, servername: 'feed.test', rejectUnauthorized },
          checkServerIdentity: check as IdentityCheck,
        };
        const failed = dial(`wss://127.0.0.1:${service.port}/`, connect);
        const { cause, phase, error } = await failed.firstFailure();
        assert.deepEqual([cause, phase], ['tls-error', 'tls']);
        assert.match(String(error?.message), message);
        assert.deepEqual([failed.endings.length, service.visits.length], [1, 0]);
      });
    }
  }
});

describe('connect: a function for each attempt', () => {
  it('runs again after a failure, and may change the route', async () => {
    const service = await stops.service();
    const proxy = await stops.started(ConnectProxy.start());
    const bad = await stops.started(ConnectProxy.start(502));
    let asked = 0;
    const connect = async () => {
      asked += 1;
      return { agent: new HttpsProxyAgent(asked === 1 ? bad.url : proxy.url) };
    };
    const dialing = dial(`ws://feed.test:${service.port}/ws`, connect, {
      backoff: { minMs: 10, maxMs: 20 },
    });
    await dialing.up();
    assert.deepEqual([asked, bad.targets.length, proxy.targets.length], [2, 1, 1]);
  });

  const wrong: Record<string, [connect: () => unknown, message: string]> = {
    'an option that is unknown': [
      () => ({ localAdress: '127.0.0.1' }),
      'options.connect.localAdress: unknown option; did you mean localAddress?',
    ],
    'a wrong value': [
      () => ({ servername: 5 }),
      'options.connect.servername: must be a string, not 5',
    ],
    'a promise of a wrong value': [
      async () => ({ family: 5 }),
      'options.connect.family: must be 0, 4 or 6, not 5',
    ],
    nothing: [() => undefined, 'options.connect: its function returned nothing'],
    'a function': [() => () => ({}), 'options.connect: must be an object, not a function'],
  };
  for (const [title, [connect, message]] of Object.entries(wrong)) {
    it(`B12: fails the attempt when it returns ${title}, and the error names that`, async () => {
      const failed = dial('ws://127.0.0.1:1/', connect as () => ConnectOptions);
      const { cause, phase, retry, error } = await failed.firstFailure();
      assert.deepEqual([cause, phase, retry], ['target-error', 'config', 'backoff']);
      assert.equal(error?.message, message);
      assert.equal(failed.client.status.state, 'waiting');
    });
  }
});

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type AdmissionOptions, type Failure, listen } from '../../src/index.ts';
import { Premises } from '../support/before-open-premises.ts';
import { statusOverTls, tlsOptions } from '../support/before-open-tls.ts';
import { pick } from '../support/service.ts';
import { until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

/** The result of one request: `open`, or the status and the cause of its refusal. */
async function outcome(headers: Record<string, string | undefined>, path = '/ws'): Promise<string> {
  const before = outcomes().length;
  const peer = await premises.ask({ path, headers });
  await until(() => outcomes().length > before, 'the request has an outcome');
  const event = outcomes()[before];
  if (event?.type === 'connection.opened') return 'open';
  assert.equal(event?.type, 'connection.failed');
  await until(() => peer.ended || peer.closed, 'the request is answered');
  const { failure } = event as { failure: Failure };
  assert.equal(peer.status, failure.httpStatus);
  return `${peer.status} ${failure.cause} ${failure.phase} ${failure.level}`;
}

function outcomes() {
  const types = ['connection.opened', 'connection.failed'];
  return premises.service.events.filter(({ type }) => types.includes(type));
}

const wrongOrigin = '403 wrong-origin admission warn';
const wrongHost = '403 wrong-host admission warn';
const wrongPath = '404 wrong-path admission info';

/** Host, Origin and whether they are the same. */
const origins: readonly [string, string | undefined, string | undefined, boolean][] = [
  ['identical', 'example.com', 'http://example.com', true],
  ['the same with a port', 'example.com:8080', 'http://example.com:8080', true],
  ['the same behind TLS that ends elsewhere', 'example.com', 'https://example.com', true],
  ['the default port written in Host', 'example.com:80', 'http://example.com', true],
  ['the default port written in Origin', 'example.com', 'http://example.com:80', true],
  ['the default port of https written in Host', 'example.com:443', 'https://example.com', true],
  ['the default port of the other scheme', 'example.com:443', 'http://example.com', false],
  ['a host in upper case', 'EXAMPLE.Com', 'http://example.com', true],
  ['an origin in upper case', 'example.com', 'HTTP://EXAMPLE.COM', true],
  ['IPv4', '127.0.0.1:80', 'http://127.0.0.1', true],
  ['IPv6', '[::1]:8080', 'http://[::1]:8080', true],
  ['IPv6 with the default port', '[::1]', 'http://[::1]:80', true],
  ['IPv6 written differently', '[0:0:0:0:0:0:0:1]', 'http://[::1]', true],
  ['another IPv6', '[::2]:8080', 'http://[::1]:8080', false],
  ['an international name', 'xn--bcher-kva.example', 'http://xn--bcher-kva.example', true],
  [
    'an international name that is not in ASCII',
    'xn--bcher-kva.example',
    'http://bücher.example',
    false,
  ],
  ['no Origin at all', 'example.com', undefined, true],
  ['an empty Origin', 'example.com', '', false],
  ['the origin null', 'example.com', 'null', false],
  ['garbage', 'example.com', '%%%', false],
  ['only the host', 'example.com', 'example.com', false],
  ['no scheme', 'example.com', '//example.com', false],
  ['an origin without a host', 'example.com', 'file://', false],
  ['data', 'example.com', 'data:text/html,example.com', false],
  ['two origins', 'example.com', 'http://example.com, http://evil.example', false],
  ['two origins with a space', 'example.com', 'http://example.com http://evil.example', false],
  ['another port', 'example.com', 'http://example.com:8080', false],
  ['another port of Host', 'example.com:8080', 'http://example.com', false],
  ['another host', 'example.com', 'http://evil.example', false],
  ['a subdomain', 'example.com', 'http://www.example.com', false],
  ['the host as a subdomain', 'example.com', 'http://example.com.evil.example', false],
  ['the host as a user', 'example.com', 'http://example.com@evil.example', false],
  ['the host as a path', 'example.com', 'http://evil.example/example.com', false],
  ['the host as a fragment', 'example.com', 'http://evil.example#example.com', false],
  ['an origin that is a browser extension', 'example.com', 'chrome-extension://example', false],
];

describe('admission: Origin', { timeout: 60_000 }, () => {
  for (const [title, host, origin, same] of origins) {
    it(`same-origin by default: ${title} is ${same ? 'let in' : 'refused'}`, async () => {
      premises = await Premises.start();
      const headers = { Host: host, ...(origin !== undefined && { Origin: origin }) };
      assert.equal(await outcome(headers), same ? 'open' : wrongOrigin);
    });
  }

  it('same-origin by default: a page without TLS differs from a server with it', async () => {
    premises = await Premises.start();
    const options = { path: '/ws', tls: tlsOptions };
    await using listener = await listen(premises.service.supervisor, options);
    const { port } = listener;
    const [secure, plain] = ['https://example.com', 'http://example.com'];
    assert.equal(await statusOverTls(port, { Host: 'example.com', Origin: secure }), 101);
    assert.equal(await statusOverTls(port, { Host: 'example.com', Origin: plain }), 403);
  });

  it('same-origin by default: a scheme outside the web is another origin', async () => {
    premises = await Premises.start();
    const headers = { Host: 'localhost', Origin: 'capacitor://localhost' };
    assert.equal(await outcome(headers), wrongOrigin);
  });

  it('any: every origin is admitted', async () => {
    premises = await started({ origins: 'any' });
    for (const Origin of ['null', 'http://evil.example', '%%%', '']) {
      assert.equal(await outcome({ Origin }), 'open', Origin);
    }
  });

  it("a list: only these origins, without the server's own, and clients that send none", async () => {
    premises = await started({ origins: ['https://app.example', 'capacitor://localhost'] });
    assert.equal(await outcome({ Origin: 'https://app.example' }), 'open');
    assert.equal(await outcome({ Origin: 'capacitor://localhost' }), 'open');
    assert.equal(await outcome({ Origin: undefined }), 'open');
    for (const Origin of ['https://app.example:8443', 'http://app.example', 'null', '']) {
      assert.equal(await outcome({ Origin }), wrongOrigin, Origin);
    }
    const own = `127.0.0.1:${premises.service.port}`;
    assert.equal(await outcome({ Host: own, Origin: `http://${own}` }), wrongOrigin);
  });
});

describe('admission: Origin by configuration', { timeout: 60_000 }, () => {
  it('a list is read as browsers write origins, with names below a name', async () => {
    premises = await started({
      origins: ['HTTPS://App.Example:443/', 'https://*.example.com', 'file://', 'null'],
    });
    const inside = ['https://app.example', 'https://a.b.example.com', 'file://', 'null'];
    for (const Origin of inside) assert.equal(await outcome({ Origin }), 'open', Origin);
    for (const Origin of ['https://example.com', 'https://example.com.evil.example', '']) {
      assert.equal(await outcome({ Origin }), wrongOrigin, Origin);
    }
  });

  for (const origins of ['*', ['*']] as const) {
    it(`${JSON.stringify(origins)} admits any`, async () => {
      premises = await started({ origins });
      assert.equal(await outcome({ Origin: 'https://evil.example' }), 'open');
    });
  }

  it('a function decides, from the header and the request', async () => {
    premises = await started({
      origins: (origin, { url }) => origin === 'https://app.example' && url === '/ws?tenant=1',
    });
    const Origin = 'https://app.example';
    assert.equal(await outcome({ Origin }, '/ws?tenant=1'), 'open');
    assert.equal(await outcome({ Origin }, '/ws?tenant=2'), wrongOrigin);
    assert.equal(await outcome({ Origin: 'https://evil.example' }, '/ws?tenant=1'), wrongOrigin);
    assert.equal(await outcome({ Origin: undefined }), 'open');
    assert.deepEqual(premises.service.of('handler.errored'), []);
  });

  const broken: Record<string, () => unknown> = {
    'that throws': () => {
      throw new Error('the list is unavailable');
    },
    'that is async': async () => true,
    'that rejects': () => Promise.reject(new Error('the list is unavailable')),
    'that returns a truthy value': () => 'yes',
    'that returns nothing': () => undefined,
  };
  for (const [which, rule] of Object.entries(broken)) {
    it(`a function ${which} admits nobody, and is reported`, async () => {
      premises = await started({ origins: rule as () => boolean, hosts: () => true });
      assert.equal(await outcome({ Origin: 'https://app.example' }), wrongOrigin);
      const [errored] = premises.service.of('handler.errored');
      assert.equal(errored?.handler, 'origins');
      const expected =
        which === 'that throws' ? /unavailable/ : /origins must return a boolean, not /;
      assert.match(errored?.error.message ?? '', expected);
    });
  }

  it('a host that only a URL would truncate is not the host of an origin', async () => {
    premises = await Premises.start();
    for (const Host of [
      'evil.example/',
      'example.com@evil.example',
      'evil.example?',
      'evil.example#',
    ]) {
      assert.equal(await outcome({ Host, Origin: 'http://evil.example' }), wrongOrigin, Host);
    }
  });
});

describe('admission: what the refusal of a header reports', { timeout: 60_000 }, () => {
  it('wrong-origin has Origin, Host and the option, in failure and log', async () => {
    premises = await Premises.start();
    const headers = { Host: 'app.example:8080', Origin: 'https://app.example' };
    assert.equal((await premises.refused({ headers })).status, 403);
    const told = {
      origin: 'https://app.example',
      host: 'app.example:8080',
      option: 'admission.origins',
    };
    await premises.service.failedAs({ cause: 'wrong-origin', ...told, level: 'warn' });
    const [line] = premises.service.logLines();
    assert.deepEqual(pick(line?.fields ?? {}, Object.keys(told)), told);
    assert.equal(
      line?.message,
      'c1 never opened: wrong-origin (Origin https://app.example, Host app.example:8080, by admission.origins)',
    );
  });

  it('wrong-host has Host and the option', async () => {
    premises = await started({ hosts: ['app.example'] });
    assert.equal((await premises.refused({ headers: { Host: 'evil.example' } })).status, 403);
    const told = { host: 'evil.example', option: 'admission.hosts' };
    const failure = await premises.service.failedAs({
      ...{ cause: 'wrong-host', level: 'warn', ...told },
    });
    assert.equal('origin' in failure, false);
    const [line] = premises.service.logLines();
    assert.match(line?.message ?? '', /wrong-host \(Host evil\.example, by admission\.hosts\)$/);
  });

  it('foreign text stays on its line and is cut', async () => {
    premises = await Premises.start();
    const Origin = `http://\u0085\u009b31m${'x'.repeat(4_000)}`;
    assert.equal((await premises.refused({ headers: { Origin } })).status, 403);
    const failure = await premises.service.failedAs({ cause: 'wrong-origin', level: 'warn' });
    assert.ok((failure.origin?.length ?? 0) < 300);
    const [line] = premises.service.logLines();
    for (const text of [String(line?.fields['origin']), line?.message ?? '']) {
      assert.deepEqual([text.includes('\u009b'), text.includes('\\u009b31m')], [false, true]);
    }
  });
});

describe('admission: Host', { timeout: 60_000 }, () => {
  it('a listed name covers all its ports, and a listed port only itself', async () => {
    premises = await started({ hosts: ['example.com', 'API.example.com:8443', '[::1]'] });
    const served = ['example.com', 'example.com:1', 'EXAMPLE.COM:65535', 'api.example.com:8443'];
    for (const Host of [...served, '[::1]', '[::1]:8080']) {
      assert.equal(await outcome({ Host }), 'open', Host);
    }
    const other = ['api.example.com', 'api.example.com:8444', 'www.example.com', 'example.com.'];
    for (const Host of [...other, 'example.com.evil.example', 'evil.example', '[::2]', '::1', '']) {
      assert.equal(await outcome({ Host }), wrongHost, Host);
    }
  });

  it('a name that was rebound to us is refused although its origin is the same', async () => {
    premises = await started({ hosts: ['127.0.0.1'] });
    const rebound = { Host: 'evil.example', Origin: 'http://evil.example' };
    assert.equal(await outcome(rebound), wrongHost);
  });

  it('a list is read as browsers write hosts, with names below a name', async () => {
    premises = await started({ hosts: ['App.Example:443', '*.example.com'] });
    for (const Host of ['app.example', 'app.example:443', 'a.b.example.com:8080']) {
      assert.equal(await outcome({ Host }), 'open', Host);
    }
    for (const Host of ['app.example:8443', 'example.com', 'a.example.com/']) {
      assert.equal(await outcome({ Host }), wrongHost, Host);
    }
  });

  it('a function decides; one that throws admits nobody, and is reported', async () => {
    premises = await started({
      hosts: (host) => {
        if (host === 'broken.example') throw new Error('the list is unavailable');
        return host.endsWith('.example');
      },
    });
    assert.equal(await outcome({ Host: 'a.example' }), 'open');
    assert.equal(await outcome({ Host: 'a.test' }), wrongHost);
    assert.equal(await outcome({ Host: 'broken.example' }), wrongHost);
    const [errored] = premises.service.of('handler.errored');
    assert.deepEqual(
      [errored?.handler, errored?.error.message],
      ['hosts', 'the list is unavailable'],
    );
  });

  it('any host is served without a list', async () => {
    premises = await Premises.start();
    assert.equal(await outcome({ Host: 'whatever.example:99' }), 'open');
  });

  it('a request without Host is no opening handshake (RFC 6455 §4.2.1)', async () => {
    premises = await Premises.start();
    assert.equal(await outcome({ Host: undefined }), '400 bad-request http warn');
  });
});

describe('admission: path', { timeout: 60_000 }, () => {
  const lookalikes = ['/', '/ws/', '/w', '/wss', '/WS', '//ws', '/ws%2f', '/%77s', '/ws#x', '*'];

  it('only the path itself, with or without a query', async () => {
    premises = await Premises.start();
    for (const path of ['/ws', '/ws?', '/ws?token=1&path=/other', '/ws?a?b']) {
      assert.equal(await outcome({}, path), 'open', path);
    }
    for (const path of lookalikes) assert.equal(await outcome({}, path), wrongPath, path);
  });

  it('each path of a list', async () => {
    premises = await Premises.start({}, { path: ['/a', '/b/c'] });
    for (const path of ['/a', '/b/c', '/b/c?d']) assert.equal(await outcome({}, path), 'open');
    for (const path of ['/', '/b', '/c']) assert.equal(await outcome({}, path), wrongPath, path);
  });

  it('any path when none is configured', async () => {
    premises = await Premises.start({}, {});
    for (const path of ['/', '/anything?x']) assert.equal(await outcome({}, path), 'open', path);
    const paths = [...premises.service.supervisor.connections].map(({ path }) => path);
    assert.deepEqual(paths, ['/', '/anything']);
  });

  it('an absolute URI names the path too (RFC 6455 §4.2.1, RFC 9112 §3.2.2)', async () => {
    premises = await Premises.start();
    assert.equal(await outcome({ Host: 'example.com' }, 'http://example.com/ws?x'), 'open');
    assert.equal(await outcome({ Host: 'example.com' }, 'http://example.com/other'), wrongPath);
  });
});

function started(admission: Partial<AdmissionOptions>): Promise<Premises> {
  return Premises.start({ admission });
}

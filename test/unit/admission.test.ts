import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { AcceptFailureCause } from '../../src/core/failure.ts';
import type { AdmissionOptions, SupervisorOptions } from '../../src/index.ts';
import {
  Admission,
  type AdmissionState,
  drainingRefusal,
  type Paths,
  requestPath,
} from '../../src/server/admission.ts';
import { resolveOptions } from '../../src/server/options.ts';
import type { Registry } from '../../src/server/registry.ts';
import type { AnyReporter } from '../../src/server/report.ts';

interface Request {
  method?: string;
  url?: string;
  httpVersion?: string;
  headers?: Record<string, string | undefined>;
  encrypted?: boolean;
}

/** A valid upgrade request, except for the given headers. */
function requestOf(about: Request = {}): IncomingMessage {
  const { method = 'GET', url = '/ws', httpVersion = '1.1', encrypted } = about;
  const headers = {
    host: 'chat.example:8080',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...about.headers,
  };
  const socket = encrypted ? { encrypted } : {};
  return { method, url, httpVersion, headers, socket } as unknown as IncomingMessage;
}

interface Situation extends Request {
  options?: Partial<AdmissionOptions>;
  rules?: Pick<SupervisorOptions, 'subprotocols' | 'unmatchedSubprotocols'>;
  paths?: Paths;
  state?: AdmissionState;
}

function judged({ options = {}, rules = {}, paths, state = 'open', ...about }: Situation) {
  const registry = { connections: { size: 0 }, fromAddress: () => 0 } as unknown as Registry;
  const errors: string[] = [];
  const errored = (handler: string, error: Error) => errors.push(`${handler}: ${error.message}`);
  const resolved = resolveOptions({ ...rules, admission: options });
  const admission = new Admission(resolved, registry, { errored } as unknown as AnyReporter, 0);
  const request = requestOf(about);
  const path = requestPath(request);
  return { answer: admission.judge({ request, path, paths, state }), errors };
}

const judge = (situation: Situation) => judged(situation).answer;

type Row = [title: string, Situation, refused?: [AcceptFailureCause, status: number]];

const header = (name: string, value: string | undefined): Situation => ({
  headers: { [name]: value },
});
const from = (origin: string, more: Situation = {}): Situation => ({
  ...more,
  headers: { origin, ...more.headers },
});

const offering = (names: string, rules: Situation['rules'] = {}): Situation => ({
  rules,
  ...header('sec-websocket-protocol', names),
});
const unmatched: [AcceptFailureCause, number] = ['wrong-subprotocol', 400];

const rows: readonly Row[] = [
  ['admits a proper request', {}],
  ['admits it on any path when none is named', { url: '/anything?at=all' }],
  ['refuses newcomers while suspended', { state: 'suspended' }, ['suspended', 503]],
  ['refuses newcomers while draining', { state: 'draining' }, ['draining', 503]],
  ['checks the load before the request', { state: 'draining', method: 'POST' }, ['draining', 503]],

  ['A04: refuses any method but GET', { method: 'POST' }, ['wrong-method', 405]],
  ['refuses HTTP/1.0', { httpVersion: '1.0' }, ['bad-request', 400]],
  ['refuses HTTP/0.9', { httpVersion: '0.9' }, ['bad-request', 400]],
  ['refuses a request that names no host', header('host', undefined), ['bad-request', 400]],
  ['I02: refuses an upgrade to something else', header('upgrade', 'h2c'), ['bad-request', 426]],
  ['accepts WebSocket in any case', header('upgrade', 'WebSocket')],
  ['A03: refuses version 7', header('sec-websocket-version', '7'), ['wrong-version', 426]],
  ['refuses version 8', header('sec-websocket-version', '8'), ['wrong-version', 426]],
  ['refuses no version', header('sec-websocket-version', undefined), ['wrong-version', 426]],
  ['A02: refuses no key', header('sec-websocket-key', undefined), ['bad-request', 400]],
  ...['', 'short==', `${'a'.repeat(24)}`, `${'a'.repeat(21)}é==`, `${'a'.repeat(22)}==x`].map(
    (key): Row => [
      `A02: refuses the key "${key}"`,
      header('sec-websocket-key', key),
      ['bad-request', 400],
    ],
  ),

  ['admits a path that is served', { paths: ['/a', '/ws'], url: '/ws?x=1' }],
  ['A05: refuses a path that is not served', { paths: ['/a'], url: '/ws' }, ['wrong-path', 404]],
  [
    'refuses a path that only starts like a served one',
    { paths: ['/ws'], url: '/ws/x' },
    ['wrong-path', 404],
  ],
  ['refuses a path in another case', { paths: ['/ws'], url: '/WS' }, ['wrong-path', 404]],
  ['reads the path of a whole URI', { paths: ['/ws'], url: 'http://chat.example/ws?x' }],

  ['admits a listed host on any port', { options: { hosts: ['chat.example'] } }],
  ['admits a listed host with its port', { options: { hosts: ['chat.example:8080'] } }],
  ['reads hosts in any case', { options: { hosts: ['CHAT.example'] } }],
  ['refuses another port', { options: { hosts: ['chat.example:80'] } }, ['wrong-host', 403]],
  [
    'refuses another host',
    { options: { hosts: ['example', 'x.chat.example'] } },
    ['wrong-host', 403],
  ],
  ['knows IPv6 hosts', { options: { hosts: ['[::1]'] }, ...header('host', '[::1]:8080') }],

  ['admits a client without an origin', {}],
  ['admits the same origin', from('http://chat.example:8080')],
  ['admits the same origin behind TLS that ended before us', from('https://chat.example:8080')],
  ['admits the same origin in any case', from('HTTP://Chat.Example:8080')],
  ['refuses another port', from('http://chat.example'), ['wrong-origin', 403]],
  ['refuses another host', from('http://evil.example:8080'), ['wrong-origin', 403]],
  [
    'refuses a host that only ends like a listed one',
    from('http://evilchat.example:8080'),
    ['wrong-origin', 403],
  ],
  [
    'refuses a host that only begins like a listed one',
    from('http://chat.example:8080.evil.example'),
    ['wrong-origin', 403],
  ],
  [
    'refuses an origin with a user',
    from('http://chat.example:8080@evil.example'),
    ['wrong-origin', 403],
  ],
  ['refuses the opaque origin', from('null'), ['wrong-origin', 403]],
  ['refuses an origin that is not one', from('chat.example:8080'), ['wrong-origin', 403]],
  ['refuses an empty origin', from(''), ['wrong-origin', 403]],
  ['refuses other schemes', from('ws://chat.example:8080'), ['wrong-origin', 403]],
  ['refuses file: and similar schemes', from('file://chat.example:8080'), ['wrong-origin', 403]],
  [
    'refuses http where TLS is known to be on',
    from('http://chat.example:8080', { encrypted: true }),
    ['wrong-origin', 403],
  ],
  [
    'admits https where TLS is known to be on',
    from('https://chat.example:8080', { encrypted: true }),
  ],
  ['knows default ports', from('http://chat.example', header('host', 'chat.example:80'))],
  ['knows default ports of TLS', from('https://chat.example', header('host', 'chat.example:443'))],
  [
    'admits any origin when configured so',
    from('http://evil.example', { options: { origins: 'any' } }),
  ],
  [
    'admits listed origins',
    from('https://app.example', { options: { origins: ['https://app.example'] } }),
  ],
  [
    'refuses other origins, including its own',
    from('http://chat.example:8080', { options: { origins: ['https://app.example'] } }),
    ['wrong-origin', 403],
  ],
  ['admits a subprotocol that is supported', offering('v1, v2', { subprotocols: ['v2'] })],
  ['refuses subprotocols where none is supported', offering('token, s3cret'), unmatched],
  [
    'refuses subprotocols that are not spoken',
    offering('v1,v3', { subprotocols: ['v2'] }),
    unmatched,
  ],
  ['distinguishes the case of subprotocols', offering('V2', { subprotocols: ['v2'] }), unmatched],
  ['admits the beat alone where none is supported', offering('mooring.v1')],
  ['admits the beat alone where some are', offering('mooring.v1', { subprotocols: ['v2'] })],
  [
    'admits the beat with a supported subprotocol',
    offering('v2, v2+mooring.v1', { subprotocols: ['v2'] }),
  ],
  [
    'refuses the beat with one that is not',
    offering('v1, v1+mooring.v1', { subprotocols: ['v2'] }),
    unmatched,
  ],
  ['admits any subprotocol when configured so', offering('v1', { unmatchedSubprotocols: 'open' })],
  ['leaves a malformed list to ws', offering('v1;')],
  ['leaves a name that is offered twice to ws', offering('v1, v1')],
  [
    'judges the origin before the subprotocol',
    { rules: {}, headers: { origin: 'null', 'sec-websocket-protocol': 'v1' } },
    ['wrong-origin', 403],
  ],
  [
    'judges the host before the origin',
    from('null', { options: { hosts: ['x'] } }),
    ['wrong-host', 403],
  ],
];

describe('Admission.judge', () => {
  for (const [title, situation, refused] of rows) {
    it(title, () => {
      const answer = judge(situation);
      assert.deepEqual(answer && [answer.cause, answer.status], refused ?? null);
    });
  }

  it('states in the answer what the client must do instead', () => {
    assert.deepEqual(judge({ method: 'POST' })?.headers, { Allow: 'GET' });
    assert.equal(judge(header('upgrade', 'h2c'))?.headers?.['Upgrade'], 'websocket');
    assert.equal(
      judge(header('sec-websocket-version', '7'))?.headers?.['Sec-WebSocket-Version'],
      '13',
    );
    for (const state of ['suspended', 'draining'] as const) {
      assert.equal(judge({ state })?.headers?.['Retry-After'], '5');
    }
    assert.equal(judge({ state: 'draining' }), drainingRefusal);
  });

  it('names the subprotocols of both sides, up to a length limit', () => {
    const body = (names: string, subprotocols: readonly string[]) =>
      judge(offering(names, { subprotocols }))?.body;
    assert.equal(body('v1,v3', ['v2']), 'no subprotocol in common; offered: v1, v3; supported: v2');
    assert.equal(body('v1', []), 'no subprotocol in common; offered: v1; supported: none');
    const long = body('x'.repeat(10_000), ['y'.repeat(10_000)]) ?? '';
    assert.ok(long.length < 500, `${long.length} characters`);
  });

  it('never quotes the request in an answer', () => {
    const marked = 'MARK-7f3a';
    const situations = rows.map(([, situation]) => ({ ...situation, url: `/${marked}` }));
    for (const situation of situations) {
      const headers = { origin: `http://${marked}`, host: marked, ...situation.headers };
      // The failure has details that the answer does not have.
      const { refused: _, ...sent } = judge({ ...situation, headers }) ?? {};
      assert.equal(JSON.stringify(sent).includes(marked), false);
    }
  });
});

/** An admission whose registry has this many connections. */
function loadOf(present: { all: number; ofAddress: number }, options: Partial<AdmissionOptions>) {
  const registry = { connections: { size: present.all }, fromAddress: () => present.ofAddress };
  const resolved = resolveOptions({ admission: options });
  const reporter = { errored: () => {} } as unknown as AnyReporter;
  return new Admission(resolved, registry as unknown as Registry, reporter, 0);
}

/** The socket of a proxy that forwards other addresses. */
const behind = { remoteAddress: '198.51.100.1' } as Socket;
const addressOf = () => '192.0.2.1';

describe('Admission.judgeLoad', () => {
  const limits = { connectionsMax: 10, connectionsPerAddressMax: 5 };

  it('admits up to the limits and refuses beyond them', () => {
    const cause = (all: number, ofAddress: number) =>
      loadOf({ all, ofAddress }, limits).judgeLoad('192.0.2.1', behind, 0);
    assert.equal(cause(9, 4), null);
    const full = cause(10, 0);
    assert.deepEqual([full?.cause, full?.status], ['connections-max', 503]);
    const crowded = cause(5, 5);
    assert.deepEqual([crowded?.cause, crowded?.status], ['address-max', 429]);
    for (const answer of [full, crowded]) assert.equal(answer?.headers?.['Retry-After'], '5');
  });

  it('admits a burst of twice the rate, then the rate', () => {
    const admission = loadOf({ all: 0, ofAddress: 0 }, { acceptsPerSecondMax: 10 });
    let addresses = 0;
    const next = (nowMs: number) => {
      addresses += 1;
      return admission.judgeLoad(`192.0.2.${addresses}`, behind, nowMs);
    };
    const admitted = (nowMs: number) => {
      let count = 0;
      while (next(nowMs) === null) count += 1;
      return count;
    };
    assert.deepEqual(
      [admitted(0), admitted(100), admitted(1_100), admitted(60_000)],
      [20, 1, 10, 20],
    );
    const refused = next(60_000);
    assert.deepEqual([refused?.cause, refused?.status], ['accept-rate', 503]);
    assert.equal(refused?.headers?.['Retry-After'], '1');
  });

  it('gives one address half of the rate and of its burst, and leaves the rest to others', () => {
    const admission = loadOf({ all: 0, ofAddress: 0 }, { acceptsPerSecondMax: 10 });
    const admitted = (address: string, nowMs: number) => {
      let count = 0;
      while (admission.judgeLoad(address, behind, nowMs) === null) count += 1;
      return count;
    };
    assert.equal(admitted('192.0.2.1', 0), 10);
    const refused = admission.judgeLoad('192.0.2.1', behind, 0);
    assert.deepEqual([refused?.cause, refused?.status], ['address-rate', 429]);
    assert.equal(refused?.headers?.['Retry-After'], '1');
    for (let more = 0; more < 100; more += 1) admission.judgeLoad('192.0.2.1', behind, 0);
    assert.equal(admitted('192.0.2.2', 0), 10);
    assert.equal(admission.judgeLoad('192.0.2.3', behind, 0)?.cause, 'accept-rate');
    assert.equal(admitted('192.0.2.1', 1_000), 5);
  });

  it('gives a network of IPv6 addresses the share of one address', () => {
    const cause = (options: Partial<AdmissionOptions>) => {
      const admission = loadOf({ all: 0, ofAddress: 0 }, { acceptsPerSecondMax: 2, ...options });
      const knock = (host: number) => admission.judgeLoad(`2001:db8::${host}`, behind, 0)?.cause;
      return [knock(1), knock(2), knock(3)];
    };
    assert.deepEqual(cause({}), [undefined, undefined, 'address-rate']);
    assert.deepEqual(cause({ ipv6PrefixBits: 128 }), [undefined, undefined, undefined]);
  });

  it('gives one address half of the connections, and at least one', () => {
    const cause = (ofAddress: number, connectionsMax: number) =>
      loadOf({ all: ofAddress, ofAddress }, { connectionsMax }).judgeLoad('192.0.2.1', behind, 0)
        ?.cause;
    assert.deepEqual([cause(4, 11), cause(5, 11)], [undefined, 'address-max']);
    assert.deepEqual([cause(0, 1), cause(1, 1)], [undefined, 'connections-max']);
    assert.deepEqual([cause(0, 2), cause(1, 2)], [undefined, 'address-max']);
  });

  it('gives the address of a proxy all connections and the whole rate, up to its own limit', () => {
    const admitted = (options: Partial<AdmissionOptions>) => {
      const admission = loadOf({ all: 8, ofAddress: 8 }, { connectionsMax: 10, ...options });
      const proxy = { remoteAddress: '::ffff:192.0.2.1' } as Socket;
      let count = 0;
      while (count < 100 && admission.judgeLoad('192.0.2.1', proxy, 0) === null) count += 1;
      return count;
    };
    const acceptsPerSecondMax = 10;
    assert.equal(admitted({ acceptsPerSecondMax, addressOf: () => undefined }), 20);
    assert.equal(admitted({ acceptsPerSecondMax, connectionsPerAddressMax: 8, addressOf }), 0);
    assert.equal(admitted({ acceptsPerSecondMax }), 0);
  });

  it('never charges the rate for a client that is refused for lack of room', () => {
    const present = { all: 10, ofAddress: 0 };
    const admission = loadOf(present, { ...limits, acceptsPerSecondMax: 1 });
    for (let attempt = 0; attempt < 50; attempt += 1) {
      assert.equal(admission.judgeLoad('192.0.2.1', behind, 0)?.cause, 'connections-max');
    }
  });
});

describe('requestPath', () => {
  it('is the path without its query', () => {
    const paths: Record<string, string> = {
      '/ws': '/ws',
      '/ws?a=b': '/ws',
      '/ws?': '/ws',
      '/?': '/',
      '/a?b?c': '/a',
      '//evil.example/ws': '//evil.example/ws',
      'http://chat.example/ws?x=1': '/ws',
      'http://chat.example': '/',
      '*': '*',
      '': '',
    };
    for (const [url, path] of Object.entries(paths)) {
      assert.equal(requestPath({ url } as IncomingMessage), path, url);
    }
    assert.equal(requestPath({} as IncomingMessage), '/');
  });
});

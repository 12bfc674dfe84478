import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  type AnswerHeaders,
  type FailureCause,
  Refusal,
  type SupervisorOptions,
} from '../../src/index.ts';
import { answerOf, type HttpAnswer } from '../support/before-open-answer.ts';
import { requestBytes } from '../support/before-open-instants.ts';
import { Premises } from '../support/before-open-premises.ts';
import type { HandshakeSpec } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

type Options = SupervisorOptions<unknown, unknown, unknown>;

/** Starts a service that refuses everybody in this way, and returns what the first client receives. */
async function refusedWith(thrown: unknown): Promise<HttpAnswer> {
  premises = await Premises.start({
    authenticate: () => {
      throw thrown;
    },
  });
  return premises.refused();
}

interface Refused {
  readonly title: string;
  readonly options?: Options;
  readonly spec?: HandshakeSpec;
  readonly path?: string;
  readonly status: number;
  readonly cause: FailureCause;
  readonly phase: 'admission' | 'http';
  readonly level: 'info' | 'warn' | 'error';
  /** Further headers of the answer. Every other answer lacks `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function refuseWith(thrown: unknown): Options {
  return { authenticate: () => Promise.reject(thrown) };
}

const admission = 'admission';

/** Every refusal except those for lack of room. */
const refusals: readonly Refused[] = [
  {
    title: 'A02: a bad key',
    spec: { headers: { 'Sec-WebSocket-Key': 'x' } },
    ...{ status: 400, cause: 'bad-request', phase: 'http', level: 'warn' },
  },
  {
    title: 'A06: no credentials',
    options: {
      authenticate: () => {
        throw new Refusal(401, 'sign in first', { 'WWW-Authenticate': 'Bearer' });
      },
    },
    headers: { 'www-authenticate': 'Bearer' },
    body: 'sign in first',
    ...{ status: 401, cause: 'unauthorized', phase: admission, level: 'info' },
  },
  {
    title: 'A06b: wrong credentials, found later',
    options: refuseWith(new Refusal(403, 'not you', { 'X-Why': 'banned' })),
    headers: { 'x-why': 'banned' },
    body: 'not you',
    ...{ status: 403, cause: 'refused', phase: admission, level: 'info' },
  },
  {
    title: 'a foreign origin',
    spec: { headers: { Origin: 'http://evil.example' } },
    ...{ status: 403, cause: 'wrong-origin', phase: admission, level: 'warn' },
  },
  {
    title: 'a foreign host',
    options: { admission: { hosts: ['example.com'] } },
    ...{ status: 403, cause: 'wrong-host', phase: admission, level: 'warn' },
  },
  {
    title: 'A05: another path',
    spec: { path: '/wss?path=/ws' },
    path: '/wss',
    ...{ status: 404, cause: 'wrong-path', phase: admission, level: 'info' },
  },
  {
    title: 'A04: another method',
    headers: { allow: 'GET' },
    spec: { method: 'PUT' },
    ...{ status: 405, cause: 'wrong-method', phase: 'http', level: 'warn' },
  },
  {
    title: 'A03: another version',
    headers: { 'sec-websocket-version': '13', upgrade: 'websocket' },
    spec: { headers: { 'Sec-WebSocket-Version': '8' } },
    ...{ status: 426, cause: 'wrong-version', phase: 'http', level: 'warn' },
  },
  {
    title: 'too many requests, as authenticate sees it',
    options: refuseWith(new Refusal(429, 'slow down', { 'Retry-After': '60' })),
    ...{ status: 429, cause: 'refused', phase: admission, level: 'info' },
    headers: { 'retry-after': '60' },
  },
  {
    title: 'an authenticate that throws',
    options: refuseWith(new Error('the database is gone')),
    ...{ status: 500, cause: 'authenticate-error', phase: admission, level: 'error' },
  },
  {
    title: 'A06c: an authenticate that never answers',
    options: { authenticate: () => new Promise(() => {}), timeouts: { handshakeMs: 100 } },
    ...{ status: 503, cause: 'handshake-timeout', phase: admission, level: 'warn' },
    headers: { 'retry-after': '1' },
  },
];

describe('admission: every refusal is an HTTP answer and one report', { timeout: 60_000 }, () => {
  for (const { title, options, spec, headers, body, ...refusal } of refusals) {
    it(`${title}: ${refusal.status}`, async () => {
      premises = await Premises.start(options);
      const answer = await premises.refused(spec);
      assert.equal(answer.status, refusal.status);
      const further = { 'content-type': 'text/plain; charset=utf-8', ...headers };
      for (const [name, value] of Object.entries(further)) {
        assert.equal(answer.headers.get(name), value);
      }
      assert.equal(answer.headers.has('retry-after'), 'retry-after' in further);
      if (body !== undefined) assert.equal(answer.body, body);
      const { status, ...told } = { path: '/ws', ...refusal };
      const retry = status === 401 ? 'slow' : 'backoff';
      // No connection is created for a request that is refused before `authenticate` runs.
      const states = options?.authenticate ? ['handshaking.admitting', 'failed'] : [];
      await premises.service.failedAs({ states, ...told, httpStatus: status, retry });
      await premises.vacant();
    });
  }

  it('426 names the upgrade, and Connection names Upgrade (RFC 9110 §7.8)', async () => {
    premises = await Premises.start();
    const { headers } = await premises.refused({
      headers: { 'Sec-WebSocket-Version': '8' },
    });
    assert.equal(headers.get('upgrade'), 'websocket');
    const options = (headers.get('connection') ?? '').toLowerCase().split(/, */);
    assert.deepEqual(options.sort(), ['close', 'upgrade']);
  });

  for (const [name, version] of [
    ['HTTP/1.0', ' HTTP/1.0'],
    ['HTTP/0.9', ''],
  ] as const) {
    it(`a request in ${name} is no opening handshake (RFC 6455 §4.2.1)`, async () => {
      premises = await Premises.start();
      const peer = await premises.connect();
      const request = requestBytes(premises.service.port).toString().replace(' HTTP/1.1', version);
      peer.socket.write(request);
      await until(() => premises.service.events.length > 0 || peer.closed, 'it is answered');
      assert.deepEqual(premises.service.of('connection.opened'), []);
      assert.ok([400, 426, 505].includes((await answerOf(peer)).status), peer.answer);
    });
  }

  it('what authenticate threw is reported to the application and hidden from the client', async () => {
    const { body } = await refusedWith(new Error('secret'));
    assert.equal(body, 'internal error');
    const { error } = await premises.service.failedAs({
      cause: 'authenticate-error',
      level: 'error',
    });
    assert.equal(error?.message, 'secret');
    const [told] = premises.service.of('handler.errored');
    assert.equal(told?.handler, 'authenticate');
    assert.equal(told?.error, error);
  });
});

/** Valid headers that would change how the answer is framed. */
const hostile: readonly [string, AnswerHeaders][] = [
  ['another length', { 'Content-Length': '0' }],
  ['another length in lower case', { 'content-length': '999' }],
  ['a transfer coding', { 'Transfer-Encoding': 'chunked' }],
  ['a connection that is kept', { connection: 'keep-alive' }],
];

describe('admission: a Refusal cannot break its own answer', { timeout: 60_000 }, () => {
  for (const [title, headers] of hostile) {
    it(`headers: ${title}`, async () => {
      const answer = await refusedWith(new Refusal(403, 'no', headers));
      assert.equal(answer.status, 403);
      assert.equal(answer.body, 'no');
      assert.deepEqual(answer.headers.get('connection')?.toLowerCase(), 'close');
      await premises.service.failedAs({
        states: ['handshaking.admitting', 'failed'],
        ...{ cause: 'refused', phase: 'admission', httpStatus: 403, level: 'info' },
      });
      await premises.vacant();
    });
  }

  it('headers: numbers and lists arrive, and a name repeated in another case arrives once', async () => {
    premises = await Premises.start({
      authenticate: () => {
        const cookies = { 'Set-Cookie': ['a=1', 'b=2'], 'Retry-After': 30 };
        throw new Refusal(429, 'no', { ...cookies, 'x-a': 'first', 'X-A': 'second' });
      },
    });
    const peer = await premises.ask();
    await until(() => peer.ended || peer.closed, 'it is answered');
    const lines = peer.answer.split('\r\n').map((line) => line.toLowerCase());
    for (const line of ['set-cookie: a=1', 'set-cookie: b=2', 'retry-after: 30', 'x-a: second']) {
      assert.equal(lines.filter((one) => one === line).length, 1, line);
    }
    assert.ok(!lines.includes('x-a: first'));
  });

  it('headers: a content type of the Refusal replaces ours', async () => {
    const json = { 'content-type': 'application/json' };
    const answer = await refusedWith(new Refusal(403, '{"no":true}', json));
    assert.equal(answer.headers.get('content-type'), 'application/json');
    assert.equal(answer.body, '{"no":true}');
  });

  const bodies: Record<string, string> = {
    'an answer within it': 'x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'control characters': '\0\x07\r\n\x1b[31m',
    'no ASCII': 'größe 漢字 😀',
    'half a surrogate pair': 'b\ud83d',
    nothing: '',
    'more than one packet': 'x'.repeat(200_000),
  };
  for (const [title, body] of Object.entries(bodies)) {
    it(`body: ${title}`, async () => {
      const answer = await refusedWith(new Refusal(403, body));
      assert.equal(answer.status, 403);
      const text = Buffer.from(answer.body, 'latin1').toString('utf8');
      assert.equal(text, body.toWellFormed());
      await premises.service.failedAs({ cause: 'refused', httpStatus: 403, level: 'info' });
      await premises.vacant();
    });
  }

  for (const odd of [418, 444, 499, 520, 599]) {
    it(`status: ${odd} is sent unchanged`, async () => {
      const answer = await refusedWith(new Refusal(odd));
      assert.equal(answer.status, odd);
      await premises.service.failedAs({ cause: 'refused', httpStatus: odd, level: 'info' });
    });
  }
});

describe('admission: a refusal before a connection is created', { timeout: 60_000 }, () => {
  it('a rule that drains the supervisor refuses everybody, and the drain ends', async () => {
    let drained: Promise<unknown> | undefined;
    const origins = () => {
      drained = premises.service.supervisor.drain();
      return true;
    };
    premises = await Premises.start({ admission: { origins } });
    const answer = await premises.refused({ headers: { Origin: 'https://a.example' } });
    assert.equal(answer.status, 503);
    await drained;
    assert.equal(premises.service.supervisor.state, 'stopped');
    // As for every later refusal: the events have completed.
    assert.deepEqual(premises.service.calls, ['onFailed']);
    assert.equal(premises.service.supervisor.counts.failed, 1);
  });

  it('a socket that throws at the answer is destroyed and reported once', async () => {
    premises = await Premises.start();
    premises.service.server.on('connection', (socket) => {
      socket.end = () => {
        throw new Error('faulty instrumentation');
      };
    });
    const peer = await premises.connect();
    peer.request({ method: 'PUT' });
    await until(() => peer.closed, 'the socket is released');
    const { error } = await premises.service.failedAs({
      states: [],
      ...{ cause: 'crash', phase: 'admission', level: 'error' },
    });
    assert.equal(error?.message, 'faulty instrumentation');
    assert.equal(premises.service.of('connection.crashed').length, 1);
  });

  it('is counted without any chart', async () => {
    premises = await Premises.start();
    await premises.refused({ method: 'PUT' });
    await premises.service.when('connection.failed');
    const { counts, chart } = premises.service.supervisor;
    assert.equal(counts.failed, 1);
    assert.equal(chart.connection.states['failed'] ?? 0, 0);
  });
});

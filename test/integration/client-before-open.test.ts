// Goal: an attempt that does not open is reported once, with its cause, and leaves nothing behind. Method: every
// row of section B of the situations, on real sockets, against servers that break every rule.
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import {
  type ConnectOptions,
  createClient,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import type { Failure } from '../../src/core/failure.ts';
import { selfSigned } from '../support/certificate.ts';
import { deadPort } from '../support/dead-port.ts';
import { Dialing } from '../support/dialing.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { RogueServer, type Script } from '../support/rogue-server.ts';
import { until } from '../support/until.ts';

type Expected = Partial<Pick<Failure, 'phase' | 'cause' | 'httpStatus' | 'retryAfterMs' | 'retry'>>;

const timeouts = { handshakeMs: 400 };
/** No second attempt while a test examines the first. */
const backoff = { minMs: 60_000, maxMs: 60_000 };

let watch: ProcessWatch;
let dialings: Dialing[] = [];
let server: RogueServer | undefined;

beforeEach(() => {
  watch = new ProcessWatch();
});

afterEach(async () => {
  await Promise.all(dialings.map(({ client }) => client.close()));
  await server?.stop();
  await watch.assertQuiet();
  watch.stop();
  dialings = [];
  server = undefined;
});

function dial(url: string, options: NodeClientOptions = {}): Dialing {
  const dialing = new Dialing(url, { timeouts, backoff, random: () => 0.99, ...options });
  dialings.push(dialing);
  return dialing;
}

async function dialRogue(script: Script, options: NodeClientOptions = {}): Promise<Dialing> {
  server = await RogueServer.start(script);
  return dial(`ws://127.0.0.1:${server.port}/feed`, options);
}

/** Asserts that the one attempt failed once, for this reason, and that nothing else was reported or left. */
async function assertFailed(attempt: Dialing, expected: Expected): Promise<Failure> {
  const ending = await attempt.firstEnding();
  assert.equal(ending.outcome, 'failed');
  const { failure } = ending;
  const { phase, cause, httpStatus, retryAfterMs, retry } = failure;
  const told = { phase, cause, httpStatus, retryAfterMs, retry };
  assert.deepEqual(told, { httpStatus: undefined, retryAfterMs: undefined, ...expected });
  const { state } = attempt.client.status;
  assert.equal(state, retry === 'never' ? 'exhausted' : 'waiting');
  assert.deepEqual(attempt.verdicts, []);
  assert.ok(!attempt.states.includes('up'));
  await until(() => (server?.open ?? 0) === 0, 'no socket is left');
  assert.equal(attempt.endings.length, 1);
  return failure;
}

const answer =
  (...lines: readonly string[]): Script =>
  ({ asked, socket }) =>
    asked(() => void socket.write(`${lines.join('\r\n')}\r\n\r\n`));

describe('client before open: the network', () => {
  it('B01: refused', async () => {
    const failure = await assertFailed(dial(`ws://127.0.0.1:${await deadPort()}`), {
      phase: 'tcp',
      cause: 'tcp-refused',
      retry: 'backoff',
    });
    assert.equal((failure.error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  });

  it('B01: refused at both addresses of a name', async () => {
    const lookup: ConnectOptions['lookup'] = (_, __, found) =>
      found(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    const attempt = dial(`ws://both.test:${await deadPort()}`, { connect: { lookup } });
    await assertFailed(attempt, { phase: 'tcp', cause: 'tcp-refused', retry: 'backoff' });
  });

  it('B02: no such name', async () => {
    const attempt = dial('ws://nobody.invalid:80', { timeouts: { handshakeMs: 20_000 } });
    await assertFailed(attempt, { phase: 'dns', cause: 'dns-error', retry: 'backoff' });
  });

  it('B02b: a name server that never answers', async () => {
    const attempt = dial('ws://slow.test:80', { connect: { lookup: () => {} } });
    await assertFailed(attempt, { phase: 'dns', cause: 'handshake-timeout', retry: 'backoff' });
  });

  const noAnswers: Readonly<Record<string, [Failure['cause'], Script]>> = {
    'B03, B03b: a server that is silent': ['handshake-timeout', () => {}],
    'B03c: a server that drips': [
      'handshake-timeout',
      ({ socket }) => {
        const drip = setInterval(() => socket.write(' '), 20);
        socket.write('HTTP/1.1 101 Switching');
        socket.on('close', () => clearInterval(drip));
      },
    ],
    'B07: FIN instead of an answer': [
      'tcp-reset',
      ({ asked, socket }) => asked(() => void socket.end()),
    ],
    'B07b: RST instead of an answer': [
      'tcp-reset',
      ({ asked, socket }) => asked(() => void socket.resetAndDestroy()),
    ],
    'B07c: FIN in the middle of the headers': [
      'tcp-reset',
      ({ asked, socket }) =>
        asked(() => void socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgr')),
    ],
  };
  for (const [title, [cause, script]] of Object.entries(noAnswers)) {
    it(title, async () => {
      await assertFailed(await dialRogue(script), { phase: 'http', cause, retry: 'backoff' });
    });
  }

  it('B23: a missing unix socket', async () => {
    const attempt = dial('ws+unix:/nowhere/mooring.sock:/feed');
    await assertFailed(attempt, { phase: 'tcp', cause: 'tcp-error', retry: 'backoff' });
  });
});

describe('client before open: the answer', () => {
  const decided: Readonly<Record<number, 'slow' | 'never'>> = { 401: 'slow', 410: 'never' };
  for (const httpStatus of [400, 401, 403, 404, 408, 410, 425, 426, 429, 500, 503]) {
    const retry = decided[httpStatus] ?? 'backoff';
    it(`B05: ${httpStatus}, retry ${retry}`, async () => {
      const attempt = await dialRogue(answer(`HTTP/1.1 ${httpStatus} No`, 'Content-Length: 0'));
      await assertFailed(attempt, { phase: 'http', cause: 'rejected', httpStatus, retry });
    });
  }

  it('B05w: what Retry-After asks for, in seconds or as a date', async () => {
    const attempt = await dialRogue(
      answer('HTTP/1.1 503 Busy', 'Retry-After: 7', 'Content-Length: 0'),
    );
    const rejected = {
      phase: 'http',
      cause: 'rejected',
      httpStatus: 503,
      retry: 'backoff',
    } as const;
    await assertFailed(attempt, { ...rejected, retryAfterMs: 7_000 });
    const { delayMs = 0 } = attempt.client.status;
    assert.ok(delayMs >= 7_000 && delayMs <= 67_000, `${delayMs}`);
  });

  const others: Readonly<Record<string, [status: number, Script]>> = {
    'B05u, B05x: an endless body is not awaited': [
      200,
      ({ asked, socket }) =>
        asked(() => {
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
          const endless = setInterval(() => socket.write('1\r\nx\r\n'), 5);
          socket.on('close', () => clearInterval(endless));
        }),
    ],
    'B06: a redirect is not followed': [
      302,
      answer('HTTP/1.1 302 Found', 'Location: ws://127.0.0.1:1/', 'Content-Length: 0'),
    ],
  };
  for (const [title, [httpStatus, script]] of Object.entries(others)) {
    it(title, async () => {
      const rejected = { phase: 'http', cause: 'rejected', httpStatus, retry: 'backoff' } as const;
      await assertFailed(await dialRogue(script), rejected);
    });
  }

  const invalid = { phase: 'http', cause: 'handshake-invalid', retry: 'backoff' } as const;
  const faults: Record<string, { script: Script; options?: NodeClientOptions }> = {
    'B08: a wrong accept': {
      script: answer(
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Accept: nonsense',
      ),
    },
    'B08b: another upgrade': {
      script: answer('HTTP/1.1 101 Switching Protocols', 'Upgrade: h2c', 'Connection: Upgrade'),
    },
    'B08c: a subprotocol that was not requested': {
      script: accepting('Sec-WebSocket-Protocol: surprise'),
    },
    'B08e: an extension that was not requested': {
      script: accepting('Sec-WebSocket-Extensions: permessage-deflate'),
    },
    'B10: no HTTP at all': { script: ({ socket }) => void socket.write('220 smtp.test ESMTP\r\n') },
  };
  for (const [title, { script, options }] of Object.entries(faults)) {
    it(title, async () => void (await assertFailed(await dialRogue(script, options), invalid)));
  }

  it('B08d: none of the requested subprotocols', async () => {
    const attempt = await dialRogue(accepting(), { subprotocols: ['chat'] });
    await assertFailed(attempt, { ...invalid, cause: 'wrong-subprotocol' });
  });

  it('B08: a wrong accept that also names no subprotocol', async () => {
    const attempt = await dialRogue(
      answer(
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Accept: nonsense',
      ),
      { subprotocols: ['chat'] },
    );
    await assertFailed(attempt, invalid);
  });

  it('B19: 103 before 101 is accepted', async () => {
    const attempt = await dialRogue(({ asked, socket, acceptance }) =>
      asked((request) => {
        socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
        socket.write(acceptance(request));
      }),
    );
    await attempt.up();
    assert.deepEqual(attempt.endings, []);
  });

  function accepting(...headers: readonly string[]): Script {
    return ({ asked, socket, acceptance }) =>
      asked((request) => void socket.write(acceptance(request, ...headers)));
  }
});

describe('client before open: given up by this side', () => {
  const aborted = { cause: 'aborted', retry: 'never' } as const;

  it('B09: closed in the same turn', async () => {
    const attempt = await dialRogue(() => {});
    await attempt.client.close();
    assert.equal(attempt.client.status.state, 'stopped');
    assert.deepEqual([attempt.endings, attempt.completed.length, server?.visits], [[], 4, 0]);
  });

  it('B09b: closed while waiting for the answer', async () => {
    const attempt = await dialRogue(() => {});
    await until(() => server?.visits === 1, 'it is connected');
    await attempt.client.close();
    assertAborted(attempt);
  });

  it('B14: a signal that has already aborted', async () => {
    const attempt = await dialRogue(() => {}, { signal: AbortSignal.abort() });
    await until(() => attempt.client.status.state === 'stopped', 'it stops');
    assert.deepEqual([attempt.endings, server?.visits], [[], 0]);
  });

  it('B14b: a signal that aborts during the attempt', async () => {
    const controller = new AbortController();
    const attempt = await dialRogue(() => {}, { signal: controller.signal });
    await until(() => server?.visits === 1, 'it is connected');
    controller.abort();
    await until(() => attempt.client.status.state === 'stopped', 'it stops');
    assertAborted(attempt);
  });

  it('B20: a wrong close code throws at once, and changes nothing', async () => {
    const attempt = await dialRogue(() => {});
    await until(() => attempt.client.status.state === 'dialing', 'it dials');
    await assert.rejects(attempt.client.close(9_999), { code: 'invalid-close' });
    assert.equal(attempt.client.status.state, 'dialing');
  });

  function assertAborted({ endings, verdicts, completed }: Dialing): void {
    assert.equal(endings.length, 1);
    const [ending] = endings;
    assert.ok(ending?.outcome === 'failed');
    const { cause, retry } = ending.failure;
    assert.deepEqual({ cause, retry }, aborted);
    assert.deepEqual(verdicts, []);
    assert.equal(completed.length, 4);
  }
});

describe('client before open: wrong from the start', () => {
  const good = 'ws://127.0.0.1:1/';
  const notUrl = 'url: must be the URL of a WebSocket';
  const relative = `${notUrl}: it is relative, and only a page has a URL of its own`;
  const schemeless = `${notUrl}: it has no scheme; write ws:// or wss:// before the host`;
  const wrong: Record<string, [problem: string, url: string, options?: NodeClientOptions]> = {
    'an empty URL': [`${notUrl}: it is empty`, ''],
    'no URL': [`${notUrl}: it cannot be read`, 'ws://'],
    'a relative URL': [relative, '/feed'],
    'a fragment': [`${notUrl}: it has a fragment (#)`, `${good}#top`],
    'another scheme': [`${notUrl}: it begins with neither ws: nor wss:`, 'ftp://127.0.0.1:1/'],
    'no scheme': [schemeless, 'localhost:8080'],
    'an IP address without a scheme': [schemeless, '127.0.0.1:8080/feed'],
    'a host name without a scheme': [schemeless, 'example.com/feed'],
    'no path of a unix socket': [`${notUrl}: it names no socket`, 'ws+unix:'],
    'no URL beside headers that are asked for': [relative, 'somewhere', { headers: () => ({}) }],
    'a header that is no text': [
      'options.headers.x: must be a string, not 1',
      good,
      { headers: { authorization: 'ok', x: 1 as never } },
    ],
    'a header in place of subprotocols': [
      'options.headers.Sec-WebSocket-Protocol: cannot be set here; use options.subprotocols',
      good,
      { headers: { 'Sec-WebSocket-Protocol': 'chat' } },
    ],
    'a header of the handshake': [
      'options.headers.sec-websocket-key: cannot be set; the handshake sets it',
      good,
      { headers: { 'sec-websocket-key': 'x' } },
    ],
    'a subprotocol twice': [
      'options.subprotocols.1: is listed twice',
      good,
      { subprotocols: ['a', 'a'] },
    ],
    'a subprotocol that cannot be': [
      'options.subprotocols.0: has a character that is not allowed in a subprotocol',
      good,
      { subprotocols: ['a b'] },
    ],
    'a header that cannot be': [
      'options.headers.x y: is not a valid header name',
      good,
      { headers: { 'x y': '1' } },
    ],
    'a header with a line break': [
      'options.headers.x: has a character that is not allowed in a header',
      good,
      { headers: { x: '1\r\ny: 2' } },
    ],
  };
  for (const [title, [message, url, options]] of Object.entries(wrong)) {
    it(`B12: ${title}`, () => {
      assert.throws(() => dial(url, options), { code: 'invalid-options', message });
    });
  }

  it('accepts a URL whose scheme has no slashes, as URL does', async () => {
    for (const url of ['ws:127.0.0.1:1/', 'WS:127.0.0.1:1/feed', 'http:127.0.0.1:1']) {
      await createClient(url, { dial: 'on-demand' }).close();
    }
  });

  it('B12b: an agent for another scheme fails the attempt when it dials', async () => {
    const attempt = dial('wss://127.0.0.1:1/', { connect: { agent: new Agent() } });
    await assertFailed(attempt, { phase: 'config', cause: 'config-error', retry: 'never' });
  });
});

describe('client before open: TLS', () => {
  it('B13: wss to a plain port', async () => {
    server = await RogueServer.start(({ socket }) => void socket.write('HTTP/1.1 400 No\r\n\r\n'));
    const attempt = dial(`wss://127.0.0.1:${server.port}`);
    await assertFailed(attempt, { phase: 'tls', cause: 'tls-error', retry: 'backoff' });
    const { error } = await attempt.firstFailure();
    // The message without the place in the source of OpenSSL.
    assert.match(String(error?.message), /error:[^\n]*[a-z]$/);
    assert.doesNotMatch(String(error?.message), /openssl\//);
  });

  it('B13b: a self-signed certificate, and one for another name', async () => {
    const certificate = selfSigned('mooring.test');
    const tls = createTlsServer(certificate);
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
    tls.on('tlsClientError', () => {});
    const { port } = tls.address() as { port: number };
    try {
      const failure = { phase: 'tls', cause: 'tls-error', retry: 'backoff' } as const;
      const strange = dial(`wss://127.0.0.1:${port}`, { connect: { servername: 'mooring.test' } });
      const { error } = await assertFailed(strange, failure);
      assert.equal((error as NodeJS.ErrnoException).code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
      const connect = { ca: certificate.cert, servername: 'other.test' };
      const other = await assertFailed(dial(`wss://127.0.0.1:${port}`, { connect }), failure);
      assert.equal((other.error as NodeJS.ErrnoException).code, 'ERR_TLS_CERT_ALTNAME_INVALID');
    } finally {
      await new Promise((resolve) => tls.close(resolve));
    }
  });

  it('B13c: ws to a TLS port', async () => {
    const tls = createTlsServer(selfSigned('mooring.test'));
    tls.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
    const { port } = tls.address() as { port: number };
    try {
      const ending = await dial(`ws://127.0.0.1:${port}`).firstEnding();
      assert.ok(ending.outcome === 'failed');
      assert.equal(ending.failure.phase, 'http');
    } finally {
      await new Promise((resolve) => tls.close(resolve));
    }
  });
});

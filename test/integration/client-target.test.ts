// Goal: a URL and headers from functions are computed for each attempt and reach the peer. Whatever goes wrong in these
// functions ends that attempt, and nothing else. Method: a server that records each request and answers as the test
// specifies.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { MooringError, type NodeClientOptions } from '../../src/client/index.ts';
import { Dialing } from '../support/dialing.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { accepting, type Script } from '../support/rogue-server.ts';
import { Stops } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const options: NodeClientOptions = {
  backoff: { minMs: 10, maxMs: 20, stableMs: 100 },
  timeouts: { handshakeMs: 300, closeMs: 200 },
};

const stops = new Stops();
afterEach(() => stops.all());

async function serve(script: Script): Promise<string> {
  const server = await stops.rogue(script);
  return `ws://127.0.0.1:${server.port}`;
}

function dial(...args: ConstructorParameters<typeof Dialing>): Dialing {
  const dialing = new Dialing(...args);
  stops.add(() => dialing.client.close());
  return dialing;
}

function counter(): () => number {
  let count = 0;
  return () => {
    count += 1;
    return count;
  };
}

/** Refuses every request that `accepts` does not allow with 401, and records the request. */
function doorkeeper(accepts: (request: string) => boolean) {
  const requests: string[] = [];
  const script: Script = (visit) =>
    visit.asked((request) => {
      requests.push(request);
      if (accepts(request)) visit.socket.write(visit.acceptance(request));
      else visit.socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
    });
  return { requests, script };
}

describe('a target from a function', () => {
  it('is computed once for each attempt, and dialed', async () => {
    const { requests, script } = doorkeeper((request) => request.includes('token=3'));
    const base = await serve(script);
    const next = counter();
    const { client, endings } = dial(() => `${base}/feed?token=${next()}`, options);
    await until(() => client.status.state === 'up', 'it is up');
    const lines = requests.map((request) => request.split('\r\n', 1)[0]);
    assert.deepEqual(
      lines,
      [1, 2, 3].map((token) => `GET /feed?token=${token} HTTP/1.1`),
    );
    assert.equal(next(), 4);
    assert.equal(client.url, `${base}/feed?token=3`);
    assert.equal(client.connection?.path, '/feed');
    for (const ending of endings) {
      assert.ok(ending.outcome === 'failed');
      assert.deepEqual([ending.failure.cause, ending.failure.httpStatus], ['rejected', 401]);
    }
  });

  it('may be a promise', async () => {
    const { requests, script } = doorkeeper((request) => request.includes('Bearer 2'));
    const base = await serve(script);
    const next = counter();
    const { client } = dial(async () => new URL(base), {
      ...options,
      headers: async () => ({ authorization: `Bearer ${next()}` }),
    });
    await until(() => client.status.state === 'up', 'it is up');
    assert.match(requests[1] ?? '', /authorization: Bearer 2\r\n/i);
  });

  it('is never computed again by a client whose headers are fixed', async () => {
    const { requests, script } = doorkeeper(() => false);
    const { client } = dial(await serve(script), { ...options, headers: { authorization: 'x' } });
    await until(() => client.status.states.includes('waiting.slow'), 'it is slow');
    assert.equal(requests.length, 1);
  });

  for (const [name, headers] of Object.entries({
    throws: () => {
      throw new Error('no token');
    },
    rejects: () => Promise.reject(new Error('no token')),
    'returns no headers': () => ['no token'] as never,
  })) {
    it(`ends the attempt when it ${name}, and is computed again`, async () => {
      const base = await serve(accepting(() => {}));
      let asked = 0;
      const { client, endings } = dial(base, {
        ...options,
        headers: () => {
          asked += 1;
          return asked < 3 ? headers() : {};
        },
      });
      await until(() => client.status.state === 'up', 'it is up');
      assert.equal(endings.length, 2);
      for (const ending of endings) {
        assert.ok(ending.outcome === 'failed');
        const { phase, cause, retry, level } = ending.failure;
        assert.deepEqual(
          [phase, cause, retry, level],
          ['config', 'target-error', 'backoff', 'error'],
        );
      }
    });
  }

  it('leaves no rejection behind when one function rejects and another throws', async () => {
    const watch = new ProcessWatch();
    const { client, endings } = dial(() => Promise.reject(new Error('no URL')), {
      ...options,
      headers: () => {
        throw new Error('no token');
      },
    });
    await until(() => endings.length >= 2, 'it has dialed twice');
    await client.close();
    await watch.assertQuiet();
    watch.stop();
    assert.ok(endings[0]?.outcome === 'failed');
    const { cause, error } = endings[0].failure;
    const message = 'options.headers: its function threw Error: no token';
    assert.deepEqual([cause, error?.message], ['target-error', message]);
    assert.match(String(error?.cause), /no token/);
  });

  const undialable: Record<string, () => unknown> = {
    'no URL': () => 'somewhere',
    'a scheme of its own': async () => 'ftp://a.test/',
    nothing: () => undefined,
    'an object that is not text': () => Object.create(null),
  };
  for (const [title, url] of Object.entries(undialable)) {
    it(`fails the attempt when it is ${title}, and is computed again`, async () => {
      const { client, endings } = dial(url as () => string, options);
      await until(() => endings.length >= 2, 'it has dialed twice');
      await client.close();
      assert.ok(endings[0]?.outcome === 'failed');
      const { cause, phase, retry } = endings[0].failure;
      assert.deepEqual([cause, phase, retry], ['target-error', 'config', 'backoff']);
    });
  }

  it('may take no longer than the attempt, and a late result has no effect', async () => {
    const visits: string[] = [];
    const base = await serve(({ asked }) => asked((request) => void visits.push(request)));
    let tell = (_: string) => {};
    const dialing = dial(() => new Promise<string>((resolve) => (tell = resolve)), {
      ...options,
      backoff: { minMs: 60_000, maxMs: 60_000 },
      random: () => 1,
    });
    const { client, endings } = dialing;
    const ending = await dialing.firstEnding();
    assert.ok(ending.outcome === 'failed');
    assert.equal(ending.failure.cause, 'handshake-timeout');
    assert.match(String(ending.failure.error), /a function for the URL, headers/);
    tell(base);
    await client.close();
    assert.deepEqual([visits, endings.length], [[], 1]);
  });

  it('is ignored when it arrives after its attempt', async () => {
    const { script } = doorkeeper(() => true);
    const base = await serve(script);
    const next = counter();
    let tell = (_url: string): void => {};
    const first = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const { client } = dial(() => (next() === 1 ? first : `${base}/feed`), options);
    await until(() => client.status.state === 'up', 'it is up');
    tell('ws://late.test/');
    await turns();
    assert.equal(client.url, `${base}/feed`);
  });

  it('is never awaited by a client that is closed', async () => {
    const { client, endings } = dial(() => new Promise<string>(() => {}), options);
    await until(() => client.status.state === 'dialing', 'it dials');
    await client.close();
    assert.equal(client.status.state, 'stopped');
    assert.ok(endings[0]?.outcome === 'failed');
    assert.equal(endings[0].failure.cause, 'aborted');
  });

  it('is refused when it can never be headers', () => {
    for (const headers of [5, 'x', ['x'], new Headers({ a: 'b' })]) {
      assert.throws(
        () => new Dialing('ws://127.0.0.1:1', { headers: headers as never }),
        (error) => error instanceof MooringError && /options\.headers: /.test(error.message),
      );
    }
  });
});

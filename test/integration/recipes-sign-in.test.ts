// Goal: the recipes for sign-in admit the right clients, for the permitted time. Method: run them on real sockets.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import * as cookie from '../../docs/examples/recipes/cookie.ts';
import { renewalService, renewingClient } from '../../docs/examples/recipes/session-renewal.ts';
import { tokenClient, tokenService } from '../../docs/examples/recipes/token-subprotocol.ts';
import { PlainClient, refusedWith } from '../support/plain-client.ts';
import { noted, served, shortly } from '../support/served.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = stopsAndWatch();

describe('docs/recipes/cookie.md', () => {
  it('takes the session of the site, and ends with it', async () => {
    const { server, supervisor } = cookie;
    supervisor.events$.subscribe();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.add(async () => {
      await supervisor.drain({ withinMs: 500 });
      await new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const [site, url] = [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}/ws`];
    const post = async (path: string, headers: Record<string, string> = {}) => {
      const { headers: answer } = await fetch(`${site}${path}`, { method: 'POST', headers });
      return answer.get('set-cookie')?.split(';')[0] ?? '';
    };
    const [session, other] = [await post('/sign-in'), await post('/sign-in')];

    const stranger = await PlainClient.open(url, { headers: { Cookie: 'session=no; a=b' } });
    assert.equal(await stranger.isClosed(), '3000 sign in first');
    const foreign = { origin: 'https://evil.example', headers: { Cookie: session } };
    assert.equal(await refusedWith(url, foreign), 403);

    const own = { origin: site, headers: { Cookie: `theme=dark; ${session}` } };
    const [tab, second] = [await PlainClient.open(url, own), await PlainClient.open(url, own)];
    const elsewhere = await PlainClient.open(url, { headers: { Cookie: other } });
    assert.deepEqual(await tab.hears(1), [{ hello: 'ada' }]);
    await post('/sign-out', { Cookie: session });
    assert.equal(await tab.isClosed(), '3000 signed out');
    assert.equal(await second.isClosed(), '3000 signed out');
    assert.deepEqual([elsewhere.closed, supervisor.counts.open], ['', 1]);
    const late = await PlainClient.open(url, own);
    assert.equal(await late.isClosed(), '3000 sign in first');
  });
});

describe('docs/recipes/token-subprotocol.md', () => {
  const verify = async (token: string) => (token === 'good' ? { userId: 'ada' } : undefined);

  it('admits clients that send a token, and gives others the reason', async () => {
    const url = await served(tokenService(verify), stops);
    const client = await PlainClient.open(url, { protocols: ['access_token', 'good'] });
    assert.deepEqual(await client.hears(1), [{ hello: 'ada' }]);
    assert.equal(client.socket.protocol, 'access_token');
    assert.equal(await refusedWith(url), 401);
    assert.equal(await refusedWith(url, { protocols: ['access_token'] }), 401);
    assert.equal(await refusedWith(url, { protocols: ['good', 'access_token'] }), 401);
    assert.equal(await refusedWith(url, { protocols: ['good'] }), 400);
    const refused = await PlainClient.open(url, { protocols: ['access_token', 'bad'] });
    assert.equal(await refused.isClosed(), '3000 sign in again');
  });

  it('fails an attempt with a token that is not a valid subprotocol', async () => {
    const url = await served(tokenService(verify), stops);
    const { endings } = noted(
      tokenClient(url, async () => 'bm8=/bm8='),
      stops,
    );
    await until(() => endings.length > 0, 'the attempt has failed');
    assert.deepEqual(shortly(endings).slice(0, 1), ['target-error']);
  });

  it('reconnects with a fresh token', async () => {
    const supervisor = tokenService(verify);
    const url = await served(supervisor, stops);
    const tokens = ['bad'];
    const { messages, endings } = noted(
      tokenClient(url, async () => tokens.shift() ?? 'good'),
      stops,
    );
    await until(() => messages.length > 0, 'it is in');
    assert.deepEqual(shortly(endings), ['3000 sign in again']);
  });
});

describe('docs/recipes/session-renewal.md', () => {
  const LIFETIME_MS = 1_500;

  /** Tokens that are valid for a short time. */
  class Tokens {
    issued = 0;
    readonly #tokens = new Map<string, { userId: string; expiresAt: number }>();
    readonly issue = async (userId = 'ada') => {
      this.issued += 1;
      const token = `token-${this.issued}`;
      this.#tokens.set(token, { userId, expiresAt: Date.now() + LIFETIME_MS });
      return token;
    };
    readonly verify = async (token: string) => {
      const known = this.#tokens.get(token);
      return known !== undefined && known.expiresAt > Date.now() ? known : undefined;
    };
  }

  it('renews in time, so the connection outlives its first token', async () => {
    const tokens = new Tokens();
    const supervisor = renewalService(tokens.verify);
    const url = await served(supervisor, stops);
    const { endings } = noted(renewingClient(url, tokens.issue), stops);
    await until(() => tokens.issued === 4, 'it has renewed three times');
    assert.deepEqual([endings, supervisor.counts.open, supervisor.counts.closed], [[], 1, 0]);
  });

  it('ends with 3000 when the renewal fails, and reconnects with a fresh token', async () => {
    const tokens = new Tokens();
    const supervisor = renewalService(tokens.verify);
    const url = await served(supervisor, stops);
    let asked = 0;
    const freshToken = async () => {
      asked += 1;
      if (asked === 2) throw new Error('the session server is unavailable');
      return tokens.issue();
    };
    const { endings } = noted(renewingClient(url, freshToken), stops);
    await until(
      () => supervisor.counts.closed === 1 && supervisor.counts.open === 1,
      'it has reconnected',
    );
    assert.deepEqual(shortly(endings), ['3000 expired']);
  });

  it('refuses the token of another user, and an expired one', async () => {
    const tokens = new Tokens();
    const url = await served(renewalService(tokens.verify), stops);
    assert.equal(await refusedWith(url, { headers: { Authorization: 'Bearer token-0' } }), 401);
    for (const wrong of ['token-0', await tokens.issue('bob')]) {
      const headers = { Authorization: `Bearer ${await tokens.issue()}` };
      const client = await PlainClient.open(url, { headers });
      client.send({ type: 'token', token: wrong });
      assert.equal(await client.isClosed(), '3000 token refused');
    }
  });
});

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { type Client, createClient } from '../../src/client/index.ts';
import type { Echo } from '../support/echo-codec.ts';
import { profile } from './profile.ts';
import { AGENT, type CaseResult, WsTest } from './wstest.ts';

const backoff = { minMs: 50, maxMs: 200 };

/** Connects an echoing client to the suite, once for each case. */
export async function fuzzClient(program: string, reports: string): Promise<readonly CaseResult[]> {
  const url = `ws://127.0.0.1:${await freePort()}`;
  const suite = new WsTest(program, reports, { url });
  try {
    await Promise.race([playAll(url), suite.exited.then(stoppedEarly)]);
    return suite.results;
  } finally {
    await suite.stop();
  }
}

function stoppedEarly(): never {
  throw new Error('wstest stopped before its cases were over');
}

async function playAll(url: string): Promise<void> {
  const count = await caseCount(url);
  for (let number = 1; number <= count; number += 1) {
    await play(`${url}/runCase?case=${number}&agent=${AGENT}`);
  }
  await play(`${url}/updateReports?agent=${AGENT}`);
}

/** How many cases there are. Dials until the suite listens. */
async function caseCount(url: string): Promise<number> {
  await using client = dial(`${url}/getCaseCount`);
  const { payload } = await firstValueFrom(client.messages$);
  return Number(payload.toString());
}

/** One connection, from its opening to its end. */
async function play(url: string): Promise<void> {
  await using client = dial(url);
  client.messages$.subscribe((message) => void client.send(message));
  await firstValueFrom(client.endings$);
}

function dial(url: string): Client<Echo, Echo> {
  const client = createClient<Echo, Echo>(url, { ...profile, backoff });
  // Mooring warns about endings without a listener, and many cases have to end badly.
  client.endings$.subscribe();
  return client;
}

/** A port below those that systems assign, so that no other process takes it before the suite listens. */
async function freePort(): Promise<number> {
  const port = randomInt(10_000, 30_000);
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return freePort();
  }
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Goal: no message that breaks a contract blocks the event loop for long, and none ends the process. Method: the worst
// message that valuesMax allows, for each schema library. Its time is compared with that of an honest message of 1 MiB,
// measured beside it, because a slow machine is slow for both.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { jsonCodec, type StandardSchemaV1 } from '../../src/index.ts';
import { type Bomb, bombLibraries, bombPath, bombs } from '../support/bombs.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

const VALUES_MAX = 8_000;
const MEBIBYTE = 1_048_576;
const ROUNDS = 9;
/**
 * An honest MiB of rows takes about 10 ms, and a bomb may take 50. Without `valuesMax` it would take a
 * hundred times as long.
 */
const RATIO_MAX = 4;

const textFrame = (payload: string) => buildFrame({ opcode: opcode.text, payload });

function bombOf(title: string): Bomb {
  const bomb = bombs.find((candidate) => candidate.title === title);
  assert.ok(bomb, title);
  return bomb;
}

/** 1 MiB of rows that match their contract, with more values than a message may usually have. */
const honest = {
  messages: z.array(
    z.object({ id: z.number(), name: z.string(), tags: z.array(z.string()), ok: z.boolean() }),
  ),
  payload: JSON.stringify(
    Array.from({ length: 17_000 }, (_, id) => ({ id, name: `user ${id}`, tags: ['a'], ok: true })),
  ),
};

/** A service that records how long each message took, from its bytes to the handler or the fault. */
class TimedService {
  readonly service: Service;
  readonly #peer: RawPeer;
  readonly #times: number[];

  private constructor(service: Service, peer: RawPeer, times: number[]) {
    this.service = service;
    this.#peer = peer;
    this.#times = times;
  }

  static async start(messages: StandardSchemaV1, valuesMax = VALUES_MAX): Promise<TimedService> {
    const json = jsonCodec(64, valuesMax);
    const times: number[] = [];
    let begun = 0;
    const settled = () => void times.push(performance.now() - begun);
    const service = await Service.start({
      messages,
      codec: {
        ...json,
        decode(payload, isBinary) {
          begun = performance.now();
          return json.decode(payload, isBinary);
        },
      },
      onMessage: settled,
    });
    service.supervisor.events$.subscribe(({ type }) => {
      if (type === 'message.invalid') settled();
    });
    return new TimedService(service, await RawPeer.open(service.port), times);
  }

  /** How long a message takes, in milliseconds. */
  async time(payload: string): Promise<number> {
    this.#times.length = 0;
    this.#peer.socket.write(textFrame(payload));
    await until(() => this.#times.length === 1, 'it is delivered, or refused');
    return this.#times[0] ?? 0;
  }
}

const median = (times: readonly number[]) =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

describe('a bomb blocks the loop no longer than a few honest messages', () => {
  const guaranteed: readonly [string, string][] = [
    ['zod 4', 'a list of primitives'],
    ['valibot', 'a list of primitives'],
    ['zod 4', 'a union of three lists'],
    ['zod 4', 'a list of unions of three'],
  ];
  for (const [library, title] of guaranteed) {
    it(`${title} in ${library}`, async (t) => {
      const bomb = bombOf(title);
      const schema = bombLibraries[library]?.(bomb);
      assert.ok(schema);
      const peer = await TimedService.start(honest.messages, MEBIBYTE);
      const bombed = await TimedService.start(schema);
      const [honestMs, bombMs]: [number[], number[]] = [[], []];
      // They alternate, so that other work on the machine affects both.
      for (let round = 0; round < ROUNDS; round += 1) {
        honestMs.push(await peer.time(honest.payload));
        bombMs.push(await bombed.time(bomb.json(VALUES_MAX)));
      }
      const ratio = median(bombMs) / median(honestMs);
      t.diagnostic(`${ratio.toFixed(2)} times an honest message`);
      assert.equal(bombed.service.of('message.invalid').length, ROUNDS);
      assert.ok(ratio <= RATIO_MAX, `${ratio} times an honest message`);
      await bombed.service.stop();
      await peer.service.stop();
    });
  }
});

describe('a process with a heap of 256 MB survives bombs', () => {
  let child: ChildProcess;
  let port = 0;
  let bystander: RawPeer;

  before(async () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const program = fileURLToPath(new URL('../support/bomb-service.js', import.meta.url));
    child = fork(program, { env, execArgv: ['--max-old-space-size=256'] });
    [port] = (await once(child, 'message')) as [number];
    bystander = await RawPeer.open(port, { path: '/echo' });
  });
  after(() => {
    child.kill('SIGKILL');
    bystander.socket.destroy();
  });

  /** Sends a payload to a contract over several connections at once, and waits until each is answered. */
  async function flood(
    path: string,
    payload: string,
    [peers, messages]: readonly [number, number],
  ) {
    const frames = Buffer.concat(new Array(messages).fill(textFrame(payload)));
    await Promise.all(
      Array.from({ length: peers }, async () => {
        const peer = await RawPeer.open(port, { path });
        peer.socket.write(frames);
        await until(
          () => peer.texts.length === messages || peer.closed,
          'all are answered',
          90_000,
        );
        assert.equal(peer.texts.length, messages, 'the process has died');
        peer.socket.destroy();
      }),
    );
    await assertAlive();
  }

  async function assertAlive(): Promise<void> {
    const heard = bystander.texts.length;
    bystander.json('hello');
    await until(() => bystander.texts.length > heard, 'the bystander gets its echo', 30_000);
    assert.equal(child.exitCode, null);
  }

  for (const library of Object.keys(bombLibraries)) {
    it(`the worst of each kind, with ${library}`, async () => {
      for (const bomb of bombs) await flood(bombPath(library, bomb), bomb.json(VALUES_MAX), [2, 1]);
    });
  }

  it('a flood of the worst of a union of three', async () => {
    const bomb = bombOf('a list of unions of three');
    await flood(bombPath('zod 4', bomb), bomb.json(VALUES_MAX), [4, 5]);
  });

  it('messages of 1 MiB with as many values as fit', async () => {
    for (const title of ['a union of three lists', 'a list of unions of three']) {
      const bomb = bombOf(title);
      await flood(bombPath('zod 4', bomb), bomb.json(MEBIBYTE / 2 - 1), [5, 4]);
    }
  });
});

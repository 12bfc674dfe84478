// Goal: a message that was acknowledged survives the server that leads its stream, and this is no reason for a fence. Method:
// three real servers, of which the leader is killed while messages are appended.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { natsBus } from '../../src/bus/nats/index.ts';
import { JetStreamCluster } from '../support/jet-stream-cluster.ts';
import {
  append,
  assertShown,
  following,
  logMemberOf,
  placeOf,
  readAll,
  startOf,
  textsOf,
} from '../support/log-member.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { eventually, until } from '../support/until.ts';

const program = await newestNatsServer();
const cluster = await JetStreamCluster.start(program);
after(() => cluster.end());

const name = 'cluster';

describe('three servers', { timeout: 60_000 }, () => {
  it('lose nothing that they have acknowledged when the leader is killed', async () => {
    const bus = natsBus({ servers: cluster.urls, name, replicas: 3 });
    const [one, other] = await Promise.all([logMemberOf(bus), logMemberOf(bus)]);
    // It takes some seconds until they know each other.
    for (const { log } of [one, other]) {
      const isThere = async () => (await log.tail('room').catch(() => null)) !== null;
      await eventually(isThere, 'the stream is there');
    }
    const heard = await following(other, 'room');
    const start = await startOf(other, 'room');
    const kept: string[] = [];
    let isOver = false;
    const appending = (async () => {
      for (let index = 0; !isOver; index += 1) {
        await append(one, 'room', `m${index}`);
        kept.push(`m${index}`);
      }
    })();
    await until(() => kept.length > 100, 'messages are kept');
    const lost = await cluster.leaderOf(name);
    await lost.kill();
    const before = kept.length;
    await until(() => kept.length > before + 100, 'messages are kept again', 25_000);
    isOver = true;
    await appending;
    const last = await append(one, 'room', 'last');
    await eventually(async () => {
      const { newest } = await other.log.tail('room').catch(() => ({ newest: null }));
      return newest?.offset === last.place.offset;
    }, 'the other process knows the end');
    const read = await readAll(other, 'room', start, 1_000);
    assert.deepEqual(textsOf(read), [...kept, 'last']);
    assert.deepEqual(placeOf(read.at(-1) ?? start), last.place);
    assertShown(heard, read);
    assert.deepEqual([one.rewrites, other.rewrites], [0, 0]);
    await Promise.all([one.link.close(), other.link.close()]);
  });
});

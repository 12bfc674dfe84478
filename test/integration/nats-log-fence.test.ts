// Goal: a log that has lost something says so in every process, and one that has lost nothing never does. Method: real servers
// that are killed, rolled back and emptied, and links that are away while others go on.
import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { connect, headers } from '@nats-io/transport-node';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import type { Place } from '../../src/core/bus-log.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import {
  append,
  following,
  type LogMember,
  logMemberOf,
  readTexts,
  startOf,
} from '../support/log-member.ts';
import { natsServers } from '../support/nats-versions.ts';
import { eventually, until } from '../support/until.ts';

let services = 0;

for (const program of await natsServers()) {
  describe(`the fence, with nats-server ${program.version}`, { timeout: 60_000 }, async () => {
    const server = await JetStreamServer.start(program);
    const opened: LogMember[] = [];
    after(() => server.end());
    afterEach(async () => {
      await Promise.all(opened.splice(0).map(({ link }) => link.close()));
    });

    /** A new service, and a way for further processes to join it. */
    function service(retention: NatsBusOptions['retention'] = {}) {
      services += 1;
      const name = `fence-${services}`;
      const join = async (port = server.port) => {
        const servers = `127.0.0.1:${port}`;
        const member = await logMemberOf(natsBus({ servers, name, retention }));
        opened.push(member);
        // Its first check is over.
        await startOf(member, 'room');
        return member;
      };
      return { name, join };
    }

    async function appendAll(member: LogMember, ids: readonly string[]): Promise<Place[]> {
      const places: Place[] = [];
      for (const id of ids) places.push((await append(member, 'room', id)).place);
      return places;
    }

    it('a place before a rollback is void for all, although its number is given again', async () => {
      const { name, join } = service();
      await using proxy = await FaultProxy.start({ port: server.port });
      const [one, other] = [await join(proxy.port), await join(proxy.port)];
      const behind = await appendAll(one, ['a', 'b', 'c']);
      await server.remember();
      const lost = await appendAll(one, numbered('lost', 20));
      takeAway(proxy);
      await server.rollBack();
      // Nobody has noticed yet, and the numbers go far beyond what was seen.
      const outside = await connect({ servers: server.url });
      for (const id of numbered('again', 40)) await outside.request(`${name}.1.in.room`, id);
      await outside.close();
      proxy.set({});
      await until(() => one.rewrites > 0 && other.rewrites > 0, 'both are told');
      const fresh = await join();
      const { upTo } = await fresh.log.tail('room');
      for (const member of [one, other, fresh]) {
        for (const place of [...behind, ...lost]) await assertVoid(member, place);
        assert.equal((await member.log.tail('room')).upTo.log, upTo.log, 'they agree');
      }
      assert.deepEqual([one.rewrites, other.rewrites, fresh.rewrites], [1, 1, 0]);
      await append(fresh, 'room', 'next');
      assert.deepEqual(await readTexts(one, 'room', upTo), ['next']);
    });

    it('a rollback is noticed although another message got the number, and is gone as well', async () => {
      const { join } = service({ messagesPerTopic: 5 });
      await using proxy = await FaultProxy.start({ port: server.port });
      const one = await join(proxy.port);
      await appendAll(one, ['a', 'b']);
      await server.remember();
      const places = await appendAll(one, ['c', 'd']);
      takeAway(proxy);
      await server.rollBack();
      const fresh = await join();
      await appendAll(fresh, numbered('fresh', 20));
      proxy.set({});
      await until(() => one.rewrites > 0, 'it is told');
      for (const place of places) await assertVoid(one, place);
      await until(() => fresh.rewrites > 0, 'the others are told');
    });

    const looks = {
      'has only read': async (one: LogMember, start: Place) => {
        assert.deepEqual(await readTexts(one, 'room', start), ['lost']);
      },
      'has only asked for the end': (one: LogMember) => startOf(one, 'another room'),
    };
    for (const [what, look] of Object.entries(looks))
      it(`a rollback is noticed by a process that ${what}`, async () => {
        const { name, join } = service();
        const one = await join();
        const start = await startOf(one, 'room');
        // Otherwise, it would begin with a fence after this.
        await server.rememberWhileFrozen();
        const outside = await connect({ servers: server.url });
        await outside.request(`${name}.1.in.room`, 'lost');
        await outside.close();
        await look(one, start);
        await server.rollBack();
        await until(() => one.rewrites > 0, 'it is told');
        await assertVoid(one, start);
      });

    it('a link that was away while its newest message was pushed out finds the log as it was', async () => {
      const { join } = service({ messagesPerTopic: 5 });
      await using proxy = await FaultProxy.start({ port: server.port });
      const [one, other] = [await join(proxy.port), await join()];
      const [place] = (await appendAll(one, ['a'])) as [Place];
      takeAway(proxy);
      const later = await appendAll(other, numbered('later', 20));
      proxy.set({});
      await startOfAgain(one);
      await assertExpired(one, place);
      assert.deepEqual(await readTexts(one, 'room', later[17] as Place), ['later-18', 'later-19']);
      assert.deepEqual([one.rewrites, other.rewrites], [0, 0]);
    });

    it('a log whose messages have all expired is what it was', async () => {
      const { join } = service({ forMs: 1_000 });
      const [one, other] = [await join(), await join()];
      const [place] = (await appendAll(one, ['a', 'b'])) as [Place];
      await server.kill();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await server.restart();
      await Promise.all([startOfAgain(one), startOfAgain(other)]);
      await assertExpired(one, place);
      const { upTo } = await other.log.tail('room');
      assert.equal(upTo.log, place.log);
      // The fence is repeated before it expires.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const fresh = await join();
      assert.equal((await fresh.log.tail('room')).upTo.log, place.log);
      assert.deepEqual([one.rewrites, other.rewrites], [0, 0]);
    });

    it('a server that is killed or stopped without a loss is no reason for a fence', async () => {
      const { join } = service();
      const [one, other] = [await join(), await join()];
      const heard = await following(other, 'room');
      const start = await startOf(one, 'room');
      const kept: string[] = [];
      let isOver = false;
      const appending = (async () => {
        for (let index = 0; !isOver; index += 1) {
          await append(one, 'room', `m${index}`);
          kept.push(`m${index}`);
        }
      })();
      for (const end of [() => server.kill(), () => server.stop(), () => server.kill()]) {
        const before = kept.length;
        await until(() => kept.length > before + 50, 'messages are kept');
        await end();
        await server.restart();
      }
      const before = kept.length;
      await until(() => kept.length > before + 50, 'messages are kept again');
      isOver = true;
      await appending;
      await startOfAgain(other);
      assert.deepEqual(await readTexts(other, 'room', start, 1_000), kept);
      assert.ok(heard.length > 0);
      assert.deepEqual([one.rewrites, other.rewrites], [0, 0]);
    });

    it('a rollback is noticed by a process that was only told of a duplicate', async () => {
      const { name, join } = service();
      const one = await join();
      const start = await startOf(one, 'room');
      await server.rememberWhileFrozen();
      const outside = await connect({ servers: server.url });
      const named = headers();
      named.set('Nats-Msg-Id', 'room/a');
      await outside.request(`${name}.1.in.room`, 'a', { headers: named, timeout: 5_000 });
      await outside.close();
      assert.equal((await append(one, 'room', 'a')).isDuplicate, true);
      await server.rollBack();
      await until(() => one.rewrites > 0, 'it is told');
      await assertVoid(one, start);
    });

    it('a fence that a limit of others has dropped is appended again', async () => {
      const { name, join } = service();
      const one = await join();
      const outside = await connect({ servers: server.url });
      const info = await outside.request(`$JS.API.STREAM.INFO.${name}`);
      const config = { ...info.json<{ config: object }>().config, max_msgs: 10 };
      await outside.request(`$JS.API.STREAM.UPDATE.${name}`, JSON.stringify(config));
      const places = await appendAll(one, numbered('m', 20));
      await startOf(one, 'room');
      const fences = JSON.stringify({ last_by_subj: `${name}.1.in.!fence` });
      const isFenced = async () => {
        const found = await outside.request(`$JS.API.STREAM.MSG.GET.${name}`, fences);
        return found.json<{ error?: object }>().error === undefined;
      };
      await eventually(isFenced, 'there is a fence again');
      await outside.close();
      const fresh = await join();
      assert.deepEqual(await readTexts(fresh, 'room', places[18] as Place), ['m-19']);
      assert.deepEqual([one.rewrites, fresh.rewrites], [0, 0]);
    });

    it('a stream that is replaced right after a check is noticed', async () => {
      const { name, join } = service();
      const one = await join();
      await following(one, 'room');
      await appendAll(one, ['a', 'b', 'c']);
      const outside = await connect({ servers: server.url });
      const info = await outside.request(`$JS.API.STREAM.INFO.${name}`);
      const { config } = info.json<{ config: object }>();
      await outside.request(`$JS.API.STREAM.DELETE.${name}`);
      await outside.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify(config));
      await outside.request(`${name}.1.in.room`, 'other');
      await outside.close();
      await until(() => one.rewrites > 0, 'it is told');
    });

    it('a server that was emptied makes all places void', async () => {
      const { join } = service();
      const [one, other] = [await join(), await join()];
      const places = await appendAll(one, ['a', 'b']);
      await server.empty();
      await server.restart();
      await until(() => one.rewrites > 0 && other.rewrites > 0, 'both are told');
      for (const place of places) await assertVoid(other, place);
      const { place } = await append(one, 'room', 'a');
      assert.equal(place.log, (await other.log.tail('room')).upTo.log);
    });

    it('a stream that is deleted while links are up makes all places void', async () => {
      const { name, join } = service();
      const [one, other] = [await join(), await join()];
      const heard = await following(other, 'room');
      const places = await appendAll(one, ['a', 'b']);
      const outside = await connect({ servers: server.url });
      await outside.request(`$JS.API.STREAM.DELETE.${name}`);
      await outside.close();
      // Doubts are heeded once a second.
      const again = await append(one, 'room', 'a');
      assert.equal(again.isDuplicate, false);
      await until(() => one.rewrites > 0 && other.rewrites > 0, 'both are told');
      for (const place of places) await assertVoid(other, place);
      const last = await append(one, 'room', 'last');
      await until(() => heard.some(({ tag }) => tag === last.place.tag), 'it is heard');
      assert.deepEqual([one.rewrites, other.rewrites], [1, 1]);
    });
  });
}

function numbered(word: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${word}-${index}`);
}

/** Cuts the links of a proxy, and lets nobody in. */
function takeAway(proxy: FaultProxy): void {
  proxy.set({ accept: 'reset' });
  for (const link of proxy.links) link.down.reset();
}

/** Waits until a link is up again, and has checked the stream. */
async function startOfAgain(member: LogMember): Promise<Place> {
  await until(() => member.moves.length > 1 && member.moves.at(-1) === 'up', 'it is up again');
  return startOf(member, 'room');
}

async function assertVoid({ log }: LogMember, place: Place): Promise<void> {
  const page = await log.read('room', place, 10);
  assert.deepEqual(page, { isWhole: false, cause: 'reset' }, JSON.stringify(place));
}

async function assertExpired({ log }: LogMember, place: Place): Promise<void> {
  assert.deepEqual(await log.read('room', place, 10), { isWhole: false, cause: 'expired' });
}

// Goal: the recipes about messages keep their promises when connections break or fall behind. Method: run them on real sockets.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { Subject } from 'rxjs';
import { OrderClient, orderService } from '../../docs/examples/recipes/acknowledgement.ts';
import { type Quote, tickerService } from '../../docs/examples/recipes/price-ticker.ts';
import { roomsService } from '../../docs/examples/recipes/rooms.ts';
import { PlainClient, refusedWith } from '../support/plain-client.ts';
import { served } from '../support/served.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();

const userOf = ({ headers }: IncomingMessage) => headers['x-user'] as string | undefined;
const as = (user: string) => ({ headers: { 'X-User': user } });

describe('docs/recipes/rooms.md', () => {
  const room = 'harbour';

  it('reports who is there: each user once, until their last connection is gone', async () => {
    const supervisor = roomsService(userOf);
    const url = await served(supervisor, stops);
    assert.equal(await refusedWith(url), 401);
    const enter = async (user: string) => {
      const client = await PlainClient.open(url, as(user));
      client.send({ type: 'join', room });
      await client.hears(1);
      return client;
    };
    const ada = await enter('ada');
    const [tab, second] = [await enter('bob'), await enter('bob')];
    assert.deepEqual(tab.messages[0], { type: 'here', room, users: ['ada', 'bob'] });
    assert.deepEqual(second.messages[0], { type: 'here', room, users: ['ada', 'bob'] });
    tab.send({ type: 'leave', room });
    await until(() => supervisor.topic(room).size === 2, 'the tab has left');
    const eve = await enter('eve');
    eve.socket.terminate();
    await ada.hears(4);
    second.socket.terminate();
    assert.deepEqual(await ada.hears(5), [
      { type: 'here', room, users: ['ada'] },
      { type: 'came', room, user: 'bob' },
      { type: 'came', room, user: 'eve' },
      { type: 'left', room, user: 'eve' },
      { type: 'left', room, user: 'bob' },
    ]);
    assert.equal(tab.messages.length, 1);
  });
});

describe('docs/recipes/price-ticker.md', () => {
  it('gives a slow reader the latest of each symbol, and all other readers everything', async () => {
    const market$ = new Subject<Quote>();
    const supervisor = tickerService(market$);
    const url = await served(supervisor, stops);
    const [quick, slow] = [await PlainClient.open(url), await PlainClient.open(url)];
    await until(() => supervisor.topic('quotes').size === 2, 'both are members');
    slow.socket.pause();
    const publish = (symbol: string, price: number) => market$.next({ symbol, price });
    const congested = () => [...supervisor.connections].filter(({ flow }) => flow === 'congested');
    let count = 0;
    // The name of the symbol is long, so that the network is soon full.
    const long = 'x'.repeat(50_000);
    while (congested().length === 0) {
      count += 1;
      publish(long, count);
      await quick.hears(count);
    }
    for (let price = 1; price <= 100; price += 1) {
      for (const symbol of ['EUR', 'USD']) publish(symbol, price);
      await turns(1);
    }
    await quick.hears(count + 200);
    slow.socket.resume();
    const last = { symbol: 'USD', price: 100 };
    const isOver = () =>
      slow.messages.some(({ symbol, price }) => symbol === 'USD' && price === 100);
    await until(isOver, 'the slow reader has caught up');
    const euros = slow.messages.filter(({ symbol }) => symbol === 'EUR');
    assert.deepEqual(euros.at(-1), { symbol: 'EUR', price: 100 });
    assert.ok(euros.length < 100, `${euros.length} of 100`);
    assert.equal(quick.messages.length, count + 200);

    const late = await PlainClient.open(url);
    const current = await late.hears(3);
    assert.deepEqual(current.slice(1), [{ symbol: 'EUR', price: 100 }, last]);
    await supervisor.drain({ withinMs: 500 });
    assert.equal(market$.observed, false);
  });
});

describe('docs/recipes/acknowledgement.md', () => {
  /** The service, and a client of it. `book` gets the number of calls for an order. */
  async function orders(book: (times: number, cut: () => void) => Promise<void>) {
    const booked: string[] = [];
    const supervisor = orderService(async ({ item }) => {
      booked.push(item);
      await book(booked.filter((other) => other === item).length, () => {
        for (const connection of supervisor.connections) connection.terminate();
      });
    });
    const url = await served(supervisor, stops);
    const orderClient = new OrderClient(url);
    stops.add(() => orderClient.close());
    return { orderClient, booked, supervisor };
  }

  it('books an order once that is sent again because the receipt was lost', async () => {
    let cuts = 0;
    const { orderClient, booked, supervisor } = await orders(async (_times, cut) => {
      cuts += 1;
      if (cuts === 1) cut();
    });
    // The first is sent before there is a connection.
    await Promise.all([orderClient.submit('tea'), orderClient.submit('rum')]);
    await orderClient.submit('salt');
    assert.deepEqual(booked.toSorted(), ['rum', 'salt', 'tea']);
    assert.equal(supervisor.counts.closed, 1);
  });

  it('books an order once that is sent again while the first handler runs', async () => {
    let sent = 0;
    let resolve = () => {};
    const promise = new Promise<void>((settle) => {
      resolve = settle;
    });
    const { orderClient, booked, supervisor } = await orders(async (_times, cut) => {
      sent += 1;
      cut();
      await promise;
    });
    const receipt = orderClient.submit('tea');
    await until(
      () => supervisor.counts.open === 1 && supervisor.counts.closed === 1,
      'it has reconnected',
    );
    resolve();
    await receipt;
    assert.deepEqual([booked, sent], [['tea'], 1]);
  });

  it('sends an order again that the service could not book', async () => {
    const { orderClient, booked } = await orders(async (times) => {
      if (times === 1) throw new Error('the database is unavailable');
    });
    await orderClient.submit('tea');
    assert.deepEqual(booked, ['tea', 'tea']);
  });
});

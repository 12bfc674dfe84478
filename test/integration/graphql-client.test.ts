// Goal: the GraphQL client example follows graphql-transport-ws on every connection: init, ack, its subscriptions, then
// what waited. Method: a real graphql-ws server that is slow to admit and is cut off.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { GraphqlClient } from '../../docs/examples/graphql-client.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = stopsAndWatch();

const ticks = new GraphQLObjectType({
  name: 'Subscription',
  fields: {
    news: {
      type: GraphQLString,
      async *subscribe() {
        yield { news: 'first' };
        await new Promise(() => {});
      },
    },
    flash: {
      type: GraphQLString,
      async *subscribe() {
        yield { flash: 'only' };
      },
    },
  },
});
const query = new GraphQLObjectType({
  name: 'Query',
  fields: { hello: { type: GraphQLString, resolve: () => 'world' } },
});

/** A graphql-ws server that takes a while to look up a token, and records the messages of clients. */
async function graphqlServer() {
  const http: Server = createServer();
  const wss = new WebSocketServer({ server: http });
  const heard: string[] = [];
  wss.on('connection', (socket) => {
    socket.on('message', (data) => {
      const { type, payload } = JSON.parse(String(data));
      heard.push(payload?.query ?? type);
    });
    socket.on('close', (code) => heard.push(`closed ${code}`));
  });
  const onConnect = async () => {
    await delay(30);
    return true;
  };
  const graphql = useServer(
    { schema: new GraphQLSchema({ query, subscription: ticks }), onConnect },
    wss,
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  stops.add(async () => {
    await graphql.dispose();
    http.close();
  });
  const cut = () => {
    for (const socket of wss.clients) socket.terminate();
  };
  const ping = () => {
    for (const socket of wss.clients) socket.send('{"type":"ping"}');
  };
  const { port } = http.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}/graphql`, heard, cut, ping };
}

describe('the GraphQL client of the examples', () => {
  it('signs in, subscribes and then sends what waited, on every connection', async () => {
    const { url, heard, cut } = await graphqlServer();
    const { client, ...graphql } = makeClient(url);
    const news: unknown[] = [];
    graphql.subscribe('subscription { news }', news);
    assert.deepEqual(await graphql.execute('{ hello }'), { data: { hello: 'world' } });
    await until(() => news.length === 1, 'the news have arrived');
    assert.deepEqual(heard, ['connection_init', 'subscription { news }', '{ hello }']);
    cut();
    await until(() => client.status.state !== 'up', 'the client has noticed');
    assert.deepEqual(await graphql.execute('{ hello }'), { data: { hello: 'world' } });
    await until(() => news.length === 2, 'the news have arrived again');
    assert.deepEqual(heard.slice(3), [
      'closed 1006',
      'connection_init',
      'subscription { news }',
      '{ hello }',
    ]);
  });

  it('answers pings, and delivers none of them', async () => {
    const { url, heard, ping } = await graphqlServer();
    const { client, ...graphql } = makeClient(url);
    const types: string[] = [];
    client.messages$.subscribe(({ type }) => types.push(type));
    await graphql.execute('{ hello }');
    ping();
    await until(() => heard.includes('pong'), 'the server has its pong');
    assert.deepEqual(types, ['connection_ack', 'next', 'complete']);
  });

  it('completes what the server completes, and does not subscribe to it again', async () => {
    const { url, heard, cut } = await graphqlServer();
    const { client, ...graphql } = makeClient(url);
    const flashes: unknown[] = [];
    await graphql.completion('subscription { flash }', flashes);
    assert.deepEqual(flashes, [{ data: { flash: 'only' } }]);
    cut();
    await until(() => client.status.state !== 'up', 'the client has noticed');
    await graphql.execute('{ hello }');
    assert.deepEqual(heard.slice(2), ['closed 1006', 'connection_init', '{ hello }']);
  });

  it('fails what the server refuses, with its errors', async () => {
    const { url } = await graphqlServer();
    const graphql = makeClient(url);
    const isRefusal = ({ cause }: Error) => /Cannot query field/.test(JSON.stringify(cause));
    await assert.rejects(graphql.execute('{ nothing }'), isRefusal);
    await assert.rejects(graphql.completion('subscription { nothing }', []), isRefusal);
  });
});

function makeClient(url: string) {
  const graphql = new GraphqlClient(url, async () => 'secret');
  stops.add(() => graphql.client.close());
  return {
    client: graphql.client,
    execute: (text: string) => graphql.execute(text),
    subscribe: (text: string, into: unknown[]) =>
      void graphql.subscribe(text).subscribe((value) => into.push(value)),
    completion: (text: string, into: unknown[]) =>
      graphql.subscribe(text).forEach((value) => void into.push(value)),
  };
}

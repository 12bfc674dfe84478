import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Neighbour } from './neighbour.ts';
import { closed } from './ws.ts';

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString } } }),
});

/** graphql-ws on a server of ws. */
export const graphqlWs: Neighbour = {
  name: 'graphql-ws',
  visit: {
    path: '/graphql',
    headers: { 'Sec-WebSocket-Protocol': 'graphql-transport-ws' },
    says: '{"type":"connection_init"}',
    hears: /"type":"connection_ack"/,
  },
  unserved: { by: 'neighbour', status: 400 },
  hasCheck: true,
  closesServer: false,
  async start(server, check) {
    const wss = new WebSocketServer({ server, path: '/graphql' });
    const onConnect = ({ extra }: { extra: { request: { url?: string } } }) =>
      check(extra.request.url);
    const graphql = useServer({ schema, onConnect }, wss, 0);
    return async () => {
      await graphql.dispose();
      await closed(wss);
    };
  },
};

// Goal: topics, broadcasts and keys reach members in every process over a real nats-server. Method: supervisors with a connection
// to it each, and real sockets.
import { after } from 'node:test';
import { natsBus } from '../../src/bus/nats/index.ts';
import { NatsServer } from '../support/nats-server.ts';
import { natsServers } from '../support/nats-versions.ts';
import { nodesSuite } from '../support/nodes-suite.ts';

const newest = (await natsServers()).at(-1);
if (newest === undefined) throw new Error('there is no nats-server');
const server = await NatsServer.start(newest);
after(() => server.kill());
let services = 0;

nodesSuite(`NATS bus with nats-server ${newest.version}`, (count) => {
  services += 1;
  const name = `service-${services}`;
  return Array.from({ length: count }, () => natsBus({ servers: server.url, name }));
});

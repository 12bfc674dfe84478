import { after } from 'node:test';
import { natsBus } from '../../src/bus/nats/index.ts';
import { busSuite } from '../support/bus-suite.ts';
import { NatsServer } from '../support/nats-server.ts';
import { natsServers } from '../support/nats-versions.ts';

for (const program of await natsServers()) {
  const server = await NatsServer.start(program);
  console.log(`nats-server ${program.version}, ${program.origin}`);
  after(() => server.kill());
  busSuite(`NATS bus with nats-server ${program.version}`, {
    make: (name) => natsBus({ servers: server.url, name }),
  });
}

import { after } from 'node:test';
import { natsBus } from '../../src/bus/nats/index.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import { logSuite } from '../support/log-suite.ts';
import { natsServers } from '../support/nats-versions.ts';

for (const program of await natsServers()) {
  const server = await JetStreamServer.start(program);
  after(() => server.end());
  logSuite(`NATS log with nats-server ${program.version}`, {
    canBeLost: true,
    canBeRolledBack: true,
    appendsMax: 11_024,
    make: (name, retention) => ({
      bus: () => natsBus({ servers: server.url, name, retention }),
      lose: () => server.kill(),
      return: () => server.restart(),
      remember: () => server.remember(),
      rollBack: () => server.rollBack(),
    }),
  });
}
